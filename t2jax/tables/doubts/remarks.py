"""Values that are told and believed: implausible in most tables, and meant in some."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np

from t2jax.tables.columns import RESPONSES, of_compute_alone
from t2jax.tables.doubts.fractions import fraction_of_a_count
from t2jax.tables.doubts.grid_slips import cell_beside_grid
from t2jax.tables.doubts.magnitudes import has_trained_run, last_checkpoints
from t2jax.tables.place import Place

FEWEST_RATIOS = 3
"""Fewest rows that have a half."""
USUAL_RATIOS = (1.0, 1500.0)
"""Medians of D/N that are not remarked on. Published tables have medians from 5 to 400."""
LOW_LOSS = 0.35
"""Nats that no published loss of text is below, per byte or per token: half a bit per byte."""


def remarks_on_a_file(columns: Mapping[str, Any], place: Place, known_raw: Collection[str]) -> Iterator[str]:
    """Finds what is unusual in a file that is read, so that a reader may think of another unit.

    Args:
        columns: Columns by name, each of shape (rows,).
        place: Names the rows in sentences.
        known_raw: Columns that hold raw counts, which nothing is remarked on.

    Returns:
        The sentences.
    """
    if of_compute_alone(columns) or not any(name in columns for name in RESPONSES):
        return
    sizes = {name: np.asarray(columns[name], float) for name in ("params", "tokens")}
    if not {"params", "tokens"} & set(known_raw):
        yield from _ratios(sizes["tokens"] / sizes["params"], columns)
    for name, other in (("params", "tokens"), ("tokens", "params")):
        if name in known_raw:
            continue
        if beside := cell_beside_grid(sizes[name], sizes[other]):
            row, level = beside
            yield (
                f"{place.row(row)} has {sizes[name][row]:g} {name}, where the other rows form a grid that lacks"
                f" {level:g}: is it meant?"
            )
    if "tokens" not in known_raw:
        yield from _fractions(sizes["tokens"])
    least = float(np.min(columns["loss"])) if "loss" in columns and "loss" not in known_raw else LOW_LOSS
    if least < LOW_LOSS and has_trained_run(columns):
        yield f"the least loss is {least:g} nats, less than published ones of text: is it in another unit?"


def _ratios(ratio: np.ndarray, columns: Mapping[str, Any]) -> Iterator[str]:
    last = last_checkpoints(ratio, columns)
    typical = float(np.median(last))
    if len(last) >= FEWEST_RATIOS and not USUAL_RATIOS[0] <= typical <= USUAL_RATIOS[1]:
        yield (
            f"half of the rows have at {'most' if typical < 1 else 'least'} {typical:.2g} tokens for each param,"
            f" and published tables have from 5 to 400: are both columns raw counts, and not swapped?"
        )


def _fractions(tokens: np.ndarray) -> Iterator[str]:
    row = fraction_of_a_count(tokens)
    if row is not None:
        yield f"some tokens have fractions, as {tokens[row]:.12g}: is the column in another unit?"
