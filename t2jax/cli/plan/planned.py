"""A plan with all that is said of it, and other sizes at its own costs."""

from dataclasses import dataclass, field, replace

import numpy as np

from t2jax.laws.base import Law
from t2jax.planning.budget import Budget
from t2jax.planning.plan import Plan
from t2jax.planning.problem import chooses_samples
from t2jax.planning.rivals import Choice, affordable, predicted, query_cost, training_cost
from t2jax.planning.sensitivity import DeltaBand, Elasticities, ShadowPrices


@dataclass(frozen=True)
class Planned:
    """A plan with its draws, its rivals under the same budget (`choices`, itself first), and what would change it.

    delta: its band by the delta method, where the law was fitted here and small changes move the plan.
    """

    law: Law
    laws: Law | None
    budget: Budget
    plan: Plan
    draws: Plan | None
    choices: tuple[Choice, ...]
    moves: Elasticities | None
    worth: ShadowPrices
    delta: DeltaBand | None = None
    what_if: dict[str, Plan] = field(default_factory=dict)

    @property
    def training_cost(self) -> float:
        """What training the plan costs, in the unit of its prices."""
        return float(training_cost(self.budget.prices[0], self.plan.params, self.plan.tokens))

    @property
    def query_cost(self) -> float:
        """What a query costs, in the unit of its prices."""
        return float(query_cost(self.budget.prices[1], self.plan.params, self.plan.samples))


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


def at_equal_cost(law: Law, found: Planned, params: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """What a law predicts of other models, (models,), at the cost of the plan's query; a batch gives (draws, models).

    NaN where not even one sample is to be had.
    """
    samples = np.ones_like(params)
    if chooses_samples(type(law), found.budget):
        samples = affordable(found.budget.prices[1], params, found.query_cost)
    return predicted(law, found.budget, params, tokens, samples)


def equal_training(found: Planned, params: np.ndarray) -> np.ndarray:
    """The tokens that other sizes, (models,), can be trained on for what training the plan costs."""
    return found.training_cost / training_cost(found.budget.prices[0], params, np.ones_like(params))
