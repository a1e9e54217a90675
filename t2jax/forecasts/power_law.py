"""Forecasts of pass@k by a power law in k."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.forecasts.counts import checked_counts, checked_samples, pass_of_each
from t2jax.laws.arguments import check_arguments
from t2jax.laws.pass_at_k.power_law_k import PowerLawK
from t2jax.numerics.bands import Band, band
from t2jax.typing import Array
from t2jax.working_precision import scope

FLAT = 1e-12  # exponents below this are rounding


@dataclass(frozen=True)
class PowerLawForecast:
    """The result of `forecast_power_law`. samples: k. passed: the extrapolated line at each k, shape (k,).

    population: band over resampled questions. law: the line, or None where there is none. status: in English.
    """

    samples: np.ndarray
    passed: np.ndarray
    population: Band
    law: PowerLawK | None
    status: str


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
    """Extrapolate -log pass@k = A·k^-b from the k that were measured: a line through log(-log pass@k) by log k.

    trials, correct: whole numbers, shape (questions,). samples: every k >= 1 to forecast. first: smallest k of the
    line, whose points are up to 13 k evenly spaced in log k up to the smallest of `trials`; pass@k there is the
    unbiased estimate from counts. Least squares, every point with one weight, as it is done by hand; the band is of
    `draws` resamples of the questions. Source: Schaeffer et al. 2025 (2502.17578) for the law.

    How it fails: pass@k is a power law for large k only, and only where the density of chances near zero is a power;
    at smaller k the line is too flat or too steep, and no resampling of questions shows that. The points of one curve
    are correlated. There is no line where nothing was solved, where pass@k does not rise, or where fewer than two k
    have 0 < pass@k < 1: the forecast is then the last pass@k measured, its band 0 to 1. A resample with nothing solved
    forecasts 0.

    Raises ValueError for bad counts (it names the question, from 0), k below 1, and `first` outside 1 to the smallest
    of `trials`.
    """
    n, c = checked_counts(trials, correct)
    k = checked_samples(samples, whole=False)
    if not 1 <= first <= n.min():
        raise ValueError(f"the line starts at k = {first}, expected 1 to {n.min():g}, the fewest samples of a question")
    points = np.unique(np.round(np.geomspace(first, n.min(), 13)))
    with scope() as dtype:
        measured, at, to = (jnp.asarray(one, dtype) for one in ((n, c), points, k))
        each = pass_of_each(*measured, at)
        curve = jnp.mean(each, axis=0)
        A, b, passed = (np.asarray(one, float) for one in _line(curve, at, to))
        population = band(np.asarray(_resampled_lines(each, at, to, key, draws), float), level)
    used = int(np.sum((np.asarray(curve) > 0) & (np.asarray(curve) < 1)))
    said = f"{np.count_nonzero(c)} of {n.size} questions solved"
    if used < 2 or b < FLAT:
        why = f"only {used} k with 0 < pass@k < 1" if used < 2 else "pass@k does not rise with k"
        ignorance = Band(np.zeros_like(k), passed, np.ones_like(k), level)
        return PowerLawForecast(k, passed, ignorance, None, f"no power law: {said}, {why}")
    law = PowerLawK(A=float(A), b=float(b))
    return PowerLawForecast(k, passed, population, law, f"line through {used} k: {law}; {said}")


@jax.jit
def _line(curve: Array, at: Array, to: Array) -> tuple[Array, Array, Array]:
    """A and b of the least-squares line through the k with 0 < pass@k < 1, and pass@k at `to`; else the last pass@k."""
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
def _resampled_lines(each: Array, at: Array, to: Array, key: Array, draws: int) -> Array:
    count = len(each)
    chosen = jax.random.randint(key, (draws, count), 0, count)
    times = jax.vmap(lambda row: jnp.bincount(row, length=count))(chosen).astype(each.dtype)
    return jax.vmap(lambda curve: _line(curve, at, to)[2])(jnp.clip(times @ each / count, 0.0, 1.0))
