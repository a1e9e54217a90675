"""Mixtures of normal distributions: moments, quantiles and draws."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import ndtr, ndtri

from t2jax.typing import Float

MOST_STEPS = 60
SETTLED = 1e-7
"""A Newton step this small, in units of the narrowest component, is the last: the next would be its square."""
CHUNK = 2048
"""Places whose quantiles are computed together, so that they fit the cache."""
REACH = 8.0
"""Ends of a quantile's search, in standard deviations of the mixture."""


@dataclass(frozen=True)
class GaussianMixture:
    """A mixture of normals at each of many places.

    Attributes:
        means: Means of the components, shape (components, places).
        variances: Variances of the components, shape (components, places).
        weight: Probability of each component, shape (components,).
    """

    means: np.ndarray
    variances: np.ndarray
    weight: np.ndarray

    @classmethod
    def join(cls, mixtures: Sequence[Self], weight: Sequence[float]) -> Self:
        """Makes the mixture of mixtures with given probabilities."""
        return cls(
            np.concatenate([mixture.means for mixture in mixtures]),
            np.concatenate([mixture.variances for mixture in mixtures]),
            np.concatenate([share * mixture.weight for share, mixture in zip(weight, mixtures, strict=True)]),
        )

    def mean(self) -> Float[np.ndarray, " places"]:
        """Computes the mean at each place."""
        return self.weight @ self.means

    def deviation(self) -> Float[np.ndarray, " places"]:
        """Computes the standard deviation at each place."""
        return np.sqrt(self.weight @ (self.variances + (self.means - self.mean()) ** 2))

    def widened(self, factor: float) -> Self:
        """Returns the mixture with each distance from its mean multiplied by a factor."""
        centre = self.mean()
        return type(self)(centre + factor * (self.means - centre), factor**2 * self.variances, self.weight)

    def with_errors(self, variances: Float[np.ndarray, " components"]) -> Self:
        """Returns the mixture after adding an independent normal error of its own variance to each component."""
        return type(self)(self.means, self.variances + variances[:, None], self.weight)

    def quantile(self, share: float) -> Float[np.ndarray, " places"]:
        """Computes a quantile at each place, by Newton steps inside a bracket that each step narrows."""
        count = self.means.shape[1]
        chunks = (slice(first, first + CHUNK) for first in range(0, count, CHUNK))
        parts = [type(self)(self.means[:, at], self.variances[:, at], self.weight)._quantile(share) for at in chunks]
        return np.concatenate([np.zeros(0), *parts])

    def _quantile(self, share: float) -> Float[np.ndarray, " places"]:
        centre, width = self.mean(), np.maximum(self.deviation(), np.finfo(float).tiny)
        deviations = np.maximum(np.sqrt(self.variances), 1e-12 * width)
        low, high = centre - REACH * width, centre + REACH * width
        x, precise = centre + ndtri(share) * width, SETTLED * deviations.min(0)
        for _ in range(MOST_STEPS):
            standard = (x - self.means) / deviations
            excess = self.weight @ ndtr(standard) - share
            low, high = np.where(excess < 0, x, low), np.where(excess < 0, high, x)
            slope = self.weight @ (np.exp(-0.5 * standard**2) / deviations) / np.sqrt(2 * np.pi)
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                step = x - excess / slope
            earlier, x = x, np.where((step >= low) & (step <= high), step, 0.5 * (low + high))
            if (np.abs(x - earlier) <= precise).all():
                break
        return x
