"""Means over the success probabilities of questions, which follow a Beta distribution."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.numerics.special import representable
from t2jax.typing import Array, ArrayLike

NODES = 128
TAIL = 34.0
"""Nodes go on until the density has fallen by a factor of exp(34)."""
SPREAD = 4.0
"""Width of the dense middle of the nodes, in standard deviations of the logit."""
NEWTON_STEPS = 12


def mean_over_beta(
    function: Callable[[Array, Array], Array], a: ArrayLike, b: ArrayLike, growth: ArrayLike = 1.0
) -> Array:
    """Computes the mean of a function of p over p ~ Beta(a, b), for a and b of at least one.

    It is the trapezoid rule in s, where logit p = c + w·sinh(s): the integrand falls faster than exponentially in s.
    The rule converges exponentially for analytic functions (Trefethen and Weideman 2014, SIAM Review 56, 385).
    Weights are normalised by their own sum. Nodes are constants for derivatives, which act on weights and function.

    Args:
        function: Function of p and 1-p, both of shape (nodes,), that returns values of shape (nodes,).
        a: First parameter of the Beta distribution, a scalar >= 1.
        b: Second parameter of the Beta distribution, a scalar >= 1.
        growth: How many times larger the function may be near p = 0 than elsewhere, such as k for (1-(1-p)^k)/p.

    Returns:
        The mean. For functions that vary on scales of log p of about one, its relative error is below 1e-11 (float64).
    """
    a, b = _not_too_narrow(jnp.asarray(a, float), jnp.asarray(b, float))
    logits, offset, stretch = _nodes(*jax.lax.stop_gradient((a, b, jnp.asarray(growth, float))))
    weights = stretch * jnp.exp(-fall_from_peak(a, b, offset))
    values = function(jax.nn.sigmoid(logits), jax.nn.sigmoid(-logits))
    return jnp.sum(weights * values) / jnp.sum(weights)


def mean_with_ends(function: Callable[[Array, Array], Array], a: ArrayLike, b: ArrayLike, growth: ArrayLike) -> Array:
    """Computes the mean of a bounded function of p over p ~ Beta(a, b), for any positive a and b.

    The line between the values at p = 0 and p = 1 has a mean in closed form. The rest is p(1-p) times a function that
    `mean_over_beta` integrates over Beta(a+1, b+1), however small a and b are.

    Args:
        function: Function of p and 1-p, both of shape (nodes,), that returns values of shape (nodes,).
        a: First parameter of the Beta distribution, a scalar > 0.
        b: Second parameter of the Beta distribution, a scalar > 0.
        growth: How many times larger than elsewhere the slope of the function may be near p = 0.

    Returns:
        The mean. Its absolute error is about 1e-13 of the largest value (float64).
    """
    ends = jnp.array([0.0, 1.0])
    at_zero, at_one = function(ends, 1 - ends)

    def curved(p: Array, q: Array) -> Array:
        return (function(p, q) - at_zero * q - at_one * p) / (p * q)

    return (
        at_zero * share(b, a)
        + at_one * share(a, b)
        + mean_of_product(a, b) * mean_over_beta(curved, jnp.asarray(a) + 1, jnp.asarray(b) + 1, growth)
    )


def share(a: ArrayLike, b: ArrayLike) -> Array:
    """Computes a/(a+b), the mean of Beta(a, b)."""
    return jnp.asarray(a) / (jnp.asarray(a) + jnp.asarray(b))


def mean_of_product(a: ArrayLike, b: ArrayLike) -> Array:
    """Computes the mean of p(1-p) over Beta(a, b)."""
    return share(a, b) * (jnp.asarray(b) / (jnp.asarray(a) + jnp.asarray(b) + 1))


def _not_too_narrow(a: Array, b: Array) -> tuple[Array, Array]:
    """Bounds a and b at the same mean, so that the log density keeps its digits; p has a spread of 1e-5 then."""
    a, b = representable(a, b)
    shrink = jnp.minimum(1.0, float(jnp.finfo(a.dtype).eps) ** -0.64 / jnp.minimum(a, b))
    return a * shrink, b * shrink


def fall_from_peak(a: Array, b: Array, offset: Array) -> Array:
    """Computes how far the log density of logit p for p ~ Beta(a, b) lies below its peak, at a distance from the peak.

    The position of the peak is a constant for derivatives: the slope in a is log p up to a constant.

    Args:
        a: First parameter of the Beta distribution.
        b: Second parameter of the Beta distribution.
        offset: Logit of p less that of the peak, in a shape that broadcasts with a and b.

    Returns:
        The fall in nats, >= 0.
    """
    from_zero = a <= b  # by the smaller of p and 1-p at the peak, nothing cancels
    lesser, step = jnp.where(from_zero, a, b), jnp.where(from_zero, offset, -offset)
    at_peak = jax.lax.stop_gradient(lesser / (a + b))
    return (a + b) * jnp.log1p(at_peak * jnp.expm1(step)) - lesser * step


def _nodes(a: Array, b: Array, growth: Array) -> tuple[Array, Array, Array]:
    """Returns logits of p, their distances from the peak, and slopes of the logits in s, each of shape (nodes,)."""
    curvature = a * (b / (a + b))
    width = SPREAD / jnp.sqrt(curvature)

    def reach(sign: float, slope: Array, tail: Array) -> Array:
        """Solves fall(sign·y) = tail. The fall is convex in y, so Newton's method descends from a point beyond."""

        def step(_: int, y: Array) -> Array:
            fall, steepness = jax.value_and_grad(fall_from_peak, argnums=2)(a, b, sign * y)
            return y - (fall - tail) / (sign * steepness)

        return jax.lax.fori_loop(0, NEWTON_STEPS, step, jnp.sqrt(2 * tail / curvature) + tail / slope)

    left = reach(-1.0, a, TAIL + jnp.log(growth))
    right = reach(1.0, b, jnp.full_like(a, TAIL))
    low, high = -jnp.arcsinh(left / width), jnp.arcsinh(right / width)
    s = low + (high - low) * np.linspace(0.0, 1.0, NODES)
    offset = width * jnp.sinh(s)
    return jnp.log(a) - jnp.log(b) + offset, offset, jnp.cosh(s)
