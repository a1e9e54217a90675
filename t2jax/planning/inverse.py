"""The inverse of planning: the budget under which a model that exists is the best choice.

A plan sets the gains of N, D and k in proportion to what they cost. Its conditions are linear in the number of queries,
so a given model determines that number, and the number of samples with it.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import check_problem
from t2jax.planning.prices.costs import Serving, Training
from t2jax.planning.problem import cost_at, inputs_at
from t2jax.printing import report
from t2jax.typing import Array
from t2jax.working_precision import scope

MOST_SAMPLES = 1e12
POINTS, ROUNDS = 257, 6
"""Numbers of samples at which a balance is evaluated, and how often the interval about its zero is divided."""


@dataclass(frozen=True, repr=False)
class ModelExplanation:
    """Result of `explain_model`: the budget under which a model is the best choice.

    Without such a budget, `queries`, `samples`, `total` and `inference` are NaN.

    Attributes:
        params: Number of parameters N.
        tokens: Number of training tokens D.
        samples: Number of samples k of a query.
        queries: Number of queries over the model's life. A query is one token unless the serving says otherwise.
        served_tokens: Generated tokens of all samples of all queries.
        train: Cost of training.
        inference: Cost of one query.
        total: Cost of training and all queries.
        wedge: Gain of 1 % more parameters over that of 1 % more tokens, per cost of training. It is 1 for a model that
            is never served, more for one trained on more tokens, and less for one trained on fewer.
        value: The law's prediction for the model.
        unit: Unit of the costs.

    Examples:
        >>> t2.planning.explain_model(law, params=175e9, tokens=300e9).status  # GPT-3
        'no budget makes it the best choice: fewer parameters and more tokens are better even unserved'
    """

    params: float
    tokens: float
    samples: float
    queries: float
    served_tokens: float
    train: float
    inference: float
    total: float
    wedge: float
    value: float
    unit: str

    @property
    def ok(self) -> bool:
        """Whether there is such a budget."""
        return bool(np.isfinite(self.queries))

    @property
    def status(self) -> str:
        """What kind of result this is, in English."""
        if self.ok:
            return f"the best choice if {self.queries:.3g} queries are served"
        if np.isnan(self.wedge):
            return "no budget makes it the best choice: more parameters, or more tokens, do not improve it"
        if self.wedge < 1:
            return "no budget makes it the best choice: fewer parameters and more tokens are better even unserved"
        return f"no budget makes it the best choice: it would draw more than {MOST_SAMPLES:.0e} samples"

    def __repr__(self) -> str:
        """Prints the status, then the budget."""
        names = ("params", "tokens", "samples", "queries", "served_tokens", "train", "inference", "total", "wedge")
        return report(f"ModelExplanation: {self.status}", {name: f"{getattr(self, name):.6g}" for name in names})


@check_arguments
def explain_model(
    law: Law,
    params: float,
    tokens: float,
    *,
    samples: float | None = None,
    training: Training | None = None,
    serving: Serving | None = None,
) -> ModelExplanation:
    """Computes the number of queries, and of samples, that make an existing model the best choice.

    No model that predicts as well costs less, and no model that costs as much predicts better.
    So the gains G of 1 % more N, D or k balance the costs T of training and S of a query.
    With Q queries, G_D / T_D = G_N / (T_N + Q·S_N) = G_k / (Q·S_k).
    The samples are the best under separate budgets `train` and `inference`, too.
    For a law that is convex in logs this is the best choice of all. For other laws (pass@k) it is a stationary one.
    Source: conditions of problems (P1) and (P2) of Roberts et al. 2026 (2604.01411), solved for the budget. Without
        samples it is the inverse of Sardana et al. 2023 (2401.00448).

    Args:
        law: One law with values.
        params: Number of parameters N of the model.
        tokens: Number of its training tokens D.
        samples: Number of samples k, if it is known. By default k is chosen as a plan does, and is at least one.
        training: Price of training, by default 6ND FLOPs.
        serving: Price of a query, by default 2Nk FLOPs, one token.

    Returns:
        The budget.

    Raises:
        ValueError: When a number is not positive, the law reads more than N, D and k, or training and serving have
            different units.

    Examples:
        >>> budget = t2.planning.explain_model(law, params=8.03e9, tokens=15e12)  # Llama-3 8B
        >>> f"{budget.served_tokens:.2g} served tokens"
        '2e+14 served tokens'
    """
    for name, value in (("params", params), ("tokens", tokens), ("samples", samples)):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise ValueError(f"explain_model: {name} must be positive and finite, not {value:g}")
    budget = Budget(total=1.0, queries=1.0, training=training, serving=serving)
    check_problem(type(law), budget)
    trained, query = budget.prices
    with scope() as dtype:
        law, budget = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), (law, budget))
        sizes = jnp.log(jnp.asarray([params, tokens], dtype))
        k = np.ones(1) if samples is None else np.array([samples], float)
        if samples is None and "k" in type(law).inputs():
            k = np.geomspace(1.0, MOST_SAMPLES, POINTS)
            for _ in range(ROUNDS):
                more = np.asarray(_balances(law, budget, sizes, jnp.asarray(k, dtype))[1])
                # more samples pay where this is positive; at one sample they need not
                low = int(np.flatnonzero(more > 0).max(initial=-1)) if more[0] > 0 else -1
                if low < 0 or low == POINTS - 1:
                    k = k[:1] if low < 0 else np.array([np.nan])
                    break
                k = np.geomspace(k[low], k[low + 1], POINTS)
            k = k[len(k) // 2 :][:1]
        queries, _, wedge = (float(rows[0]) for rows in _balances(law, budget, sizes, jnp.asarray(k, dtype)))
        wedge = wedge if np.isfinite(k[0]) else float(_balances(law, budget, sizes, jnp.ones(1, dtype))[2][0])
        k_or_nan = float(k[0]) if queries >= 0 else np.nan
        queries = queries if queries >= 0 else np.nan
        train, inference = float(trained(params, tokens)), float(query(params, k_or_nan))
        value = float(law(**inputs_at(law, budget, params, tokens, k_or_nan)))
    length = float(np.asarray(query.generated))
    total = train + queries * inference
    answer = (params, tokens, k_or_nan, queries, queries * k_or_nan * length, train, inference, total, wedge, value)
    return ModelExplanation(*(float(number) for number in answer), unit=trained.unit)


@jax.jit
def _balances(law: Law, budget: Budget, sizes: Array, samples: Array) -> tuple[Array, Array, Array]:
    """Computes the queries at which N and D balance, how much more samples gain than they cost then, and the wedge.

    All have the shape of the samples.
    """
    training, serving = budget.prices

    def at(samples: Array) -> tuple[Array, Array, Array]:
        place = jnp.append(sizes, jnp.log(samples))
        gains = -jax.grad(lambda x: cost_at(law, budget, *jnp.exp(x)))(place)
        trained = jax.grad(lambda x: training(*jnp.exp(x[:2])))(place)
        query = jax.grad(lambda x: serving(jnp.exp(x[0]), jnp.exp(x[2])))(place)
        # where one of them gains nothing, no budget balances them
        per_gain = trained[1] / jnp.where((gains[0] > 0) & (gains[1] > 0), gains[1], jnp.nan)
        queries = (gains[0] * per_gain - trained[0]) / query[0]
        more = gains[2] * per_gain - queries * query[2]
        return queries, more, gains[0] * per_gain / trained[0]

    return jax.vmap(at)(samples)
