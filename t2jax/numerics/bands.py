"""Medians and central intervals over draws."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Band:
    """Median and central interval over draws.

    Attributes:
        low: Lower end of the interval, in the shape and unit of one draw.
        mid: Median, in the same shape.
        high: Upper end of the interval, in the same shape.
        level: Share of the draws in the interval: 0.9 means from the 5 % to the 95 % quantile.

    Examples:
        >>> band = t2.band(np.linspace(0.0, 100.0, 101), level=0.9)
        >>> [round(float(value), 3) for value in (band.low, band.mid, band.high)]
        [5.0, 50.0, 95.0]
    """

    low: Any
    mid: Any
    high: Any
    level: float

    def share(self, values: Any) -> float:
        """Returns the share of values that lie in the interval.

        Args:
            values: Numbers in the shape of the band.

        Returns:
            A number from 0 to 1.
        """
        return float(np.mean((self.low <= values) & (values <= self.high)))


def band(values: Any, level: float = 0.9) -> Band:
    """Computes the median and a central interval over draws.

    Args:
        values: Draws along the leading axis, shape (draws, ...). NaN draws are left out.
        level: Share of the draws in the interval, between 0 and 1.

    Returns:
        The band, in the shape and unit of one draw.

    Raises:
        ValueError: `level` is outside (0, 1), or more than half of the draws are NaN at some place.

    Examples:
        >>> band = t2.band(np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]), level=0.5)
        >>> band.low, band.mid, band.high
        (array([ 1.5, 15. ]), array([ 2., 20.]), array([ 2.5, 25. ]))
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, not {level!r}")
    values = np.asarray(values, float)
    missing = np.isnan(values).mean(axis=0)
    if np.max(missing) > 0.5:
        raise ValueError(f"{np.max(missing):.0%} of the draws have no value here; a band over the rest would mislead")
    low, mid, high = np.nanquantile(values, [0.5 - level / 2, 0.5, 0.5 + level / 2], axis=0)
    return Band(low, mid, high, level)
