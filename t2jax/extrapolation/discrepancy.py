"""Fits of a law with a smooth discrepancy: how far runs may lie from the law, beside their independent errors."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from t2jax.extrapolation.averaged_counts import averaged_counts
from t2jax.extrapolation.gaussian_mixture import GaussianMixture
from t2jax.extrapolation.kriging import Kriging
from t2jax.extrapolation.tails import percent_of, tail_factor
from t2jax.fitting.measured_range import MeasuredRange
from t2jax.fitting.problem import refuse_fixed
from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.noise.discrepancy import STARTS, Discrepancy
from t2jax.noise.smooth.closed_form import solve_closed_form
from t2jax.noise.smooth.kernel import Spectrum, distances
from t2jax.noise.smooth.response_curve import ResponseCurve
from t2jax.noise.smooth.scales import LinearModel, Nodes
from t2jax.printing import summary
from t2jax.tables.table import Table
from t2jax.typing import Array, Float

DEFAULT = Discrepancy()
LEVEL = 0.9
"""Level at which backtests compare errors with bands."""
CHUNK = 512
"""Rows that are predicted together, so that their covariances fit the cache."""


@dataclass(frozen=True, repr=False)
class DiscrepancyFit:
    """A law with a smooth discrepancy, fitted to a table: log y = log law + δ(log N, log D) + e.

    Predictions are a mixture of normals over the scales of δ and e. The law's parameters are linearised at the fit.

    Attributes:
        law: The law at the most probable scales.
        table: The rows that were fitted.
        measured: Ranges of these rows.
        amplitude: Standard deviation of the discrepancy, on the log or logit scale, averaged over the scales.
        noise: Scale of the independent errors, averaged likewise.
        log_odds: Log of the odds that there is a discrepancy, from the rows alone.
        curve: The law as a function of its coordinates.
        u: Coordinates of `law`.
        model: The linearised law.
        spectra: Covariances that are averaged over.
        nodes: The scales and their probabilities.
        noise_model: The noise model, with the kernels that were averaged over.

    Examples:
        >>> smooth = t2.extrapolation.fit_discrepancy(t2.laws.Chinchilla, runs, key=jax.random.key(0))
        >>> round(smooth.law.alpha, 3), bool(smooth.log_odds < 0)  # the rows follow the law exactly
        (0.35, True)
    """

    law: Law
    table: Table
    measured: MeasuredRange
    amplitude: float
    noise: float
    log_odds: float
    curve: ResponseCurve
    u: np.ndarray
    model: LinearModel
    spectra: tuple[Spectrum, ...]
    nodes: Nodes
    noise_model: Discrepancy

    def __repr__(self) -> str:
        """Writes whether the rows deviate smoothly from the law, and by how much."""
        answers = {
            "law": repr(self.law),
            "discrepancy": f"{self.percent(self.amplitude)} allowed in bands",
            "errors": self.percent(self.noise),
        }
        return summary("DiscrepancyFit", self.status, answers)

    @property
    def status(self) -> str:
        """Whether the rows deviate from the law in a smooth way, in a sentence."""
        name, errors = type(self.law).__name__, f"beside errors of {self.percent(self.noise)}"
        if self.log_odds < 0:
            return f"the rows show no smooth deviation from {name} {errors}"
        certainty = "clearly" if self.log_odds > 3 else "perhaps"
        return f"the rows {certainty} deviate from {name} in a smooth way, by {self.percent(self.amplitude)} {errors}"

    def percent(self, size: float) -> str:
        """Formats a size on the scale of the comparison, in per cent.

        Args:
            size: Difference of logs, or of logits for pass@k.

        Returns:
            The number with its unit.
        """
        return percent_of(size, self.curve.scale)

    def predict(self, columns: Mapping[str, np.ndarray], *, new_run: bool) -> GaussianMixture:
        """Computes the distribution of the response at rows, on the scale of the comparison.

        Args:
            columns: Inputs of the rows by column, shape (rows,) each.
            new_run: Whether to include the independent error of one new run.

        Returns:
            The mixture at each row.
        """
        values, slopes = self.curve.evaluate(self.u, columns)
        places = self.curve.places(columns)
        start = values - slopes @ (self.u - self.curve.prior[0])
        means, variances = np.empty((2, len(self.nodes.weight), len(values)))
        krigings = self._krigings

        def fill(first: int) -> None:
            rows = slice(first, first + CHUNK)
            distance = distances(places[rows], self.spectra[0].knots)
            for chosen, kriging in krigings:
                means[chosen, rows], variances[chosen, rows] = kriging.predict(distance, slopes[rows])

        with ThreadPoolExecutor() as pool:
            list(pool.map(fill, range(0, len(values), CHUNK)))
        mixture = GaussianMixture(start + means, variances, self.nodes.weight)
        return mixture.with_errors(self.run_variances(LEVEL)) if new_run else mixture

    def run_variances(self, level: float) -> Float[np.ndarray, " nodes"]:
        """Computes the variance of one new run about the mean over runs, at each node of the scales.

        Errors are Student-t. The variance is that of a normal error with the same central interval.

        Args:
            level: Level of that interval.

        Returns:
            Variances on the scale of the comparison, shape (nodes,).
        """
        tail = tail_factor(self.noise_model.df, level)
        run_share = np.array([spectrum.kernel.run_share for spectrum in self.spectra])[self.nodes.kernel]
        return self.nodes.amplitude**2 * run_share + (tail * self.nodes.noise) ** 2

    @cached_property
    def _krigings(self) -> list[tuple[np.ndarray, Kriging]]:
        """Indices of the nodes of each kernel that has any, with their predictor."""
        groups = [np.flatnonzero(self.nodes.kernel == index) for index in range(len(self.spectra))]
        return [
            (nodes, Kriging.of(self.model, spectrum, self.nodes.amplitude[nodes], self.nodes.noise[nodes]))
            for nodes, spectrum in zip(groups, self.spectra, strict=True)
            if nodes.size
        ]


@check_arguments
def fit_discrepancy(
    law: type[Law],
    table: Table,
    *,
    key: Array,
    fixed: Mapping[str, float] | None = None,
    starts: int = STARTS,
    noise: Discrepancy = DEFAULT,
) -> DiscrepancyFit:
    """Fits a law with a smooth discrepancy, so that bands hold beyond the table.

    The model is log y = log law(θ; N, D) + δ(log N, log D) + e. δ is a Gaussian process with a Matérn 5/2 kernel of
    length 1, 2 or 4 decades. e has Student-t errors. Rows of one `model` share a deviation too. The amplitude of δ, its
    length and the scale of e are averaged over a grid by their evidence. pass@k is compared by its logit, with errors
    as of shares, whose variance is inverse to p(1-p).
    Source: Kennedy & O'Hagan 2001 (J. R. Stat. Soc. B 63:425), with θ linearised at the fit.

    Args:
        law: The law class.
        table: The table. Rows with a pass@k of exactly 0 or 1 are left out, because their logit is infinite. Counts are
            averaged to pass@k of each run first, at k = 1, 10, 100, ... up to its fewest trials.
        key: JAX random key of the starts.
        fixed: Values of fixed parameters by name.
        starts: Number of starts, the best of many draws of the priors.
        noise: Kernels of δ and the degrees of freedom of e.

    Returns:
        A `DiscrepancyFit`.

    Raises:
        TableError: A column that the law needs is missing, or fewer than three rows are left.
        ValueError: A fixed parameter is unknown or outside its domain.

    Examples:
        >>> smooth = t2.extrapolation.fit_discrepancy(t2.laws.Chinchilla, runs, key=jax.random.key(0))
        >>> t2.predict_band(smooth, t2.Table.from_columns(params=1e10, tokens=[2e11])).mean.round(2)
        array([2.09])
    """
    refuse_fixed(law, fixed or {})
    table = averaged_counts(law, table)
    curve = ResponseCurve.of(law, table, fixed or {})
    return fit_from(curve, table, curve.draws(key), starts, noise)


def fit_from(
    curve: ResponseCurve,
    table: Table,
    draws: Float[np.ndarray, "draws free"],
    starts: int,
    noise: Discrepancy = DEFAULT,
) -> DiscrepancyFit:
    """Fits as `fit_discrepancy`, from the best of the given coordinates."""
    solved = solve_closed_form(curve, table, draws, starts, noise.kernels, noise.df)
    return DiscrepancyFit(
        law=curve.law_at(solved.u),
        table=solved.table,
        measured=MeasuredRange.of(solved.table),
        amplitude=solved.amplitude,
        noise=solved.noise,
        log_odds=solved.nodes.log_odds,
        curve=curve,
        u=solved.u,
        model=solved.model,
        spectra=solved.spectra,
        nodes=solved.nodes,
        noise_model=noise,
    )
