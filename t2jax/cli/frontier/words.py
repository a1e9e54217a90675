"""Text, JSON and CSV file of a frontier."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from t2jax.cli.fitting import LEVEL
from t2jax.cli.frontier.allocations import Allocations
from t2jax.cli.frontier.smooth_draws import SmoothDraws
from t2jax.cli.words import columns, evenly, interval
from t2jax.files import finite, whole
from t2jax.laws import name_of

SHOWN = 12
QUANTITIES = ("params", "tokens", "tokens_per_param", "samples", "value")


def frontier_frame(solved: Allocations) -> pd.DataFrame:
    """Returns one row for each training budget: optimum, interval (_low, _median, _high), and Chinchilla optimum."""
    frame = pd.DataFrame({"train": solved.train})
    for name in QUANTITIES:
        frame[name] = np.asarray(getattr(solved.plan, name), float)
        if (spread := solved.spread(name)) is not None:
            for end, values in (("low", spread.low), ("median", spread.mid), ("high", spread.high)):
                frame[f"{name}_{end}"] = np.nan
                frame.loc[solved.usable, f"{name}_{end}"] = values
    if solved.chinchilla is not None:
        for name in ("params", "tokens", "tokens_per_param"):
            frame[f"chinchilla_{name}"] = np.asarray(getattr(solved.chinchilla, name), float)
    return frame


def save_frontier(solved: Allocations, path: Path) -> None:
    """Writes every budget as CSV with exact floats. A cell is empty if the budget has no optimum."""
    with whole(path) as temporary:
        frontier_frame(solved).to_csv(temporary, index=False)


def frontier_text(solved: Allocations) -> str:
    """Returns the optimum at up to twelve budgets, and the status."""
    frame = frontier_frame(solved)
    header = ["train FLOPs", "N", "D", "D/N", "k", "value"]
    smooth = isinstance(solved.draws, SmoothDraws)
    if "params_low" in frame:
        kind = f"median and {100 * LEVEL:g} % interval" if smooth else f"{100 * LEVEL:g} % interval"
        header += [f"N, {kind}", f"D/N, {kind}"]
    rows = []
    for i in evenly(len(frame), SHOWN):
        row = frame.iloc[i]
        cells = [f"{row[name]:.4g}" for name in ("train", "params", "tokens", "tokens_per_param", "samples", "value")]
        if "params_low" in frame:
            for name in ("params", "tokens_per_param"):
                ends = interval(row[f"{name}_low"], row[f"{name}_high"])
                cells.append(f"{row[f'{name}_median']:.4g} ({ends})" if smooth else ends)
        rows.append(cells)
    reason = f"\n\nNo intervals: {solved.no_intervals}." if solved.no_intervals else ""
    if smooth and not reason:
        reason = "\n\nMedians and intervals include smooth deviations of runs from the law."
    elif solved.draws is not None and not reason:
        reason = "\n\nIntervals leave out how far runs may deviate from the law."
    return f"{columns(header, rows)}\n\n{solved.plan.status}{reason}"


def frontier_answer(solved: Allocations) -> dict[str, Any]:
    """Returns the frontier for --json: columns of `frontier_frame` as lists, null without an optimum."""
    frame = frontier_frame(solved)
    return {
        "law": name_of(type(solved.law)),
        "level": LEVEL,
        "deviations": isinstance(solved.draws, SmoothDraws) and not solved.no_intervals,
        "status": solved.plan.status,
        "frontier": {name: [finite(value) for value in frame[name]] for name in frame},
    }
