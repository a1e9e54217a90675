"""Checks of tables against the meaning of their columns."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from t2jax.tables.columns import (
    COMPUTE,
    NUMBERS,
    REQUIRED,
    RUN_KEY,
    SHARES,
    TEXTS,
    UNITS,
    of_compute_alone,
    with_compute,
)
from t2jax.tables.doubts.magnitudes import Doubt, doubts, doubts_of_a_file
from t2jax.tables.place import Place, TableError, _format_cell, missing_column, suggestion, unique_names
from t2jax.tables.reading.repeats import for_each_cell


def to_numbers(cells: pd.Series, place: Place, column: str, needed_by: str = "") -> np.ndarray:
    """Converts cells to float64 exactly as Python reads them; empty cells become NaN.

    Args:
        cells: Numbers or text, shape (rows,).
        place: Names the table in messages.
        column: Name of the column.
        needed_by: Who reads the column, for messages.

    Returns:
        A float64 array of shape (rows,).

    Raises:
        TableError: A cell is not a number.
    """
    if cells.dtype.kind in "iuf":
        return cells.to_numpy(dtype=np.float64, na_value=np.nan)
    numbers = for_each_cell(cells, _number)
    bad = np.array([value is None for value in numbers], dtype=bool)
    hint = _number_hint(column, cells.iloc[int(bad.argmax())]) if bad.any() else ""
    place.refuse(column, bad, cells, "a number" + (f", for {needed_by}" if needed_by else "") + hint)
    return numbers.astype(np.float64)


def clean(frame: pd.DataFrame, place: Place, known_raw: Collection[str]) -> pd.DataFrame:
    """Checks a frame and converts columns of fixed meaning to float64 or text; other columns do not change.

    Args:
        frame: One row per measurement.
        place: Names the table in messages.
        known_raw: Columns that hold raw counts, so that small numbers are accepted.

    Returns:
        A new frame of shape (rows, columns) with rows numbered from 0.

    Raises:
        TableError: The first offence.
    """
    columns = dict(zip(unique_names(frame.columns, place), (cells for _, cells in frame.items()), strict=True))
    numbers = NUMBERS | ({COMPUTE.name: COMPUTE} if of_compute_alone(columns) else {})
    for name in REQUIRED:
        if name not in columns and COMPUTE.name not in numbers:
            raise missing_column(place, name, columns, "every table")
    if not len(frame):
        raise TableError(f"{place.name}: there are no rows below the column names, expected at least one measurement")
    for name, cells in columns.items():
        if name in numbers:
            values = to_numbers(cells, place, name)
            finite = np.isfinite(values)
            good = finite & numbers[name].accepts(np.where(finite, values, 1.0))
            percent = name in SHARES and np.all((values >= 0) & (values <= 100))
            hint = (
                f" (of percent: units={{{name!r}: 'percent'}}, in commands --units {name}=percent)" if percent else ""
            )
            place.refuse(name, ~good, cells, numbers[name].expected + hint)
            columns[name] = pd.Series(values)
        elif name in TEXTS:
            texts = pd.Series(np.where(cells.isna(), "", for_each_cell(cells, str)), dtype=object)
            place.refuse(name, for_each_cell(texts, lambda text: not text.strip()).astype(bool), cells, "a name")
            columns[name] = texts
        else:  # float32 would not survive being written as text
            columns[name] = cells.astype(np.float64) if cells.dtype.kind == "f" else cells
    _check_counts(columns, place)
    _refuse_first(doubts(columns), place, known_raw)
    cleaned = pd.DataFrame({name: cells.array for name, cells in columns.items()}, copy=True)
    _check_duplicates(cleaned, place)
    return cleaned


def check_file(frame: pd.DataFrame, place: Place, known_raw: Collection[str]) -> None:
    """Raises TableError for values that are implausible in a file, except in columns that hold raw counts."""
    _refuse_first(doubts_of_a_file({str(name): cells for name, cells in frame.items()}), place, known_raw)


def _refuse_first(suspicions: Iterable[Doubt], place: Place, known_raw: Collection[str]) -> None:
    for doubt in suspicions:
        if doubt.column not in known_raw:
            raise TableError(f"{place.name}, {place.row(doubt.row)}, column {doubt.column!r}: {doubt.sentence}")


def unit_factors(frame: pd.DataFrame, units: Mapping[str, str | float], place: Place) -> dict[str, float]:
    """Reads the factor of each column named in `units`.

    Args:
        frame: One row per measurement.
        units: A factor > 0 or a word of UNITS for each column.
        place: Names the table in messages.

    Returns:
        The factors by column.

    Raises:
        TableError: A unit is neither a number > 0 nor a word of UNITS, or a column is text or missing.
    """
    factors = {}
    for name, unit in units.items():
        if name not in frame or name in TEXTS:
            cause = "holds text" if name in TEXTS else "is not there" + suggestion(name, frame.columns)
            raise TableError(f"{place.name}: units are given for column {name!r}, which {cause}")
        try:
            factors[name] = UNITS.get(str(unit).casefold()) or float(unit)
        except (TypeError, ValueError):
            factors[name] = np.nan
        if not 0 < factors[name] < np.inf:
            expected = f"a number > 0 or one of {', '.join(UNITS)}"
            raise TableError(f"{place.name}: found units {unit!r} for column {name!r}, expected {expected}")
    return factors


def multiplied(frame: pd.DataFrame, factors: Mapping[str, float], place: Place) -> pd.DataFrame:
    """Multiplies each column that has a factor, as float64.

    Args:
        frame: One row per measurement.
        factors: Factors by column.
        place: Names the table in messages.

    Returns:
        The new frame.

    Raises:
        TableError: A cell is not a number.
    """
    return frame.assign(
        **{name: to_numbers(frame.loc[:, name], place, name) * factor for name, factor in factors.items()}
    )


def _number(cell: Any) -> float | None:
    if isinstance(cell, str):
        if not cell.strip():
            return np.nan
        if "_" in cell:  # Python would read "1_000"; no other program would
            return None
    elif cell is None or cell is pd.NA:
        return np.nan
    elif isinstance(cell, bool | np.bool_):
        return None
    try:
        return float(cell)
    except (TypeError, ValueError):
        return None


def _number_hint(column: str, cell: Any) -> str:
    suffixed = re.fullmatch(r"\s*([\d.]+)\s*([kmbt])\s*", str(cell), flags=re.IGNORECASE)
    if suffixed:
        return f" (write raw counts, or plain numbers and units={{{column!r}: {suffixed[2].upper()!r}}})"
    return " (write it without commas)" if re.fullmatch(r"\s*[\d.,]*\d[\d.,]*\s*", str(cell)) else ""


def _check_counts(columns: Mapping[str, pd.Series], place: Place) -> None:
    if "correct" not in columns:
        return
    if "trials" not in columns:
        raise missing_column(place, "trials", columns, "column 'correct'")
    bad = (columns["correct"] > columns["trials"]).to_numpy()
    trials = columns["trials"].iloc[int(bad.argmax())]
    place.refuse("correct", bad, columns["correct"], f"no more than the trials of that row, {trials}")


def check_sizes(columns: Mapping[str, pd.Series] | pd.DataFrame, place: Place) -> None:
    """Raises TableError for a model with two sizes, since its rows count as one run or as checkpoints of one.

    Only files are checked; a program may group the rows of a table in any way.
    """
    if "model" not in columns or "params" not in columns:
        return
    model, params = pd.factorize(columns["model"])[0], columns["params"].to_numpy()
    first = np.unique(model, return_index=True)[1][model]
    bad = params != params[first]
    row = int(bad.argmax())
    model_name, size, line = _format_cell(columns["model"].iloc[row]), params[first[row]], place.row(int(first[row]))
    expected = f"{size:g} as in {line}, for both are of model {model_name}"
    place.refuse("params", bad, pd.Series(columns["params"]), expected)


def _check_duplicates(frame: pd.DataFrame, place: Place) -> None:
    # Without names of models, equal params and tokens may be another seed: only a row repeated in full is a mistake.
    run_key = with_compute(RUN_KEY, frame.columns)
    key = [name for name in run_key if name in frame] if "model" in frame else list(frame.columns)
    hashable = frame[key].apply(lambda cells: cells.map(str) if cells.dtype == object else cells)
    repeated = hashable.duplicated().to_numpy()
    if repeated.any():
        second = int(repeated.argmax())
        group = hashable.groupby(key, sort=False, dropna=False).ngroup().to_numpy()
        first = int((group == group[second]).argmax())
        values = ", ".join(f"{name}={_format_cell(frame[name].iloc[second])}" for name in run_key if name in frame)
        note = "" if repeated.sum() == 1 else f" (and {repeated.sum() - 1} more repeated)"
        raise TableError(
            f"{place.name}, {place.row(second)}: repeats {place.row(first)} ({values}), expected one row for each"
            f" measurement{note}"
        )
