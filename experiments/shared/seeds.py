"""How seeds of the testbed differ: spread of a loss at equal cells, and parts of a table by seed."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

from experiments.shared.shards import LEVEL

MOST_SPREAD = 0.03
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


def steady_tasks(runs: pd.DataFrame, losses: dict[str, np.ndarray]) -> list[str]:
    """Tasks whose loss differs between seeds by `MOST_SPREAD` at most; with one seed all of them.

    data/testbed/DESIGN.md leaves the others out of averages, once three seeds are there; with two it is a preview.
    """
    return [task for task, loss in losses.items() if (seed_spread(runs, loss) or 0.0) <= MOST_SPREAD]


def by_seed(runs: pd.DataFrame, values: dict[str, np.ndarray]) -> list[tuple[pd.DataFrame, dict[str, np.ndarray]]]:
    """Splits checkpoints, and arrays whose last axis they are, by seed."""
    parts = []
    for seed in np.unique(runs["seed"]):
        chosen = (runs["seed"] == seed).to_numpy()
        part: Any = runs[chosen].reset_index(drop=True)
        parts.append((part, {name: array[..., chosen] for name, array in values.items()}))
    return parts


def interval_over_seeds(values: tuple[float, ...]) -> tuple[float, float]:
    """Student's 90 % interval of the mean over seeds, NaN for fewer than two."""
    count = len(values)
    if count < 2:
        return np.nan, np.nan
    half = student.ppf(0.5 + LEVEL / 2, count - 1) * np.std(values, ddof=1) / np.sqrt(count)
    return float(np.mean(values) - half), float(np.mean(values) + half)
