"""Logs of rising factorials, summed over many counts at once: the sufficient statistic of a beta-binomial.

log Gamma(x+c) - log Gamma(x) is the sum of log(x+j) over j < c (DLMF 5.5.1). Over many c at one x, the term of j
counts as often as c is above j. A table of counts thus becomes one number for each j.
"""

import jax
import jax.numpy as jnp

from t2jax.typing import Array, Float


@jax.custom_jvp
def log_rising_sum(x: Float[Array, " runs"], beyond: Float[Array, "runs width"]) -> Float[Array, " runs"]:
    """Computes the sum over j of beyond_j log(x+j), which is differentiable twice in x.

    Args:
        x: Arguments > 0, shape (runs,).
        beyond: How many counts are above j, shape (runs, width). It has no derivative.

    Returns:
        Sums, shape (runs,).
    """
    return jnp.sum(beyond * jnp.log(_steps(x, beyond)), axis=1)


@jax.custom_jvp
def _slope(x: Array, beyond: Array) -> Array:
    return jnp.sum(beyond / _steps(x, beyond), axis=1)


def _curvature(x: Array, beyond: Array) -> Array:
    return -jnp.sum(beyond / _steps(x, beyond) ** 2, axis=1)


# directions of the coordinates then have the shape of x, not that of the counts
log_rising_sum.defjvps(lambda dx, _, x, beyond: _slope(x, beyond) * dx, None)
_slope.defjvps(lambda dx, _, x, beyond: _curvature(x, beyond) * dx, None)


def _steps(x: Array, beyond: Array) -> Array:
    return x[:, None] + jnp.arange(beyond.shape[1], dtype=x.dtype)[None, :]
