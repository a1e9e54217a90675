"""nanochat: `results.csv`, with one row per run and losses in bits per byte."""

import math
from collections.abc import Sequence

from t2jax.results.documents import Document
from t2jax.results.losses.columns import counts, has_columns, positive
from t2jax.results.record import Reading, ReadOptions, RunLoss
from t2jax.tables.place import TableError

TOOL = "nanochat"
SIZES = ("num_scaling_params", "num_params")


def recognises(document: Document) -> bool:
    """Checks that a CSV file has the columns of nanochat."""
    return has_columns(document, "val_bpb", "tokens_trained") and any(has_columns(document, name) for name in SIZES)


def read(documents: Sequence[Document], options: ReadOptions) -> Reading:
    """Reads each run; nats a token are bits per byte times ln 2 times the bytes of a token.

    It raises TableError where the bytes of a token, or the column that is N, are not given.
    """
    if options.bytes_per_token is None:
        raise TableError(
            f"{documents[0].path}: val_bpb is in bits per byte, and nats a token are val_bpb times ln 2 times the bytes"
            " of a token; give bytes_per_token (--bytes-per-token)"
        )
    rows = []
    for document in documents:
        params = counts(document, _size(document, options.params_column))
        tokens, bpb = counts(document, "tokens_trained"), positive(document, "val_bpb")
        losses = bpb * math.log(2) * options.bytes_per_token
        for i, name in enumerate(_names(document)):
            rows.append(RunLoss(name, float(losses[i]), params=float(params[i]), tokens=float(tokens[i])))
    return Reading(TOOL, rows)


def _size(document: Document, wanted: str | None) -> str:
    there = [name for name in SIZES if has_columns(document, name)]
    if wanted in there:
        return str(wanted)
    listed = " and ".join(there)
    raise TableError(f"{document.path}: found {listed}; say which is N with params_column (--params-column)")


def _names(document: Document) -> list[str]:
    """Returns names such as d10-1e18, of depth and budget; where both repeat, the row's number is added."""
    if not has_columns(document, "depth"):
        raise TableError(f"{document.path}: column 'depth' is missing, which names the runs")
    names = [f"d{depth:g}" for depth in counts(document, "depth")]
    if has_columns(document, "flops_budget"):
        budgets = positive(document, "flops_budget")
        names = [f"{name}-{budget:g}".replace("e+", "e") for name, budget in zip(names, budgets, strict=True)]
    return [f"{name}-{i}" if names.count(name) > 1 else name for i, name in enumerate(names)]
