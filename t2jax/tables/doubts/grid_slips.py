"""A cell that is a power of ten off, in a table whose other rows form a grid of params and tokens."""

import numpy as np

FEWEST_LEVELS = 3
"""Fewest other values of each column that make a grid."""
EXACT = 1e-3
"""Relative distance from a power of ten, as cells are rounded."""


def slip_in_grid(values: np.ndarray, others: np.ndarray) -> tuple[int, float] | None:
    """Finds a value that stands alone, and a power of ten beside the one that a grid lacks at its place.

    Args:
        values: A column of sizes, shape (rows,).
        others: The column that forms a grid with it.

    Returns:
        The row, and the value that belongs there; None where there is no such row, or no grid without it.
    """
    levels, counts = np.unique(values, return_counts=True)
    alone = levels[counts == 1]
    if len(alone) != 1 or len(levels) < FEWEST_LEVELS + 1:
        return None
    row = int(np.flatnonzero(values == alone[0])[0])
    elsewhere = {level: set(others[values == level].tolist()) for level in levels[counts > 1].tolist()}
    every = set.union(*elsewhere.values())
    for level, places in elsewhere.items():
        decades = np.log10(alone[0] / level)
        off_by_ten = abs(decades) > 0.5 and abs(10 ** (decades - np.round(decades)) - 1) < EXACT
        complete = all(there == every for other, there in elsewhere.items() if other != level)
        if off_by_ten and complete and len(every) >= FEWEST_LEVELS and every - places == {float(others[row])}:
            return row, float(level)
    return None
