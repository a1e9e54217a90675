"""What others would train and serve under the same budget: twenty tokens per parameter, and the best for one sample."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.base import Law, Part
from t2jax.laws.predict import evaluate
from t2jax.planning.budget import Budget
from t2jax.planning.costs import Serving, Training
from t2jax.planning.frontier import frontier
from t2jax.planning.plan import Plan
from t2jax.planning.problem import chooses_samples
from t2jax.working_precision import scope

MOST_SAMPLES = 1e12
HALVINGS = 60
COSTS = np.geomspace(1e-3, 1e3, 241)
"""Training costs that a rival may choose among where the budget leaves it the choice, over the plan's."""
SLACK = 1e-9


@dataclass(frozen=True)
class Choice:
    """A model and what becomes of it under a budget. samples, value, queries, spent: NaN where there is nothing.

    queries: where the most are sought. spent: where training and queries are paid from one purse, or the least is
    sought. beyond: the limits on its size, tokens, samples, latency and memory that it breaks.
    """

    name: str
    params: float
    tokens: float
    samples: float
    value: float
    queries: float | None = None
    spent: float | None = None
    beyond: tuple[str, ...] = ()


def rivals(law: Law, budget: Budget, plan: Plan) -> tuple[Choice, ...]:
    """The best models of two rules under the budget: twenty tokens per parameter, and Chinchilla's for one sample.

    Where training has a budget of its own they train for what the plan does; where it shares one with the queries, or
    the least is to be spent, each rule has the training cost that suits it best, of COSTS. They keep to what may be
    spent. Limits on sizes, latency and memory are not theirs: what breaks one says so.
    """
    training, _ = budget.prices
    alone = budget.total is None and budget.target is None
    costs = float(training_cost(training, plan.params, plan.tokens)) * (np.ones(1) if alone else COSTS)
    ruled = _ray(training, costs)
    found = [("20 tokens per parameter", ruled, 20 * ruled)]
    if budget.serves:
        single = frontier(
            loss_law(law), Budget(train=costs, training=budget.training, unique_tokens=budget.unique_tokens)
        )
        name = "best for one sample" if chooses_samples(type(law), budget) else "best if serving were free"
        found.append((name, np.asarray(single.params), np.asarray(single.tokens)))
    return tuple(_best(name, law, budget, plan, params, tokens) for name, params, tokens in found)


def training_cost(training: Training, params: object, tokens: object) -> np.ndarray:
    """What training costs, in its unit, of any shape."""
    with scope() as dtype:
        return np.asarray(_training(training, jnp.asarray(params, dtype), jnp.asarray(tokens, dtype)))


def query_cost(serving: Serving, params: object, samples: object) -> np.ndarray:
    """What a query costs, in the unit of serving, of any shape."""
    with scope() as dtype:
        return np.asarray(_serving(serving, jnp.asarray(params, dtype), jnp.asarray(samples, dtype)))


def affordable(serving: Serving, params: np.ndarray, cost: np.ndarray | float) -> np.ndarray:
    """The most samples that a query of `cost` pays for, of models (models,); NaN where not even one is."""
    low, high = np.zeros_like(params), np.full_like(params, np.log(MOST_SAMPLES))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        dear = query_cost(serving, params, np.exp(middle)) > cost
        low, high = np.where(dear, low, middle), np.where(dear, middle, high)
    once = query_cost(serving, params, np.ones_like(params)) <= cost * (1 + SLACK)
    return np.where(once, np.exp(low), np.nan)


def predicted(law: Law, budget: Budget, params: np.ndarray, tokens: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """What the law says of models (models,), NaN where samples are; of a batch of laws (draws, models)."""
    inputs = {"params": params, "tokens": tokens, "samples": np.nan_to_num(samples, nan=1.0)}
    if budget.unique_tokens is not None and "U" in type(law).inputs():
        inputs["unique_tokens"] = np.full_like(params, np.asarray(budget.unique_tokens, float))
    return np.where(np.isnan(samples), np.nan, evaluate(law, **inputs))


def _best(name: str, law: Law, budget: Budget, plan: Plan, params: np.ndarray, tokens: np.ndarray) -> Choice:
    """The best of models (models,) under the budget."""
    training, serving = budget.prices
    cost = training_cost(training, params, tokens)
    rises = "pass_at_k" in type(law).response
    if budget.target is None:
        samples = np.ones_like(params)
        if chooses_samples(type(law), budget):
            samples = affordable(serving, params, _purse(budget, plan, cost))
    else:
        samples = _needed(law, budget, params, tokens, rises)
    each = query_cost(serving, params, np.nan_to_num(samples, nan=1.0)) if budget.serves else np.zeros_like(params)
    samples = np.where(_paid(budget, cost, each), samples, np.nan)
    value = predicted(law, budget, params, tokens, samples)
    spent = queries = None
    if budget.goal == "queries":
        queries = np.where(np.isnan(samples), np.nan, (float(np.asarray(budget.total)) - cost) / each)
        queries = np.where(queries > 0, queries, np.nan)
        merit = queries
    else:
        if budget.queries is not None or budget.target is not None:
            many = 0.0 if budget.queries is None else float(np.asarray(budget.queries))
            spent = np.where(np.isnan(samples), np.nan, cost + many * each)
        merit = -spent if budget.target is not None and spent is not None else value if rises else -value
    at = int(np.nanargmax(merit)) if np.isfinite(merit).any() else int(len(params) // 2)
    good = bool(np.isfinite(merit[at]))

    def here(column: np.ndarray | None) -> float | None:
        return None if column is None else float(column[at]) if good else np.nan

    size, length, many = float(params[at]), float(tokens[at]), float(samples[at]) if good else np.nan
    beyond = _beyond(budget, size, length, many)
    return Choice(name, size, length, many, float(value[at]) if good else np.nan, here(queries), here(spent), beyond)


def _purse(budget: Budget, plan: Plan, cost: np.ndarray) -> np.ndarray:
    """What each query may cost beside a training `cost` (models,); not above zero where nothing is left."""
    limits = []
    if budget.inference is not None:
        limits.append(np.full_like(cost, np.asarray(budget.inference, float)))
    if budget.total is not None:
        limits.append((np.asarray(budget.total, float) * (1 + SLACK) - cost) / np.asarray(budget.queries, float))
    if not limits:  # only what a query of the plan costs is known
        limits.append(np.full_like(cost, float(query_cost(budget.prices[1], plan.params, plan.samples))))
    return np.min(limits, axis=0)


def _paid(budget: Budget, cost: np.ndarray, each: np.ndarray) -> np.ndarray:
    """Whether models (models,) of a training `cost` and a cost of `each` query keep to all that may be spent."""
    kept = np.ones_like(cost, bool)
    if budget.train is not None:
        kept &= cost <= float(np.asarray(budget.train)) * (1 + 1e-6)
    if budget.inference is not None:
        kept &= each <= float(np.asarray(budget.inference)) * (1 + 1e-6)
    if budget.total is not None:
        queries = 0.0 if budget.queries is None else float(np.asarray(budget.queries))
        kept &= cost + queries * each <= float(np.asarray(budget.total)) * (1 + 1e-6)
    return kept


def _needed(law: Law, budget: Budget, params: np.ndarray, tokens: np.ndarray, rises: bool) -> np.ndarray:
    """The least samples with which models (models,) reach the target; NaN where none do."""
    sign, target = (1.0 if rises else -1.0), float(np.asarray(budget.target))

    def reached(samples: np.ndarray) -> np.ndarray:
        return sign * predicted(law, budget, params, tokens, samples) >= sign * target - SLACK * abs(target)

    one = np.ones_like(params)
    if not chooses_samples(type(law), budget):
        return np.where(reached(one), 1.0, np.nan)
    low, high = np.zeros_like(params), np.full_like(params, np.log(MOST_SAMPLES))
    ever = reached(np.exp(high))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        there = reached(np.exp(middle))
        low, high = np.where(there, low, middle), np.where(there, middle, high)
    return np.where(reached(one), 1.0, np.where(ever, np.exp(high), np.nan))


def _beyond(budget: Budget, params: float, tokens: float, samples: float) -> tuple[str, ...]:
    """The limits on one model that it breaks, by name."""
    found = []
    for what, value in (("params", params), ("tokens", tokens), ("samples", samples)):
        least, most = getattr(budget, f"{what}_min"), getattr(budget, f"{what}_max")
        found += [f"{what}_min"] if least is not None and value < float(np.asarray(least)) * (1 - SLACK) else []
        found += [f"{what}_max"] if most is not None and value > float(np.asarray(most)) * (1 + SLACK) else []
    if budget.latency is not None:
        slow = float(np.asarray(budget.prices[1].latency(params))) > float(np.asarray(budget.latency)) * (1 + SLACK)
        found += ["latency"] if slow else []
    serving = budget.prices[1]
    if serving.on is not None and (budget.serves or budget.latency is not None):
        there = float(np.asarray(serving.on.memory) * np.asarray(serving.on.devices))
        found += ["memory"] if float(np.asarray(serving.held(params))) > there * (1 + SLACK) else []
    return tuple(found)


def _ray(training: Training, costs: np.ndarray) -> np.ndarray:
    """The sizes whose training on twenty tokens per parameter costs as much, (costs,)."""
    low, high = np.zeros_like(costs), np.full_like(costs, 80.0)
    for _ in range(2 * HALVINGS):
        middle = (low + high) / 2
        dear = training_cost(training, np.exp(middle), 20 * np.exp(middle)) > costs
        low, high = np.where(dear, low, middle), np.where(dear, middle, high)
    return np.exp(low)


_training = jax.jit(lambda training, params, tokens: training(params, tokens))
_serving = jax.jit(lambda serving, params, samples: serving(params, samples))


def loss_law(law: Law) -> Law:
    """The law of the loss that a law of samples stands on; a law without such a part is its own."""
    parts = [name for name, field in type(law).fields.items() if isinstance(field, Part)]
    return getattr(law, parts[0]) if parts else law
