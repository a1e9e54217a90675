"""What others would train and serve under the same budget: twenty tokens per parameter, and the best for one sample."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.base import Law, Part
from t2jax.planning.budget import Budget
from t2jax.planning.costs import total
from t2jax.planning.frontier import allocate, frontier
from t2jax.planning.plan import BUDGETS, CONSTRAINTS, Plan
from t2jax.planning.problem import chooses_samples, inputs_at, limits, pose
from t2jax.typing import Array, ArrayLike
from t2jax.working_precision import scope

RULE = 20.0
ENDLESS = 1e30
"""Bytes of memory that hold any model."""
COSTS = np.geomspace(1e-3, 1e3, 241)
"""Training costs, over the plan's, of which the best for one sample has one where the budget leaves it the choice."""
SLACK = 1e-6
"""Logs by which a model may exceed a limit and still keep it, for it is made to spend all there is."""


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


@dataclass(frozen=True)
class Models:
    """Models under a budget, each field (models,): N, D, k and the law's prediction there.

    training, query: what training and one query cost. queries: how many are served. spent: on training and all queries.
    excess: logs of what is used over what there is, of the limits in `plan.CONSTRAINTS`, (models, 12).
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
    def kept(self) -> np.ndarray:
        """Whether each keeps to every limit."""
        return np.all(self.excess <= SLACK, axis=1)  # not where it is NaN

    @property
    def paid(self) -> np.ndarray:
        """Whether each keeps to all that may be spent, and reaches the target."""
        return np.all(self.excess[:, [name in BUDGETS for name in CONSTRAINTS]] <= SLACK, axis=1)

    def beyond(self, at: int) -> tuple[str, ...]:
        """The limits other than budgets that the model at an index breaks, by name."""
        excess = zip(CONSTRAINTS, self.excess[at], strict=True)
        return tuple(name for name, over in excess if name not in BUDGETS and over > SLACK)


def rivals(law: Law, budget: Budget, plan: Plan) -> tuple[Choice, ...]:
    """The best models of two rules under the budget: twenty tokens per parameter, and Chinchilla's for one sample.

    Where training has a budget of its own they train for what the plan does; where it shares one with the queries, or
    the least is to be spent, each rule has the training cost that suits it best (the second one of COSTS). They keep to
    what may be spent. Limits on sizes, latency and memory are not theirs: what breaks one says so.
    """
    alone = budget.total is None and budget.target is None
    cost = models(law, budget, plan.params, plan.tokens, plan.samples).training[0]
    training = Budget(train=cost, training=budget.training, unique_tokens=budget.unique_tokens)
    if alone:
        ruled = allocate(loss_law(law), replace(training, tokens_per_param=RULE))
        ruled = models(law, budget, ruled.params, ruled.tokens)
    else:
        ruled = allocate(law, replace(_purses(budget), tokens_per_param=RULE))
        ruled = models(law, budget, ruled.params, ruled.tokens, ruled.samples)
    found = [_best("20 tokens per parameter", law, budget, ruled)]
    if budget.serves:
        single = frontier(loss_law(law), training if alone else replace(training, train=cost * COSTS))
        params, tokens = np.atleast_1d(single.params), np.atleast_1d(single.tokens)
        asked = chooses_samples(type(law), budget)
        samples = _fewest(law, budget, params, tokens) if asked and budget.target is not None else None
        single = models(law, budget, params, tokens, samples)
        found.append(_best("best for one sample" if asked else "best if serving were free", law, budget, single))
    return tuple(found)


def models(
    law: Law, budget: Budget, params: ArrayLike, tokens: ArrayLike | None = None, samples: ArrayLike | None = None
) -> Models:
    """Models under a budget. params, tokens, samples: (models,), or one number.

    Without tokens a model has all that `train` pays for, and `tokens_max` at most. Without samples it draws as many as
    `inference`, or what training leaves of `total`, pays for, and one at least.
    """
    samples = samples if chooses_samples(type(law), budget) else None
    with scope() as dtype:
        place: Any = [
            None if one is None else np.atleast_1d(np.asarray(one, dtype)) for one in (params, tokens, samples)
        ]
        numbers = jax.tree.map(lambda leaf: np.asarray(leaf, dtype), (law, budget))
        return Models(*jax.tree.map(np.asarray, _models(*numbers, *place)))


@jax.jit
def _models(law: Law, budget: Budget, params: Array, tokens: Array | None, samples: Array | None) -> tuple[Array, ...]:
    at_will = replace(budget, sizes=None, tokens_per_param=None)
    return jax.vmap(partial(_model, law, at_will))(params, tokens, samples)


def _model(law: Law, budget: Budget, n: Array, d: Array | None, k: Array | None) -> tuple[Array, ...]:
    """The fields of `Models` for one model."""
    training, serving = budget.prices
    one = jnp.ones_like(n)
    if d is None:
        most = jnp.inf if budget.tokens_max is None else jnp.asarray(budget.tokens_max)
        d = jnp.minimum(jnp.asarray(budget.train) / training(n, one), most)
    trained = training(n, d)
    if k is None:
        asked = budget.goal == "quality" and chooses_samples(type(law), budget)
        k = jnp.maximum(_affordable(budget, n, trained), 1.0) if asked else one
    query = serving(n, k)
    queries = 0 * one if budget.queries is None else one * budget.queries
    if budget.goal == "queries":
        queries = (jnp.asarray(budget.total) - trained) / query
    level = queries if budget.goal == "queries" else trained
    problem = pose(law, budget, (0, 1, 2, 3), jnp.zeros(4, n.dtype))
    excess = problem.named(limits(problem, jnp.log(jnp.stack([n, d, k, level]))), partial(jnp.max, initial=-jnp.inf))
    value = law(**inputs_at(law, budget, n, d, k))
    return n, d, k, value, trained, query, queries, trained + queries * query, excess


def _affordable(budget: Budget, n: Array, trained: Array) -> Array:
    """The most samples that a query pays for: every sum of terms of its cost is linear in them."""
    purses = [] if budget.inference is None else [jnp.asarray(budget.inference)]
    if budget.total is not None and budget.queries is not None:
        purses.append((jnp.asarray(budget.total) - trained) / budget.queries)
    none, one = jnp.zeros_like(n), jnp.ones_like(n)
    most = []
    for terms in budget.prices[1].terms():
        prompt = total(terms, n, one, none)
        most += [(purse - prompt) / (total(terms, n, one, one) - prompt) for purse in purses]
    return jnp.min(jnp.stack(most))


def _fewest(law: Law, budget: Budget, params: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """The fewest samples with which models (models,) reach the target, NaN where none do or there is no model."""
    there, samples = np.isfinite(params), np.full(len(params), np.nan)
    if there.any():
        n, d = params[there], tokens[there]
        ends = {"params_min": n, "params_max": n, "tokens_min": d, "tokens_max": d}
        samples[there] = frontier(law, replace(_purses(budget), train=None, **ends)).samples
    return samples


def _purses(budget: Budget) -> Budget:
    """The budget without limits on sizes, samples, latency and memory."""
    free = dict.fromkeys(("params_min", "params_max", "tokens_min", "tokens_max", "samples_min", "samples_max"))
    serving = budget.serving
    if serving is not None and serving.on is not None:
        serving = replace(serving, on=replace(serving.on, memory=np.full_like(serving.on.memory, ENDLESS)))
    return replace(budget, **free, latency=None, sizes=None, whole_samples=False, serving=serving)


def _best(name: str, law: Law, budget: Budget, found: Models) -> Choice:
    """The best of the models that are paid for."""
    rises = "pass_at_k" in type(law).response
    merit = {"quality": found.value if rises else -found.value, "spending": -found.spent, "queries": found.queries}
    merit = np.where(found.paid & np.isfinite(merit[budget.goal]), merit[budget.goal], -np.inf)
    good = bool(np.isfinite(merit).any())
    at = int(np.argmax(merit)) if good else len(merit) // 2

    def shown(column: np.ndarray) -> float:
        return float(column[at]) if good else np.nan

    return Choice(
        name,
        float(found.params[at]),
        float(found.tokens[at]),
        shown(found.samples),
        shown(found.value),
        shown(found.queries) if budget.goal == "queries" else None,
        shown(found.spent) if budget.goal == "spending" or budget.queries is not None else None,
        found.beyond(at),
    )


def loss_law(law: Law) -> Law:
    """The law of the loss that a law of samples stands on; a law without such a part is its own."""
    parts = [name for name, field in type(law).fields.items() if isinstance(field, Part)]
    return getattr(law, parts[0]) if parts else law
