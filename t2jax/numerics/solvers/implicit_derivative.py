"""Derivatives of an optimum through its KKT conditions, without those of the solver's steps."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from t2jax.numerics.solvers.interior_point import Constraints, Objective, Optimum
from t2jax.typing import Array


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def differentiable(objective: Objective, constraints: Constraints, theta: Any, optimum: Optimum) -> Optimum:
    """Makes a minimiser of objective(theta, x) under constraints(theta, x) <= 0 a differentiable function of theta.

    Derivatives of any order and in both modes are those of the KKT conditions with a fixed active set.
    Multipliers therefore have derivatives too (Fiacco 1976). The steps of the solver play no part.
    """
    return optimum


@differentiable.defjvp
def _implicit(objective, constraints, primals, tangents):
    theta, optimum = primals
    optimum = differentiable(objective, constraints, theta, optimum)

    def conditions(theta: Any, x: Array) -> tuple[Array, Array]:
        slope = jax.grad(lambda x: objective(theta, x) + optimum.multipliers @ constraints(theta, x))(x)
        return slope, constraints(theta, x)

    (_, condition_tangents) = jax.jvp(lambda theta: conditions(theta, optimum.x), (theta,), (tangents[0],))
    hessian, jacobian = jax.jacfwd(lambda x: conditions(theta, x))(optimum.x)
    rhs = jnp.concatenate([-condition_tangents[0], jnp.where(optimum.active, -condition_tangents[1], 0.0)])
    solution = _kkt_solve(hessian, jacobian, optimum.active, rhs)
    x_dot, z_dot = solution[: len(optimum.x)], solution[len(optimum.x) :]
    _, value_dot = jax.jvp(objective, (theta, optimum.x), (tangents[0], x_dot))
    zero_active = jnp.zeros(optimum.active.shape, jax.dtypes.float0)
    zero_tangents = jnp.zeros_like(optimum.kkt), jnp.zeros_like(optimum.hessian)
    return optimum, Optimum(x_dot, z_dot, zero_active, value_dot, *zero_tangents)  # pyright: ignore


def _kkt_solve(hessian: Array, jacobian: Array, active: Array, rhs: Array) -> Array:
    """Solves [H Aᵀ; A 0] on the active rows with the other multipliers fixed.

    The right-hand side is (stationarity, rows), and the result is (dx, dz).
    """
    lower = jnp.where(active[:, None], jacobian, 0.0)
    corner = jnp.diag(jnp.where(active, 0.0, 1.0).astype(rhs.dtype))
    return jnp.linalg.solve(jnp.block([[hessian, lower.T], [lower, corner]]), rhs)
