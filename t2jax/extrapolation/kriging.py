"""Predictions of a linearised law with a discrepancy of one kernel, at several scales together."""

from dataclasses import dataclass

import numpy as np

from t2jax.noise.smooth.kernel import Spectrum
from t2jax.noise.smooth.scales import LinearModel, covariance_root
from t2jax.typing import Float

LEARNED = 1e-9
"""Modes do not move the mean when the rows determine less than this share of them."""
LEARNED_VARIANCE = 1e-3
"""The same for the band, whose ends move by less than 1e-4 of its width."""


@dataclass(frozen=True)
class Kriging:
    """Universal kriging: the posterior of the law's coordinates and of the discrepancy, at the nodes of one kernel.

    Source: Rasmussen & Williams 2006, section 2.7.

    Attributes:
        spectrum: Covariance of the rows.
        amplitude: Standard deviation of the discrepancy, shape (nodes,).
        shift: Coordinates less their prior mean, shape (nodes, free).
        spread: Root of the covariance of the coordinates (`covariance_root`), shape (nodes, free, free).
        mean: Weights of the covariances with the knots in the mean, shape (knots, nodes).
        slopes: Their weights in the derivatives by the coordinates, shape (knots, nodes, free).
        modes: Modes that narrow the band, shape (knots, modes).
        narrowing: Variance that each mode removes, shape (modes, nodes).
    """

    spectrum: Spectrum
    amplitude: np.ndarray
    shift: np.ndarray
    spread: np.ndarray
    mean: np.ndarray
    slopes: np.ndarray
    modes: np.ndarray
    narrowing: np.ndarray

    @classmethod
    def of(cls, model: LinearModel, spectrum: Spectrum, amplitude: np.ndarray, noise: np.ndarray) -> "Kriging":
        """Conditions on the rows of a linear model, for nodes of amplitudes and errors."""
        projected = model.project(spectrum)
        shift, precision = projected.coordinates(amplitude, noise, model.spread)
        gain = amplitude[:, None] ** 2 / projected.variances(amplitude, noise)
        learned = (gain * projected.values).max(0)
        used, narrow = learned > LEARNED, learned > LEARNED_VARIANCE
        residual = projected.residual[used] - shift @ projected.slopes[used].T
        slopes = gain[:, used].T[:, :, None] * projected.slopes[used][:, None, :]
        return cls(
            spectrum=spectrum,
            amplitude=amplitude,
            shift=shift,
            spread=covariance_root(precision),
            mean=spectrum.cross[:, used] @ (gain[:, used] * residual).T,
            slopes=np.tensordot(spectrum.cross[:, used], slopes, 1),
            modes=spectrum.cross[:, narrow],
            narrowing=(amplitude[:, None] ** 2 * gain[:, narrow]).T,
        )

    def predict(
        self, distance: Float[np.ndarray, "rows knots"], slopes: Float[np.ndarray, "rows free"]
    ) -> tuple[Float[np.ndarray, "nodes rows"], Float[np.ndarray, "nodes rows"]]:
        """Computes mean and variance of the mean over runs, less the law at the prior mean of its coordinates."""
        means, effects = self.shift @ slopes.T, np.broadcast_to(slopes, (len(self.shift), *slopes.shape))
        variances = np.zeros_like(means)
        if self.amplitude.any():
            covariance = self.spectrum.kernel.at(distance)
            means = means + (covariance @ self.mean).T
            flat = covariance @ self.slopes.reshape(len(self.slopes), -1)
            effects = effects - flat.reshape(len(flat), *self.slopes.shape[1:]).swapaxes(0, 1)
            narrowing = np.square(covariance @ self.modes) @ self.narrowing
            variances = np.maximum(self.amplitude[:, None] ** 2 - narrowing.T, 0.0)
        return means, variances + np.square(effects @ self.spread).sum(2)
