"""How seeds of the testbed differ: spread of a loss at equal cells, and parts of a table by seed."""

from typing import Any

import numpy as np
import pandas as pd

LEAST_TOKENS = 2.0**19
"""Shorter runs are not judged, as data/testbed/DESIGN.md says."""


def seed_spread(runs: pd.DataFrame, loss: np.ndarray) -> float | None:
    """Coefficient of variation of a loss over seeds at equal params and tokens, the median over such cells.

    Cells that a seed lacks are left out; None with one seed. runs: (checkpoints,), loss: (checkpoints,).
    """
    seeds = len(set(runs["seed"]))
    judged: Any = runs.assign(loss=loss)[runs["tokens"] >= LEAST_TOKENS]
    cells: Any = judged.groupby(["params", "tokens"])["loss"].agg(["mean", "std", "count"])
    whole = cells[cells["count"] == seeds]
    return float((whole["std"] / whole["mean"]).median()) if seeds > 1 and len(whole) else None


def by_seed(runs: pd.DataFrame, values: dict[str, np.ndarray]) -> list[tuple[pd.DataFrame, dict[str, np.ndarray]]]:
    """Splits checkpoints, and arrays whose last axis they are, by seed."""
    parts = []
    for seed in np.unique(runs["seed"]):
        chosen = (runs["seed"] == seed).to_numpy()
        part: Any = runs[chosen].reset_index(drop=True)
        parts.append((part, {name: array[..., chosen] for name, array in values.items()}))
    return parts
