"""Where a place lies to those that were measured: the distance from their convex hull, and each input's range."""

import numpy as np

from t2jax.laws.base import Law
from t2jax.tables.table import Table
from t2jax.typing import Float

ROOM = float(np.log10(1.01))


def decades_outside(law: type[Law], table: Table, measured: np.ndarray) -> Float[np.ndarray, " rows"]:
    """How far each row lies outside the rows `measured` (rows,), in decades; zero for a place inside.

    Places are the logs of what the law reads: log10 of N, D and, where it has them, k and unique tokens. Outside is
    outside their convex hull, so a row whose N and D are each in range, but not together, is outside; the distance is
    the Euclidean one to the nearest point of the hull, and what is within one per cent counts as inside, for budgets
    are equal only roughly. A law that is good inside interpolates there; outside it extrapolates.

    The nearest point is found by non-negative least squares (Lawson & Hanson 1974, chapter 23).
    """
    from scipy.optimize import nnls  # slow to load

    place = _places(law, table)
    known, where = np.unique(place, axis=0, return_inverse=True)
    hull = np.unique(place[measured], axis=0)
    distance = np.zeros(len(known))
    for i, one in enumerate(known):
        if (hull == one).all(axis=1).any():
            continue
        # shares s·μ of the corners, μ adding up to one, least for |Σ s·μ·(corner - one)|² + (s - 1)²: the best μ is
        # the nearest point's, whatever s
        corners = np.vstack([(hull - one).T, np.ones(len(hull))])
        shares, _ = nnls(corners, np.append(np.zeros(hull.shape[1]), 1.0))
        distance[i] = np.linalg.norm(corners[:-1] @ shares) / shares.sum()
    return np.where(distance > ROOM, distance, 0.0)[where.ravel()]


def in_ranges(law: type[Law], table: Table, measured: np.ndarray) -> np.ndarray:
    """Whether each input of a row is in the range of the rows `measured`, within one per cent, booleans (rows,).

    Less than lying in the hull: N and D may each have been measured, but not together.
    """
    place = _places(law, table)
    low, high = place[measured].min(axis=0) - ROOM, place[measured].max(axis=0) + ROOM
    return ((low <= place) & (place <= high)).all(axis=1)


def _places(law: type[Law], table: Table) -> Float[np.ndarray, "rows inputs"]:
    return np.stack([np.log10(table[name]) for name in law.columns().values() if name in table], axis=1)
