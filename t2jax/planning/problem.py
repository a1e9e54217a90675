"""The optimisation problem of a plan: an objective and limits in the logs of N, D, k and an epigraph variable.

Every limit except the target is a posynomial (`costs`). In logs it is a log-sum-exp of linear forms,
so all limits together are one small array.
With a target, the fourth variable is the log of the spending or of the number of queries, which is the goal.
Spending is the largest of several sums (`costs.Serving.terms`), which has a kink. The epigraph form bounds each sum
by the fourth variable instead, so the limits are smooth. An optimum in the kink is one at which two limits hold.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.base import Law
from t2jax.planning.budget import BITS_PER_BYTE, Budget
from t2jax.planning.plan import CONSTRAINTS
from t2jax.planning.prices.terms import Term, Terms
from t2jax.pytrees import register
from t2jax.typing import Array, ArrayLike, Float

FAR = float(np.log(1e40))
"""Log of N, D or k without an upper bound. A solution at this value is no optimum."""


PAID_BY_SAMPLE = ("inference", "total", "epigraph")
"""Limits on what all samples cost together. If sampling stops early, they count the samples drawn."""


class Limit(NamedTuple):
    """One limit: the sum over terms of `exp(offset + powers·place)` is at most 1."""

    name: str
    powers: np.ndarray  # (terms, 4)
    offsets: list[ArrayLike]  # (terms,)


@dataclass(frozen=True)
class PlanProblem:
    """Free variables of a plan and the limits on them. It is a pytree apart from its structure.

    Attributes:
        free: Indices of the free variables among (log N, log D, log k, epigraph).
        names: Names of the limits.
        powers: Exponents of the terms of each limit, shape (limits, terms, 4).
        law: The law.
        budget: The budget.
        fixed: Values of the four variables that are not free, shape (4,).
        offsets: Log coefficients of the terms, shape (limits, terms). An absent term has ABSENT.
    """

    free: tuple[int, ...]
    names: tuple[str, ...]
    powers: "HashableArray"
    law: Law
    budget: Budget
    fixed: Float[Array, " 4"]
    offsets: Float[Array, "limits terms"]

    def place(self, x: Float[Array, " free"]) -> Float[Array, " 4"]:
        """Returns all four variables. D follows from N if the budget fixes their ratio."""
        place, ratio = self.fixed.at[np.array(self.free)].set(x), self.budget.tokens_per_param
        return place if ratio is None else place.at[1].set(place[0] + jnp.log(ratio))

    def cost(self, x: Array) -> Array:
        """Computes the law's cost."""
        return cost_at(self.law, self.budget, *jnp.exp(self.place(x)[:3]))

    def by_constraint(self, rows: Array, combine: Any) -> Array:
        """Combines rows of limits into those of `plan.CONSTRAINTS`, by jnp.sum, jnp.any or a similar function."""
        labels = np.array(self.names)
        return jnp.stack([combine(rows[np.flatnonzero(labels == name)]) for name in CONSTRAINTS])


class HashableArray(np.ndarray):
    """An array in the structure of a pytree, which must compare and hash."""

    def __hash__(self):  # pyright: ignore[reportIncompatibleVariableOverride]
        return hash((self.shape, self.tobytes()))

    def __eq__(self, other):
        return isinstance(other, HashableArray) and self.shape == other.shape and self.tobytes() == other.tobytes()


register(PlanProblem, ("law", "budget", "fixed", "offsets"), ("free", "names", "powers"))
ABSENT = -1e30
"""Log of an absent term."""


def objective(problem: PlanProblem, x: Array) -> Array:
    """Computes what the solver minimises: the law's cost, the epigraph variable or its negative."""
    if problem.budget.goal == "quality":
        return solver_cost(problem.law, problem.cost(x))
    log_goal = problem.place(x)[3]
    return log_goal if problem.budget.goal == "spending" else -log_goal


def limits(problem: PlanProblem, x: Array) -> Array:
    """Computes the log of usage over limit for each limit. All are at most zero if the plan is feasible."""
    place = problem.place(x)
    logs = problem.offsets + np.asarray(problem.powers) @ place
    if problem.budget.stops:
        n, d, k = jnp.exp(place[:3])
        paid = place.at[2].set(jnp.log(paid_samples(problem.law, problem.budget, n, d, k)))
        is_cost = np.array([name in PAID_BY_SAMPLE for name in problem.names[: len(logs)]])[:, None]
        logs = jnp.where(is_cost, problem.offsets + np.asarray(problem.powers) @ paid, logs)
    rows = logs[:, 0] if logs.shape[1] == 1 else jax.nn.logsumexp(logs, axis=1)
    if problem.budget.target is None:
        return rows
    reached = jnp.log(problem.cost(x) / cost_of_target(problem.law, problem.budget))
    return jnp.append(rows, reached)


def pose(law: Law, budget: Budget, free: tuple[int, ...], fixed: Float[Array, " 4"]) -> PlanProblem:
    """Builds the problem of a law and a budget, with `free` of the four variables to choose."""
    rows = [*_bounds(budget, free), *_spending(budget)]
    terms = max(len(limit.offsets) for limit in rows)
    powers, offsets = np.zeros((len(rows), terms, 4)), []
    for i, limit in enumerate(rows):
        powers[i, : len(limit.offsets)] = limit.powers
        offsets.append(jnp.stack([*(jnp.asarray(offset, fixed.dtype) for offset in limit.offsets)]))
    padded = jnp.stack([jnp.pad(row, (0, terms - len(row)), constant_values=ABSENT) for row in offsets])
    names = tuple(limit.name for limit in rows) + (() if budget.target is None else ("target",))
    return PlanProblem(free, names, powers.view(HashableArray), law, budget, fixed, padded)


def _bounds(budget: Budget, free: tuple[int, ...]) -> list[Limit]:
    rows, has_ratio = [], budget.tokens_per_param is not None
    for index, (least, most) in enumerate(bounds(budget)):
        if index in free or (index == 1 and has_ratio):
            quantity, unit = ("params", "tokens", "samples")[index], np.eye(4)[index][None]
            rows += [Limit(f"{quantity}_min", -unit, [least]), Limit(f"{quantity}_max", unit, [-jnp.asarray(most)])]
    return rows


def _spending(budget: Budget) -> list[Limit]:
    training, serving = budget.prices

    def limit(name: str, terms: Terms, bound: ArrayLike, queries: tuple[Term, ...] = (), power: float = 0.0) -> Limit:
        """Builds the limit `terms + queries·exp(power·epigraph) <= bound`."""
        powers = [[*term.powers, 0.0] for term in terms] + [[*term.powers, power] for term in queries]
        offsets: list[ArrayLike] = [jnp.log(term.coefficient) - jnp.log(bound) for term in (*terms, *queries)]
        return Limit(name, np.array(powers), offsets)

    rows = []
    trained, query = training.terms(), serving.terms()
    if budget.train is not None:
        rows.append(limit("train", trained, budget.train))
    if budget.inference is not None:
        rows += [limit("inference", terms, budget.inference) for terms in query]
    if serving.on is not None and (budget.serves or budget.durations):
        rows.append(limit("memory", serving.memory_terms(), jnp.asarray(serving.on.memory) * serving.on.devices))
    for name in budget.durations:
        alternatives = getattr(serving, f"{name}_terms")()
        rows += [limit(name, terms, getattr(budget, name)) for terms in alternatives]
    if budget.goal == "queries":
        rows += [limit("total", trained, budget.total, tuple(terms), power=1.0) for terms in query]  # pyright: ignore
        return rows
    served: list[Terms] = [[]]
    if budget.queries is not None:
        served = [[term.times(budget.queries) for term in terms] for terms in query]
    if budget.total is not None:
        rows += [limit("total", [*trained, *terms], budget.total) for terms in served]
    if budget.goal == "spending":
        for terms in served:
            row = limit("epigraph", [*trained, *terms], 1.0)
            rows.append(row._replace(powers=row.powers - np.eye(4)[3]))
    return rows


def bounds(budget: Budget) -> list[tuple[Any, Any]]:
    """Returns logs of the smallest and largest N, D and k. Without a bound they are 0 and FAR."""

    def log_or(value: Any, otherwise: float) -> Any:
        return otherwise if value is None else jnp.log(value)

    pairs = (
        (budget.params_min, budget.params_max),
        (budget.tokens_min, budget.tokens_max),
        (budget.samples_min, budget.samples_max),
    )
    return [(log_or(low, 0.0), log_or(high, FAR)) for low, high in pairs]


def inputs_at(law: Law, budget: Budget, n: ArrayLike, d: ArrayLike, k: ArrayLike) -> dict[str, Any]:
    """Returns the inputs of a law by name at N, D and k."""
    columns: dict[str, ArrayLike] = {"params": n, "tokens": d, "samples": k}
    if budget.unique_tokens is not None:
        columns["unique_tokens"] = budget.unique_tokens
    if budget.total_per_active is not None:
        columns["total_params"] = n * jnp.asarray(budget.total_per_active)
    columns["served_bits"] = BITS_PER_BYTE * jnp.asarray(budget.prices[1].weight_bytes)
    columns |= budget.inputs or {}
    return law.arguments(columns)  # pyright: ignore[reportArgumentType]


def cost_at(law: Law, budget: Budget, n: ArrayLike, d: ArrayLike, k: ArrayLike) -> Array:
    """Computes the law's cost at N, D and k: the loss or -log pass@k, not money."""
    return law.cost(**inputs_at(law, budget, n, d, k))


def paid_samples(law: Law, budget: Budget, n: ArrayLike, d: ArrayLike, k: ArrayLike) -> Array:
    """Computes how many of k samples are paid for: those drawn on average if sampling stops at an accepted answer."""
    return law.expected_samples(**inputs_at(law, budget, n, d, k)) if budget.stops else jnp.asarray(k)


def solver_cost(law: Law, cost: Array) -> Array:
    """Computes the cost that the solver minimises. For pass@k it is the log, which keeps digits near a pass@k of 1."""
    return jnp.log(cost) if predicts_pass(type(law)) else cost


def multipliers_of_cost(law: Law, multipliers: Array, cost: Array) -> Array:
    """Converts multipliers of `solver_cost` to units of the cost."""
    return multipliers * cost if predicts_pass(type(law)) else multipliers


def cost_of_target(law: Law, budget: Budget) -> Array:
    """Returns the cost that a target allows: the target itself, or -log of a pass@k."""
    target = jnp.asarray(budget.target)
    return -jnp.log(target) if predicts_pass(type(law)) else target


def chooses_samples(law: type[Law], budget: Budget) -> bool:
    """Returns whether a plan chooses samples: the law reads k, and samples have a price."""
    return "k" in law.inputs() and budget.serves


def predicts_pass(law: type[Law]) -> bool:
    """Returns whether a law predicts a pass@k, with a least value as target, rather than a loss."""
    return law.response[0] == "pass_at_k"


def spending(budget: Budget, n: Array, d: Array, k: Array, queries: Array) -> Array:
    """Computes the cost of training and of serving `queries` queries."""
    training, serving = budget.prices
    return training(n, d) + (queries * serving(n, k) if budget.serves else 0.0)
