"""A planning problem as the solver takes it: an objective and limits over the logs of N, D, k and a fourth number.

Every limit but a target is a posynomial (`costs`), in logs a log-sum-exp of linear forms, so all are one small array.
The fourth, the level, is the log of what is spent or of how many queries are served, where that is the goal: spending
is the largest of several sums (`costs.Serving.terms`), and limits that bound each of them from below the level are
smooth where their maximum has a kink. An optimum in the kink is then one at which two limits hold.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.base import Law
from t2jax.planning.budget import Budget
from t2jax.planning.costs import Term, Terms
from t2jax.planning.plan import CONSTRAINTS
from t2jax.pytrees import register
from t2jax.typing import Array, ArrayLike, Float

FAR = float(np.log(1e40))
"""Log of what stands for no upper bound on N, D or k: an optimum there is none."""


class Limit(NamedTuple):
    """What is used, a sum of exp(offset + powers·place) over terms, over what there is: 1 at most."""

    name: str
    powers: np.ndarray  # (terms, 4)
    offsets: list[ArrayLike]  # (terms,)


@dataclass(frozen=True)
class PlanProblem:
    """What is free to choose, and the limits on it; a pytree but for its structure.

    free: which of (log N, log D, log k, level) are chosen; the others are read from held, shape (4,). names: of the
    limits. powers (limits, terms, 4) and offsets (limits, terms): their terms in logs; where there is none, NONE.
    """

    free: tuple[int, ...]
    names: tuple[str, ...]
    powers: "Fixed"
    law: Law
    budget: Budget
    held: Float[Array, " 4"]
    offsets: Float[Array, "limits terms"]

    def place(self, x: Float[Array, " free"]) -> Float[Array, " 4"]:
        """All four numbers; D follows from N where the budget holds their ratio."""
        place, ratio = self.held.at[np.array(self.free)].set(x), self.budget.tokens_per_param
        return place if ratio is None else place.at[1].set(place[0] + jnp.log(ratio))

    def cost(self, x: Array) -> Array:
        """The law's cost."""
        return cost_at(self.law, self.budget, *jnp.exp(self.place(x)[:3]))

    def named(self, rows: Array, together: Any) -> Array:
        """Numbers of the limits collected by the names in `plan.CONSTRAINTS`; together: jnp.sum or jnp.any."""
        at = {name: np.array([i for i, own in enumerate(self.names) if own == name], int) for name in CONSTRAINTS}
        return jnp.stack([together(rows[at[name]]) for name in CONSTRAINTS])


class Fixed(np.ndarray):
    """Numbers that are part of a program's structure, so that they compare and hash as one."""

    def __hash__(self):  # pyright: ignore[reportIncompatibleVariableOverride]
        return hash((self.shape, self.tobytes()))

    def __eq__(self, other):
        return isinstance(other, Fixed) and self.shape == other.shape and self.tobytes() == other.tobytes()


register(PlanProblem, ("law", "budget", "held", "offsets"), ("free", "names", "powers"))
NONE = -1e30
"""Log of a term that is not there."""


def objective(problem: PlanProblem, x: Array) -> Array:
    """What is least at the optimum: the law's cost, or the level or its negative."""
    if problem.budget.goal == "quality":
        return shaped(problem.law, problem.cost(x))
    level = problem.place(x)[3]
    return level if problem.budget.goal == "spending" else -level


def limits(problem: PlanProblem, x: Array) -> Array:
    """At most zero where the plan keeps to its budget: logs of what is used over what there is."""
    logs = problem.offsets + np.asarray(problem.powers) @ problem.place(x)
    rows = logs[:, 0] if logs.shape[1] == 1 else jax.nn.logsumexp(logs, axis=1)
    if problem.budget.target is None:
        return rows
    reached = jnp.log(problem.cost(x) / cost_of_target(problem.law, problem.budget))
    return jnp.append(rows, reached)


def pose(law: Law, budget: Budget, free: tuple[int, ...], held: Float[Array, " 4"]) -> PlanProblem:
    """The problem of a law and a budget in which `free` of the four numbers are chosen."""
    found = [*_bounds(budget, free), *_spending(budget)]
    terms = max(len(one.offsets) for one in found)
    powers, offsets = np.zeros((len(found), terms, 4)), []
    for i, one in enumerate(found):
        powers[i, : len(one.offsets)] = one.powers
        offsets.append(jnp.stack([*(jnp.asarray(at, held.dtype) for at in one.offsets)]))
    padded = jnp.stack([jnp.pad(one, (0, terms - len(one)), constant_values=NONE) for one in offsets])
    names = tuple(one.name for one in found) + (() if budget.target is None else ("target",))
    return PlanProblem(free, names, powers.view(Fixed), law, budget, held, padded)


def _bounds(budget: Budget, free: tuple[int, ...]) -> list[Limit]:
    rows, follows = [], budget.tokens_per_param is not None
    for at, (least, most) in enumerate(bounds(budget)):
        if at in free or (at == 1 and follows):
            what, unit = ("params", "tokens", "samples")[at], np.eye(4)[at][None]
            rows += [Limit(f"{what}_min", -unit, [least]), Limit(f"{what}_max", unit, [-jnp.asarray(most)])]
    return rows


def _spending(budget: Budget) -> list[Limit]:
    training, serving = budget.prices

    def limit(name: str, terms: Terms, most: ArrayLike, queries: tuple[Term, ...] = (), level: float = 0.0) -> Limit:
        """terms + queries·(number of queries) <= most; level: power of the level in the number of queries."""
        powers = [[*one.powers, 0.0] for one in terms] + [[*one.powers, level] for one in queries]
        return Limit(name, np.array(powers), [jnp.log(one.coefficient) - jnp.log(most) for one in (*terms, *queries)])

    rows = []
    trained, query = training.terms(), serving.terms()
    if budget.train is not None:
        rows.append(limit("train", trained, budget.train))
    if budget.inference is not None:
        rows += [limit("inference", terms, budget.inference) for terms in query]
    if serving.on is not None and (budget.serves or budget.latency is not None):
        rows.append(limit("memory", serving.held_terms(), jnp.asarray(serving.on.memory) * serving.on.devices))
    if budget.latency is not None:
        rows += [limit("latency", terms, budget.latency) for terms in serving.latency_terms()]
    if budget.goal == "queries":
        rows += [limit("total", trained, budget.total, tuple(terms), level=1.0) for terms in query]  # pyright: ignore
        return rows
    served: list[Terms] = [[]]
    if budget.queries is not None:
        served = [[one.times(budget.queries) for one in terms] for terms in query]
    if budget.total is not None:
        rows += [limit("total", [*trained, *terms], budget.total) for terms in served]
    if budget.goal == "spending":
        for terms in served:
            row = limit("level", [*trained, *terms], 1.0)
            rows.append(row._replace(powers=row.powers - np.eye(4)[3]))
    return rows


def bounds(budget: Budget) -> list[tuple[Any, Any]]:
    """Logs of the least and the most N, D and k, where no bound is set 0 and FAR."""

    def log_or(value: Any, otherwise: float) -> Any:
        return otherwise if value is None else jnp.log(value)

    pairs = (
        (budget.params_min, budget.params_max),
        (budget.tokens_min, budget.tokens_max),
        (budget.samples_min, budget.samples_max),
    )
    return [(log_or(low, 0.0), log_or(high, FAR)) for low, high in pairs]


def inputs_at(law: Law, budget: Budget, n: ArrayLike, d: ArrayLike, k: ArrayLike) -> dict[str, Any]:
    """The inputs of a law by name, at N, D and k."""
    columns = {"params": n, "tokens": d, "samples": k}
    if budget.unique_tokens is not None:
        columns["unique_tokens"] = budget.unique_tokens
    return law.arguments(columns)  # pyright: ignore[reportArgumentType]


def cost_at(law: Law, budget: Budget, n: ArrayLike, d: ArrayLike, k: ArrayLike) -> Array:
    """The law's cost at N, D and k."""
    return law.cost(**inputs_at(law, budget, n, d, k))


def shaped(law: Law, cost: Array) -> Array:
    """The cost as the solver minimises it: its log for pass@k, which has digits left where all questions are solved."""
    return jnp.log(cost) if predicts_pass(type(law)) else cost


def unshaped(law: Law, multipliers: Array, cost: Array) -> Array:
    """Multipliers in units of the cost, from those of `shaped`."""
    return multipliers * cost if predicts_pass(type(law)) else multipliers


def cost_of_target(law: Law, budget: Budget) -> Array:
    """The cost that a target allows: itself, or -log of a pass@k."""
    target = jnp.asarray(budget.target)
    return -jnp.log(target) if predicts_pass(type(law)) else target


def chooses_samples(law: type[Law], budget: Budget) -> bool:
    """Whether a plan has samples to choose: the law reads k, and each costs something."""
    return "k" in law.inputs() and budget.serves


def predicts_pass(law: type[Law]) -> bool:
    """Whether a law's prediction is a pass@k, to be reached at least, rather than a loss."""
    return law.response[0] == "pass_at_k"


def spending(budget: Budget, n: Array, d: Array, k: Array, queries: Array) -> Array:
    """What training and `queries` queries cost."""
    training, serving = budget.prices
    return training(n, d) + (queries * serving(n, k) if budget.serves else 0.0)
