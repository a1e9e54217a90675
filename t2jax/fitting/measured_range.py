"""Ranges that a table measured, and how far beyond them a plan lies."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from t2jax.tables.table import Table

Range = tuple[float, float]
ROOM = 1.01
"""Budgets are equal only roughly, so a plan this factor beyond a range counts as inside."""


@dataclass(frozen=True)
class MeasuredRange:
    """Smallest and largest value of each quantity in a table.

    Attributes:
        params: N, None for a table of compute alone.
        tokens: D, None likewise.
        compute: Training compute 6ND, FLOPs.
        tokens_per_param: D/N, None likewise.
        samples: k, or the trials of a question; None if every row has one sample.
    """

    params: Range | None
    tokens: Range | None
    compute: Range
    tokens_per_param: Range | None
    samples: Range | None = None

    @classmethod
    def of(cls, table: Table) -> "MeasuredRange":
        """Reads the ranges of a table."""
        columns = _quantities_of(table)
        if "samples" in table:
            columns["samples"] = table["samples"]
        elif "trials" in table:  # counts of so many samples give pass@k for every smaller k too
            columns["samples"] = np.append(table["trials"], 1.0)
        ranges = {name: (float(values.min()), float(values.max())) for name, values in columns.items()}
        return cls(**(dict.fromkeys(("params", "tokens", "tokens_per_param")) | ranges))  # pyright: ignore[reportArgumentType]

    def beyond(self, params: float, tokens: float, samples: float | None = None) -> dict[str, float]:
        """Computes how many times beyond its range each quantity of a plan lies; quantities inside are left out.

        A factor above 1 is over the largest value, below 1 over the smallest.
        """
        plan = _quantities(params, tokens)
        ranges = {name: getattr(self, name) for name in plan if getattr(self, name) is not None}
        if samples is not None and self.samples is not None:
            plan["samples"], ranges["samples"] = samples, self.samples
        factors = {}
        for name, (low, high) in ranges.items():
            value = plan[name]
            if value > ROOM * high:
                factors[name] = value / high
            elif value < low / ROOM:
                factors[name] = value / low
        return factors

    def horizons(self, table: Table) -> np.ndarray:
        """Computes the distance of each row of a table beyond the ranges, in decades; 0 inside all of them."""
        samples = table["samples"] if "samples" in table else np.ones(len(table))
        rows = _quantities_of(table)
        ranges = {name: getattr(self, name) for name in rows if getattr(self, name) is not None}
        if self.samples is not None:
            rows["samples"], ranges["samples"] = samples, self.samples
        beyond = [np.maximum(rows[name] / high, low / rows[name]) for name, (low, high) in ranges.items()]
        farthest = np.max(beyond, axis=0)
        return np.where(farthest > ROOM, np.log10(farthest), 0.0)


def _quantities_of(table: Table) -> dict[str, Any]:
    """Computes compute, params, tokens and tokens per parameter of each row; compute alone without sizes."""
    return _quantities(table["params"], table["tokens"]) if table.has_sizes else {"compute": table.compute()}


def _quantities(params: Any, tokens: Any) -> dict[str, Any]:
    """Computes compute, params, tokens and tokens per parameter, in this order."""
    return {"compute": 6 * params * tokens, "params": params, "tokens": tokens, "tokens_per_param": tokens / params}


FAR_DECADES = 2.0
"""Beyond this many decades the distance from the measurements comes first, in plans and predictions."""


def horizon_decades(beyond: dict[str, float]) -> float:
    """Computes the largest distance beyond the ranges, in decades; 0 inside all of them."""
    return max((abs(float(np.log10(factor))) for factor in beyond.values()), default=0.0)


def load_measured_range(path: str | os.PathLike[str]) -> MeasuredRange | None:
    """Reads the ranges from the file of a law, None if an earlier version wrote it without them."""
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    measured = content.get("measured") if isinstance(content, dict) else None
    if not isinstance(measured, dict):
        return None
    try:
        ranges = {name: None if ends is None else (float(ends[0]), float(ends[1])) for name, ends in measured.items()}
        return MeasuredRange(**ranges)  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError, IndexError) as error:
        raise ValueError(f"{path}: the measured ranges cannot be read ({type(error).__name__}: {error})") from None
