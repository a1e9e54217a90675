"""OLMo ladder: one CSV file per run, with evaluations in columns."""

from collections.abc import Sequence

import numpy as np

from t2jax.results.documents import Document
from t2jax.results.losses.columns import chosen_metric, has_columns, positive_or_empty, rising
from t2jax.results.record import Reading, ReadOptions, RunLoss
from t2jax.tables.place import TableError

TOOL = "OLMo ladder"
TOKENS, STEP = "throughput/total_tokens", "_step"


def recognises(document: Document) -> bool:
    """Checks that a CSV file has tokens and evaluations of the ladder."""
    return has_columns(document, TOKENS) and any(name.startswith("eval/") for name in document.columns)


def read(documents: Sequence[Document], options: ReadOptions) -> Reading:
    """Reads tokens and cross-entropy in the last row of each run, whose name is the file's."""
    rows = []
    for document in documents:
        losses = [name for name in document.columns if name.startswith("eval/") and name.endswith("/CrossEntropyLoss")]
        metric = chosen_metric(document, losses, options.metric)
        values, tokens = positive_or_empty(document, metric), rising(document, TOKENS)
        document.refuse(TOKENS, (tokens < 1) | (tokens != np.floor(tokens)), "a whole number >= 1")
        logged = np.flatnonzero(np.isfinite(values))
        if not logged.size:
            raise TableError(f"{document.path}: column {metric!r} is empty, expected a loss in one row at least")
        last = logged[-1]
        step = float(rising(document, STEP)[last]) if STEP in document.columns else None
        name = options.model or document.path.stem
        rows.append(RunLoss(name, float(values[last]), tokens=float(tokens[last]), step=step))
    ends = ", ".join(f"{row.model} ends at {row.tokens:g} tokens" for row in rows)
    return Reading(TOOL, rows, [f"{TOOL} keeps params in another file: give those of each model with --models", ends])
