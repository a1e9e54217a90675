"""Levers: a plan prepared to be solved again, anywhere and at once, when budgets, prices or limits move.

At a given size N, a budget pays for so many tokens and samples, which leaves one unknown. The limits have kinks, at
which an interpolated optimum would be wrong by per cents, while the law is smooth. So the law becomes a spline
(`surfaces`), and the costs and limits stay exact (`charges`). A lever is solved by a search for the best N.
Optima of `t2jax.frontier` at the ends of the levers give the range of the spline, and others check the answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from t2jax.extrapolation.law_choice import LawChoice
from t2jax.laws.base import Law
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import frontier
from t2jax.planning.levers.charges import Costs, charges_of
from t2jax.planning.levers.surfaces import Surface, surface_of, with_deviations
from t2jax.planning.plan import Plan
from t2jax.planning.problem import chooses_samples
from t2jax.planning.rivals import models
from t2jax.typing import Float

REACH = {"train": 100.0, "inference": 30.0, "total": 100.0, "queries": 30.0}
"""Factor by which a budget may fall or rise."""
MARGIN = 10.0
"""Factor by which the spline reaches beyond the optima at the ends of the levers, for draws and other limits."""
FEWEST_TOKENS = 30.0
"""Factor by which a limit on tokens may fall below the plan's."""
ENDLESS = 1e39
"""Limit on tokens that never binds."""
CHECKS = 16


@dataclass(frozen=True)
class Checks:
    """Optima of `t2jax.frontier` with which answers at the same levers are compared.

    Attributes:
        levers: Value of each budget and of `tokens_max`, shape (checks,).
        plan: The optima, shape (checks,). Those without an optimum are left out.
    """

    levers: dict[str, np.ndarray]
    plan: Plan


@dataclass(frozen=True)
class Levers:
    """A plan with what is needed to solve it again at other budgets, prices and limits.

    Attributes:
        budget: The budget that the levers start from. A plan for a target starts from what it spends.
        start: The plan at the start.
        chooses_samples: Whether the plan chooses k.
        costs: Exact costs and limits.
        surface: The law and its draws over a box of N, D and k.
        over: Costs at points of the ranges of prices, over which the bands go; empty where prices are numbers.
        checks: Optima at some positions of the levers.
    """

    budget: Budget
    start: Plan
    chooses_samples: bool
    costs: Costs
    surface: Surface
    checks: Checks
    over: tuple[Costs, ...] = ()


def levers_of(
    law: Law,
    budget: Budget,
    plan: Plan,
    *,
    laws: Law | None = None,
    choice: LawChoice | None = None,
    over: Sequence[Budget] = (),
    seed: int = 0,
) -> Levers:
    """Prepares a plan for other budgets, prices and limits.

    Args:
        law: The law.
        budget: The budget of the plan, of single numbers.
        plan: The optimum of the law under that budget.
        laws: Draws of the law, for bands.
        choice: Laws with smooth deviations, for bands in place of those of `laws`.
        over: The budget at points of ranges of prices, for bands that include them.
        seed: Seed of the positions that are checked and of the deviations.

    Returns:
        The levers.

    Raises:
        ValueError: There is no plan to start from, sampling stops at an answer, or the law has no finite value where
            the levers would reach.
    """
    if budget.stops:
        raise ValueError("levers have no sampling that stops at the first accepted answer")
    if not plan.ok:
        raise ValueError(f"there is no plan to start from ({plan.status})")
    budget = _with_budgets(law, budget, plan)
    rng = np.random.default_rng(seed)
    levers = _positions(budget, plan, rng)
    solved = frontier(law, replace(budget, **levers))
    sampled = chooses_samples(type(law), budget)
    box = _box(plan, solved, sampled)
    surface = surface_of(law, budget, box, None if choice is not None else laws)
    if choice is not None:
        surface = with_deviations(surface, choice, budget, seed)
    ok = np.asarray(solved.ok)
    planned_levers = {name: values[ok] for name, values in levers.items()}
    answers = {name: np.asarray(getattr(solved, name))[ok] for name in ("params", "tokens", "samples", "value")}
    checks = Checks(planned_levers, replace(solved, **answers))
    return Levers(
        budget,
        plan,
        sampled,
        charges_of(budget),
        surface,
        checks,
        tuple(charges_of(point) for point in over),
    )


def _with_budgets(law: Law, budget: Budget, plan: Plan) -> Budget:
    """Returns a budget without a target: the plan for a target is also the best for what it spends."""
    if budget.goal == "quality":
        return budget
    costs = models(law, budget, plan.params, plan.tokens, plan.samples)
    none = dict.fromkeys(("target", "total", "queries"))
    serving = float(costs.query[0]) if budget.serves else None
    return replace(budget, **none, train=float(costs.training[0]), inference=serving)


def _positions(budget: Budget, plan: Plan, rng: np.random.Generator) -> dict[str, Float[np.ndarray, " positions"]]:
    """Lists the ends of all budgets, and random positions, half of them with fewer tokens than the plan's."""
    given = {name: float(np.asarray(value)) for name, value in budget.given().items() if name in REACH}
    corners = np.array(list(product((-1.0, 1.0), repeat=len(given)))).reshape(-1, len(given))
    moves = np.concatenate([corners, rng.uniform(-0.9, 0.9, (CHECKS, len(given)))])
    levers = {name: start * REACH[name] ** moves[:, column] for column, (name, start) in enumerate(given.items())}
    limit = ENDLESS if budget.tokens_max is None else float(np.asarray(budget.tokens_max))
    if "tokens" in budget.fixed:
        return levers | {"tokens_max": np.full(len(moves), limit)}
    some = np.arange(len(moves)) >= len(corners) + CHECKS // 2
    least = 0.0 if budget.tokens_min is None else 1.01 * float(np.asarray(budget.tokens_min))
    fewer = np.maximum(float(np.asarray(plan.tokens)) * 10 ** rng.uniform(-1.0, 1.0, len(moves)), least)
    return levers | {"tokens_max": np.where(some, np.minimum(fewer, limit), limit)}


def _box(plan: Plan, solved: Plan, sampled: bool) -> Float[np.ndarray, "coordinates 2"]:
    """Returns logs of the smallest and largest N, D and k that levers may reach."""
    ends = []
    ok = np.asarray(solved.ok)
    for name in ("params", "tokens", *(["samples"] if sampled else [])):
        values = np.append(np.asarray(getattr(solved, name))[ok], float(np.asarray(getattr(plan, name))))
        low, high = values.min() / MARGIN, values.max() * MARGIN
        if name == "tokens":
            low = min(low, values[-1] / FEWEST_TOKENS)
        ends.append((max(low, 1.0) if name != "samples" else 1.0, high))
    return np.log(np.array(ends))
