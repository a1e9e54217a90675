"""The optimisation problem of one model for several tasks, in the logs of N, D and the samples of each task.

Limits are posynomials, as in `planning.problem`: sums of exponentials of linear forms, now in 2 + T logs for T tasks.
A query costs the largest of several sums (`costs.Serving.terms`), so a limit on all tasks has one row for every
combination of these sums.
"""

from dataclasses import dataclass
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.base import Law
from t2jax.planning.budget import Budget
from t2jax.planning.prices.terms import Term, Terms
from t2jax.planning.problem import ABSENT, HashableArray, bounds, cost_at, predicts_pass
from t2jax.pytrees import register
from t2jax.typing import Array, ArrayLike, Float

MOST_ROWS = 4096


@dataclass(frozen=True)
class PortfolioProblem:
    """A weighted mean over tasks and the limits on N, D and each k. It is a pytree apart from its structure.

    Attributes:
        powers: Exponents of the terms of each limit, shape (limits, terms, 2 + tasks).
        budget: The limits.
        laws: The law of each task.
        weights: Weight of each task, shape (tasks,).
        offsets: Log coefficients of the terms, shape (limits, terms). An absent term has ABSENT.
    """

    powers: HashableArray
    budget: Budget
    laws: tuple[Law, ...]
    weights: Float[Array, " tasks"]
    offsets: Float[Array, "limits terms"]

    def values(self, x: Float[Array, " logs"]) -> Float[Array, " tasks"]:
        """Computes the prediction for each task: a pass@k, or a loss."""
        costs = jnp.stack([cost_at(law, self.budget, *jnp.exp(self.place(x, i))) for i, law in enumerate(self.laws)])
        return jnp.exp(-costs) if predicts_pass(type(self.laws[0])) else costs

    def place(self, x: Float[Array, " logs"], task: int) -> Float[Array, " 3"]:
        """Returns the logs of N, D and k of one task."""
        return jnp.stack([x[0], x[1], x[2 + task]])


register(PortfolioProblem, ("budget", "laws", "weights", "offsets"), ("powers",))


def objective(problem: PortfolioProblem, x: Array) -> Array:
    """Computes what the solver minimises: the weighted loss, or the log of the weighted share of failures."""
    value = problem.weights @ problem.values(x)
    return jnp.log1p(-value) if predicts_pass(type(problem.laws[0])) else value


def limits(problem: PortfolioProblem, x: Array) -> Array:
    """Computes the log of usage over limit for each limit. All are at most zero if the plan is feasible."""
    return jax.nn.logsumexp(problem.offsets + np.asarray(problem.powers) @ x, axis=1)


def pose_portfolio(laws: tuple[Law, ...], weights: Array, shares: Array, budget: Budget) -> PortfolioProblem:
    """Builds the problem of tasks with their weights, and their shares of all queries, shape (tasks,) each."""
    training, serving = budget.prices
    count, trained = len(laws), training.terms()
    rows: list[tuple[Terms, list[np.ndarray], ArrayLike]] = []

    def in_logs(term: Term, task: int) -> np.ndarray:
        n, d, k = term.powers
        return np.concatenate([[n, d], k * np.eye(count)[task]])

    def add(tasks: list[tuple[int, Term]], shared: Terms, limit: ArrayLike) -> None:
        terms = [term for _, term in tasks] + shared
        rows.append((terms, [in_logs(term, task) for task, term in [*tasks, *((0, term) for term in shared)]], limit))

    def queries(factor: ArrayLike) -> list[list[tuple[int, Term]]]:
        """Returns the cost of the queries of all tasks, as alternatives of which the largest counts."""
        alternatives = serving.terms()
        same = not serving.shared_prompt or serving.on is None  # the slower limit is then the same for every k
        kinds = range(len(alternatives))
        choices = [(kind,) * count for kind in kinds] if same else product(kinds, repeat=count)
        return [
            [(task, term.times(shares[task] * factor)) for task, at in enumerate(choice) for term in alternatives[at]]
            for choice in choices
        ]

    least_and_most = bounds(budget)
    for i in range(2 + count):
        unit, (least, most) = np.eye(2 + count)[i], least_and_most[min(i, 2)]
        rows.append(([Term((0.0, 0.0, 0.0), jnp.exp(least))], [-unit], 1.0))
        rows.append(([Term((0.0, 0.0, 0.0), 1.0)], [unit], jnp.exp(most)))
    if budget.train is not None:
        add([], trained, budget.train)
    for tasks in queries(1.0) if budget.inference is not None else []:
        add(tasks, [], budget.inference)  # pyright: ignore[reportArgumentType]
    for tasks in queries(budget.queries) if budget.total is not None and budget.queries is not None else []:
        add(tasks, trained, budget.total)  # pyright: ignore[reportArgumentType]
    if serving.on is not None:
        add([], serving.memory_terms(), jnp.asarray(serving.on.memory) * serving.on.devices)
    for name in budget.durations:
        for terms in getattr(serving, f"{name}_terms")():
            add([], terms, getattr(budget, name))
    if len(rows) > MOST_ROWS:
        raise ValueError(
            f"{count} tasks that share prompts on an accelerator make {len(rows)} limits; give fewer tasks"
        )
    width = max(len(terms) for terms, _, _ in rows)
    powers, offsets = np.zeros((len(rows), width, 2 + count)), []
    for i, (terms, exponents, limit) in enumerate(rows):
        powers[i, : len(terms)] = exponents
        logs = jnp.stack([jnp.log(jnp.asarray(term.coefficient)) - jnp.log(jnp.asarray(limit)) for term in terms])
        offsets.append(jnp.pad(logs, (0, width - len(terms)), constant_values=ABSENT))
    return PortfolioProblem(powers.view(HashableArray), budget, laws, weights, jnp.stack(offsets))
