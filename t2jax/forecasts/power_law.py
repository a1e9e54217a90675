"""Forecasts of pass@k by a power law in k."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.forecasts.counts import checked_counts, checked_samples, question_pass_at_k
from t2jax.forecasts.summary import pass_lines
from t2jax.laws.arguments import check_arguments
from t2jax.laws.pass_at_k.power_law_k import PowerLawK
from t2jax.numerics.bands import Band, band
from t2jax.printing import summary
from t2jax.typing import Array
from t2jax.working_precision import scope

FLAT = 1e-12  # exponents below this are rounding


@dataclass(frozen=True, repr=False)
class PowerLawForecast:
    """Result of `forecast_power_law`.

    Attributes:
        samples: Values of k, shape (k,).
        passed: Extrapolated line at each k, shape (k,).
        population: Band over resampled questions, shape (k,).
        law: The line, or None where there is none.
        status: How many questions were solved, and the line or the reason for its absence.
    """

    samples: np.ndarray
    passed: np.ndarray
    population: Band
    law: PowerLawK | None
    status: str

    def __repr__(self) -> str:
        """Writes the status, then pass@k with its band."""
        return summary(
            "PowerLawForecast", self.status, pass_lines(self.samples, self.passed, {"population": self.population})
        )


@check_arguments
def forecast_power_law(
    trials: object,
    correct: object,
    samples: Sequence[float],
    *,
    key: Array,
    first: int = 1,
    draws: int = 1000,
    level: float = 0.9,
) -> PowerLawForecast:
    """Extrapolates pass@k by a line through log(-log pass@k) against log k, so that -log pass@k = A·k^-b.

    The line is fitted to up to 13 k, evenly spaced in log k from `first` to the smallest of `trials`. There pass@k is
    estimated without bias from the counts. The fit is unweighted least squares, as people do it by hand. Source:
    Schaeffer et al. 2025 (2502.17578) for the law.

    Limits: pass@k is a power law for large k only, and only where the density of chances near zero is a power. At
    smaller k the line is too flat or too steep, and resampled questions do not show that. The points of a curve are
    correlated. No line exists where nothing was solved, pass@k does not rise, or fewer than two k have 0 < pass@k < 1.
    The forecast is then the last measured pass@k with a band of 0 to 1. A resample with nothing solved forecasts 0.

    Args:
        trials: Number of samples of each question, shape (questions,).
        correct: Number of correct samples of each question, shape (questions,).
        samples: Values of k to forecast, from 1.
        key: JAX random key of the resamples.
        first: Smallest k of the line.
        draws: Number of resamples of the questions behind the band.
        level: Level of the band, in (0, 1).

    Returns:
        A `PowerLawForecast`.

    Raises:
        ValueError: A count is bad, a k is below 1, or `first` is not between 1 and the smallest of `trials`. For a
            count the message names the question, from 0.

    Examples:
        >>> trials, correct = [8] * 6, [0, 0, 1, 1, 2, 6]
        >>> forecast = t2.forecasts.forecast_power_law(trials, correct, samples=[8, 64], key=jax.random.key(0))
        >>> forecast.passed.round(3)
        array([0.636, 0.888])
    """
    n, c = checked_counts(trials, correct)
    k = checked_samples(samples, whole=False)
    if not 1 <= first <= n.min():
        raise ValueError(f"the line starts at k = {first}, expected 1 to {n.min():g}, the fewest samples of a question")
    points = np.unique(np.round(np.geomspace(first, n.min(), 13)))
    with scope() as dtype:
        measured, at, to = (jnp.asarray(array, dtype) for array in ((n, c), points, k))
        by_question = question_pass_at_k(*measured, at)
        curve = jnp.mean(by_question, axis=0)
        A, b, passed = (np.asarray(value, float) for value in _line(curve, at, to))
        population = band(np.asarray(_resampled_lines(by_question, at, to, key, draws), float), level)
    used = int(np.sum((np.asarray(curve) > 0) & (np.asarray(curve) < 1)))
    solved = f"{np.count_nonzero(c)} of {n.size} questions solved"
    if used < 2 or b < FLAT:
        why = f"only {used} k with 0 < pass@k < 1" if used < 2 else "pass@k does not rise with k"
        ignorance = Band(np.zeros_like(k), passed, np.ones_like(k), level)
        return PowerLawForecast(k, passed, ignorance, None, f"no power law: {solved}, {why}")
    law = PowerLawK(A=float(A), b=float(b))
    return PowerLawForecast(k, passed, population, law, f"line through {used} k: {law}; {solved}")


@jax.jit
def _line(curve: Array, at: Array, to: Array) -> tuple[Array, Array, Array]:
    """Fits a least-squares line through the k with 0 < pass@k < 1, and returns A, b and pass@k at `to`.

    With fewer than two such k the result is the last pass@k.
    """
    used = (curve > 0) & (curve < 1)
    weight = used.astype(curve.dtype)
    count = jnp.maximum(weight.sum(), 1.0)
    height = jnp.where(used, jnp.log(-jnp.log(jnp.where(used, curve, 0.5))), 0.0)
    place = jnp.log(at)
    middle, level = (weight * place).sum() / count, (weight * height).sum() / count
    offset = weight * (place - middle)
    bend = (offset**2).sum()
    slope = (offset * height).sum() / jnp.where(bend > 0, bend, 1.0)
    cost = level + slope * (jnp.log(to) - middle)
    passed = jnp.where(weight.sum() >= 2, jnp.exp(-jnp.exp(cost)), curve[-1])
    return jnp.exp(level - slope * middle), -slope, passed


@partial(jax.jit, static_argnames="draws")
def _resampled_lines(by_question: Array, at: Array, to: Array, key: Array, draws: int) -> Array:
    """Fits a line to each resample of the questions."""
    count = len(by_question)
    chosen = jax.random.randint(key, (draws, count), 0, count)
    times = jax.vmap(lambda row: jnp.bincount(row, length=count))(chosen).astype(by_question.dtype)
    return jax.vmap(lambda curve: _line(curve, at, to)[2])(jnp.clip(times @ by_question / count, 0.0, 1.0))
