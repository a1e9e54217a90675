"""Where in a file a fault is, and the error that names it."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from t2jax.tables.columns import NUMBERS


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

    def refuse(self, column: str, bad: np.ndarray, cells: pd.Series, expected: str) -> None:
        """Raise TableError with the cell at the first True of `bad` (rows,), if any, and count the others."""
        rows = np.flatnonzero(bad)
        if rows.size:
            found = _show(cells.iloc[rows[0]])
            more = "" if rows.size == 1 else f" (and {rows.size - 1} more such row{'s' if rows.size > 2 else ''})"
            where = f"{self.name}, {self.row(int(rows[0]))}, column {column!r}"
            raise TableError(f"{where}: found {found}, expected {expected}{more}")


def suggestion(name: str, known: Iterable[str]) -> str:
    """The words "; did you mean 'loss'?" for the one of `known` most like `name`, or nothing where none is alike."""
    folded = {other.casefold(): other for other in known}
    alike = difflib.get_close_matches(name.casefold(), folded, n=1)
    return f"; did you mean {folded[alike[0]]!r}?" if alike else ""


def missing_column(place: Place, name: str, present: Iterable[str], needed_by: str) -> TableError:
    """The error for a column that is not there: who needs it, what is there, and which of those may be it."""
    present = tuple(present)
    symbol = NUMBERS[name].symbol if name in NUMBERS else name
    hint = f"; rename column {symbol!r}?" if name != symbol and symbol in present else suggestion(str(name), present)
    there = ", ".join(map(repr, present)) or "none"
    return TableError(f"{place.name}: column {name!r}, needed by {needed_by}, is missing; columns there: {there}{hint}")


def unique_names(names: Iterable[Any], place: Place) -> list[str]:
    """Column names without surrounding blanks; raises TableError where two are then the same."""
    stripped = [str(name).strip() for name in names]
    for name in stripped:
        if stripped.count(name) > 1:
            raise TableError(f"{place.name}: found {stripped.count(name)} columns named {name!r}, expected one")
    return stripped


def _show(cell: Any) -> str:
    if isinstance(cell, str):
        return repr(str(cell)) if cell.strip() else "an empty cell"
    return "an empty cell (NaN)" if pd.isna(cell) else str(cell)
