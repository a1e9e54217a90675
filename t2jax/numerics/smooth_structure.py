"""A test for residuals that vary smoothly over sizes and lengths, as those of a law of the wrong form do."""

from dataclasses import dataclass

import numpy as np

from t2jax.typing import Float, Int

LENGTH = 0.3 * float(np.log(10.0))
"""Length scale of the neighbourhoods, 0.3 decades; a fitted law has no misfit left over many decades."""
MOST_ROWS = 800
FEWEST_ROWS = 8


@dataclass(frozen=True)
class SmoothStructure:
    """How far residuals agree with those of their neighbours.

    Attributes:
        score: Standard deviations above what shuffled residuals give, times the root of runs over rows.
        size: Standard deviation of the part that neighbours share.
    """

    score: float
    size: float


def measure_structure(
    residual: Float[np.ndarray, " rows"], places: Float[np.ndarray, "rows inputs"], run: Int[np.ndarray, " rows"]
) -> SmoothStructure:
    """Compares the products of neighbouring residuals with those of shuffled residuals (Moran 1950, Biometrika 37:17).

    Mean and variance over all orders of the ranks are exact (Cliff & Ord 1981, Spatial Processes, section 1.5).
    Neighbours have Gaussian weights. Of many rows a part is taken, spread evenly over the table.
    A row is no neighbour of itself, nor of rows at the same place, which share more than a smooth misfit.

    Args:
        residual: Residuals.
        places: Logs of the inputs of the rows.
        run: Number of the run of each row. Rows of one run share errors, so they are no neighbours.

    Returns:
        The score and the size; both are 0 for fewer than eight rows.
    """
    if len(residual) > MOST_ROWS:
        chosen = np.linspace(0, len(residual) - 1, MOST_ROWS).round().astype(int)
        residual, places, run = residual[chosen], places[chosen], run[chosen]
    count = len(residual)
    squares = np.zeros((count, count))
    for place in places.T:
        squares += np.subtract.outer(place, place) ** 2
    weight = np.exp(-0.5 * squares / LENGTH**2)
    weight[(squares < 1e-12) | (run[:, None] == run)] = 0.0
    if count < FEWEST_ROWS or not weight.any() or not np.any(residual):
        return SmoothStructure(0.0, 0.0)
    # ranks keep one outlier from deciding
    ranks = np.argsort(np.argsort(residual)) - (count - 1) / 2
    mean, variance = _product_moments(ranks, weight)
    shared = float(residual @ weight @ residual) / float(weight.sum())
    score = (float(ranks @ weight @ ranks) - mean) / np.sqrt(max(variance, np.finfo(float).tiny))
    # shuffled rows are independent, but rows of a run are not: they count as one
    alone = np.sqrt(len(np.unique(run)) / count)
    return SmoothStructure(alone * score, np.sqrt(max(shared, 0.0)))


def _product_moments(values: Float[np.ndarray, " rows"], weight: Float[np.ndarray, "rows rows"]) -> tuple[float, float]:
    """Computes mean and variance of Σ w_ij v_i v_j over all orders of centred values, for symmetric weights.

    The weights are zero on the diagonal, and there are at least four values.
    """
    n = len(values)
    square = float(np.sum(values**2))
    kurtosis = n * float(np.sum(values**4)) / square**2
    total, squares = float(weight.sum()), 2 * float(np.sum(weight**2))
    rows = 4 * float(np.sum(weight.sum(axis=1) ** 2))
    first = n * ((n * n - 3 * n + 3) * squares - n * rows + 3 * total**2)
    second = kurtosis * ((n * n - n) * squares - 2 * n * rows + 6 * total**2)
    mean = -square * total / n / (n - 1)
    return mean, (square / n) ** 2 * (first - second) / ((n - 1) * (n - 2) * (n - 3)) - mean**2
