"""Posynomials in N, D and k, of which costs consist.

Each cost is a posynomial: a sum of products of powers of N, D and k with positive coefficients.
A roofline is the largest of several such sums. The log of each cost is therefore convex in (log N, log D, log k),
as in geometric programming (Boyd et al. 2007, A tutorial on geometric programming). Convexity lets the planner
certify an optimum.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from t2jax.typing import Array, ArrayLike


class Term(NamedTuple):
    """One term of a cost: `coefficient · N^powers[0] · D^powers[1] · k^powers[2]`."""

    powers: tuple[float, float, float]
    coefficient: ArrayLike

    def times(self, factor: ArrayLike, samples: float = 0.0) -> "Term":
        """Returns the term times a factor and times k to a power."""
        n, d, k = self.powers
        return Term((n, d, k + samples), jnp.asarray(self.coefficient) * factor)


Terms = list[Term]


def total(terms: Terms, N: ArrayLike, D: ArrayLike, k: ArrayLike) -> Array:
    """Sums terms at N, D and k."""
    N, D, k = as_number(N), as_number(D), as_number(k)
    value = jnp.zeros(())
    for (n, d, m), coefficient in terms:
        value = value + coefficient * N**n * D**d * k**m
    return value


def as_number(value: ArrayLike) -> Array:
    """Returns an array; a Python integer such as 8,030,261,248 becomes a float, since it may exceed 32 bits."""
    return jnp.asarray(float(value) if isinstance(value, int) else value)


def largest(costs: list[Array]) -> Array:
    """Selects the largest cost by its index.

    The derivative of jnp.max is NaN if XLA rounds the two compared numbers differently.
    """
    stacked = jnp.stack(costs)
    at = jnp.argmax(jax.lax.stop_gradient(stacked), axis=0)
    return jnp.take_along_axis(stacked, at[None], axis=0)[0]


def attended(before: ArrayLike, new: ArrayLike) -> Array:
    """Counts the pairs of `new` tokens with themselves and all earlier tokens, of which `before` are already there."""
    new = jnp.asarray(new)
    return new * before + new * (new + 1) / 2
