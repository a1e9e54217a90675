"""A forecast of pass@k that joins the measurement: pass@k never falls as k grows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from t2jax.forecasts.beta import forecast_beta
from t2jax.forecasts.estimates import pass_from_counts
from t2jax.laws.pass_at_k.beta_tail import BetaTail
from t2jax.typing import Array


@dataclass(frozen=True)
class RisingForecast:
    """Result of `forecast_beyond`.

    Attributes:
        passed: Forecast at each k, shape (k,).
        low: Lower end of the interval of the population, shape (k,).
        high: Upper end, shape (k,).
        from_prior: Whether the prior decides, because the counts hardly determine the Beta distribution.
        status: The status of the forecast by a Beta distribution, and whether the measurement was above it.
        laws: Posterior draws of that distribution, leaves of shape (draws,).
    """

    passed: np.ndarray
    low: np.ndarray
    high: np.ndarray
    from_prior: bool
    status: str
    laws: BetaTail


def forecast_beyond(
    n: np.ndarray, c: np.ndarray, samples: Sequence[float], key: Array, draws: int, level: float
) -> RisingForecast:
    """Forecasts pass@k beyond the fewest samples of a question, never below what was measured there.

    The chance that one of k samples is right cannot fall as k grows. The posterior mean of a Beta may still lie below
    the unbiased estimate at the fewest samples. Then that estimate is the forecast, and likewise for its interval.

    Args:
        n: Samples of each question, shape (questions,).
        c: Right samples of each question, shape (questions,).
        samples: Values of k above the fewest samples.
        key: JAX random key.
        draws: Number of posterior draws.
        level: Level of the interval.

    Returns:
        The forecast. With one question the interval is NaN.
    """
    fewest = int(n.min())
    measured = pass_from_counts(n, c, [fewest], level)
    forecast = forecast_beta(n, c, samples, key=key, draws=draws, level=level)
    low = np.maximum(forecast.population.low, measured.population.low[0])
    high = np.maximum(forecast.population.high, measured.population.high[0])
    passed = np.maximum(forecast.passed, measured.passed[0])
    status = forecast.status
    if np.any(forecast.passed < measured.passed[0]):
        status += (
            f"; where the Beta distribution is lower, the measured pass@{fewest} = {measured.passed[0]:.3g} stands"
        )
    return RisingForecast(
        passed, np.minimum(low, passed), np.maximum(high, passed), forecast.from_prior, status, forecast.laws
    )
