"""A point strictly inside smooth limits, where an interior point begins, or the limits that contradict each other."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from t2jax.numerics.damped_newton import second_order
from t2jax.numerics.interior_point import Limits
from t2jax.numerics.small_linear_algebra import downhill
from t2jax.typing import Array, Float

FRACTIONS = (1.0, 0.3, 0.1, 0.02)


class Inside(NamedTuple):
    """x (n,): the point. largest: of the limits there. weights (m,): where that is not below 0, each one's part.

    Where convex limits contradict each other the search ends where the largest is least, and it is several that are
    largest there: relaxing any other would not help.
    """

    x: Float[Array, " n"]
    largest: Array
    weights: Float[Array, " m"]

    @property
    def ok(self) -> Array:
        """Whether the point is inside."""
        return self.largest < 0


class _State(NamedTuple):
    x: Array
    width: Array
    radius: Array
    count: Array
    ok: Array


def inside(limits: Limits, theta: Any, start: Float[Array, " n"]) -> Inside:
    """A point at which every limit is below zero, from any start: Newton on a smooth maximum of the limits.

    The maximum is τ log Σ exp(g/τ) (Boyd & Vandenberghe 2004, section 3.1.5), with τ shrinking from 1 until the point
    is inside by a tenth of it. Steps are at most 3 in each log, and shorter where those fail. For limits that are not
    convex it may miss a point.
    """
    limit = partial(limits, theta)
    least = jnp.sqrt(jnp.finfo(start.dtype).eps) * 0.1

    def within(x: Array, width: Array) -> Array:
        return jnp.max(limit(x)) < -0.1 * width

    def body(state: _State) -> _State:
        x, width, radius, count, _ = state

        def height(x: Array) -> Array:
            return width * jax.nn.logsumexp(limit(x) / width)

        value, slope, hessian = second_order(height, x)
        dx = downhill(hessian, jnp.zeros_like(hessian), slope)
        dx = jnp.where(jnp.any(dx != 0), dx, -slope)
        dx = dx * jnp.minimum(1.0, radius / jnp.maximum(jnp.max(jnp.abs(dx)), 1e-30))
        fractions = jnp.array(FRACTIONS, x.dtype)
        trials = jax.vmap(lambda step: height(x + step * dx))(fractions)
        trials = jnp.where(jnp.isfinite(trials), trials, jnp.inf)
        best = jnp.argmin(trials)
        lower = trials[best] < value
        settled = (lower & (value - trials[best] < 0.02 * width)) | (radius < 1e-4 * width)
        x = jnp.where(lower, x + fractions[best] * dx, x)
        radius = jnp.where(lower, jnp.minimum(2 * radius, 3.0), 0.01 * radius)
        width = jnp.where(settled, 0.3 * width, width)
        radius = jnp.where(settled, jnp.maximum(radius, width), radius)
        return _State(x, width, radius, count + 1, within(x, width))

    one = jnp.ones((), start.dtype)
    begin = _State(start, one, 3 * one, jnp.zeros((), int), within(start, one))
    end = jax.lax.while_loop(lambda state: ~state.ok & (state.width > least) & (state.count < 200), body, begin)
    at = limit(end.x)
    return Inside(end.x, jnp.max(at), jax.nn.softmax((at - jnp.max(at)) / 1e-3))
