"""Conversion of a solver's result to a `Plan`: its status, shadow prices and unneeded budgets."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from t2jax.laws.base import Law
from t2jax.planning.budget import Budget
from t2jax.planning.plan import (
    AT_BOUND,
    BUDGETS,
    CONSTRAINTS,
    FAILED,
    FLAT,
    NO_OPTIMUM,
    OPTIMAL,
    STATIONARY,
    Plan,
)
from t2jax.planning.problem import FAR, cost_at, inputs_at, multipliers_of_cost, paid_samples, spending
from t2jax.typing import Array, Float

IMPLIED = ("params_min", "params_max", "tokens_min", "tokens_max", "samples_max")
"""Bounds that every problem has, even if the user gives none."""
SPENDING_LIMITS = ("train", "inference", "total")


@dataclass(frozen=True)
class Outcome:
    """Result of a solver, independent of how it was found.

    Attributes:
        place: N, D, k and the number of queries, shape (4,).
        kkt: KKT residual.
        multipliers: Multipliers of the constraints in `plan.CONSTRAINTS`, shape (14,).
        prices: Multipliers of bounds that fix a quantity at one value, shape (14,).
        slacks: Slacks of the constraints in logs, shape (14,). They are infinite for constraints that are absent.
        active: Whether each constraint holds with equality, shape (14,).
        sides: Number of limits and of free logs, which bound the gap of a convex problem.
        feasible: Whether any point satisfies the limits.
        failure: Status code if no point does.
        conflict: Limits that then contradict each other, shape (14,).
        tied: Whether other sizes are equally good.
        curved: Whether the cost rises in every direction from a place at which no limit holds, as beyond a data wall.
    """

    place: Float[Array, " 4"]
    kkt: Array
    multipliers: Array
    prices: Array
    slacks: Array
    active: Array
    sides: tuple[int, int]
    feasible: Array
    failure: Array
    conflict: Array
    tied: Array
    curved: Array

    def code(self, law: Law, budget: Budget) -> Array:
        """Returns the status code, one of those in `plan`."""
        active = {name: self.active[i] for i, name in enumerate(CONSTRAINTS)}
        # without a bound from the user, one parameter, one token or FAR is only the end of the search
        implied = [active[name] for name in IMPLIED if getattr(budget, name) is None]
        implied = jnp.any(jnp.stack([*implied, jnp.zeros((), bool)]))
        bound = jnp.any(jnp.stack([binding for name, binding in active.items() if name not in BUDGETS]))
        eps = jnp.finfo(self.kkt.dtype).eps
        # the derivatives of pass@k lose a digit or two that those of a sum of powers keep
        solved = self.kkt <= eps ** (0.7 if law.convex else 0.6)
        code = jnp.where(bound, AT_BOUND, OPTIMAL if law.convex else STATIONARY)
        code = jnp.where(solved, jnp.where(implied, NO_OPTIMUM, code), FAILED)
        code = jnp.where(solved & self.tied, FLAT, code)
        if budget.goal == "quality":
            flat = (jnp.max(self.multipliers) < 1e2 * eps**0.7) & ~self.curved
            if budget.tokens_per_param is None:
                flat = flat | _is_flat_in_size(law, budget, self.place)
            code = jnp.where(flat, FLAT, code)
        return jnp.where(self.feasible, code, self.failure)

    def plan(self, law: Law, budget: Budget) -> Plan:
        """Returns the plan, with NaN for its numbers if there is no optimum."""
        n, d, k, rate = self.place
        code = self.code(law, budget)
        usable = code <= AT_BOUND

        def or_nan(x: Array) -> Array:
            return jnp.where(usable, x, jnp.nan)

        prices, spare = self.multipliers + self.prices, None
        if budget.goal == "quality":
            prices = multipliers_of_cost(law, prices, cost_at(law, budget, n, d, k))
            given = np.array([name in SPENDING_LIMITS and getattr(budget, name) is not None for name in CONSTRAINTS])
            spare = jnp.asarray(given) & _is_unneeded(self.slacks, self.multipliers) & usable
        queries = spent = None
        if budget.goal == "queries" or budget.queries is not None:
            queries = rate if budget.goal == "queries" else jnp.asarray(budget.queries, n.dtype)
        if budget.goal != "quality" or queries is not None:
            spent = spending(
                budget, n, d, paid_samples(law, budget, n, d, k), jnp.zeros_like(n) if queries is None else queries
            )
        limits, logs = self.sides
        return Plan(
            params=or_nan(n),
            tokens=or_nan(d),
            samples=or_nan(k),
            value=or_nan(law(**inputs_at(law, budget, n, d, k))),
            kkt=self.kkt,
            shadow_prices=or_nan(prices),
            active=jnp.where(self.feasible, self.active & usable, self.conflict),
            code=code,
            # the Lagrangian of a convex problem lies above its tangent, over a box no longer than FAR on any side
            gap=self.kkt * (limits + logs * FAR) if law.convex else jnp.full_like(self.kkt, jnp.inf),
            queries=None if queries is None else or_nan(queries),
            spent=None if spent is None else or_nan(spent),
            spare=spare,
        )


def _is_unneeded(slacks: Array, multipliers: Array) -> Array:
    """Returns whether each limit is unneeded: part of it is left, or its multiplier cannot be told from zero.

    The slacks are in logs. The multipliers are those of the solver's cost, accurate to eps^0.7.
    """
    eps = jnp.finfo(multipliers.dtype).eps
    return (slacks > jnp.maximum(1e-6, 1e3 * eps)) | (multipliers < eps**0.7)


def _is_flat_in_size(law: Law, budget: Budget, place: Array) -> Array:
    """Returns whether models ten times larger and smaller cost the same at equal training compute and samples."""
    n, d, k, _ = place
    here, larger, smaller = (cost_at(law, budget, n * step, d / step, k) for step in (1.0, 10.0, 0.1))
    return jnp.maximum(jnp.abs(larger - here), jnp.abs(smaller - here)) <= 1e3 * jnp.finfo(n.dtype).eps * jnp.abs(here)
