"""The law with its smooth discrepancy in closed form: the most probable law, and the scales by their evidence."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from t2jax.noise.smooth.kernel import Kernel, Spectrum
from t2jax.noise.smooth.penalised_fit import Whiten, first_fit, minimise_squares
from t2jax.noise.smooth.response_curve import DeviceRows, ResponseCurve
from t2jax.noise.smooth.scales import LinearModel, Nodes, ScalePrior, weigh_nodes
from t2jax.tables.measurements import measuring_rows
from t2jax.tables.place import TableError
from t2jax.tables.table import Table
from t2jax.typing import Float

ROUNDS = 3
LOGIT_UNIT = 10.0
"""How many times the scales on the logit scale are those on the log scale."""
FEWEST_ROWS = 3


@dataclass(frozen=True)
class ClosedForm:
    """A law, linearised at its most probable parameters, and the scales of the deviations of its rows.

    Attributes:
        rows: Rows of the table that were read, booleans of shape (table,).
        table: These rows.
        u: Coordinates of the law, shape (free,).
        model: The linearised law.
        spectra: Covariances that are averaged over.
        nodes: The scales and their probabilities.
    """

    rows: np.ndarray
    table: Table
    u: np.ndarray
    model: LinearModel
    spectra: tuple[Spectrum, ...]
    nodes: Nodes

    @property
    def amplitude(self) -> float:
        """Standard deviation of the discrepancy, averaged over the scales."""
        return float(self.nodes.weight @ self.nodes.amplitude)

    @property
    def noise(self) -> float:
        """Scale of the independent errors, averaged likewise."""
        return float(np.exp(self.nodes.weight @ np.log(self.nodes.noise)))


def solve_closed_form(
    curve: ResponseCurve,
    table: Table,
    draws: Float[np.ndarray, "draws free"],
    starts: int,
    kernels: Callable[[np.ndarray], Sequence[Kernel]],
    df: float | None,
) -> ClosedForm:
    """Fits a law with a smooth discrepancy, from the best of the given coordinates.

    Args:
        curve: The law.
        table: The table. Rows without weight, and those with a pass@k of 0 or 1, are not read.
        draws: Coordinates that may be starts.
        starts: Number of the best draws from which a fit starts.
        kernels: Function from the run of each row to the kernels that are averaged over.
        df: Degrees of freedom of Student-t errors, None for normal ones.

    Returns:
        The law and its scales.

    Raises:
        TableError: Fewer than three rows are left.
    """
    seen = readable_rows(curve, table)
    table = table if seen.all() else table.where(seen)
    if len(table) < FEWEST_ROWS:
        raise TableError(
            f"{table.source.name}: {len(table)} rows of {curve.response} are left, expected at least {FEWEST_ROWS}"
        )
    measured, columns = curve.measured(table), curve.read(table)
    rows = DeviceRows.of(columns)
    own_weight = table.weights() * curve.precision(table)
    u, size = first_fit(curve, rows, measured, own_weight, draws, starts)
    places, run = curve.places(columns), table.runs()
    unit = LOGIT_UNIT if curve.scale == "logit" else 1.0
    prior = ScalePrior()
    prior = replace(prior, amplitude=unit * prior.amplitude, noise=unit * prior.noise)
    robust = np.ones(len(table))
    for round_ in range(ROUNDS + 1):
        weight = robust * own_weight
        spectra = tuple(kernel.spectrum(places, run, weight) for kernel in kernels(run))
        values, slopes = curve.evaluate(u, rows)
        mean, spread = curve.prior
        model = LinearModel(measured - values + slopes @ (u - mean), slopes, weight, spread)
        nodes = weigh_nodes(model, spectra, prior, size)
        if round_ == ROUNDS:
            break
        spectrum, amplitude, noise = spectra[nodes.kernel[0]], nodes.amplitude[0], nodes.noise[0]
        whiten = _whitener(spectrum, weight, amplitude, noise)
        u = minimise_squares(curve, rows, measured, u, whiten).u
        residual = measured - curve.evaluate(u, rows)[0]
        error = residual - _smooth_part(residual, spectrum, weight, amplitude, noise)
        robust = _error_weights((error / noise) ** 2 * own_weight, df)
    return ClosedForm(seen, table, u, model, spectra, nodes)


def readable_rows(curve: ResponseCurve, table: Table) -> np.ndarray:
    """Marks the rows of a table that have a weight and a finite measurement on the scale of the comparison."""
    return measuring_rows(table) & np.isfinite(curve.measured(table))


def _error_weights(squares: Float[np.ndarray, " rows"], df: float | None) -> Float[np.ndarray, " rows"]:
    """Computes the weights of Student-t errors as normal errors of different size (Lange et al. 1989)."""
    return np.ones(len(squares)) if df is None else (df + 1) / (df + squares)


def _whitener(spectrum: Spectrum, weight: np.ndarray, amplitude: float, noise: float) -> Whiten:
    """Returns the function that turns rows into modes of unit variance, and keeps what lies outside the modes."""
    variance = amplitude**2 * spectrum.values + noise**2
    root = np.sqrt(weight)[:, None]
    whole = len(weight) == len(spectrum.values)

    def whiten(rows: np.ndarray) -> np.ndarray:
        weighted = root * rows.reshape(len(weight), -1)
        modes = spectrum.vectors.T @ weighted
        inner = modes / np.sqrt(variance)[:, None]
        return inner if whole else np.vstack([inner, (weighted - spectrum.vectors @ modes) / noise])

    return whiten


def _smooth_part(
    residual: np.ndarray, spectrum: Spectrum, weight: np.ndarray, amplitude: float, noise: float
) -> np.ndarray:
    """Computes the part of residuals that the discrepancy explains."""
    gain = amplitude**2 * spectrum.values / (amplitude**2 * spectrum.values + noise**2)
    root = np.sqrt(weight)
    return spectrum.vectors @ (gain * (spectrum.vectors.T @ (root * residual))) / root
