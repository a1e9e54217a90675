"""Any problem that a `Budget` can pose: starts, an optimum with its certificate, and what kind of answer it is.

Costs are sums of powers of N, D and k, so in logs every limit is convex, and with a convex law the problem is: one
start is enough and the KKT residual certifies the global optimum. Other laws (pass@k) get many starts over the feasible
sizes, each begun at the best of a coarse grid over tokens and samples.
"""

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.base import Law
from t2jax.numerics.feasible_point import find_feasible_point
from t2jax.numerics.implicit_derivative import differentiable
from t2jax.numerics.interior_point import Optimum, best_of, first_of
from t2jax.planning.budget import CHOSEN, Budget
from t2jax.planning.outcome import Outcome
from t2jax.planning.plan import CONSTRAINTS, CONTRADICTORY, HELD, UNREACHABLE, Plan
from t2jax.planning.problem import (
    FAR,
    PlanProblem,
    bounds,
    chooses_samples,
    cost_at,
    cost_of_target,
    limits,
    objective,
    pose,
)
from t2jax.planning.starts import MANY, grid
from t2jax.typing import Array

FEW = ((0.5, 0.2, 0.8), (0.9,), (0.5,))
"""Starts of convex laws, as `starts.MANY`; two sizes more than one, for where the first has nothing inside."""


def plan_general(law: Law, budget: Budget) -> Plan:
    """One problem, in the precision of its inputs; with a list of sizes, the best of them."""
    if budget.sizes is None:
        return _with_samples(law, budget, None)[0]
    sizes = jnp.log(jnp.asarray(np.array(budget.sizes), jnp.result_type(float)))
    least, most = bounds(budget)[0]

    def planned(size: Array) -> tuple[Plan, Array]:
        plan, merit = _with_samples(law, budget, size)
        small, large = size < least - 1e-12, size > most + 1e-12
        broken = jnp.stack([small if one == "params_min" else large & (one == "params_max") for one in CONSTRAINTS])
        kept = ~(small | large)
        refused = replace(_refused(plan), active=broken)
        return jax.tree.map(partial(jnp.where, kept), plan, refused), jnp.where(kept, merit, jnp.inf)

    return _best(*jax.vmap(planned)(sizes))


def _with_samples(law: Law, budget: Budget, size: Array | None) -> tuple[Plan, Array]:
    """A plan with k at 1, free or whole (`Budget.whole_samples`), and what it is judged by; size: log N, if given."""
    sampled = chooses_samples(type(law), budget)
    most = jnp.stack([jnp.asarray(high, jnp.result_type(float)) for _, high in bounds(budget)])
    known = np.array([what in budget.held for what in CHOSEN])
    held = jnp.zeros(4, most.dtype).at[:3].set(jnp.where(known & np.array([True, True, sampled]), most, 0.0))
    held = held if size is None else held.at[0].set(size)
    follows = budget.tokens_per_param is not None
    sizes = tuple(at for at in (0, 1) if not known[at] and (at or size is None) and not (at and follows))
    levels = () if budget.goal == "quality" else (3,)
    if not sampled or known[2]:
        return _solve(pose(law, budget, (*sizes, *levels), held))
    plan, merit = _solve(pose(law, budget, (*sizes, 2, *levels), held))
    if not budget.whole_samples:
        return plan, merit
    # for convex problems the optimum is convex along k, so the best whole number is a neighbour of the best real one;
    # for pass@k that holds in every problem of `frontier_check`, and is not proved
    low = jnp.floor(jax.lax.stop_gradient(plan.samples) * (1 + 1e-9))
    whole = jnp.nan_to_num(low, nan=1.0) + jnp.arange(2.0, dtype=held.dtype)
    free = (*sizes, *levels)
    plans, merits = jax.vmap(lambda k: _solve(pose(law, budget, free, held.at[2].set(jnp.log(k)))))(whole)
    least, most = bounds(budget)[2]
    kept = (jnp.log(whole) >= least - 1e-12) & (jnp.log(whole) <= most + 1e-12)
    merits = jnp.where(kept, merits, jnp.inf)
    best, merit_whole = _best(plans, merits), jnp.min(merits)
    usable = (plan.code <= HELD) & jnp.isfinite(merit_whole)
    none = jax.tree.map(partial(jnp.where, plan.code <= HELD), _refused(plan), plan)
    return jax.tree.map(partial(jnp.where, usable), best, none), jnp.where(usable, merit_whole, jnp.inf)


def _refused(plan: Plan) -> Plan:
    """What stands in place of a plan that breaks limits which the solver did not know: NaN, no limit, and that code."""

    def nothing(leaf: Array) -> Any:
        return jnp.nan if leaf.dtype.kind == "f" else False if leaf.dtype == bool else CONTRADICTORY

    return jax.tree.map(lambda leaf: jnp.full_like(leaf, nothing(leaf)), plan)


def _best(plans: Plan, merits: Array) -> Plan:
    at = jnp.argmin(merits)
    return jax.tree.map(lambda leaf: leaf[at], plans)


def _solve(problem: PlanProblem) -> tuple[Plan, Array]:
    """The plan at the numbers that are held, and its objective, infinite where there is none."""
    still = jax.lax.stop_gradient(problem)
    law, free = still.law, np.array(still.free)
    parts = FEW if law.convex else MANY
    fractions = tuple(jnp.asarray(np.array(part), still.held.dtype) for part in parts)
    tried = grid(still.budget, still.held, still.free, fractions)  # pyright: ignore[reportArgumentType]
    starts = tried[:, free].reshape(len(parts[0]), -1, len(free))

    def merit(x: Array) -> Array:
        worth = objective(still, x) + 1e3 * jnp.maximum(jnp.max(limits(still, x)), 0.0)
        return jnp.where(jnp.isfinite(worth), worth, jnp.inf)

    if starts.shape[1] > 1:
        best = jnp.argmin(jax.vmap(jax.vmap(merit))(starts), axis=1)
        starts = jnp.take_along_axis(starts, best[:, None, None], axis=1)
    begun = jax.vmap(partial(find_feasible_point, limits, still))(starts[:, 0])
    found = (first_of if law.convex else best_of)(objective, limits, still, begun.x)
    feasible = jnp.any(begun.ok)
    usable = feasible & (found.kkt < 1e-3)
    # where there is no optimum a point that is at least finite stands for it, so that no derivative is spoilt
    found = found._replace(
        x=jnp.where(usable, found.x, begun.x[0]),
        multipliers=jnp.where(usable, found.multipliers, 0.0),
        active=found.active & usable,
        kkt=jnp.where(feasible, found.kkt, jnp.inf),
    )
    found = differentiable(objective, limits, problem, found)
    conflict = begun.blame[jnp.argmin(begun.worst)]
    return _finish(problem, found, feasible, problem.named(conflict, jnp.sum) > 0.02)


def _finish(problem: PlanProblem, found: Optimum, feasible: Array, conflict: Array) -> tuple[Plan, Array]:
    law, budget = problem.law, problem.budget
    held = _held_prices(problem, found)
    active = problem.named(found.active, jnp.any).astype(bool) | (held > jnp.finfo(held.dtype).eps ** 0.7)
    place = jnp.exp(problem.place(found.x))
    lost = jnp.asarray(CONTRADICTORY)
    if budget.target is not None:
        far = jnp.full((), np.exp(0.9 * FAR), place.dtype)
        most = far if 2 in problem.free else place[2]
        lost = jnp.where(cost_at(law, budget, far, far, most) < cost_of_target(law, budget), lost, UNREACHABLE)
    plan = Outcome(
        place=place,
        kkt=found.kkt,
        multipliers=problem.named(found.multipliers, jnp.sum),
        prices=held,
        slacks=problem.named(-limits(problem, found.x), partial(jnp.min, initial=jnp.inf)),
        active=active,
        sides=(found.active.size, 4),
        feasible=feasible,
        lost=lost,
        conflict=conflict,
        tied=jnp.zeros((), bool) if law.convex else _one_of_many(problem, found),
    ).plan(law, budget)
    return plan, jnp.where(plan.code <= HELD, objective(problem, found.x), jnp.inf)


def _held_prices(problem: PlanProblem, found: Optimum) -> Array:
    """Multipliers of bounds whose ends are equal: how the Lagrangian would fall if the number that they hold moved."""
    held = {f"{what}_{end}": (i, sign) for i, what in enumerate(CHOSEN) for end, sign in (("min", 1.0), ("max", -1.0))}
    held = {name: at for name, at in held.items() if name.rpartition("_")[0] in problem.budget.held}
    if not held:
        return jnp.zeros(len(CONSTRAINTS), found.x.dtype)

    def lagrangian(numbers: Array) -> Array:
        moved = replace(problem, held=numbers)
        return objective(moved, found.x) + found.multipliers @ limits(moved, found.x)

    slope = jax.grad(lagrangian)(problem.held)
    none = 0, 0.0
    rows = [held.get(name, none) for name in CONSTRAINTS]
    return jnp.stack([jnp.maximum(sign * slope[at], 0.0) for at, sign in rows])


def _one_of_many(problem: PlanProblem, found: Optimum) -> Array:
    """Whether other sizes are as good: a way along the limits that hold moves N, and the Lagrangian has no curvature.

    A law of pass@k that turns down at some loss is best at that loss, which many N and D reach where no budget binds.
    Where only D is loose, since tokens repeated so often are worth nothing, the size is still the best.
    """
    if 0 not in problem.free:
        return jnp.zeros((), bool)
    problem, found = jax.lax.stop_gradient((problem, found))
    rows = jnp.where(found.active[:, None], jax.jacfwd(partial(limits, problem))(found.x), 0.0)
    sizes, ways = jnp.linalg.eigh(rows.T @ rows)
    along = sizes <= 1e-12 * sizes[-1]
    scale, free = jnp.max(jnp.abs(found.hessian)), ways * along[None]
    curvatures, own = jnp.linalg.eigh(free.T @ found.hessian @ free + jnp.diag(jnp.where(along, 0.0, scale)))
    loose = curvatures < jnp.sqrt(jnp.finfo(found.x.dtype).eps) * scale
    return jnp.any(loose & (jnp.abs((free @ own)[0]) > 1e-3))
