"""Medians and central intervals over draws."""

import math
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
        ValueError: `level` is outside (0, 1), there are fewer draws than `fewest_draws`, or more than half of the
            draws are NaN at some place.

    Examples:
        >>> band = t2.band(np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 40.0], [5.0, 50.0]]), level=0.5)
        >>> band.low, band.mid, band.high
        (array([ 2., 20.]), array([ 3., 30.]), array([ 4., 40.]))
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, not {level!r}")
    values = np.asarray(values, float)
    if reason := too_few_draws(len(values), level):
        raise ValueError(reason)
    missing = np.isnan(values).mean(axis=0)
    if np.max(missing) > 0.5:
        raise ValueError(f"{np.max(missing):.0%} of the draws have no value here; a band over the rest would mislead")
    low, mid, high = np.nanquantile(values, [0.5 - level / 2, 0.5, 0.5 + level / 2], axis=0)
    return Band(low, mid, high, level)


def fewest_draws(level: float) -> int:
    """Returns the smallest number of draws with an interval: one draw lies beyond each end on average.

    Args:
        level: Share of the draws in the interval, between 0 and 1.

    Returns:
        The number 2 / (1 - level), rounded up.

    Examples:
        >>> from t2jax.numerics.bands import fewest_draws
        >>> fewest_draws(0.9), fewest_draws(0.5)
        (20, 4)
    """
    return math.ceil(2 / (1 - level) - 1e-9)  # 1 - 0.9 is not exact


def too_few_draws(draws: int, level: float) -> str:
    """Writes a sentence if draws are too few for the ends of an interval. It is empty for enough draws."""
    least = fewest_draws(level)
    if draws >= least:
        return ""
    return f"{draws} draws are too few for the ends of a {100 * level:g} % interval, which needs {least}"
