"""Weights & Biases: the CSV export of a chart, with a column for each run."""

from collections.abc import Sequence

import numpy as np

from t2jax.results.documents import Document
from t2jax.results.losses.columns import chosen_metric, positive_or_empty, rising
from t2jax.results.record import Reading, ReadOptions, RunLoss
from t2jax.tables.place import TableError

TOOL = "Weights & Biases"
STEPS = ("step", "_step", "global_step", "trainer/global_step")
SEPARATOR = " - "


def recognises(document: Document) -> bool:
    """Checks that a CSV file has steps, and columns named after a run and a metric."""
    if not document.columns:
        return False
    first, *others = document.columns
    return first.casefold() in STEPS and any(SEPARATOR in name for name in others)


def read(documents: Sequence[Document], options: ReadOptions) -> Reading:
    """Reads the loss of each run at its last step with one; tokens need the tokens of a step."""
    rows, notes = [], []
    for document in documents:
        runs = _read_file(document, options)
        rows += runs
        if len({row.step for row in runs}) > 1:
            ends = ", ".join(f"{row.model} at {row.step:g}" for row in runs)
            notes.append(f"{document.path}: the runs end at different steps: {ends}")
    if options.batch_tokens is None:
        notes.append(f"{TOOL} exports steps and not tokens: give the tokens of a step as batch_tokens (--batch-tokens)")
    return Reading(TOOL, rows, notes)


def _read_file(document: Document, options: ReadOptions) -> list[RunLoss]:
    first, *others = document.columns
    by_metric: dict[str, dict[str, str]] = {}
    for name in others:
        run, separator, metric = name.rpartition(SEPARATOR)  # a run's name may hold the separator too
        if not separator:
            raise TableError(f"{document.path}: found column {name!r}, expected RUN - METRIC")
        if not metric.startswith("_") and not metric.endswith(("__MIN", "__MAX")):
            by_metric.setdefault(metric, {})[run] = name
    metric = chosen_metric(document, list(by_metric), options.metric)
    steps = rising(document, first)
    rows = []
    for run, name in by_metric[metric].items():
        losses = positive_or_empty(document, name)
        logged = np.flatnonzero(np.isfinite(losses))
        if not logged.size:
            raise TableError(f"{document.path}: column {name!r} is empty, expected a loss at one step at least")
        step, loss = float(steps[logged[-1]]), float(losses[logged[-1]])
        tokens = step * options.batch_tokens if options.batch_tokens else None
        rows.append(RunLoss(options.model or run, loss, tokens=tokens, step=step))
    return rows
