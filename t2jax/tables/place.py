"""Where in a file a fault is, and the error that names it."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from t2jax.tables.columns import NUMBERS

MOST_NAMES = 3
"""More columns alike than this are no hint."""
LONGEST = 60
"""Characters of a cell that a message shows."""


class TableError(ValueError):
    """A table or its file is refused; the message names file, column, row, value and what was expected."""


@dataclass(frozen=True)
class Place:
    """Where rows came from: a file or data set, and for a text file the line (from 1) of each row."""

    name: str
    lines: np.ndarray | None = None

    def row(self, index: int) -> str:
        """The name of row `index` (0-based) for a message: "line 7" in a text file, else "row 5"."""
        return f"row {index}" if self.lines is None else f"line {self.lines[index]}"

    def where(self, keep: np.ndarray) -> "Place":
        """The place of the rows where `keep` (rows,) is true."""
        return self if self.lines is None else Place(self.name, self.lines[keep])

    def refuse(self, column: str, bad: np.ndarray, cells: pd.Series, expected: str) -> None:
        """Raise TableError with the cell at the first True of `bad` (rows,), if any, and count the others."""
        rows = np.flatnonzero(bad)
        if rows.size:
            found = _show(cells.iloc[rows[0]])
            more = "" if rows.size == 1 else f" (and {rows.size - 1} more such row{'s' if rows.size > 2 else ''})"
            where = f"{self.name}, {self.row(int(rows[0]))}, column {column!r}"
            raise TableError(f"{where}: found {found}, expected {expected}{more}")


def suggestion(name: str, known: Iterable[str]) -> str:
    """The words "; did you mean 'loss'?" for those of `known` that are like `name` or hold it, or nothing for none."""
    folded = {str(other).casefold(): str(other) for other in known}
    wanted = name.casefold()
    if wanted in folded:
        return f"; did you mean {folded[wanted]!r}?"
    close = difflib.get_close_matches(wanted, folded, n=MOST_NAMES)
    holding = [other for other in folded if wanted in re.split(r"[^a-z0-9]+", other)]
    alike = list(dict.fromkeys([*close, *holding]))
    if not alike or len(alike) > MOST_NAMES:
        return ""
    said = f"; did you mean {' or '.join(repr(folded[one]) for one in alike)}?"
    if wanted == "params" and any(word in one for one in alike for word in ("active", "total", "expert")):
        said += " Of a mixture of experts take the active ones: 6ND and 2Nk count those"
    return said


def missing_column(place: Place, name: str, present: Iterable[str], needed_by: str) -> TableError:
    """The error for a column that is not there: who needs it, what is there, and which of those may be it."""
    present = tuple(present)
    symbol = NUMBERS[name].symbol if name in NUMBERS else name
    if name != symbol and symbol in present:
        hint = f"; rename column {symbol!r}?"
    else:
        hint = _converted(name, present) or suggestion(str(name), present)
    there = ", ".join(map(repr, present)) or "none"
    return TableError(f"{place.name}: column {name!r}, needed by {needed_by}, is missing; columns there: {there}{hint}")


def _converted(name: str, present: tuple[str, ...]) -> str:
    """How a column of another quantity becomes the missing one; empty where there is none."""
    words = {column: set(re.split(r"[^a-z0-9]+", str(column).casefold())) for column in present}
    if name == "loss":
        for column, of in words.items():
            if of & {"ppl", "perplexity", "perplexities"}:
                return f"; the loss is the log of {column!r}"
            if "bpb" in of or {"bits", "byte"} <= of:
                return f"; the loss is {column!r} times ln 2 times the bytes of a token"
    if name in ("params", "tokens"):
        for column, of in words.items():
            if of & {"compute", "flops", "flop"} or column == "C":
                return (
                    f"; where only {column!r} is known, a law of {column!r} alone can be fitted: give the table params"
                    f" and tokens of sqrt({column}/6), which the law does not read"
                )
    return ""


def unique_names(names: Iterable[Any], place: Place) -> list[str]:
    """Column names without surrounding blanks; raises TableError where two are then the same."""
    stripped = [str(name).strip() for name in names]
    for name in stripped:
        if stripped.count(name) > 1:
            raise TableError(f"{place.name}: found {stripped.count(name)} columns named {name!r}, expected one")
    return stripped


def _show(cell: Any) -> str:
    if isinstance(cell, str):
        return _shortened(repr(str(cell))) if cell.strip() else "an empty cell"
    return "an empty cell (NaN)" if pd.isna(cell) else _shortened(str(cell))


def _shortened(text: str) -> str:
    """The text, or the beginning of a long one and its length."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text)} characters)"
