"""A plan with all that is said of it, and other sizes at its own costs."""

from dataclasses import dataclass, field, replace

import numpy as np

from t2jax.laws.base import Law
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import frontier
from t2jax.planning.plan import Plan
from t2jax.planning.problem import chooses_samples
from t2jax.planning.rivals import Choice, models
from t2jax.planning.sensitivity import DeltaBand, Elasticities, ShadowPrices


@dataclass(frozen=True)
class Planned:
    """A plan with its draws, its rivals under the same budget (`choices`, itself first), and what would change it.

    training_cost, query_cost: what training it and a query of it cost, in its unit. delta: its band by the
    delta method, where the law was fitted here and small changes move the plan.
    """

    law: Law
    laws: Law | None
    budget: Budget
    plan: Plan
    draws: Plan | None
    training_cost: float
    query_cost: float
    choices: tuple[Choice, ...]
    moves: Elasticities | None
    worth: ShadowPrices
    delta: DeltaBand | None = None
    what_if: dict[str, Plan] = field(default_factory=dict)

    @property
    def answers(self) -> dict[str, str]:
        """What was chosen, and its short name: N, D, and k where samples are the plan's to choose."""
        sampled = {"samples": "k"} if chooses_samples(type(self.law), self.budget) else {}
        return {"params": "N", "tokens": "D"} | sampled

    def with_size(self, params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Tokens and samples of other sizes (models,) for the plan's costs, both NaN where they pay for no model.

        Where training and queries share one purse, `total`, each size divides it as suits it best; else each costs as
        much to train as the plan, and as much a query. No limit is broken but those on sizes.
        """
        budget = replace(self.budget, params_min=params, params_max=params, sizes=None, tokens_per_param=None)
        if self.budget.goal == "quality" and self.budget.total is not None:
            best = frontier(self.law, budget)
            return best.tokens, best.samples
        costs = {"train": self.training_cost, "inference": self.query_cost if self.budget.serves else None}
        free = dict.fromkeys(("target", "total", "queries", "params_min", "params_max"))
        budget = replace(budget, **(free | costs))
        found = models(self.law, budget, params)
        most = found.samples if budget.samples_max is None else np.minimum(found.samples, budget.samples_max)
        # of the other sizes that are drawn; the plan's own k is that of the solver
        most = np.floor(most * (1 + 1e-9)) if budget.whole_samples else most
        if (most != found.samples).any():
            found = models(self.law, budget, params, found.tokens, most)
        return np.where(found.kept, found.tokens, np.nan), np.where(found.kept, found.samples, np.nan)


def in_own_words(moves: Elasticities) -> Elasticities:
    """The elasticities by the names of the command's options: what training and serving share moves both at once."""

    def together(table: dict[str, float]) -> dict[str, float]:
        found: dict[str, float] = {}
        for name, value in table.items():
            own = name.rpartition(".")[2]
            found[own] = found.get(own, 0.0) + value
        return found

    tables = {name: together(one) for name, one in vars(moves).items() if isinstance(one, dict)}
    return replace(moves, **tables)
