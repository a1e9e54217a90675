"""Predictions with bands at any rows, and how far these lie beyond the rows that were fitted."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from t2jax.extrapolation.averaged_counts import averaged_counts
from t2jax.extrapolation.discrepancy import DiscrepancyFit, fit_from
from t2jax.extrapolation.gaussian_mixture import GaussianMixture
from t2jax.extrapolation.law_choice import LawChoice, choose_from
from t2jax.extrapolation.sampled import SampledDiscrepancy, SmoothFit
from t2jax.fitting.fit import Fit
from t2jax.laws.arguments import check_arguments
from t2jax.noise.discrepancy import Discrepancy
from t2jax.noise.smooth.response_curve import ResponseCurve
from t2jax.posterior.posterior import Posterior
from t2jax.printing import format_range, summary
from t2jax.tables.table import Table


@dataclass(frozen=True, repr=False)
class Predictions:
    """Result of `predict_band`, one entry for each row.

    Attributes:
        response: Name of the predicted column.
        mean: Prediction, in the unit of the response, shape (rows,).
        low: Lower end of the band of one new run.
        high: Upper end of the band of one new run.
        mean_low: Lower end of the band of the mean over many runs.
        mean_high: Upper end of the band of the mean over many runs.
        level: Level of the bands.
        horizon_decades: Distance beyond the measured ranges, in decades; 0 inside.
        inside: Whether each row lies inside the measured ranges.
        widening: Factor by which a backtest inside the fitted rows widened the bands.
        origins: Number of origins of that backtest.

    Examples:
        >>> rows = t2.Table.from_columns(params=[1e8, 1e10], tokens=[1e10, 2e12])
        >>> at = t2.predict_band(fit, rows)
        >>> at.mean.round(2), at.inside, at.horizon_decades.round(1)
        (array([2.98, 2.01]), array([ True, False]), array([0. , 2.3]))
    """

    response: str
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    mean_low: np.ndarray
    mean_high: np.ndarray
    level: float
    horizon_decades: np.ndarray
    inside: np.ndarray
    widening: float
    origins: int

    def __repr__(self) -> str:
        """Writes the ranges of the predictions and of their distance beyond the table."""
        answers = {
            self.response: format_range(self.mean),
            f"{self.level:.0%} band": f"{format_range(self.low)} up to {format_range(self.high)}",
            "beyond the table": f"{format_range(self.horizon_decades)} decades",
        }
        return summary("Predictions", self.status, answers)

    @property
    def status(self) -> str:
        """How many rows lie beyond the measured ranges, and what a backtest did to the bands."""
        outside = int((~self.inside).sum())
        sentence = f"{outside} of {len(self.mean)} rows lie beyond what was measured"
        if outside:
            sentence += f", by up to {self.horizon_decades.max():.2g} decades"
        if self.origins == 0:
            return f"{sentence}; the table is too small for a backtest"
        if self.widening == 1:
            return f"{sentence}; a backtest inside the table asks for no wider bands"
        return f"{sentence}; a backtest inside the table widened the bands {self.widening:.2g} times"

    def to_frame(self) -> pd.DataFrame:
        """Returns the predictions as columns of a data frame.

        Returns:
            Columns mean, low, high, mean_low, mean_high, horizon_decades and inside.
        """
        names = ("mean", "low", "high", "mean_low", "mean_high", "horizon_decades", "inside")
        return pd.DataFrame({name: getattr(self, name) for name in names})


@check_arguments
def predict_band(fit: Fit | SmoothFit | LawChoice | Posterior, rows: Table, *, level: float = 0.9) -> Predictions:
    """Predicts the response at rows, with bands that are meant to hold beyond the fitted table.

    The bands cover the parameters and a smooth discrepancy of the runs from the law (`fit_discrepancy`). `low` and
    `high` also cover the error of one new run. A backtest fits the cheap rows and predicts the dearer ones. Where its
    errors are larger than its bands say, the bands are widened by the root of that factor, up to three times.

    Args:
        fit: A `Fit`, also of counts, which are averaged to pass@k of each run for the bands. A `DiscrepancyFit`, or the
            `LawChoice` of `choose_law`, whose laws are averaged. Also a `Posterior` with the noise `Discrepancy`, whose
            draws are averaged.
        rows: Rows with the columns that the law reads.
        level: Level of the bands, in (0, 1).

    Returns:
        The predictions.

    Raises:
        TableError: A column that the law reads is missing.
        ValueError: `level` is outside (0, 1), or the fit did not converge. Also for a posterior with another noise.

    Examples:
        >>> at = t2.predict_band(fit, t2.Table.from_columns(params=[1e10], tokens=[2e11]), level=0.5)
        >>> bool(at.low < at.mean < at.high), at.level
        (True, 0.5)
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, not {level!r}")
    choice = as_choice(fit)
    first = choice.fits[0]
    columns = [smooth.curve.read(rows) for smooth in choice.fits]

    parts = [smooth.predict(read, new_run=False) for smooth, read in zip(choice.fits, columns, strict=True)]
    errors = np.concatenate([smooth.run_variances(level) for smooth in choice.fits])
    mean = GaussianMixture.join(parts, choice.weights.tolist())
    seen, mean = mean.with_errors(errors).widened(choice.widening), mean.widened(choice.widening)
    ends = (0.5 - level / 2, 0.5 + level / 2)
    to_response = first.curve.to_response
    horizon = first.measured.horizons(rows)
    return Predictions(
        first.curve.response,
        to_response(seen.mean()),
        *(to_response(seen.quantile(end)) for end in ends),
        *(to_response(mean.quantile(end)) for end in ends),
        level=level,
        horizon_decades=horizon,
        inside=horizon == 0,
        widening=choice.widening,
        origins=len(choice.origins),
    )


def as_choice(fit: Fit | SmoothFit | LawChoice | Posterior) -> LawChoice:
    """Returns the choice of one law for a fit or a posterior of it, with a backtest of the fit in closed form."""
    if isinstance(fit, LawChoice):
        return fit
    if isinstance(fit, DiscrepancyFit):
        return choose_from([fit])
    if isinstance(fit, Posterior):
        fit = SampledDiscrepancy.of(fit)
    if isinstance(fit, SampledDiscrepancy):
        backtest = choose_from([fit_from(fit.curve, fit.table, fit.u[None], 1, fit.noise_model)])
        return replace(backtest, fits=(fit,))
    if not fit.converged:
        raise ValueError(f"there is no fit to predict with ({fit.status})")
    fixed = {name: float(np.asarray(value)) for name, value in fit.problem.coordinates.fixed.items()}
    table = averaged_counts(type(fit.law), fit.table)
    curve = ResponseCurve.of(type(fit.law), table, fixed)
    noise = fit.problem.noise if isinstance(fit.problem.noise, Discrepancy) else Discrepancy()
    return choose_from([fit_from(curve, table, curve.coordinates(fit.law)[None], 1, noise)])
