"""Numbers and tables as text, and the selection of what to show."""

from collections.abc import Sequence
from typing import Any

import numpy as np

SCALES = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"))


def count(value: float) -> str:
    """Returns a count in words, to three digits: 7.03e10 is "70.3 billion", 24,312 is "24,300"."""
    value = float(f"{value:.3g}")  # first, so that 999.9 million is a billion
    for scale, name in SCALES:
        if value >= scale:
            return f"{value / scale:.3g} {name}" if value < 1e3 * scale else f"{value:.3g}"
    return f"{value:,.0f}" if value >= 1e3 else f"{value:.3g}"


def cost(value: float, unit: str) -> str:
    """Returns a cost in the unit that is paid in: "$12,300", "439,000 device-hours", "1.2e+22 FLOPs"."""
    if unit == "dollars":
        return f"${value:,.0f}" if value >= 100 else f"${value:.3g}"
    if unit == "device-seconds" and value >= 360:  # a fleet is counted in hours, which a total in seconds is not
        return f"{value:.3g} {unit} ({count(value / 3600)} device-hours)"
    return f"{count(value) if unit == 'device-hours' else format(value, '.3g')} {unit}"


def interval(low: float, high: float, show: Any = "{:.4g}".format) -> str:
    """Returns an interval in words such as "1.2 to 3.4", or an empty text without an interval."""
    return "" if np.isnan(low) or np.isnan(high) else f"{show(low)} to {show(high)}"


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns rows of cells under a header, aligned to the left with two blanks between columns."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (header, *rows))
    return "\n".join(line.rstrip() for line in lines)


def evenly(length: int, most: int) -> np.ndarray:
    """Returns at most `most` indices below `length`, evenly spread and with both ends."""
    return np.unique(np.linspace(0, length - 1, min(length, most)).round().astype(int))
