"""Derivatives of an optimum, through the conditions that it meets rather than the steps that led to it."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from t2jax.numerics.interior_point import Limits, Objective, Optimum
from t2jax.typing import Array


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def differentiable(objective: Objective, limits: Limits, theta: Any, found: Optimum) -> Optimum:
    """`found` as a function of theta: a minimiser of objective(theta, x) under limits(theta, x) <= 0.

    Derivatives of any order and in both modes are those of the KKT conditions with the active set held, so multipliers
    differentiate too (Fiacco 1976). found itself carries none: how it was found does not matter.
    """
    return found


@differentiable.defjvp
def _implicit(objective, limits, primals, tangents):
    theta, found = primals
    found = differentiable(objective, limits, theta, found)

    def conditions(theta: Any, x: Array) -> tuple[Array, Array]:
        slope = jax.grad(lambda x: objective(theta, x) + found.multipliers @ limits(theta, x))(x)
        return slope, limits(theta, x)

    (_, moved) = jax.jvp(lambda theta: conditions(theta, found.x), (theta,), (tangents[0],))
    hessian, rows = jax.jacfwd(lambda x: conditions(theta, x))(found.x)
    rhs = jnp.concatenate([-moved[0], jnp.where(found.active, -moved[1], 0.0)])
    move = _kkt_solve(hessian, rows, found.active, rhs)
    x_dot, z_dot = move[: len(found.x)], move[len(found.x) :]
    _, value_dot = jax.jvp(objective, (theta, found.x), (tangents[0], x_dot))
    zero_active = jnp.zeros(found.active.shape, jax.dtypes.float0)
    still = jnp.zeros_like(found.kkt), jnp.zeros_like(found.hessian)
    return found, Optimum(x_dot, z_dot, zero_active, value_dot, *still)  # pyright: ignore


def _kkt_solve(hessian: Array, rows: Array, active: Array, rhs: Array) -> Array:
    """Solve [H Aᵀ; A 0] on the active rows, with inactive multipliers held: (dx, dz) for rhs (stationarity, rows)."""
    lower = jnp.where(active[:, None], rows, 0.0)
    corner = jnp.diag(jnp.where(active, 0.0, 1.0).astype(rhs.dtype))
    return jnp.linalg.solve(jnp.block([[hessian, lower.T], [lower, corner]]), rhs)
