"""Covariance of a law's discrepancy: smooth over sizes and lengths, shared by the rows of a run, or both."""

from dataclasses import dataclass

import numpy as np

from t2jax.typing import Float, Int

DECADE = float(np.log(10.0))
MOST_KNOTS = 600
"""Knots of the covariance for tables of more than `MOST_ROWS` rows."""
PLANE_KNOTS = 300
"""The same for two inputs, which fewer knots cover: bands of 1,000 rows move by less than 1 % of their width."""
MOST_ROWS = 1000
JITTER = 1e-9
USUAL = 2 * DECADE
"""Length whose amplitude priors are stated for."""


def matern(distance: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Computes the Matérn correlation of smoothness 5/2 at a distance in units of the length scale.

    The formula is (1 + √5 r + 5 r²/3) exp(-√5 r). Source: Rasmussen & Williams 2006, eq. 4.17.
    """
    scaled = np.sqrt(5.0) * distance
    value = np.exp(-scaled)
    value *= 1 + scaled * (1 + scaled / 3)
    return value


def distances(
    places: Float[np.ndarray, "rows inputs"], knots: Float[np.ndarray, "knots inputs"]
) -> Float[np.ndarray, "rows knots"]:
    """Computes the Euclidean distances between two sets of places."""
    squares = (places**2).sum(1)[:, None] + (knots**2).sum(1) - 2 * places @ knots.T
    return np.sqrt(np.maximum(squares, 0.0))


@dataclass(frozen=True)
class Kernel:
    """Covariance of the discrepancies of two runs, per squared amplitude.

    It is `matern(r / length)` at a distance r between the logs of their inputs. Rows of one run share `run_share` more.

    Attributes:
        length: Length scale in natural logs of the inputs.
        run_share: Variance of a deviation that the rows of a run share, relative to the smooth part.
    """

    length: float
    run_share: float = 0.0

    @property
    def usual_amplitude(self) -> float:
        """Typical amplitude relative to that of a kernel of two decades.

        It is in proportion to the length, so that deviations of every length are as steep. The rows see a slope, while
        the law's own parameters take up most of what a long deviation adds to it.
        """
        return self.length / USUAL

    def between(
        self, places: Float[np.ndarray, "rows inputs"], knots: Float[np.ndarray, "knots inputs"]
    ) -> Float[np.ndarray, "rows knots"]:
        """Computes the smooth part between places and knots, which are of different runs."""
        return self.at(distances(places, knots))

    def at(self, distance: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """Computes the smooth part at distances between the logs of inputs."""
        return matern(distance / self.length)

    def spectrum(
        self,
        places: Float[np.ndarray, "rows inputs"],
        run: Int[np.ndarray, " rows"],
        weight: Float[np.ndarray, " rows"],
    ) -> "Spectrum":
        """Decomposes the covariance of the rows, each multiplied by the root of its weight.

        Beyond `MOST_ROWS` rows the smooth part is projected on knots (Nyström's approximation).
        """
        root = np.sqrt(weight)[:, None]
        if len(places) <= MOST_ROWS:
            same_run = run[:, None] == run[None, :]
            covariance = root * (self.between(places, places) + self.run_share * same_run) * root.T
            values, vectors = np.linalg.eigh(covariance)
            return Spectrum(self, places, np.maximum(values, 0.0), vectors, root * vectors)
        knots = spread_out(places, PLANE_KNOTS if places.shape[1] <= 2 else MOST_KNOTS)
        lower = np.linalg.cholesky(self.between(knots, knots) + JITTER * np.eye(len(knots)))
        to_features = np.linalg.inv(lower).T
        features = self.between(places, knots) @ to_features
        if self.run_share:
            features = np.hstack([features, np.sqrt(self.run_share) * (run[:, None] == np.unique(run))])
        values, rotation = np.linalg.eigh((root * features).T @ (root * features))
        large = values > JITTER * values[-1]
        values, rotation = values[large], rotation[:, large]
        vectors = root * features @ rotation / np.sqrt(values)
        return Spectrum(self, knots, values, vectors, to_features @ (rotation * np.sqrt(values))[: len(knots)])


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues and eigenvectors of a covariance of weighted rows.

    Attributes:
        kernel: The kernel.
        knots: Places from which the discrepancy elsewhere is computed, shape (knots, inputs).
        values: Eigenvalues, shape (modes,).
        vectors: Eigenvectors, shape (rows, modes).
        cross: Matrix that turns covariances with the knots into covariances with the modes, shape (knots, modes).
    """

    kernel: Kernel
    knots: np.ndarray
    values: np.ndarray
    vectors: np.ndarray
    cross: np.ndarray


def spread_out(places: Float[np.ndarray, "rows inputs"], count: int) -> Float[np.ndarray, "knots inputs"]:
    """Chooses rows that are far from each other, one after the other (farthest-point sampling)."""
    places = np.unique(places, axis=0)
    if len(places) <= count:
        return places
    nearest = np.full(len(places), np.inf)
    chosen = [int(np.argmin(((places - places.mean(0)) ** 2).sum(1)))]
    for _ in range(count - 1):
        nearest = np.minimum(nearest, ((places - places[chosen[-1]]) ** 2).sum(1))
        chosen.append(int(nearest.argmax()))
    return places[chosen]
