"""Elementwise functions that evaluate each partial derivative once, for any number of directions."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from t2jax.typing import Array

Elementwise = Callable[..., Array]


def with_derivatives(function: Elementwise, derivatives: Sequence[Elementwise] | None = None) -> Elementwise:
    """Returns the same function of arrays of one shape, differentiated through its partial derivatives.

    A Hessian by automatic differentiation evaluates the whole function once for every pair of directions.
    Here each partial derivative is evaluated once for each element, and directions only multiply it.
    Without `derivatives` (one for each argument) they come from forward differentiation, which keeps their digits.
    """
    wrapped = jax.custom_jvp(function)

    def derivative(place: int, primals: tuple[Array, ...]) -> Array:
        if derivatives is not None:
            return derivatives[place](*primals)
        tangents = tuple(jnp.full_like(primal, i == place) for i, primal in enumerate(primals))
        return jax.jvp(function, primals, tangents)[1]

    def rule(primals: tuple[Array, ...], tangents: tuple[Array | SymbolicZero, ...]) -> tuple[Array, Array]:
        slope = jnp.zeros_like(primals[0])
        for place, tangent in enumerate(tangents):
            if not isinstance(tangent, SymbolicZero):
                slope = slope + derivative(place, primals) * tangent
        return wrapped(*primals), slope

    wrapped.defjvp(rule, symbolic_zeros=True)
    return wrapped
