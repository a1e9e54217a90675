"""Selects rows before their cells are checked: those that are asked for, and those that were measured."""

import reprlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from t2jax.tables.columns import NUMBERS, RESPONSES, TEXTS
from t2jax.tables.place import Place, TableError, missing_column
from t2jax.tables.reading.cells import Style, is_number, number_of, says_missing
from t2jax.tables.reading.files.text import numbers_or_text
from t2jax.tables.reading.repeats import for_each_cell


def select_rows(
    frame: pd.DataFrame,
    where: Mapping[str, str | float | Sequence[str | float]],
    factors: Mapping[str, float],
    style: Style,
    place: Place,
) -> tuple[pd.DataFrame, Place, str]:
    """Keeps the rows that have a value in each column.

    Rows that are left out are not checked, such as those of runs that crashed.

    Args:
        frame: Columns by their names in t2jax.
        where: Value, or list of values, of each column. Numbers are raw counts.
        factors: Factors of columns that are not in raw counts.
        style: How the file writes numbers.
        place: The file.

    Returns:
        The rows, their place, and the step of the history, empty without a condition.

    Raises:
        TableError: A column is missing, or no row is left.
        ValueError: A value of a column of numbers is no number.
    """
    if not where:
        return frame, place, ""
    selected, conditions = np.ones(len(frame), dtype=bool), []
    for name, wanted in where.items():
        if name not in frame:
            raise missing_column(place, name, frame.columns, "where")
        values = [wanted] if isinstance(wanted, str | int | float) else list(wanted)
        cells = frame.loc[:, name]
        typed = cells if name in NUMBERS or name in TEXTS else numbers_or_text(cells, style.decimal)
        if name in NUMBERS or typed.dtype.kind in "iuf":
            numbers = _numbers(cells, name, factors.get(name, 1.0), style, name in factors)
            selected &= np.isin(numbers, [_as_number(name, value) for value in values])
        else:
            texts = [str(value).strip() for value in values]
            selected &= np.array([_text(cell) in texts for cell in cells], dtype=bool)
        conditions.append(f"{name}={reprlib.repr(wanted)}")
    step = f"where {' and '.join(conditions)}: {selected.sum()} of {len(frame)} rows"
    if not selected.any():
        raise TableError(f"{place.name}: {step}, expected at least one row")
    return frame.loc[selected].reset_index(drop=True), place.where(selected), step


def measured_rows(
    frame: pd.DataFrame, words: tuple[str, ...], style: Style, place: Place
) -> tuple[pd.DataFrame, Place, str]:
    """Leaves out rows in which a measurement is said to be missing.

    That is a cell such as `n/a`, or one of the words that the user names, which may stand in any column of numbers.

    Args:
        frame: Columns by their names in t2jax.
        words: Words of cells that mean that nothing was measured.
        style: How the file writes numbers.
        place: The file.

    Returns:
        The rows, their place, and a sentence on those that were left out, empty without any.

    Raises:
        TableError: A measurement is empty or no number and nobody said what that means, or no row is left.
    """
    selected, gaps = np.ones(len(frame), dtype=bool), []
    for name in (name for name in frame if name in NUMBERS):
        cells = frame.loc[:, name]
        if cells.dtype.kind in "iuf" and not np.any(cells.isna()):
            continue
        explained = name in RESPONSES or bool(words)
        missing = for_each_cell(cells, partial(_missing, name=name, words=words)).astype(bool) & explained
        if missing.any():
            row = int(missing.argmax())
            gaps.append(f"{missing.sum()} in column {name!r}, as {_shown(cells.iloc[row])} in {place.row(row)}")
            selected &= ~missing
    if len(frame) and not selected.any():
        raise TableError(f"{place.name}: no row has all measurements ({'; '.join(gaps)}), expected at least one")
    frame, place, total = frame.loc[selected].reset_index(drop=True), place.where(selected), len(frame)
    for name in (name for name in frame if name in RESPONSES):
        _refuse_unmeasured(frame.loc[:, name], name, style, place)
    note = f"{total - len(frame)} of {total} rows are left out, because they say that nothing was measured"
    return frame, place, f"{note} ({'; '.join(gaps)})" if gaps else ""


def _missing(cell: Any, name: str, words: tuple[str, ...]) -> bool:
    if name not in RESPONSES and words:
        return says_missing(cell, words) and (not isinstance(cell, str) or cell.strip().casefold() in _folded(words))
    return says_missing(cell, words)


def _folded(words: tuple[str, ...]) -> set[str]:
    return {word.strip().casefold() for word in words}


def _refuse_unmeasured(cells: pd.Series, name: str, style: Style, place: Place) -> None:
    """Raises TableError for a measurement that is empty or no number, with the option that leaves its row out."""
    if cells.dtype.kind in "iu" or (cells.dtype.kind == "f" and not cells.isna().any()):
        return
    read = pd.Series(for_each_cell(cells, lambda cell: number_of(cell, name, style, False)))
    empty = for_each_cell(cells, lambda cell: _text(cell) in ("", "nan")).astype(bool)
    bad = ~empty & ~for_each_cell(read, _python_number).astype(bool)
    expected = "a number"
    if not bad.any():
        values = for_each_cell(read, lambda cell: float(cell) if is_number(cell) else np.nan).astype(float)
        finite = np.isfinite(values)
        bad = ~finite | ~NUMBERS[name].accepts(np.where(finite, values, 1.0))
        expected = NUMBERS[name].expected
        if not bad.any() or not empty[int(bad.argmax())]:
            return  # the check of all columns names the value
    word = _text(cells.iloc[int(bad.argmax())])
    option = f"--missing {word}" if word.isalnum() else f'--missing "{word}"'
    remedy = (
        ""
        if any(map(str.isdigit, word))
        else f"; if nothing was measured, leave such rows out by missing=[{word!r}], in commands {option}"
    )
    place.refuse(name, bad, cells, expected + remedy)


def _python_number(cell: Any) -> bool:
    """Tells whether Python reads a cell as a number, which may be infinite; such a value is refused with its limits."""
    try:
        return not isinstance(cell, bool | np.bool_) and "_" not in str(cell) and not np.isnan(float(cell))
    except (TypeError, ValueError):
        return False


def _text(cell: Any) -> str:
    """Returns a cell as text: a whole number without a decimal point, nothing for a missing value."""
    if isinstance(cell, str):
        return cell.strip()
    if cell is None or cell is pd.NA or (isinstance(cell, float) and np.isnan(cell)):
        return ""
    return f"{cell:g}" if isinstance(cell, float) and cell == int(cell) and abs(cell) < 1e5 else str(cell)


def _shown(cell: Any) -> str:
    return repr(cell) if _text(cell) else "an empty cell"


def _numbers(cells: pd.Series, name: str, factor: float, style: Style, scaled: bool) -> np.ndarray:
    """Returns the numbers of cells, NaN for those that are none."""

    def number(cell: Any) -> float:
        read = number_of(cell, name, style, scaled)
        return float(read) if is_number(read) else np.nan

    return for_each_cell(cells, number).astype(float) * factor


def _as_number(name: str, value: str | float) -> float:
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"where: found {name}={value!r}, expected a number") from None
