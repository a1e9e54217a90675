"""Alternatives to a plan under the same budget: twenty tokens per parameter, and the best model for one sample."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.base import Law, Part
from t2jax.numerics.programs.stored_programs import StoredProgram
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import allocate, frontier, without_names
from t2jax.planning.plan import BUDGETS, CONSTRAINTS, Plan
from t2jax.planning.prices.terms import total
from t2jax.planning.problem import chooses_samples, inputs_at, limits, paid_samples, pose
from t2jax.typing import Array, ArrayLike
from t2jax.working_precision import scope

RULE = 20.0
ENDLESS = 1e30
"""Memory in bytes that is enough for any model."""
COSTS = np.geomspace(1e-3, 1e3, 241)
"""Training costs relative to the plan's, from which the best model for one sample chooses if the budget allows."""
SLACK = 1e-6
"""Tolerance of a limit in logs, because models spend all of their budget."""


@dataclass(frozen=True)
class Choice:
    """A model and its results under a budget.

    Attributes:
        name: Rule that chose the model.
        params: Number of parameters N.
        tokens: Number of training tokens D.
        samples: Number of samples k, or NaN if no model is affordable.
        value: The law's prediction, or NaN.
        queries: Number of queries, if the goal is the most queries.
        spent: Cost of training and queries, if one budget pays for both or the goal is the least spending.
        beyond: Limits on size, tokens, samples, latency and memory that the model breaks.
    """

    name: str
    params: float
    tokens: float
    samples: float
    value: float
    queries: float | None = None
    spent: float | None = None
    beyond: tuple[str, ...] = ()


@dataclass(frozen=True)
class Models:
    """Models under a budget, each field of shape (models,).

    Attributes:
        params: Number of parameters N.
        tokens: Number of training tokens D.
        samples: Number of samples k.
        value: The law's prediction.
        training: Cost of training.
        query: Cost of one query.
        queries: Number of queries served.
        spent: Cost of training and all queries.
        excess: Log of usage over limit for each constraint in `plan.CONSTRAINTS`, shape (models, 14).
    """

    params: np.ndarray
    tokens: np.ndarray
    samples: np.ndarray
    value: np.ndarray
    training: np.ndarray
    query: np.ndarray
    queries: np.ndarray
    spent: np.ndarray
    excess: np.ndarray

    @property
    def within_limits(self) -> np.ndarray:
        """Whether each model satisfies every limit."""
        return np.all(self.excess <= SLACK, axis=1)  # False for NaN

    @property
    def paid(self) -> np.ndarray:
        """Whether each model stays within all budgets and reaches the target."""
        return np.all(self.excess[:, [name in BUDGETS for name in CONSTRAINTS]] <= SLACK, axis=1)

    def beyond(self, at: int) -> tuple[str, ...]:
        """Returns the names of the limits, other than budgets, that the model at an index breaks."""
        excess = zip(CONSTRAINTS, self.excess[at], strict=True)
        return tuple(name for name, over in excess if name not in BUDGETS and over > SLACK)


def rivals(law: Law, budget: Budget, plan: Plan) -> tuple[Choice, ...]:
    """Returns the best models of two rules: twenty tokens per parameter, and Chinchilla's optimum for one sample.

    If training has its own budget, the models train at the plan's cost. If training shares a budget with queries, or
    the goal is the least spending, each rule has the training cost that suits it best. The second rule picks it from
    COSTS. The models stay within the budgets. They may break limits on size, latency and memory, which `beyond` then
    names.
    """
    separate = budget.total is None and budget.target is None
    cost = models(law, budget, plan.params, plan.tokens, plan.samples).training[0]
    training = Budget(
        train=cost,
        training=budget.training,
        unique_tokens=budget.unique_tokens,
        total_per_active=budget.total_per_active,
        inputs=budget.inputs,
        serving=budget.serving if "served_bits" in type(law).columns().values() else None,
    )
    if separate:
        candidates = allocate(loss_law(law), replace(training, tokens_per_param=RULE))
        candidates = models(law, budget, candidates.params, candidates.tokens)
    else:
        candidates = allocate(law, replace(_without_limits(budget), tokens_per_param=RULE))
        candidates = models(law, budget, candidates.params, candidates.tokens, candidates.samples)
    choices = [_best("20 tokens per parameter", law, budget, candidates)]
    if budget.serves:
        candidates = frontier(loss_law(law), training if separate else replace(training, train=cost * COSTS))
        params, tokens = np.atleast_1d(candidates.params), np.atleast_1d(candidates.tokens)
        has_samples = chooses_samples(type(law), budget)
        samples = _fewest_samples(law, budget, params, tokens) if has_samples and budget.target is not None else None
        candidates = models(law, budget, params, tokens, samples)
        name = "best for one sample" if has_samples else "best if serving were free"
        choices.append(_best(name, law, budget, candidates))
    return tuple(choices)


def models(
    law: Law, budget: Budget, params: ArrayLike, tokens: ArrayLike | None = None, samples: ArrayLike | None = None
) -> Models:
    """Evaluates models under a budget. `params`, `tokens` and `samples` have shape (models,) or are one number.

    Without tokens, a model has all that `train` pays for, and at most `tokens_max`. Without samples, it draws as many
    as `inference` pays for, or the rest of `total` after training, and at least one.
    """
    samples = samples if chooses_samples(type(law), budget) else None
    with scope() as dtype:
        place: Any = [
            None if column is None else np.atleast_1d(np.asarray(column, dtype)) for column in (params, tokens, samples)
        ]
        numbers = jax.tree.map(lambda leaf: np.asarray(leaf, dtype), (law, without_names(budget)))
        return Models(*jax.tree.map(np.asarray, _models(*numbers, *place)))


@StoredProgram
def _models(law: Law, budget: Budget, params: Array, tokens: Array | None, samples: Array | None) -> tuple[Array, ...]:
    free_budget = replace(budget, sizes=None, tokens_per_param=None)
    return jax.vmap(partial(_model, law, free_budget))(params, tokens, samples)


def _model(law: Law, budget: Budget, n: Array, d: Array | None, k: Array | None) -> tuple[Array, ...]:
    """Computes the fields of `Models` for one model."""
    training, serving = budget.prices
    ones = jnp.ones_like(n)
    if d is None:
        tokens_max = jnp.inf if budget.tokens_max is None else jnp.asarray(budget.tokens_max)
        d = jnp.minimum(jnp.asarray(budget.train) / training(n, ones), tokens_max)
    training_cost = training(n, d)
    if k is None:
        chooses = budget.goal == "quality" and chooses_samples(type(law), budget)
        k = jnp.maximum(_affordable_samples(budget, n, training_cost), 1.0) if chooses else ones
    query_cost = serving(n, paid_samples(law, budget, n, d, k))
    queries = 0 * ones if budget.queries is None else ones * budget.queries
    if budget.goal == "queries":
        queries = (jnp.asarray(budget.total) - training_cost) / query_cost
    epigraph = queries if budget.goal == "queries" else training_cost
    problem = pose(law, budget, (0, 1, 2, 3), jnp.zeros(4, n.dtype))
    logs = limits(problem, jnp.log(jnp.stack([n, d, k, epigraph])))
    excess = problem.by_constraint(logs, partial(jnp.max, initial=-jnp.inf))
    value = law(**inputs_at(law, budget, n, d, k))
    return n, d, k, value, training_cost, query_cost, queries, training_cost + queries * query_cost, excess


def _affordable_samples(budget: Budget, n: Array, training_cost: Array) -> Array:
    """Computes the most samples that a query pays for. Every sum of terms of its cost is linear in them."""
    purses = [] if budget.inference is None else [jnp.asarray(budget.inference)]
    if budget.total is not None and budget.queries is not None:
        purses.append((jnp.asarray(budget.total) - training_cost) / budget.queries)
    zeros, ones = jnp.zeros_like(n), jnp.ones_like(n)
    affordable = []
    for terms in budget.prices[1].terms():
        prompt = total(terms, n, ones, zeros)
        affordable += [(purse - prompt) / (total(terms, n, ones, ones) - prompt) for purse in purses]
    return jnp.min(jnp.stack(affordable))


def _fewest_samples(law: Law, budget: Budget, params: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Computes the fewest samples with which models (models,) reach the target, NaN if none do or there is no model."""
    valid, samples = np.isfinite(params), np.full(len(params), np.nan)
    if valid.any():
        n, d = params[valid], tokens[valid]
        ends = {"params_min": n, "params_max": n, "tokens_min": d, "tokens_max": d}
        samples[valid] = frontier(law, replace(_without_limits(budget), train=None, **ends)).samples
    return samples


def _without_limits(budget: Budget) -> Budget:
    """Returns the budget without limits on sizes, samples, latency and memory."""
    free = dict.fromkeys(("params_min", "params_max", "tokens_min", "tokens_max", "samples_min", "samples_max"))
    serving = budget.serving
    if serving is not None and serving.on is not None:
        serving = replace(serving, on=replace(serving.on, memory=np.full_like(serving.on.memory, ENDLESS)))
    free |= dict.fromkeys(("latency", "first_token", "between_tokens"))
    return replace(budget, **free, sizes=None, whole_samples=False, serving=serving)


def _best(name: str, law: Law, budget: Budget, candidates: Models) -> Choice:
    """Selects the best of the models that the budgets pay for."""
    rises = "pass_at_k" in type(law).response
    quality = candidates.value if rises else -candidates.value
    merit = {"quality": quality, "spending": -candidates.spent, "queries": candidates.queries}
    merit = np.where(candidates.paid & np.isfinite(merit[budget.goal]), merit[budget.goal], -np.inf)
    any_valid = bool(np.isfinite(merit).any())
    index = int(np.argmax(merit)) if any_valid else len(merit) // 2

    def value_or_nan(column: np.ndarray) -> float:
        return float(column[index]) if any_valid else np.nan

    return Choice(
        name,
        float(candidates.params[index]),
        float(candidates.tokens[index]),
        value_or_nan(candidates.samples),
        value_or_nan(candidates.value),
        value_or_nan(candidates.queries) if budget.goal == "queries" else None,
        value_or_nan(candidates.spent) if budget.goal == "spending" or budget.queries is not None else None,
        candidates.beyond(index),
    )


def loss_law(law: Law) -> Law:
    """Returns the law of the loss inside a law of samples or errors, or the law itself if it is one."""
    parts = [name for name, field in type(law).fields.items() if isinstance(field, Part)]
    is_loss = "loss" in type(law).response and "k" not in type(law).inputs()
    return law if is_loss or not parts else getattr(law, parts[0])
