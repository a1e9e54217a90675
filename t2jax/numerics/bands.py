"""Bands: quantiles over draws."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Band:
    """Quantiles over draws: low and high hold the central `level` of them (0.9: from 5 % to 95 %), mid the median."""

    low: Any
    mid: Any
    high: Any
    level: float

    def share(self, values: Any) -> float:
        """The share of `values`, of the band's shape, that lie inside."""
        return float(np.mean((self.low <= values) & (values <= self.high)))


def band(values: Any, level: float = 0.9) -> Band:
    """Median and central interval over the leading axis of `values` (draws, ...); NaN draws are left out.

    Raises ValueError for a level outside (0, 1) or if at some place more than half of the draws are NaN.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, not {level!r}")
    values = np.asarray(values, float)
    lost = np.isnan(values).mean(axis=0)
    if np.max(lost) > 0.5:
        raise ValueError(f"{np.max(lost):.0%} of the draws have no value here; a band over the rest would mislead")
    low, mid, high = np.nanquantile(values, [0.5 - level / 2, 0.5, 0.5 + level / 2], axis=0)
    return Band(low, mid, high, level)
