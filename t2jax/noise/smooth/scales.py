"""Evidence for the scales of a discrepancy: its amplitude, its kernel and the size of independent errors."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.linalg import slogdet, solve

from t2jax.noise.smooth.kernel import Spectrum
from t2jax.typing import Float

NOISE_STEP = 0.25
NOISE_STEPS = np.arange(-24, 8)
"""Errors on the grid, in steps of a quarter of a natural log around the size of the residuals."""
PRIOR_STEPS = np.arange(-8, 9)
SMALLEST = 4e-8
"""Smallest size of the residuals: the grid then reaches down to errors of 1e-10, and to none below."""
MOST_NODES = 32
KEPT = 0.97
"""Posterior probability of the grid points that are used."""
LIKELY, FINER = 6.0, 4
"""Cells within so many nats of the best are integrated, with so many points in each direction."""


@dataclass(frozen=True)
class ScalePrior:
    """Prior of the scales, in the unit of the comparison (logs of losses, logits of pass@k).

    Runs lie within 1 % of a law's loss, from 0.44 to 2.3 % at 90 %, where the discrepancy is two decades long. At other
    lengths that is in proportion to the length (`Kernel.usual_amplitude`). Errors of one run are 0.4 %, from 0.08 to
    2 %. On the logit scale both are ten times as large. The discrepancy is absent with probability `none`.

    Attributes:
        amplitude: Median of the discrepancy's standard deviation, at a length of two decades.
        amplitude_spread: Standard deviation of its log.
        noise: Median of the scale of independent errors.
        noise_spread: Standard deviation of its log.
        none: Probability that there is no discrepancy.
    """

    amplitude: float = 0.01
    amplitude_spread: float = 0.5
    noise: float = 0.004
    noise_spread: float = 1.0
    none: float = 0.1

    def amplitudes(self) -> Float[np.ndarray, " amplitudes"]:
        """Lists the amplitudes of the grid, an eighth to eight times the median, each twice the one before."""
        return self.amplitude * 2.0 ** np.arange(-3, 4)

    def log_weight(
        self, amplitude: Float[np.ndarray, " nodes"], noise: Float[np.ndarray, " nodes"]
    ) -> Float[np.ndarray, " nodes"]:
        """Computes the log probability of cells of the grid; an amplitude of 0 is certain where there is none."""
        away = np.log(noise / self.noise) / self.noise_spread
        of_noise = -0.5 * away**2 + np.log(NOISE_STEP / self.noise_spread) - 0.5 * np.log(2 * np.pi)
        away = np.log(np.where(amplitude > 0, amplitude, self.amplitude) / self.amplitude) / self.amplitude_spread
        step = np.log(2.0) / self.amplitude_spread
        of_amplitude = -0.5 * away**2 + np.log(step) - 0.5 * np.log(2 * np.pi)
        return of_noise + np.where(amplitude > 0, of_amplitude, 0.0)


@dataclass(frozen=True)
class Nodes:
    """Grid points of the scales with their posterior probabilities, the most probable first.

    Attributes:
        kernel: Index of the kernel of each node, shape (nodes,).
        amplitude: Standard deviation of the discrepancy, shape (nodes,).
        noise: Scale of independent errors, shape (nodes,).
        weight: Posterior probabilities, shape (nodes,), with sum 1.
        log_evidence: Log probability density of the measurements under the prior.
        log_odds: Log of the posterior odds of a discrepancy against none, less those of the prior.
    """

    kernel: np.ndarray
    amplitude: np.ndarray
    noise: np.ndarray
    weight: np.ndarray
    log_evidence: float
    log_odds: float


@dataclass(frozen=True)
class LinearModel:
    """Linearised law: residual = slopes @ (u - prior mean) + discrepancy + error.

    Attributes:
        residual: Measurements less the linear law at the prior mean, shape (rows,).
        slopes: Derivatives by the coordinates, shape (rows, free).
        weight: Precision of each row relative to the others, shape (rows,).
        spread: Prior standard deviations of the coordinates, shape (free,).
    """

    residual: np.ndarray
    slopes: np.ndarray
    weight: np.ndarray
    spread: np.ndarray

    def project(self, spectrum: Spectrum) -> "Projected":
        """Expresses the rows in the modes of a covariance; what lies outside has independent errors only."""
        root = np.sqrt(self.weight)
        slopes, residual = root[:, None] * self.slopes, root * self.residual
        inner_slopes, inner_residual = spectrum.vectors.T @ slopes, spectrum.vectors.T @ residual
        count = len(residual) - len(spectrum.values)
        if not count:
            zero = np.zeros((slopes.shape[1],))
            return Projected(spectrum.values, inner_slopes, inner_residual, np.outer(zero, zero), zero, 0.0, 0)
        gram = slopes.T @ slopes - inner_slopes.T @ inner_slopes
        mixed = slopes.T @ residual - inner_slopes.T @ inner_residual
        square = max(float(residual @ residual - inner_residual @ inner_residual), 0.0)
        return Projected(spectrum.values, inner_slopes, inner_residual, gram, mixed, square, count)


@dataclass(frozen=True)
class Projected:
    """A linear model in the modes of a covariance, and the sums over the rest of the rows."""

    values: np.ndarray
    slopes: np.ndarray
    residual: np.ndarray
    gram: np.ndarray
    mixed: np.ndarray
    square: float
    count: int

    def variances(self, amplitude: np.ndarray, noise: np.ndarray) -> Float[np.ndarray, "nodes modes"]:
        """Computes the variance of each mode: discrepancy and error."""
        return amplitude[:, None] ** 2 * self.values + noise[:, None] ** 2

    def coordinates(
        self, amplitude: np.ndarray, noise: np.ndarray, spread: np.ndarray
    ) -> tuple[Float[np.ndarray, "nodes free"], Float[np.ndarray, "nodes free free"]]:
        """Computes the posterior mean of the coordinates, less the prior mean, and their precision at each node."""
        precise = 1 / self.variances(amplitude, noise)
        rest = 1 / noise**2
        precision = np.einsum("hm,mi,mj->hij", precise, self.slopes, self.slopes, optimize=True)
        precision += rest[:, None, None] * self.gram + np.diag(1 / spread**2)
        force = (precise * self.residual) @ self.slopes + rest[:, None] * self.mixed
        try:
            return solve(precision, force[..., None])[..., 0], precision
        except np.linalg.LinAlgError:  # rows without noise, at errors that are next to none
            root = covariance_root(precision)
            return (root @ (np.swapaxes(root, -1, -2) @ force[..., None]))[..., 0], precision

    def log_evidence(self, amplitude: np.ndarray, noise: np.ndarray, spread: np.ndarray) -> Float[np.ndarray, " nodes"]:
        """Computes the log density of the rows at each node, up to a constant of the rows."""
        variance = self.variances(amplitude, noise)
        mean, precision = self.coordinates(amplitude, noise, spread)
        rest = 1 / noise**2
        # squares of what is left, as differences of large sums would lose their digits for small errors
        left = self.residual - mean @ self.slopes.T
        outside = self.square - 2 * mean @ self.mixed + np.einsum("hi,ij,hj->h", mean, self.gram, mean)
        size = (left**2 / variance).sum(1) + rest * np.maximum(outside, 0.0) + ((mean / spread) ** 2).sum(1)
        volume = np.log(variance).sum(1) + 2 * self.count * np.log(noise)
        return -0.5 * (size + volume + slogdet(precision)[1]) - np.log(spread).sum()


def covariance_root(precision: Float[np.ndarray, "... free free"]) -> Float[np.ndarray, "... free free"]:
    """Computes a root of the inverse of precisions, whose product with its transpose is the covariance.

    Rows without noise leave precisions that are singular to rounding, so eigenvalues are bounded from below.
    """
    values, vectors = np.linalg.eigh(precision)
    values = np.maximum(values, np.finfo(float).eps * values[..., -1:])
    return vectors / np.sqrt(values)[..., None, :]


def weigh_nodes(model: LinearModel, spectra: Sequence[Spectrum], prior: ScalePrior, size: float) -> Nodes:
    """Computes the posterior probabilities of the scales on a grid.

    The grid is coarse, and each likely cell is integrated on a finer one: many rows know an amplitude to a tenth of a
    cell. A node is a cell with the mean squares of its scales.

    Args:
        model: The linearised law.
        spectra: Covariances to average over.
        prior: Prior of the scales.
        size: Typical size of the residuals, about which the grid of errors lies.

    Returns:
        The nodes that hold `KEPT` of the probability.
    """
    noises = max(size, SMALLEST) * np.exp(NOISE_STEP * NOISE_STEPS)
    # with hardly more rows than parameters residuals are smaller than errors, so the prior has its part of the grid
    likely = prior.noise * np.exp(NOISE_STEP * PRIOR_STEPS)
    noises = np.concatenate([noises, likely[likely > noises[-1] * np.exp(NOISE_STEP / 2)]])
    columns: list[tuple[np.ndarray, ...]] = []
    for index, spectrum in enumerate(spectra):
        projected = model.project(spectrum)
        of_kernel = replace(prior, amplitude=prior.amplitude * spectrum.kernel.usual_amplitude)
        choices = [(of_kernel.amplitudes(), np.log((1 - prior.none) / len(spectra)))]
        if index == 0:  # without a discrepancy every kernel is the same
            choices.append((np.zeros(1), np.log(prior.none)))
        for grid, log_share in choices:
            amplitude, noise, log_weight = _integrate_cells(projected, model.spread, of_kernel, grid, noises)
            columns.append((np.full(len(noise), index), amplitude, noise, log_share + log_weight))
    kernel, amplitude, noise, log_weight = (np.concatenate(column) for column in zip(*columns, strict=True))
    total = np.logaddexp.reduce(log_weight)
    weight = np.exp(log_weight - total)
    order = np.argsort(-weight)
    count = min(int(np.searchsorted(np.cumsum(weight[order]), KEPT)) + 1, MOST_NODES)
    likely = order[:count]
    without = np.logaddexp.reduce(log_weight[amplitude == 0])
    with_it = np.logaddexp.reduce(log_weight[amplitude > 0])
    log_odds = float(with_it - without - np.log((1 - prior.none) / prior.none))
    constant = 0.5 * np.log(model.weight).sum() - 0.5 * len(model.residual) * np.log(2 * np.pi)
    share = weight[likely] / weight[likely].sum()
    return Nodes(kernel[likely], amplitude[likely], noise[likely], share, float(total + constant), log_odds)


def _integrate_cells(
    projected: Projected, spread: np.ndarray, prior: ScalePrior, amplitudes: np.ndarray, noises: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Computes the root mean square amplitude and error of each likely cell of a grid, and the log of its weight."""

    def log_density(amplitude: np.ndarray, noise: np.ndarray) -> np.ndarray:
        log_weight = projected.log_evidence(amplitude, noise, spread)
        log_weight += prior.log_weight(amplitude, noise)
        return np.where(np.isfinite(log_weight), log_weight, -np.inf)

    amplitude, noise = (axis.ravel() for axis in np.meshgrid(amplitudes, noises, indexing="ij"))
    coarse = log_density(amplitude, noise)
    cells = np.flatnonzero(coarse > coarse.max() - LIKELY) if np.isfinite(coarse.max()) else np.arange(1)
    inside = (np.arange(FINER) + 0.5) / FINER - 0.5
    factors = 2.0**inside if amplitudes.any() else np.ones(1)
    rises, shifts = (axis.ravel() for axis in np.meshgrid(factors, np.exp(NOISE_STEP * inside), indexing="ij"))
    finer_amplitude, finer_noise = amplitude[cells, None] * rises, noise[cells, None] * shifts
    fine = log_density(finer_amplitude.ravel(), finer_noise.ravel()).reshape(len(cells), -1) - np.log(len(rises))
    log_weight = np.logaddexp.reduce(fine, axis=1)
    share = np.exp(fine - np.where(np.isfinite(log_weight), log_weight, 0.0)[:, None])
    return (*(np.sqrt((share * scale**2).sum(1)) for scale in (finer_amplitude, finer_noise)), log_weight)
