"""Counts with fractions: whole numbers that were divided by a power of ten."""

import numpy as np

MOST_DECIMALS = 6
"""A whole number divided by a million has at most six decimals."""
MOST_DIGITS = 1e12
"""Numbers with more digits were computed, as a size is from its compute and its tokens."""
LARGEST_WITH_FRACTION = 1e9
"""Where sizes beyond a billion have fractions, they were read off a picture and rounded."""
EIGHTHS = 8
"""Active parameters of one expert in eight have fractions that are meant."""
ROUNDING = 1e-12
"""Relative error of a count that is computed."""


def fraction_of_a_count(counts: np.ndarray) -> int | None:
    """Finds a count with a few decimals, as 66,289,080 has in units of a hundred.

    Args:
        counts: Numbers of parameters or tokens, shape (rows,).

    Returns:
        The first such row. None where all are whole, where fractions are eighths or have many digits, and where
        several counts have fractions and the largest exceeds a billion.
    """
    digits = counts[:, None] * 10.0 ** np.arange(MOST_DECIMALS + 1)
    short = (np.abs(digits - np.round(digits)) <= 1e-15 * digits) & (digits < MOST_DIGITS)
    whole, eighths = (np.abs(scaled - np.round(scaled)) <= ROUNDING * scaled for scaled in (counts, EIGHTHS * counts))
    fraction = ~eighths & short.any(axis=1)
    if not fraction.any() or not (whole | short.any(axis=1)).all():
        return None
    alone = len(np.unique(counts[fraction])) == 1 and len(np.unique(counts)) > 1
    return int(fraction.argmax()) if alone or counts.max() <= LARGEST_WITH_FRACTION else None
