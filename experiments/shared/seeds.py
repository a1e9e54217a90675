"""How seeds of the testbed differ: spread of a loss at equal cells, and parts of a table by seed."""

from typing import Any

import numpy as np
import pandas as pd

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


def average_tasks(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Averages rows of tasks over the steady ones, for each model and number of samples, and lists these."""
    once: Any = rows[rows["samples"] == rows["samples"].min()]
    parts: dict[str, Any] = {str(task): part.reset_index(drop=True) for task, part in once.groupby("task", sort=False)}
    steady = steady_tasks(next(iter(parts.values())), {task: part["loss"].to_numpy() for task, part in parts.items()})
    measured = ("neg_log_pass", "pass_at_k", "loss")
    how = {name: "mean" if name in measured else "first" for name in rows.columns if name not in ("model", "samples")}
    means: Any = rows[rows["task"].isin(steady)].groupby(["model", "samples"], as_index=False, sort=False).agg(how)
    return means.assign(task="average"), steady


def by_seed(runs: pd.DataFrame, values: dict[str, np.ndarray]) -> list[tuple[pd.DataFrame, dict[str, np.ndarray]]]:
    """Splits checkpoints, and arrays whose last axis they are, by seed."""
    parts = []
    for seed in np.unique(runs["seed"]):
        chosen = (runs["seed"] == seed).to_numpy()
        part: Any = runs[chosen].reset_index(drop=True)
        parts.append((part, {name: array[..., chosen] for name, array in values.items()}))
    return parts
