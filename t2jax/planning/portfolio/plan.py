"""The best model for several tasks under one budget, with samples of its own for each task."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.base import Law
from t2jax.numerics.programs.stored_programs import StoredProgram
from t2jax.numerics.solvers.feasible_point import find_feasible_point
from t2jax.numerics.solvers.interior_point import best_of
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import check_problem, without_names
from t2jax.planning.portfolio.problem import PortfolioProblem, limits, objective, pose_portfolio
from t2jax.planning.problem import chooses_samples
from t2jax.planning.starts import MANY, grid
from t2jax.printing import report
from t2jax.typing import Array
from t2jax.working_precision import scope

REFUSED = ("target", "tokens_per_param", "sizes")
"""Fields of a budget that a portfolio does not take."""


@dataclass(frozen=True, repr=False)
class PortfolioPlan:
    """Result of `plan_portfolio`: one model, and samples for each task.

    Attributes:
        params: Number of parameters N, or NaN without an optimum.
        tokens: Number of training tokens D.
        samples: Samples k by task.
        predictions: The prediction by task: a pass@k or a loss.
        value: Their weighted mean, which the plan optimises.
        training_cost: Cost of training.
        query_cost: Mean cost of a query over the tasks.
        kkt: The largest violation of the optimality conditions in log space.
        convex: Whether the laws are convex in logs, so that the optimum is global.

    Examples:
        >>> easy = t2.laws.T2Loss(E=0.5, A=200.0, B=900.0, alpha=0.34, beta=0.35, G=0.4, gamma=0.5)
        >>> plan = t2.planning.plan_portfolio({"math": easy}, {"math": 1.0}, t2.Budget(train=1e22, inference=2e11))
        >>> plan.ok, plan.value == plan.predictions["math"]
        (True, True)
    """

    params: float
    tokens: float
    samples: dict[str, float]
    predictions: dict[str, float]
    value: float
    training_cost: float
    query_cost: float
    kkt: float
    convex: bool

    @property
    def ok(self) -> bool:
        """Whether this is an optimum."""
        return bool(np.isfinite(self.params))

    @property
    def status(self) -> str:
        """What kind of result this is, in English."""
        if not self.ok:
            return "without optimum: no N, D and k satisfy these limits together, or the objective keeps falling"
        kind = "the global optimum, certified by convexity and" if self.convex else "the best of several starts, with"
        return f"optimal: {kind} a KKT residual of {self.kkt:.1g}"

    def __repr__(self) -> str:
        """Prints the status, the model, and each task."""
        rows = {name: f"{getattr(self, name):.6g}" for name in ("params", "tokens", "value")}
        rows |= {name: f"{k:.4g} samples, {self.predictions[name]:.4g}" for name, k in self.samples.items()}
        return report(f"PortfolioPlan: {self.status}", rows)


def plan_portfolio(
    laws: Mapping[str, Law],
    weights: Mapping[str, float],
    budget: Budget,
    shares: Mapping[str, float] | None = None,
) -> PortfolioPlan:
    """Computes one N and D, and one k for each task, that give the best weighted mean over tasks.

    All tasks share the training budget and the serving budget. `inference` limits the mean cost of a query over the
    tasks, and `total` the cost of training and all `queries`. So a task may draw more samples where they gain more.

    Args:
        laws: The law of each task, all of one response: pass@k, or a loss.
        weights: Weight of each task in the mean, by name. They are divided by their sum.
        budget: One budget with `train` and `inference`, or `total` and `queries`. Bounds on samples hold for each task.
        shares: Share of each task in all queries, by name. By default these are the weights.

    Returns:
        The plan. Without an optimum its numbers are NaN, and `status` says so.

    Raises:
        ValueError: When names differ, a weight is not positive, or responses differ. Also for a budget with a target, a
            ratio, a list of sizes, fixed values or whole samples.

    Examples:
        >>> easy = t2.laws.T2Loss(E=0.5, A=200.0, B=900.0, alpha=0.34, beta=0.35, G=0.4, gamma=0.5)
        >>> hard = t2.laws.T2Loss(E=1.0, A=500.0, B=2100.0, alpha=0.34, beta=0.35, G=2.0, gamma=0.3)
        >>> both, weights = {"easy": easy, "hard": hard}, {"easy": 0.7, "hard": 0.3}
        >>> plan = t2.planning.plan_portfolio(both, weights, t2.Budget(train=1e22, inference=2e11))
        >>> plan.samples["hard"] > 3 * plan.samples["easy"]
        True
    """
    names, shares = tuple(laws), weights if shares is None else shares
    fractions = [_fractions(names, mapping, kind) for mapping, kind in ((weights, "weights"), (shares, "shares"))]
    _check(tuple(laws.values()), budget)
    with scope() as dtype:
        numbers = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), (tuple(laws.values()), without_names(budget)))
        solved = _solve(*numbers, *(jnp.asarray(fraction, dtype) for fraction in fractions))
        x, values, value, kkt, training, query = (np.asarray(leaf) for leaf in solved)
    return PortfolioPlan(
        params=float(np.exp(x[0])),
        tokens=float(np.exp(x[1])),
        samples=dict(zip(names, np.exp(x[2:]).tolist(), strict=True)),
        predictions=dict(zip(names, values.tolist(), strict=True)),
        value=float(value),
        training_cost=float(training),
        query_cost=float(query),
        kkt=float(kkt),
        convex=all(law.convex for law in laws.values()),
    )


def _fractions(names: tuple[str, ...], mapping: Mapping[str, float], kind: str) -> np.ndarray:
    """Returns the weights or shares of the tasks in order, divided by their sum."""
    if set(mapping) != set(names):
        raise ValueError(f"plan_portfolio: {kind} are of {', '.join(mapping)}, laws of {', '.join(names)}")
    values = np.array([float(mapping[name]) for name in names])
    if not (np.isfinite(values) & (values > 0)).all():
        wrong = names[int(np.argmin(np.isfinite(values) & (values > 0)))]
        raise ValueError(f"plan_portfolio: {kind} of {wrong} must be positive and finite, not {mapping[wrong]:g}")
    return values / values.sum()


def _check(laws: tuple[Law, ...], budget: Budget) -> None:
    """Raises ValueError for laws or a budget that make no portfolio."""
    if given := [name for name in REFUSED if getattr(budget, name) is not None]:
        raise ValueError(f"plan_portfolio: {given[0]} is for one task; give train and inference, or total")
    if budget.fixed or budget.whole_samples:
        raise ValueError("plan_portfolio: fixed sizes and whole samples are for one task; give bounds that differ")
    if any(np.ndim(leaf) for leaf in jax.tree.leaves((laws, budget))):
        raise ValueError("plan_portfolio takes one law for each task and one budget, of single numbers")
    for law in laws:
        check_problem(type(law), budget)
        if type(law).response[0] != type(laws[0]).response[0]:
            raise ValueError(
                f"plan_portfolio: {type(law).__name__} predicts {type(law).response[0]}, "
                f"{type(laws[0]).__name__} {type(laws[0]).response[0]}: a mean of both has no meaning"
            )
    if budget.stops:
        raise ValueError("plan_portfolio: stops is for one task; give inference, or total and queries, for all samples")
    if unsampled := [type(law).__name__ for law in laws if not chooses_samples(type(law), budget)]:
        raise ValueError(
            "plan_portfolio chooses samples: give inference, or total and queries, and laws that read k, as"
            f" {unsampled[0]} may not"
        )


@StoredProgram
def _solve(laws: tuple[Law, ...], budget: Budget, weights: Array, shares: Array) -> tuple[Array, ...]:
    """Computes the logs of N, D and each k, the predictions, their mean, the KKT residual and the costs."""
    problem = pose_portfolio(laws, weights, shares, budget)
    starts = _starts(problem)
    points = jax.vmap(partial(find_feasible_point, limits, problem))(starts)
    optimum = best_of(objective, limits, problem, points.x)
    values = problem.values(optimum.x)
    training, serving = budget.prices
    size, tokens = jnp.exp(optimum.x[0]), jnp.exp(optimum.x[1])
    queries = jnp.stack([serving(size, jnp.exp(log_k)) for log_k in optimum.x[2:]])
    # at an end of the search without a bound of the user's there is no optimum
    inside = jnp.all(optimum.x[:2] > 1e-6) & jnp.all(optimum.x < 80.0)
    ok = jnp.any(points.ok) & (optimum.kkt < 1e-6) & inside
    answer = (optimum.x, values, weights @ values, optimum.kkt, training(size, tokens), shares @ queries)
    return tuple(jnp.where(ok, part, jnp.nan) for part in answer)


def _starts(problem: PortfolioProblem) -> Array:
    """Returns starts (starts, logs): sizes, with the best of a grid of tokens and samples of each size.

    All tasks have the same samples, or one of them has many more than the others.
    """
    count, dtype = len(problem.laws), problem.offsets.dtype
    parts: Any = tuple(jnp.asarray(np.array(part), dtype) for part in MANY)
    places = grid(problem.budget, jnp.zeros(4, dtype), (0, 1, 2), parts)
    uneven = jnp.asarray(np.concatenate([np.ones((1, count)), 0.1 + 0.9 * np.eye(count)]), dtype)
    samples = places[:, 2, None, None] * uneven[None]
    sizes = jnp.broadcast_to(places[:, None, :2], (*samples.shape[:2], 2))
    starts = jnp.concatenate([sizes, samples], axis=2).reshape(len(parts[0]), -1, 2 + count)

    def merit(x: Array) -> Array:
        worth = objective(problem, x) + 1e3 * jnp.maximum(jnp.max(limits(problem, x)), 0.0)
        return jnp.where(jnp.isfinite(worth), worth, jnp.inf)

    best = jnp.argmin(jax.vmap(jax.vmap(merit))(starts), axis=1)
    return jnp.take_along_axis(starts, best[:, None, None], axis=1)[:, 0]
