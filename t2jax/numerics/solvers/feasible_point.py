"""Search for a point strictly inside smooth constraints, as the start of an interior-point method.

If the constraints contradict each other, the search names those that do.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from t2jax.numerics.solvers.damped_newton import second_order
from t2jax.numerics.solvers.interior_point import Constraints
from t2jax.numerics.solvers.small_linear_algebra import downhill
from t2jax.typing import Array, Float

FRACTIONS = (1.0, 0.3, 0.1, 0.02)


class FeasiblePoint(NamedTuple):
    """Result of the search for a point that satisfies every constraint.

    Attributes:
        x: The point, shape (n,).
        worst: Largest constraint value at `x`. Negative means that `x` is feasible.
        blame: Share of each constraint in an infeasibility, shape (m,). It means nothing for a feasible point.
            If convex constraints contradict each other, only those with a positive share need to be relaxed.
    """

    x: Float[Array, " n"]
    worst: Array
    blame: Float[Array, " m"]

    @property
    def ok(self) -> Array:
        """Whether the point satisfies every constraint strictly."""
        return self.worst < 0


class _State(NamedTuple):
    x: Array
    tau: Array
    radius: Array
    count: Array
    ok: Array


def find_feasible_point(constraints: Constraints, theta: Any, start: Float[Array, " n"]) -> FeasiblePoint:
    """Finds a point at which every constraint is below zero, from any start, by Newton steps on a smooth maximum.

    The maximum is τ log Σ exp(g/τ) (Boyd & Vandenberghe 2004, section 3.1.5).
    τ shrinks from 1 until every constraint is below -τ/10.
    Steps are at most 3 in each log, and shorter after a failure. For constraints that are not convex it may miss a
    point.
    """
    constraint_values = partial(constraints, theta)
    least_tau = jnp.sqrt(jnp.finfo(start.dtype).eps) * 0.1

    def is_feasible(x: Array, tau: Array) -> Array:
        return jnp.max(constraint_values(x)) < -0.1 * tau

    def advance(state: _State) -> _State:
        x, tau, radius, count, _ = state

        def height(x: Array) -> Array:
            return tau * jax.nn.logsumexp(constraint_values(x) / tau)

        value, slope, hessian = second_order(height, x)
        dx = downhill(hessian, jnp.zeros_like(hessian), slope)
        dx = jnp.where(jnp.any(dx != 0), dx, -slope)
        dx = dx * jnp.minimum(1.0, radius / jnp.maximum(jnp.max(jnp.abs(dx)), 1e-30))
        fractions = jnp.array(FRACTIONS, x.dtype)
        trials = jax.vmap(lambda step: height(x + step * dx))(fractions)
        trials = jnp.where(jnp.isfinite(trials), trials, jnp.inf)
        best = jnp.argmin(trials)
        is_lower = trials[best] < value
        settled = (is_lower & (value - trials[best] < 0.02 * tau)) | (radius < 1e-4 * tau)
        x = jnp.where(is_lower, x + fractions[best] * dx, x)
        radius = jnp.where(is_lower, jnp.minimum(2 * radius, 3.0), 0.01 * radius)
        tau = jnp.where(settled, 0.3 * tau, tau)
        radius = jnp.where(settled, jnp.maximum(radius, tau), radius)
        return _State(x, tau, radius, count + 1, is_feasible(x, tau))

    start_tau = jnp.ones((), start.dtype)
    initial = _State(start, start_tau, 3 * start_tau, jnp.zeros((), int), is_feasible(start, start_tau))
    final = jax.lax.while_loop(
        lambda state: ~state.ok & (state.tau > least_tau) & (state.count < 200), advance, initial
    )
    values = constraint_values(final.x)
    return FeasiblePoint(final.x, jnp.max(values), jax.nn.softmax((values - jnp.max(values)) / 1e-3))
