"""The distance of predictions from the convex hull of the fitted rows, and from each input's range."""

import numpy as np

from t2jax.fitting import measured_range
from t2jax.laws.base import Law
from t2jax.tables.table import Table
from t2jax.typing import Float

ROOM = float(np.log10(measured_range.ROOM))


def decades_outside(law: type[Law], table: Table, measured: np.ndarray) -> Float[np.ndarray, " rows"]:
    """Computes the distance of each row from the convex hull of the rows `measured` (rows,), in decades.

    Rows are points in log10 of the law's inputs: N, D and, where it has them, k and unique tokens. A row is outside if
    its N and D are each in range but not together. The distance is Euclidean, to the nearest point of the hull.
    Distances within one per cent count as zero, because budgets are equal only roughly. Inside the hull a law
    interpolates, outside it extrapolates. Non-negative least squares finds the nearest point (Lawson & Hanson 1974,
    chapter 23).
    """
    from scipy.optimize import nnls  # slow to load

    place = _places(law, table)
    points, point_of_row = np.unique(place, axis=0, return_inverse=True)
    hull = np.unique(place[measured], axis=0)
    distance = np.zeros(len(points))
    for i, point in enumerate(points):
        if (hull == point).all(axis=1).any():
            continue
        # shares s·μ of the corners, μ adding up to one, least for |Σ s·μ·(corner - point)|² + (s - 1)²: the best μ is
        # the nearest point's, whatever s
        corners = np.vstack([(hull - point).T, np.ones(len(hull))])
        shares, _ = nnls(corners, np.append(np.zeros(hull.shape[1]), 1.0))
        distance[i] = np.linalg.norm(corners[:-1] @ shares) / shares.sum()
    return np.where(distance > ROOM, distance, 0.0)[point_of_row.ravel()]


def in_ranges(law: type[Law], table: Table, measured: np.ndarray) -> np.ndarray:
    """Checks whether each input of a row is within the range of the rows `measured`, to one per cent.

    This is less than lying in the hull: N and D may each have been measured, but not together.

    Returns:
        Booleans, shape (rows,).
    """
    place = _places(law, table)
    low, high = place[measured].min(axis=0) - ROOM, place[measured].max(axis=0) + ROOM
    return ((low <= place) & (place <= high)).all(axis=1)


def _places(law: type[Law], table: Table) -> Float[np.ndarray, "rows inputs"]:
    return np.stack([np.log10(table[name]) for name in law.columns().values() if name in table], axis=1)
