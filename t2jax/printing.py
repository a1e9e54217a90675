"""Printed form of results: a title with the status, then one indented line for each answer."""

from collections.abc import Mapping
from typing import Any

import numpy as np

LABEL_WIDTH = 16
MOST_LINES = 12
"""Lines of a report; more are counted in one line at its end."""


def report(title: str, answers: Mapping[str, str]) -> str:
    """Formats a title and a line for each answer."""
    shown = dict(list(answers.items())[:MOST_LINES])
    width = max([LABEL_WIDTH, *map(len, shown)])
    lines = [title, *(f"  {label:<{width}}  {answer}" for label, answer in shown.items())]
    if hidden := len(answers) - len(shown):
        lines.append(f"  and {hidden} more")
    return "\n".join(lines)


def summary(title: str, status: str, answers: Mapping[str, str]) -> str:
    """Formats a result: the title with the status, whose further parts have lines of their own, then the answers."""
    first, *others = status.split("; ")
    return report("\n  ".join([f"{title}: {first}", *others]), answers)


def format_percent(share: Any) -> str:
    """Formats a share in per cent, to three digits."""
    return f"{100 * float(share):.3g} %"


def format_range(values: Any) -> str:
    """Formats a number, or the smallest and largest of many, without NaN."""
    numbers = np.asarray(values, float)
    finite = numbers[np.isfinite(numbers)]
    if not finite.size or finite.min() == finite.max():
        return f"{finite[0] if finite.size else np.nan:.6g}"
    return f"{finite.min():.6g} to {finite.max():.6g}"


def format_quantiles(draws: Any) -> str:
    """Formats the median and the central 90 % of draws."""
    low, mid, high = np.quantile(draws, (0.05, 0.5, 0.95)).tolist()
    return format_interval(low, mid, high)


def format_interval(low: Any, mid: Any, high: Any) -> str:
    """Formats the median and the ends of an interval; of arrays the ranges."""
    if np.ndim(mid):
        return f"{format_range(mid)} (within {np.nanmin(low):.4g} to {np.nanmax(high):.4g})"
    return f"{mid:.4g} ({low:.4g} to {high:.4g})"
