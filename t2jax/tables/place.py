"""The place of a fault in a file, and the error that names it."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from t2jax.tables.columns import NUMBERS

MOST_NAMES = 3
"""Largest number of similar columns in a hint."""
LONGEST = 60
"""Largest number of characters of a cell in a message."""


class TableError(ValueError):
    """Error for a table or file that is refused; the message names file, column, row, value and what was expected.

    Examples:
        >>> try:
        ...     t2.Table.from_columns(params=1e9, tokens=2e10, loss=-1.0)
        ... except t2.TableError as error:
        ...     print(error)
        a table from memory, row 0, column 'loss': found -1.0, expected a loss > 0 in nats
    """


@dataclass(frozen=True)
class Place:
    """The origin of rows: a file or data set, and for a text file the line (from 1) of each row."""

    name: str
    lines: np.ndarray | None = None

    def row(self, index: int) -> str:
        """Names row `index` (from 0) for a message: "line 7" in a text file, else "row 5"."""
        return f"row {index}" if self.lines is None else f"line {self.lines[index]}"

    def where(self, keep: np.ndarray) -> "Place":
        """Selects the rows where `keep` of shape (rows,) is true."""
        return self if self.lines is None else Place(self.name, self.lines[keep])

    def refuse(self, column: str, bad: np.ndarray, cells: pd.Series, expected: str) -> None:
        """Raises TableError with the cell at the first True of `bad` (rows,), if any, and counts the others."""
        rows = np.flatnonzero(bad)
        if rows.size:
            cell = _format_cell(cells.iloc[rows[0]])
            others = "" if rows.size == 1 else f" (and {rows.size - 1} more such row{'s' if rows.size > 2 else ''})"
            where = f"{self.name}, {self.row(int(rows[0]))}, column {column!r}"
            raise TableError(f"{where}: found {cell}, expected {expected}{others}")


def suggestion(name: str, names: Iterable[str]) -> str:
    """Suggests similar names: "; did you mean 'loss'?" for names that are like `name` or contain it."""
    by_folded_name = {str(other).casefold(): str(other) for other in names}
    wanted_name = name.casefold()
    if wanted_name in by_folded_name:
        return f"; did you mean {by_folded_name[wanted_name]!r}?"
    close = difflib.get_close_matches(wanted_name, by_folded_name, n=MOST_NAMES)
    containing = [other for other in by_folded_name if wanted_name in re.split(r"[^a-z0-9]+", other)]
    similar = list(dict.fromkeys([*close, *containing]))
    if not similar or len(similar) > MOST_NAMES:
        return ""
    sentence = f"; did you mean {' or '.join(repr(by_folded_name[candidate]) for candidate in similar)}?"
    if wanted_name == "params" and any(
        word in candidate for candidate in similar for word in ("active", "total", "expert")
    ):
        sentence += " Of a mixture of experts take the active ones: 6ND and 2Nk count those"
    return sentence


def missing_column(place: Place, name: str, present: Iterable[str], needed_by: str) -> TableError:
    """Makes the error for a missing column: who needs it, which columns exist, and which may be it."""
    present = tuple(present)
    symbol = NUMBERS[name].symbol if name in NUMBERS else name
    if name != symbol and symbol in present:
        hint = f"; rename column {symbol!r}?"
    else:
        hint = _suggest_conversion(name, present) or suggestion(str(name), present) or _suggest_constant(name, present)
    columns = ", ".join(map(repr, present)) or "none"
    renamed = (
        f"; if it has another name, say columns={{'NAME': {name!r}}}, in commands --columns NAME={name}"
        if name in NUMBERS and Path(place.name).suffix
        else ""
    )
    return TableError(
        f"{place.name}: column {name!r}, needed by {needed_by}, is missing; columns there: {columns}{renamed}{hint}"
    )


def _suggest_conversion(name: str, present: tuple[str, ...]) -> str:
    """Explains how a column of another quantity becomes the missing one; the text is empty if none does."""
    words = {column: set(re.split(r"[^a-z0-9]+", str(column).casefold())) for column in present}
    if name == "loss":
        for column, of in words.items():
            if of & {"ppl", "perplexity", "perplexities"}:
                return f"; the loss is the log of {column!r}"
            if "bpb" in of or {"bits", "byte"} <= of:
                return f"; the loss is {column!r} times ln 2 times the bytes of a token"
        if "error" in present:
            return (
                "; error rates have laws of their own: t2.laws.MultipleChoice and t2.laws.DownstreamError, in commands"
                " --law multiple-choice"
            )
    if name == "error" and "accuracy" in present:
        return "; the error is 1 - accuracy"
    if name in ("params", "tokens"):
        for column, of in words.items():
            if of & {"compute", "flops", "flop"} or column == "C":
                return (
                    f"; where only {column!r} is known, name it 'compute': ComputeLoss (--law compute-loss) is a law of"
                    " compute alone"
                )
    return ""


def _suggest_constant(name: str, present: tuple[str, ...]) -> str:
    """Explains what to do about the missing size of a curve over the other one; the text is empty otherwise."""
    other = {"params": "tokens", "tokens": "params"}.get(name)
    if other not in present:
        return ""
    return f"; where all rows have one number of {name}, as in a curve over {other}, write it in every row"


def unique_names(names: Iterable[Any], place: Place) -> list[str]:
    """Strips blanks from column names; raises TableError if two are then equal."""
    stripped = [str(name).strip() for name in names]
    for name in stripped:
        if stripped.count(name) > 1:
            raise TableError(f"{place.name}: found {stripped.count(name)} columns named {name!r}, expected one")
    return stripped


def _format_cell(cell: Any) -> str:
    if isinstance(cell, str):
        return _shorten(repr(str(cell))) if cell.strip() else "an empty cell"
    return "an empty cell (NaN)" if pd.isna(cell) else _shorten(str(cell))


def _shorten(text: str) -> str:
    """Returns the text, or the beginning of a long one and its length."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text)} characters)"
