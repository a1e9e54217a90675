"""Forward chaining on compute: fit the cheap rows, predict the next dearer ones, from several origins."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from t2jax.extrapolation.discrepancy import DiscrepancyFit, fit_from
from t2jax.extrapolation.gaussian_mixture import GaussianMixture
from t2jax.tables.table import Table

ORIGINS = ((0.4, 0.6), (0.55, 0.8), (0.7, 1.0))
"""Shares of the rows, in order of compute: fitted up to the first, predicted up to the second."""
FEWEST_FITTED, FEWEST_PREDICTED = 8, 2


@dataclass(frozen=True)
class Origin:
    """One origin of a forward chain.

    Attributes:
        fitted_up_to: Largest compute of the fitted rows, FLOPs.
        predicted_up_to: Largest compute of the predicted rows, FLOPs.
        fitted: Whether each row is fitted, shape (rows,).
        predicted: Whether each row is predicted, shape (rows,).
    """

    fitted_up_to: float
    predicted_up_to: float
    fitted: np.ndarray
    predicted: np.ndarray


@dataclass(frozen=True)
class Forecast:
    """A law's predictions at one origin.

    Attributes:
        mixture: The predictions of new runs, on the scale of the comparison.
        measured: What was measured there, shape (predicted,).
    """

    mixture: GaussianMixture
    measured: np.ndarray

    @property
    def error(self) -> float:
        """Root mean square error, on the scale of the comparison."""
        return float(np.sqrt(np.mean((self.mixture.mean() - self.measured) ** 2)))


def origins(table: Table) -> list[Origin]:
    """Lists the origins that a table has rows for; a small table may have none."""
    compute = table.compute()
    usable = []
    for start, end in ORIGINS:
        least, most = (float(np.quantile(compute, share, method="lower")) for share in (start, end))
        fitted, predicted = compute <= least, (compute > least) & (compute <= most)
        if fitted.sum() >= FEWEST_FITTED and predicted.sum() >= FEWEST_PREDICTED:
            usable.append(Origin(least, most, fitted, predicted))
    return usable


def forecast(fit: DiscrepancyFit, origin: Origin) -> Forecast:
    """Fits the law of a fit to the cheap rows of its table alone, and predicts the next dearer ones.

    The search starts from the fit to all rows. Of several optima of the cheap rows it finds the one nearest to that.
    """
    cheap, dear = fit.table.where(origin.fitted), fit.table.where(origin.predicted)
    refit = fit_from(fit.curve, cheap, fit.u[None], 1, fit.noise_model)
    return Forecast(refit.predict(refit.curve.read(dear), new_run=True), refit.curve.measured(dear))


def surprise(forecasts: Sequence[Forecast], weights: Sequence[float]) -> float:
    """Computes how many times larger the errors of averaged forecasts are than their bands say, at one origin."""
    mixture = GaussianMixture.join([forecast.mixture for forecast in forecasts], weights)
    return float(np.sqrt(np.mean(((mixture.mean() - forecasts[0].measured) / mixture.deviation()) ** 2)))
