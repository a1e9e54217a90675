"""A cell that does not belong to the grid of params and tokens that all other rows form."""

import numpy as np

FEWEST_LEVELS = 3
"""Fewest other values of each column that make a grid."""
FEWEST_PLACES = 4
"""Fewest places of a level that lacks one, where the rest of the grid is not complete."""
MOST_OF_LEVELS = 0.75
"""Share of the other levels that have a row at the place, where the rest of the grid is not complete."""
EXACT = 1e-3
"""Relative distance from a power of ten, as cells are rounded."""


def slip_in_grid(values: np.ndarray, others: np.ndarray) -> tuple[int, float] | None:
    """Finds a value that stands alone, and a power of ten beside the one that a grid lacks at its place.

    The grid is complete but for that place, or it is cut off. Then nearly all other values have a row at the place, or
    the value that belongs there has rows at all places but this.

    Args:
        values: A column of sizes, shape (rows,).
        others: The column that forms a grid with it.

    Returns:
        The row, and the value that belongs there; None where there is no such row, or no grid without it.
    """
    levels, counts = np.unique(values, return_counts=True)
    alone = levels[counts == 1]
    if len(alone) != 1 or len(levels) < FEWEST_LEVELS:
        return None
    row = int(np.flatnonzero(values == alone[0])[0])
    place = float(others[row])
    places = {level: set(others[values == level].tolist()) for level in levels[counts > 1].tolist()}
    every = set[float]().union(*places.values())
    for level, there in places.items():
        decades = np.log10(alone[0] / level)
        off_by_ten = abs(decades) > 0.5 and abs(10 ** (decades - np.round(decades)) - 1) < EXACT
        if off_by_ten and place in every - there:
            rest = [of_other for other, of_other in places.items() if other != level]
            at_place = sum(place in of_other for of_other in rest)
            lacks_one = len(every - there) == 1
            complete = lacks_one and len(rest) >= FEWEST_LEVELS - 1 and all(of_other == every for of_other in rest)
            column = at_place >= FEWEST_LEVELS and at_place >= MOST_OF_LEVELS * len(rest)
            if (complete and len(every) >= FEWEST_LEVELS) or column or (lacks_one and len(there) >= FEWEST_PLACES):
                return row, float(level)
    return None


def cell_beside_grid(values: np.ndarray, others: np.ndarray) -> tuple[int, float] | None:
    """Finds a value that stands alone in the one place that a grid lacks, whatever the value.

    Args:
        values: A column of sizes, shape (rows,).
        others: The column that forms a grid with it.

    Returns:
        The row, and the value that all rows of the grid would have there; None where there is no such row.
    """
    levels, counts = np.unique(values, return_counts=True)
    grid, alone = levels[counts > 1], levels[counts == 1]
    if len(alone) != 1 or len(grid) < FEWEST_LEVELS:
        return None
    row = int(np.flatnonzero(values == alone[0])[0])
    places = {level: set(others[values == level].tolist()) for level in grid.tolist()}
    every = set[float]().union(*places.values())
    lacking = [(level, every - there) for level, there in places.items() if there != every]
    if len(lacking) == 1 and lacking[0][1] == {float(others[row])} and len(every) >= FEWEST_LEVELS:
        return row, lacking[0][0]
    return None
