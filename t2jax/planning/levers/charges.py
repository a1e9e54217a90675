"""Costs of a budget as numbers: exact for any number of tokens a query, without the classes that made them.

Every coefficient of a cost is a polynomial of the second degree in the tokens a query: weights are read once a token,
and a token attends to all earlier ones. Three evaluations determine it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from t2jax.planning.budget import Budget
from t2jax.planning.prices.costs import Serving
from t2jax.planning.prices.terms import Terms
from t2jax.typing import ArrayLike
from t2jax.working_precision import scope

FACTORS = np.array([0.5, 1.0, 2.0])
"""Multiples of the tokens a query at which costs are evaluated."""


@dataclass(frozen=True)
class Charge:
    """One term of a cost: `(c₀ + c₁·t + c₂·t²) · N^powers[0] · D^powers[1] · k^powers[2]`.

    Attributes:
        powers: Exponents of N, D and k.
        coefficients: The three numbers c, where t is a multiple of the budget's tokens a query.
    """

    powers: tuple[float, float, float]
    coefficients: tuple[float, float, float]


Charges = tuple[Charge, ...]
"""Terms of a sum."""


@dataclass(frozen=True)
class Costs:
    """Costs and limits of a budget that depend on N, D and k.

    Attributes:
        training: Cost of training.
        serving: Cost of a query as alternatives, of which the largest counts.
        memory: Memory of a replica, in bytes. It is empty without an accelerator.
        durations: Seconds, each with its limit: of a query, to the first token, and between tokens.
        memory_limit: Bytes of a replica's devices, if there is an accelerator.
    """

    training: Charges
    serving: tuple[Charges, ...]
    memory: Charges = ()
    durations: tuple[tuple[Charges, float], ...] = ()
    memory_limit: float | None = None


def charges_of(budget: Budget) -> Costs:
    """Computes the costs of a budget of single numbers.

    Args:
        budget: The budget.

    Returns:
        Its costs in the unit of its prices.
    """
    training, serving = budget.prices
    limited = serving.on is not None and (budget.serves or budget.durations)
    with scope():
        (trained,) = _charges(lambda _: [training.terms()])
        query = _charges(lambda factor: scale_tokens(serving, factor).terms())
        if not limited:
            return Costs(trained, query)
        (memory,) = _charges(lambda factor: [scale_tokens(serving, factor).memory_terms()])
        durations: list[tuple[Charges, float]] = []
        for name in budget.durations:
            limit = float(np.asarray(getattr(budget, name)))
            seconds = _charges(lambda factor, of=name: getattr(scale_tokens(serving, factor), f"{of}_terms")())
            durations += [(terms, limit) for terms in seconds]
    assert serving.on is not None
    most = float(np.asarray(serving.on.memory) * np.asarray(serving.on.devices))
    return Costs(trained, query, memory, tuple(durations), most)


def scale_tokens(serving: Serving, factor: ArrayLike) -> Serving:
    """Returns the serving with a multiple of its tokens a query, of the prompt as of each sample."""
    prompt = None if serving.prompt is None else np.asarray(serving.prompt) * np.asarray(factor)
    return replace(serving, prompt=prompt, generated=np.asarray(serving.generated) * np.asarray(factor))


def tokens_of_query(serving: Serving) -> float:
    """Computes the tokens of a query with one sample."""
    prompt = 0.0 if serving.prompt is None else float(np.asarray(serving.prompt))
    return prompt + float(np.asarray(serving.generated))


def _charges(sums_at: Callable[[float], list[Terms]]) -> tuple[Charges, ...]:
    """Determines the coefficients of sums of terms, which have the same powers at any number of tokens."""
    evaluated = [sums_at(float(factor)) for factor in FACTORS]
    inverse = np.linalg.inv(np.vander(FACTORS, 3, increasing=True))
    sums = []
    for alternative in zip(*evaluated, strict=True):
        charges = []
        for terms in zip(*alternative, strict=True):
            values = np.array([float(np.asarray(term.coefficient)) for term in terms])
            # rounding must not leave a trace of a power that is absent, which would grow with the tokens
            coefficients = inverse @ values
            coefficients[np.abs(coefficients) < 1e-12 * np.abs(values).max()] = 0.0
            charges.append(Charge(terms[0].powers, tuple(coefficients.tolist())))
        sums.append(tuple(charges))
    return tuple(sums)
