"""Solver for every problem that a `Budget` can pose: starts, a certified optimum and its status.

Costs are sums of powers of N, D and k, so every limit is convex in logs. With a convex law the whole problem is
convex: one start is enough, and the KKT residual certifies the global optimum.
Other laws (pass@k) get many starts over the feasible sizes. Each start is the best of a coarse grid over tokens and
samples. `Budget.whole_samples` is applied here, and in `two_budgets` for the problems solved there.
"""

from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.base import Law
from t2jax.numerics.solvers.feasible_point import find_feasible_point
from t2jax.numerics.solvers.implicit_derivative import differentiable
from t2jax.numerics.solvers.interior_point import Optimum, best_of, first_of
from t2jax.planning.budget import CHOSEN, Budget
from t2jax.planning.outcome import Outcome
from t2jax.planning.plan import AT_BOUND, CONSTRAINTS, CONTRADICTORY, UNREACHABLE, Plan
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
"""Starts of convex laws, as `starts.MANY`. Two more sizes serve if nothing is feasible at the first."""


def plan_general(law: Law, budget: Budget) -> Plan:
    """Solves one problem in the precision of its inputs. With a list of sizes, it returns the best plan over them."""
    if budget.sizes is None:
        return _plan_on_both_sides(law, budget, None)[0]
    sizes = jnp.log(jnp.asarray(np.array(budget.sizes), jnp.result_type(float)))
    least, most = bounds(budget)[0]

    def plan_at(size: Array) -> tuple[Plan, Array]:
        plan, merit = _plan_on_both_sides(law, budget, size)
        small, large = size < least - 1e-12, size > most + 1e-12
        broken = jnp.stack([small if name == "params_min" else large & (name == "params_max") for name in CONSTRAINTS])
        allowed = ~(small | large)
        rejected = replace(_rejected(plan), active=broken)
        return jax.tree.map(partial(jnp.where, allowed), plan, rejected), jnp.where(allowed, merit, jnp.inf)

    return _best(*jax.vmap(plan_at)(sizes))


def _plan_on_both_sides(law: Law, budget: Budget, log_size: Array | None) -> tuple[Plan, Array]:
    """Returns the plan of `_plan_at_size`, for a law with a kink at D = U the better one of its two sides."""
    if not law.kink_at_unique or budget.unique_tokens is None or "tokens" in budget.fixed:
        return _plan_at_size(law, budget, log_size)
    unique = jnp.asarray(budget.unique_tokens)
    once, again = copy(budget), copy(budget)
    # `replace` would compare numbers, which is not possible under jit
    object.__setattr__(
        once, "tokens_max", jnp.minimum(unique, jnp.inf if budget.tokens_max is None else budget.tokens_max)
    )
    object.__setattr__(
        again, "tokens_min", jnp.maximum(unique, 1.0 if budget.tokens_min is None else budget.tokens_min)
    )
    plans, merits = zip(*(_plan_at_size(law, side, log_size) for side in (again, once)), strict=True)
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *plans)
    return _best(stacked, jnp.stack(merits)), jnp.min(jnp.stack(merits))


def _plan_at_size(law: Law, budget: Budget, log_size: Array | None) -> tuple[Plan, Array]:
    """Returns a plan at a given log N or the best one, and its merit, of which less is better.

    k is 1 where the law or the budget has no samples, else free, or whole (`Budget.whole_samples`).
    """
    has_samples = chooses_samples(type(law), budget)
    most = jnp.stack([jnp.asarray(high, jnp.result_type(float)) for _, high in bounds(budget)])
    fixed_choices = np.array([quantity in budget.fixed for quantity in CHOSEN])
    given = fixed_choices & np.array([True, True, has_samples])
    fixed = jnp.zeros(4, most.dtype).at[:3].set(jnp.where(given, most, 0.0))
    fixed = fixed if log_size is None else fixed.at[0].set(log_size)
    has_ratio = budget.tokens_per_param is not None
    sizes = tuple(at for at in (0, 1) if not fixed_choices[at] and (at or log_size is None) and not (at and has_ratio))
    epigraph = () if budget.goal == "quality" else (3,)
    if not has_samples or fixed_choices[2]:
        return _solve(pose(law, budget, (*sizes, *epigraph), fixed))
    plan, merit = _solve(pose(law, budget, (*sizes, 2, *epigraph), fixed))
    if not budget.whole_samples:
        return plan, merit
    # for convex problems the optimum is convex along k, so the best whole number is a neighbour of the best real one;
    # for pass@k that holds in every problem of `frontier_check`, and is not proved
    low = jnp.floor(jax.lax.stop_gradient(plan.samples) * (1 + 1e-9))
    whole = jnp.nan_to_num(low, nan=1.0) + jnp.arange(2.0, dtype=fixed.dtype)
    free = (*sizes, *epigraph)
    plans, merits = jax.vmap(lambda k: _solve(pose(law, budget, free, fixed.at[2].set(jnp.log(k)))))(whole)
    least_log_k, most_log_k = bounds(budget)[2]
    allowed = (jnp.log(whole) >= least_log_k - 1e-12) & (jnp.log(whole) <= most_log_k + 1e-12)
    merits = jnp.where(allowed, merits, jnp.inf)
    best, merit_whole = _best(plans, merits), jnp.min(merits)
    usable = (plan.code <= AT_BOUND) & jnp.isfinite(merit_whole)
    rejected = jax.tree.map(partial(jnp.where, plan.code <= AT_BOUND), _rejected(plan), plan)
    return jax.tree.map(partial(jnp.where, usable), best, rejected), jnp.where(usable, merit_whole, jnp.inf)


def _rejected(plan: Plan) -> Plan:
    """Returns a placeholder for a plan that breaks limits unknown to the solver: NaN, no active limit and that code."""

    def placeholder(leaf: Array) -> Any:
        return jnp.nan if leaf.dtype.kind == "f" else False if leaf.dtype == bool else CONTRADICTORY

    return jax.tree.map(lambda leaf: jnp.full_like(leaf, placeholder(leaf)), plan)


def _best(plans: Plan, merits: Array) -> Plan:
    at = jnp.argmin(merits)
    return jax.tree.map(lambda leaf: leaf[at], plans)


def _solve(problem: PlanProblem) -> tuple[Plan, Array]:
    """Returns the plan at the fixed variables, and its objective. The objective is infinite if there is no optimum."""
    constant = jax.lax.stop_gradient(problem)
    law, free = constant.law, np.array(constant.free)
    parts = FEW if law.convex else MANY
    fractions = tuple(jnp.asarray(np.array(part), constant.fixed.dtype) for part in parts)
    places = grid(constant.budget, constant.fixed, constant.free, fractions)  # pyright: ignore[reportArgumentType]
    starts = places[:, free].reshape(len(parts[0]), -1, len(free))

    def merit(x: Array) -> Array:
        worth = objective(constant, x) + 1e3 * jnp.maximum(jnp.max(limits(constant, x)), 0.0)
        return jnp.where(jnp.isfinite(worth), worth, jnp.inf)

    if starts.shape[1] > 1:
        best = jnp.argmin(jax.vmap(jax.vmap(merit))(starts), axis=1)
        starts = jnp.take_along_axis(starts, best[:, None, None], axis=1)
    feasible_points = jax.vmap(partial(find_feasible_point, limits, constant))(starts[:, 0])
    optimum = (first_of if law.convex else best_of)(objective, limits, constant, feasible_points.x)
    feasible = jnp.any(feasible_points.ok)
    usable = feasible & (optimum.kkt < 1e-3)
    # without an optimum a finite point takes its place, so that derivatives stay finite
    optimum = optimum._replace(
        x=jnp.where(usable, optimum.x, feasible_points.x[0]),
        multipliers=jnp.where(usable, optimum.multipliers, 0.0),
        active=optimum.active & usable,
        kkt=jnp.where(feasible, optimum.kkt, jnp.inf),
    )
    optimum = differentiable(objective, limits, problem, optimum)
    conflict = feasible_points.blame[jnp.argmin(feasible_points.worst)]
    return _finish(problem, optimum, feasible, problem.by_constraint(conflict, jnp.sum) > 0.02)


def _finish(problem: PlanProblem, optimum: Optimum, feasible: Array, conflict: Array) -> tuple[Plan, Array]:
    law, budget = problem.law, problem.budget
    prices = _bound_prices(problem, optimum)
    active = problem.by_constraint(optimum.active, jnp.any).astype(bool) | (prices > jnp.finfo(prices.dtype).eps ** 0.7)
    place = jnp.exp(problem.place(optimum.x))
    failure = jnp.asarray(CONTRADICTORY)
    if budget.target is not None:
        far = jnp.full((), np.exp(0.9 * FAR), place.dtype)
        samples = far if 2 in problem.free else place[2]
        failure = jnp.where(cost_at(law, budget, far, far, samples) < cost_of_target(law, budget), failure, UNREACHABLE)
    plan = Outcome(
        place=place,
        kkt=optimum.kkt,
        multipliers=problem.by_constraint(optimum.multipliers, jnp.sum),
        prices=prices,
        slacks=problem.by_constraint(-limits(problem, optimum.x), partial(jnp.min, initial=jnp.inf)),
        active=active,
        sides=(optimum.active.size, 4),
        feasible=feasible,
        failure=failure,
        conflict=conflict,
        tied=jnp.zeros((), bool) if law.convex else _is_tied(problem, optimum),
        curved=_is_curved(optimum),
    ).plan(law, budget)
    return plan, jnp.where(plan.code <= AT_BOUND, objective(problem, optimum.x), jnp.inf)


def _bound_prices(problem: PlanProblem, optimum: Optimum) -> Array:
    """Computes multipliers of bounds with equal ends: how the Lagrangian falls if the fixed quantity moves."""
    ends = (("min", 1.0), ("max", -1.0))
    signs = {f"{quantity}_{end}": (i, sign) for i, quantity in enumerate(CHOSEN) for end, sign in ends}
    signs = {name: index for name, index in signs.items() if name.rpartition("_")[0] in problem.budget.fixed}
    if not signs:
        return jnp.zeros(len(CONSTRAINTS), optimum.x.dtype)

    def lagrangian(numbers: Array) -> Array:
        shifted = replace(problem, fixed=numbers)
        return objective(shifted, optimum.x) + optimum.multipliers @ limits(shifted, optimum.x)

    slope = jax.grad(lagrangian)(problem.fixed)
    absent = 0, 0.0
    rows = [signs.get(name, absent) for name in CONSTRAINTS]
    return jnp.stack([jnp.maximum(sign * slope[index], 0.0) for index, sign in rows])


def _is_curved(optimum: Optimum) -> Array:
    """Returns whether no limit holds and the cost rises in every direction, so that this is a least cost of its own."""
    curvatures = jnp.linalg.eigvalsh(jax.lax.stop_gradient(optimum.hessian))
    least = jnp.sqrt(jnp.finfo(optimum.x.dtype).eps) * jnp.abs(optimum.value)
    return ~jnp.any(optimum.active) & (curvatures[0] > least)


def _is_tied(problem: PlanProblem, optimum: Optimum) -> Array:
    """Returns whether other sizes are equally good.

    This holds if a direction along the active limits moves N, and the Lagrangian has no curvature in it.
    A law of pass@k that turns down at some loss is best at that loss. Without a binding budget, many N and D reach it.
    If only D is loose, because tokens repeated so often are worth nothing, the size is still the best.
    """
    if 0 not in problem.free:
        return jnp.zeros((), bool)
    problem, optimum = jax.lax.stop_gradient((problem, optimum))
    rows = jnp.where(optimum.active[:, None], jax.jacfwd(partial(limits, problem))(optimum.x), 0.0)
    sizes, axes = jnp.linalg.eigh(rows.T @ rows)
    null = sizes <= 1e-12 * sizes[-1]
    scale, free = jnp.max(jnp.abs(optimum.hessian)), axes * null[None]
    curvatures, directions = jnp.linalg.eigh(free.T @ optimum.hessian @ free + jnp.diag(jnp.where(null, 0.0, scale)))
    flat = curvatures < jnp.sqrt(jnp.finfo(optimum.x.dtype).eps) * scale
    return jnp.any(flat & (jnp.abs((free @ directions)[0]) > 1e-3))
