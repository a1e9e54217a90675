"""Short texts that results print: a heading with the status, then one line for each answer."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from t2jax.numerics.bands import Band


def summary(title: str, status: str, answers: Mapping[str, str]) -> str:
    """Lays out a result: the title with the status, whose further parts have lines of their own, then the answers."""
    first, *others = status.split("; ")
    width = max(map(len, answers), default=0)
    lines = [f"{title}: {first}", *others, *(f"{name:<{width}}  {text}" for name, text in answers.items())]
    return "\n  ".join(lines)


def interval(band: Band) -> str:
    """Writes the median and the interval of a band, or the range of the medians of several."""
    low, mid, high = (np.asarray(bound, float) for bound in (band.low, band.mid, band.high))
    if mid.size == 1:
        return f"{mid.item():.4g} ({low.item():.4g} to {high.item():.4g})"
    return f"{mid.min():.4g} to {mid.max():.4g} (medians of {mid.size} bands)"


def percent(share: Any) -> str:
    """Writes a share in per cent, to three digits."""
    return f"{100 * float(share):.3g} %"
