"""Elementwise functions whose derivatives are worked out once an element, however many directions ask for them."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from t2jax.typing import Array

Elementwise = Callable[..., Array]


def with_derivatives(function: Elementwise, derivatives: Sequence[Elementwise] | None = None) -> Elementwise:
    """The same function of arrays of one shape, which differentiates through its partial derivatives.

    A Hessian by automatic differentiation walks through the whole function once for every pair of directions. Here each
    partial derivative is evaluated once an element, and directions only multiply it. Without `derivatives`, one for
    each argument, they come from forward differentiation of the function, which keeps its digits.
    """
    wrapped = jax.custom_jvp(function)

    def derivative(place: int, primals: tuple[Array, ...]) -> Array:
        if derivatives is not None:
            return derivatives[place](*primals)
        along = tuple(jnp.full_like(primal, i == place) for i, primal in enumerate(primals))
        return jax.jvp(function, primals, along)[1]

    def rule(primals: tuple[Array, ...], tangents: tuple[Array | SymbolicZero, ...]) -> tuple[Array, Array]:
        slope = jnp.zeros_like(primals[0])
        for place, tangent in enumerate(tangents):
            if not isinstance(tangent, SymbolicZero):
                slope = slope + derivative(place, primals) * tangent
        return wrapped(*primals), slope

    wrapped.defjvp(rule, symbolic_zeros=True)
    return wrapped
