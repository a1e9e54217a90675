"""The number of samples that reaches a target of pass@k: from the counts, and beyond them from a forecast."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from t2jax.forecasts.counts import checked_counts
from t2jax.forecasts.estimates import pass_from_counts
from t2jax.forecasts.rising import RisingForecast, forecast_beyond
from t2jax.typing import Array

MOST = 1e9
"""Largest k of a forecast."""
POINTS, DRAWS = 32, 400
ROUNDING = 1e-12
"""A measured pass@k may round to just below the target that it equals."""


@dataclass(frozen=True)
class TargetSamples:
    """Result of `samples_for_target`.

    Attributes:
        target: The target of pass@k.
        samples: Smallest k whose pass@k is at least the target; infinite where no k to 1e9 is.
        low: Smallest k at which the upper end of the interval reaches it; NaN for one question, which has no interval.
        high: Smallest k at which the lower end reaches it; infinite where no k to 1e9 does, NaN for one question.
        status: What `samples` rests on.
    """

    target: float
    samples: float
    low: float
    high: float
    status: str


def samples_for_target(
    trials: object, correct: object, target: float, *, key: Array, level: float = 0.9
) -> TargetSamples:
    """Finds the smallest k whose pass@k reaches a target.

    Up to the fewest samples of a question, n, pass@k is the unbiased estimate of `pass_from_counts`. Beyond n it is
    the forecast of `forecast_beta`, but no lower than at n, and rests on its Beta distribution of the questions'
    chances. Where no sample or every sample is right, the prior decides, and the status says so. Each end of the
    interval is the k at which the other end of the population's band reaches the target.

    Args:
        trials: Number of samples of each question, shape (questions,).
        correct: Number of correct samples of each question, shape (questions,).
        target: The pass@k to reach, in (0, 1).
        key: JAX random key of the forecast.
        level: Level of the interval, in (0, 1).

    Returns:
        A `TargetSamples`. With one sample of every question only pass@1 is known, so beyond k = 1 it is infinite.

    Raises:
        ValueError: A count is bad, or the target or the level is outside (0, 1).

    Examples:
        >>> reached = t2.forecasts.samples_for_target([4, 4], [1, 4], 0.7, key=jax.random.key(0))
        >>> reached.samples, reached.status
        (2.0, 'reached within the 4 samples a question')
    """
    n, c = checked_counts(trials, correct)
    if not 0 < target < 1:
        raise ValueError(f"found the target {target:g}, expected a pass@k between 0 and 1")
    fewest = int(n.min())

    def measured(k: int) -> np.ndarray:
        estimate = pass_from_counts(n, c, [k], level)
        return np.array([estimate.passed[0], estimate.population.low[0], estimate.population.high[0]])

    passed, low, high = (_smallest(lambda k, i=i: float(measured(k)[i]) >= target - ROUNDING, fewest) for i in range(3))
    forecast: RisingForecast | None = None
    if n.max() > 1 and math.inf in (passed, low, high):
        grid = np.geomspace(fewest + 1, MOST, POINTS)
        forecast = forecast_beyond(n, c, list(grid), key, DRAWS, level)
        curves = forecast.passed, forecast.low, forecast.high
        passed, low, high = (
            _crossing(grid, curve, target) if math.isinf(at) else at
            for at, curve in zip((passed, low, high), curves, strict=True)
        )
    status = _status(passed, n, c, forecast)
    if n.size == 1:
        return TargetSamples(target, passed, math.nan, math.nan, f"{status}; an interval needs at least two questions")
    return TargetSamples(target, passed, min(high, passed), max(low, passed), status)


def _status(passed: float, n: np.ndarray, c: np.ndarray, forecast: RisingForecast | None) -> str:
    """Writes what the k that reaches a target rests on."""
    fewest = int(n.min())
    drawn = f"{fewest} sample{'s' * (fewest != 1)} a question"
    if passed <= fewest:
        prior = n.size > 1 and forecast is not None and forecast.from_prior
        return f"reached within the {drawn}" + "; the upper end of the interval rests on the prior" * prior
    if forecast is None:
        return "one sample a question: only pass@1 is known, so no k can be given"
    limit = f"no k up to {MOST:.0e} reaches it in the forecast".replace("e+09", "e9") if math.isinf(passed) else ""
    if forecast.from_prior:
        cause = "nothing is solved" if not c.any() else "the counts hardly determine larger k"
        basis = f"beyond the {drawn}: {cause}, so it rests on the prior and not on the counts"
    else:
        basis = f"beyond the {drawn}: it rests on the Beta distribution of the forecast"
    return f"{limit}; {basis}" if limit else basis


def _smallest(reaches: Callable[[int], bool], most: int) -> float:
    """Returns the smallest k from 1 to `most` that reaches the target, by bisection; infinity if none does."""
    if not reaches(most):
        return math.inf
    below, above = 0, most
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (below, middle) if reaches(middle) else (middle, above)
    return float(above)


def _crossing(grid: np.ndarray, curve: np.ndarray, target: float) -> float:
    """Returns the k, rounded up, at which a curve over a grid of k reaches the target, linear in log k."""
    reached = np.flatnonzero(curve >= target)
    if not reached.size:
        return math.inf
    i = int(reached[0])
    if i == 0:
        return float(math.ceil(grid[0]))
    share = (target - curve[i - 1]) / (curve[i] - curve[i - 1])
    return float(math.ceil(math.exp(np.log(grid[i - 1]) + share * (np.log(grid[i]) - np.log(grid[i - 1])))))
