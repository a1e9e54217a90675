"""Values that can only be in other units or another quantity than the column's: believed where `units` names it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

SMALLEST_LARGEST = 1e4  # a table whose largest model or token count is below this is written in millions or billions
SMALL, GAP = 1e4, 1e3  # a count below SMALL that lies this factor below all others is in other units than they are
LARGEST = {"params": 1e15, "tokens": 1e18, "unique_tokens": 1e18, "samples": 1e12, "trials": 1e12}
"""A thousand times and more what anybody has trained, read or drawn."""
LARGEST_LOSS = 15.0
"""Guessing evenly among the 262,144 tokens of the largest vocabulary in use costs ln 262,144 = 12.5 nats."""
SMALLEST_LOSS = 1e-3
"""Of a table's largest loss: text has some tenths of a nat a token at least, and no run ends at 0.001 everywhere."""
RESPONSES = ("loss", "error", "neg_log_pass", "pass_at_k", "correct")


@dataclass(frozen=True)
class Doubt:
    """A value that is hard to believe: its column and row (from 0), and what is said of it."""

    column: str
    row: int
    sentence: str


def doubts(columns: Mapping[str, Any]) -> Iterator[Doubt]:
    """What is hard to believe in columns of fixed meaning, each (rows,), at most one thing a column.

    Args:
        columns: the table's, as numbers where a column has a fixed meaning; others are not looked at.
    Returns:
        The doubts, in the order in which they are to be told.
    """
    for name in ("params", "tokens"):
        yield from _counts(name, np.asarray(columns[name], float))
    for name, limit in LARGEST.items():
        if name in columns:
            values = np.asarray(columns[name], float)
            row = int(values.argmax())
            if values[row] > limit:
                yield Doubt(name, row, f"found {values[row]:g}, expected at most {limit:g}{_way(name)}")
    if "loss" in columns:
        yield from _losses(np.asarray(columns["loss"], float))
    if any(name in columns for name in RESPONSES):
        yield from _ratios(np.asarray(columns["params"], float), np.asarray(columns["tokens"], float))


def _counts(name: str, values: np.ndarray) -> Iterator[Doubt]:
    largest = int(values.argmax())
    if values[largest] < SMALLEST_LARGEST:
        yield Doubt(
            name,
            largest,
            f"the largest value is {values[largest]:g}, expected raw counts, not millions or billions: pass"
            f' units={{{name!r}: "M"}} or "B" to multiply it, or units={{{name!r}: 1}} if it is a raw count (to'
            f" read_table, or in Source for a table from memory; in commands as --units {name}=M)",
        )
        return
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    apart = np.flatnonzero((ordered[:-1] < SMALL) & (ordered[1:] >= GAP * ordered[:-1]))
    if apart.size:
        row = int(order[: apart[-1] + 1].min())
        yield Doubt(
            name,
            row,
            f"found {values[row]:g} among values from {ordered[apart[-1] + 1]:g} to {values[largest]:g}, expected one"
            f" unit in all rows: write the raw count{_way(name)}",
        )


def _losses(values: np.ndarray) -> Iterator[Doubt]:
    row = int(np.flatnonzero(values > LARGEST_LOSS)[0]) if np.any(values > LARGEST_LOSS) else int(values.argmax())
    if values[row] > LARGEST_LOSS:
        yield Doubt(
            "loss",
            row,
            f"found {values[row]:g}, expected at most {LARGEST_LOSS:g} nats a token, which is more than guessing costs;"
            f" of a perplexity take the log{_way('loss')}",
        )
    elif values[row] < SMALLEST_LOSS:
        yield Doubt("loss", row, f"the largest value is {values[row]:g}, expected nats a token{_way('loss')}")


def _ratios(params: np.ndarray, tokens: np.ndarray) -> Iterator[Doubt]:
    row = int(np.argmax(tokens / params))
    if tokens[row] < params[row]:
        yield Doubt(
            "tokens",
            row,
            f"found {tokens[row]:g} tokens for {params[row]:g} params, and no row has as many tokens as params: are"
            f" tokens in thousands, or the two columns swapped?{_way('tokens')}",
        )


def _way(name: str) -> str:
    """How somebody who means the value says so."""
    return f" (if it is meant: units={{{name!r}: 1}}, in commands --units {name}=1)"
