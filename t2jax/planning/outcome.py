"""From where a planner stopped to a `Plan`: what kind of answer it is, what its limits are worth, what is left over."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from t2jax.laws.base import Law
from t2jax.planning.budget import Budget
from t2jax.planning.plan import (
    BUDGETS,
    CONSTRAINTS,
    FAILED,
    FLAT,
    HELD,
    NO_OPTIMUM,
    OPTIMAL,
    STATIONARY,
    Plan,
)
from t2jax.planning.problem import FAR, cost_at, inputs_at, spending, unshaped
from t2jax.typing import Array, Float

IMPLIED = ("params_min", "params_max", "tokens_min", "tokens_max", "samples_max")
"""Bounds that a problem has even where the user gives none."""
PURSES = ("train", "inference", "total")


@dataclass(frozen=True)
class Outcome:
    """Where a planner stopped, in numbers that do not depend on how it came there.

    place: N, D, k and the number of queries, (4,). kkt: the KKT residual. multipliers, slacks, active: of the limits by
    their names in `plan.CONSTRAINTS`, (12,); slacks in logs, infinite for limits that are not there. prices: of bounds
    that hold a number at one value, (12,). sides: limits and free logs, which bound the gap of a convex problem.
    feasible: whether any place keeps to the limits. lost: the code where none does. conflict: the limits that then
    contradict each other, (12,). tied: whether other sizes are as good.
    """

    place: Float[Array, " 4"]
    kkt: Array
    multipliers: Array
    prices: Array
    slacks: Array
    active: Array
    sides: tuple[int, int]
    feasible: Array
    lost: Array
    conflict: Array
    tied: Array

    def code(self, law: Law, budget: Budget) -> Array:
        """The outcome's status code, one of those in `plan`."""
        at = {name: self.active[i] for i, name in enumerate(CONSTRAINTS)}
        # without a bound of the user's, one parameter, one token or FAR is only where the search ended
        implied = [at[name] for name in IMPLIED if getattr(budget, name) is None]
        implied = jnp.any(jnp.stack([*implied, jnp.zeros((), bool)]))
        bound = jnp.any(jnp.stack([holds for name, holds in at.items() if name not in BUDGETS]))
        eps = jnp.finfo(self.kkt.dtype).eps
        # the derivatives of pass@k lose a digit or two that those of a sum of powers keep
        good = self.kkt <= eps ** (0.7 if law.convex else 0.6)
        code = jnp.where(bound, HELD, OPTIMAL if law.convex else STATIONARY)
        code = jnp.where(good, jnp.where(implied, NO_OPTIMUM, code), FAILED)
        code = jnp.where(good & self.tied, FLAT, code)
        if budget.goal == "quality":
            flat = jnp.max(self.multipliers) < 1e2 * eps**0.7
            if budget.tokens_per_param is None:
                flat = flat | _is_flat_in_size(law, budget, self.place)
            code = jnp.where(flat, FLAT, code)
        return jnp.where(self.feasible, code, self.lost)

    def plan(self, law: Law, budget: Budget) -> Plan:
        """The plan, with NaN for its numbers where there is no optimum."""
        n, d, k, rate = self.place
        code = self.code(law, budget)
        usable = code <= HELD

        def shown(x: Array) -> Array:
            return jnp.where(usable, x, jnp.nan)

        prices, spare = self.multipliers + self.prices, None
        if budget.goal == "quality":
            prices = unshaped(law, prices, cost_at(law, budget, n, d, k))
            given = np.array([name in PURSES and getattr(budget, name) is not None for name in CONSTRAINTS])
            spare = jnp.asarray(given) & _idle(self.slacks, self.multipliers) & usable
        queries = spent = None
        if budget.goal == "queries" or budget.queries is not None:
            queries = rate if budget.goal == "queries" else jnp.asarray(budget.queries, n.dtype)
        if budget.goal != "quality" or queries is not None:
            spent = spending(budget, n, d, k, jnp.zeros_like(n) if queries is None else queries)
        limits, logs = self.sides
        return Plan(
            params=shown(n),
            tokens=shown(d),
            samples=shown(k),
            value=shown(law(**inputs_at(law, budget, n, d, k))),
            kkt=self.kkt,
            shadow_prices=shown(prices),
            active=jnp.where(self.feasible, self.active & usable, self.conflict),
            code=code,
            # the Lagrangian of a convex problem lies above its tangent, over a box no longer than FAR on any side
            gap=self.kkt * (limits + logs * FAR) if law.convex else jnp.full_like(self.kkt, jnp.inf),
            queries=None if queries is None else shown(queries),
            spent=None if spent is None else shown(spent),
            spare=spare,
        )


def _idle(slacks: Array, multipliers: Array) -> Array:
    """Whether limits are not needed: a share of them is left, or nothing that can be told from zero is lost by them.

    slacks: in logs. multipliers: of the cost as the solver minimises it, which it knows to eps^0.7.
    """
    eps = jnp.finfo(multipliers.dtype).eps
    return (slacks > jnp.maximum(1e-6, 1e3 * eps)) | (multipliers < eps**0.7)


def _is_flat_in_size(law: Law, budget: Budget, place: Array) -> Array:
    """Whether ten times as large or as small a model of the same training compute and samples costs just the same."""
    n, d, k, _ = place
    here, larger, smaller = (cost_at(law, budget, n * step, d / step, k) for step in (1.0, 10.0, 0.1))
    return jnp.maximum(jnp.abs(larger - here), jnp.abs(smaller - here)) <= 1e3 * jnp.finfo(n.dtype).eps * jnp.abs(here)
