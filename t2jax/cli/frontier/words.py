"""A frontier as text, as JSON and as a CSV file."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from t2jax.cli.fitting import LEVEL
from t2jax.cli.frontier.allocations import Allocations
from t2jax.cli.words import columns, evenly, interval
from t2jax.files import finite, whole
from t2jax.laws import name_of

SHOWN = 12
QUANTITIES = ("params", "tokens", "tokens_per_param", "samples", "value")


def frontier_frame(solved: Allocations) -> pd.DataFrame:
    """One row for each training budget: the optimum, its interval (_low, _high), and the Chinchilla optimum."""
    frame = pd.DataFrame({"train": solved.train})
    for name in QUANTITIES:
        frame[name] = np.asarray(getattr(solved.plan, name), float)
        if (spread := solved.spread(name)) is not None:
            for end, values in (("low", spread.low), ("high", spread.high)):
                frame[f"{name}_{end}"] = np.nan
                frame.loc[solved.usable, f"{name}_{end}"] = values
    if solved.chinchilla is not None:
        for name in ("params", "tokens", "tokens_per_param"):
            frame[f"chinchilla_{name}"] = np.asarray(getattr(solved.chinchilla, name), float)
    return frame


def save_frontier(solved: Allocations, path: Path) -> None:
    """Write every budget as CSV, floats exact to the last bit; a cell is empty where there is no optimum."""
    with whole(path) as temporary:
        frontier_frame(solved).to_csv(temporary, index=False)


def frontier_text(solved: Allocations) -> str:
    """The optimum at up to twelve budgets, and what kind of optimum it is."""
    frame = frontier_frame(solved)
    header = ["train FLOPs", "N", "D", "D/N", "k", "value"]
    if "params_low" in frame:
        header += [f"N, {100 * LEVEL:g} % interval", f"D/N, {100 * LEVEL:g} % interval"]
    rows = []
    for i in evenly(len(frame), SHOWN):
        one = frame.iloc[i]
        cells = [f"{one[name]:.4g}" for name in ("train", "params", "tokens", "tokens_per_param", "samples", "value")]
        if "params_low" in frame:
            cells += [interval(one[f"{name}_low"], one[f"{name}_high"]) for name in ("params", "tokens_per_param")]
        rows.append(cells)
    return f"{columns(header, rows)}\n\n{solved.plan.status}"


def frontier_answer(solved: Allocations) -> dict[str, Any]:
    """The frontier for --json: every column of `frontier_frame` as a list, null where there is no optimum."""
    frame = frontier_frame(solved)
    return {
        "law": name_of(type(solved.law)),
        "level": LEVEL,
        "status": solved.plan.status,
        "frontier": {name: [finite(value) for value in frame[name]] for name in frame},
    }
