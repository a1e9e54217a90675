"""A plan and its rivals: what others would train for the same training cost, and serve for the same cost of a query."""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.budgets import Budget
from t2jax.costs import Serving, Training
from t2jax.evaluate import evaluate
from t2jax.frontier import frontier
from t2jax.laws.base import Law, Part
from t2jax.plan import Plan
from t2jax.precision import scope
from t2jax.sensitivity import Elasticities, ShadowPrices

MOST_SAMPLES = 1e12
HALVINGS = 100


@dataclass(frozen=True)
class Choice:
    """A size, tokens and samples, and what the law predicts of them. samples, value: NaN where it cannot be served."""

    name: str
    params: float
    tokens: float
    samples: float
    value: float


@dataclass(frozen=True)
class Planned:
    """A plan with its draws, its rivals at equal cost (`choices`, itself first), and what would change it."""

    law: Law
    laws: Law | None
    budget: Budget
    plan: Plan
    draws: Plan | None
    choices: tuple[Choice, ...]
    moves: Elasticities | None
    worth: ShadowPrices
    what_if: dict[str, Plan] = field(default_factory=dict)

    @property
    def training_cost(self) -> float:
        """What training the plan costs, in the unit of its prices."""
        return float(_spent(self.budget.prices[0], self.plan.params, self.plan.tokens))

    @property
    def query_cost(self) -> float:
        """What a query costs, in the unit of its prices."""
        return float(_served(self.budget.prices[1], self.plan.params, self.plan.samples))


def rivals(law: Law, budget: Budget, plan: Plan) -> tuple[Choice, ...]:
    """Twenty tokens per parameter, and the best model for one sample (Chinchilla's), each at the plan's own costs."""
    training, _ = budget.prices
    cost = float(_spent(training, plan.params, plan.tokens))
    low, high = 0.0, float(np.log(plan.params) + 60)  # 20 N tokens cost more than the plan at the upper end
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        dear = float(_spent(training, np.exp(middle), 20 * np.exp(middle))) > cost
        low, high = (low, middle) if dear else (middle, high)
    ruled = np.array([np.exp(low)])
    found = [("20 tokens per parameter", ruled, 20 * ruled)]
    sampled = "k" in type(law).inputs() and budget.serves
    if sampled:
        single = frontier(_loss(law), Budget(train=cost, training=budget.training, unique_tokens=budget.unique_tokens))
        if single.ok:
            found.append(("best for one sample", np.atleast_1d(single.params), np.atleast_1d(single.tokens)))
    made = []
    for name, params, tokens in found:
        samples, value = at_equal_cost(law, budget, plan, params, tokens)
        made.append(Choice(name, float(params[0]), float(tokens[0]), float(samples[0]), float(value[0])))
    return tuple(made)


def at_equal_cost(
    law: Law, budget: Budget, plan: Plan, params: np.ndarray, tokens: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Samples that other models, (models,), draw for the cost of the plan's query, and what the law predicts of them.

    NaN where not even one sample is to be had. A batch of laws gives values (draws, models).
    """
    samples = np.ones_like(params)
    if "k" in type(law).inputs() and budget.serves:
        _, serving = budget.prices
        cost = float(_served(serving, plan.params, plan.samples))
        low, high = np.zeros_like(params), np.full_like(params, np.log(MOST_SAMPLES))
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            dear = _served(serving, params, np.exp(middle)) > cost
            low, high = np.where(dear, low, middle), np.where(dear, middle, high)
        once = _served(serving, params, np.ones_like(params)) <= cost * (1 + 1e-9)
        samples = np.where(once, np.exp(low), np.nan)
    inputs = {"params": params, "tokens": tokens, "samples": np.nan_to_num(samples, nan=1.0)}
    if budget.unique_tokens is not None and "U" in type(law).inputs():
        inputs["unique_tokens"] = np.full_like(params, np.asarray(budget.unique_tokens, float))
    return samples, np.where(np.isnan(samples), np.nan, evaluate(law, **inputs))


def equal_training(budget: Budget, plan: Plan, params: np.ndarray) -> np.ndarray:
    """The tokens that other sizes, (models,), can be trained on for what training the plan costs."""
    training, _ = budget.prices
    return float(_spent(training, plan.params, plan.tokens)) / _spent(training, params, np.ones_like(params))


def _loss(law: Law) -> Law:
    """The law of the loss that a law of samples stands on; a law without such a part is its own."""
    parts = [name for name, one in type(law).fields.items() if isinstance(one, Part)]
    return getattr(law, parts[0]) if parts else law


def _spent(training: Training, params: object, tokens: object) -> np.ndarray:
    with scope() as dtype:
        return np.asarray(_spending(training, jnp.asarray(params, dtype), jnp.asarray(tokens, dtype)))


def _served(serving: Serving, params: object, samples: object) -> np.ndarray:
    with scope() as dtype:
        return np.asarray(_serving(serving, jnp.asarray(params, dtype), jnp.asarray(samples, dtype)))


_spending = jax.jit(lambda training, params, tokens: training(params, tokens))
_serving = jax.jit(lambda serving, params, samples: serving(params, samples))
