"""Likelihood of questions that every checkpoint answers, with the effect of each question integrated out.

By the law the chances of a checkpoint's questions are Beta(a, b). A Gaussian copula correlates the rank of a question
between checkpoints and leaves these Betas as they are. At checkpoint m question q has the chance p_qm. It is the z_qm
quantile, in normal scores, of Beta(a_m, b_m), with `z_qm = √ρ s_q + √(1-ρ) e_qm` and standard normal s and e.
The trapezoid rule integrates over s, and a grid of logits of p_qm over e_qm.
Sources: Sklar 1959 for copulas, and Vasicek 2002 for one common factor.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln, logsumexp, ndtr, ndtri

from t2jax.noise.protocol import Rows
from t2jax.numerics.special import representable
from t2jax.typing import Array, Float

NARROWEST = 8.0  # lesser of a and b above which a Beta's logits, of spreads near 0.4, are too narrow for the grid
HIGHEST = 0.9  # rho
LARGEST = -0.65  # power of the rounding error: a larger sum of a and b leaves no digits of their log-gammas
SMALLEST = 1e-30  # of a and b, whose densities still have derivatives
SERIES = 24  # terms of the mass beyond the grid
FULL = 5.0  # expected size of the first term from which on the mass beyond the grid is what the grid leaves of one
LEAST = 1e-30  # smallest mass with a normal score of its own
EDGE = 4.5  # end of the grid of s, in standard deviations
FARTHEST, KNOT = 6.4, 0.05  # the last knot along the normal scores of a chance, and the distance of knots


def log_questions(
    a: Float[Array, " checkpoints"], b: Float[Array, " checkpoints"], rho: Array, rows: Rows
) -> Float[Array, " questions"]:
    """Computes the log-likelihood of each question from Beta(a, b) chances with rank correlation rho.

    A count has the likelihood `f(c | s) = ∫ g(c | p) dz φ((z - √ρ s) / √(1-ρ)) / √(1-ρ)`, with z the normal score of p.
    The integral runs over logits of p, where g is smooth. Cubic splines interpolate the normal density along z. The
    dependence on s is then one matrix for all checkpoints and counts.
    """
    # loops over checkpoints, as XLA copies all that leads to a small array into whatever reads it, but for a loop's
    # results: second derivatives of the batch compile three times as long, and the gradient takes a fifth longer
    a, b = jax.lax.map(lambda pair: _gridded(pair[0], pair[1]), (a, b))
    # with unlimited trials and the highest ρ, the checkpoints determine s up to this spread
    spread = 1 / np.sqrt(1 + len(a) * HIGHEST / (1 - HIGHEST))
    s = jnp.linspace(-EDGE, EDGE, int(np.ceil(2 * EDGE / (1.7 * spread))) + 1)
    share, rest = jnp.sqrt(rho), jnp.sqrt(1 - rho)
    density, z = jax.lax.map(lambda pair: _scores(pair[0], pair[1], rows["logit"]), (a, b))
    score = jnp.clip(z, 2 * KNOT - FARTHEST, FARTHEST - 2 * KNOT)
    kernel = jnp.moveaxis(rows["kernel"], 1, 2)
    by_knot = _on_knots(score, kernel[:, 1:-1] * (density * np.sqrt(2 * np.pi) * jnp.exp(score**2 / 2))[:, :, None])
    inside = jnp.einsum("mjc,js->mcs", by_knot, _at_knots(s, share, rest))
    shift = share * s[None, :]
    below, above = ndtr((z[:, :1] - shift) / rest), ndtr((shift - z[:, -1:]) / rest)
    outside = rows["kernel"][:, :, :1] * below[:, None, :] + rows["kernel"][:, :, -1:] * above[:, None, :]
    least = jnp.finfo(rho.dtype).tiny ** (1 / 3)  # its square, in second derivatives, is still a number
    log_counts = jnp.log(jnp.maximum(inside + outside, least))
    by_node = jnp.einsum("qmc,mcs->qs", rows["seen"], log_counts)
    log_weight = -0.5 * s**2 - jnp.log(jnp.sum(jnp.exp(-0.5 * s**2)))
    return logsumexp(by_node + log_weight[None, :], axis=1)


def _gridded(a: Float[Array, " checkpoints"], b: Float[Array, " checkpoints"]) -> tuple[Array, Array]:
    """Widens Betas that are too narrow for the grid, and bounds those whose log-gammas have no digits, at one mean."""
    a, b = representable(a, b)
    wide = jnp.minimum(1.0, NARROWEST / jnp.minimum(a, b))
    largest = jnp.finfo(a.dtype).eps ** LARGEST
    size = jnp.maximum(wide * (a + b), SMALLEST)
    factor = jnp.minimum(size, largest) / (a + b)
    return jnp.maximum(factor * a, SMALLEST), jnp.maximum(factor * b, SMALLEST)


def _on_knots(
    z: Float[Array, "checkpoints points"], mass: Float[Array, "checkpoints points counts"]
) -> Float[Array, "checkpoints knots counts"]:
    """Distributes masses at z over the knots, by the cubic B-splines on them."""
    place = (z + FARTHEST) / KNOT
    first = jnp.floor(place)
    t = place - first
    weights = jnp.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, 3 * t * (1 + t - t**2) + 1, t**3], axis=2) / 6
    knots = first.astype(int)[:, :, None] + jnp.arange(-1, 3)[None, None, :]
    empty = jnp.zeros((len(z), round(2 * FARTHEST / KNOT) + 1, mass.shape[2]), z.dtype)
    return empty.at[jnp.arange(len(z))[:, None, None], knots].add(weights[..., None] * mass[:, :, None, :])


def _at_knots(s: Float[Array, " nodes"], share: Array, rest: Array) -> Float[Array, "knots nodes"]:
    """Computes B-spline coefficients of the density of z given s: a quasi-interpolant of fourth order.

    Source: de Boor & Fix 1973 (Journal of Approximation Theory 8:19). On an even grid it takes 8/6 of a value minus 1/6
    of its neighbours.
    """
    z = jnp.linspace(-FARTHEST - KNOT, FARTHEST + KNOT, round(2 * FARTHEST / KNOT) + 3)
    value = jnp.exp(-0.5 * ((z[:, None] - share * s[None, :]) / rest) ** 2) / (rest * np.sqrt(2 * np.pi))
    return (8 * value[1:-1] - value[:-2] - value[2:]) / 6


def _scores(a: Array, b: Array, logit: Float[Array, " points"]) -> tuple[Array, Array]:
    """Computes the density of the logit of a Beta(a, b) chance, and its distribution as normal scores, (points,)."""
    log_beta = gammaln(a) + gammaln(b) - gammaln(a + b)  # betaln's derivatives take long to compile

    def density(x: Array) -> Array:
        return jnp.exp(a * jax.nn.log_sigmoid(x) + b * jax.nn.log_sigmoid(-x) - log_beta)

    step = logit[1] - logit[0]
    # three points of Gauss and Legendre in each cell
    middle, reach = logit[:-1] + step / 2, step / 2 * np.sqrt(0.6)
    cell = step / 18 * (5 * density(middle - reach) + 8 * density(middle) + 5 * density(middle + reach))
    inside = jnp.sum(cell)
    low, high = _tail(a, b, logit[0], density), _tail(b, a, -logit[-1], lambda x: density(-x))
    low = jnp.where(_beyond(a, b, logit[0]), jnp.maximum(1 - inside - high, LEAST), low)
    high = jnp.where(_beyond(b, a, -logit[-1]), jnp.maximum(1 - inside - low, LEAST), high)
    below = jnp.concatenate([low[None], low + jnp.cumsum(cell)])
    above = jnp.concatenate([high[None], high + jnp.cumsum(cell[::-1])])[::-1]
    lower = below < above
    z = _normal_score(jnp.clip(jnp.where(lower, below, above), LEAST, 0.5))
    return density(logit), jnp.where(lower, z, -z)


@jax.custom_jvp
def _normal_score(p: Array) -> Array:
    """Computes the standard normal quantile, with the derivative of the exact inverse."""
    return ndtri(p)


@_normal_score.defjvp
def _(at: tuple[Array], along: tuple[Array]) -> tuple[Array, Array]:
    z = _normal_score(at[0])
    return z, along[0] * np.sqrt(2 * np.pi) * jnp.exp(z**2 / 2)


def _beyond(a: Array, b: Array, x: Array) -> Array:
    """Whether so much of Beta(a, b) lies below the logit x that the series of `_tail` is too short for it."""
    return (jax.nn.sigmoid(x) * (a + b) > FULL) & (b > a)


def _tail(a: Array, b: Array, x: Array, density: Any) -> Array:
    """Computes the mass of Beta(a, b) below the logit x of a tiny chance p: the series DLMF 8.17.8 in p."""
    i = jnp.arange(SERIES, dtype=a.dtype)
    p = jnp.where(_beyond(a, b, x), 0.0, jax.nn.sigmoid(x))  # the series would overflow where it is not used
    terms = jnp.cumprod(p * (a + b + i) / (a + 1 + i))
    return density(x) * (1 + jnp.sum(terms)) / a
