"""What each column of a table means, and the refusal of tables that break it: one sentence that says where and why."""

import re
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from t2jax.tables.columns import NUMBERS, REQUIRED, RUN_KEY, TEXTS, UNITS
from t2jax.tables.magnitudes import doubts
from t2jax.tables.place import Place, TableError, _show, missing_column, suggestion, unique_names


def to_numbers(cells: pd.Series, place: Place, column: str, needed_by: str = "") -> np.ndarray:
    """Each cell as a float64, exactly as Python reads it; empty cells become NaN.

    Args: `cells` (rows,) of numbers or text; `place` and `column` name them in messages, `needed_by` who reads them.
    Returns: float64 array (rows,).
    Raises: TableError at the first cell that is not a number.
    """
    if cells.dtype.kind in "iuf":
        return cells.to_numpy(dtype=np.float64, na_value=np.nan)
    parsed = [_number(cell) for cell in cells]
    bad = np.array([value is None for value in parsed], dtype=bool)
    hint = _number_hint(column, cells.iloc[int(bad.argmax())]) if bad.any() else ""
    place.refuse(column, bad, cells, "a number" + (f", for {needed_by}" if needed_by else "") + hint)
    return np.array(parsed, dtype=np.float64)


def clean(frame: pd.DataFrame, place: Place, known_raw: Collection[str]) -> pd.DataFrame:
    """The frame with fixed columns as float64 or text, after every check; other columns are kept as they are.

    Args: `frame`, one row per measurement; `place` names it in messages; `known_raw` lists columns known to hold raw
        counts, on which small numbers are believed.
    Returns: a new frame (rows, columns) with rows numbered from 0.
    Raises: TableError with the first offence.
    """
    columns = dict(zip(unique_names(frame.columns, place), (cells for _, cells in frame.items()), strict=True))
    for name in REQUIRED:
        if name not in columns:
            raise missing_column(place, name, columns, "every table")
    if not len(frame):
        raise TableError(f"{place.name}: there are no rows below the column names, expected at least one measurement")
    for name, cells in columns.items():
        if name in NUMBERS:
            values = to_numbers(cells, place, name)
            finite = np.isfinite(values)
            good = finite & NUMBERS[name].accepts(np.where(finite, values, 1.0))
            place.refuse(name, ~good, cells, NUMBERS[name].expected)
            columns[name] = pd.Series(values)
        elif name in TEXTS:
            texts = ["" if missing else str(cell) for cell, missing in zip(cells, cells.isna(), strict=True)]
            place.refuse(name, np.array([not text.strip() for text in texts]), cells, "a name")
            columns[name] = pd.Series(texts, dtype=object)
        else:  # float32 would not survive being written as text
            columns[name] = cells.astype(np.float64) if cells.dtype.kind == "f" else cells
    _check_counts(columns, place)
    for doubt in doubts(columns):
        if doubt.column not in known_raw:
            raise TableError(f"{place.name}, {place.row(doubt.row)}, column {doubt.column!r}: {doubt.sentence}")
    cleaned = pd.DataFrame({name: cells.array for name, cells in columns.items()}, copy=True)
    _check_duplicates(cleaned, place)
    return cleaned


def multiplied(
    frame: pd.DataFrame, units: Mapping[str, str | float], place: Place
) -> tuple[pd.DataFrame, dict[str, float]]:
    """The frame with each column named in `units` multiplied, as float64, and the factors.

    Raises: TableError for a unit that is no number > 0 and no known word, a column of text or none of that name.
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
    scaled = {name: to_numbers(frame.loc[:, name], place, name) * factor for name, factor in factors.items()}
    return frame.assign(**scaled), factors


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
    """Refuse a model that has two sizes: its rows are taken as one run, or as checkpoints of one.

    It is asked of files. A program may group the rows of a table as it likes.
    """
    if "model" not in columns:
        return
    model, params = pd.factorize(columns["model"])[0], columns["params"].to_numpy()
    first = np.unique(model, return_index=True)[1][model]
    bad = params != params[first]
    row = int(bad.argmax())
    named, size, line = _show(columns["model"].iloc[row]), params[first[row]], place.row(int(first[row]))
    place.refuse("params", bad, pd.Series(columns["params"]), f"{size:g} as in {line}, for both are of model {named}")


def _check_duplicates(frame: pd.DataFrame, place: Place) -> None:
    # Without names of models, equal params and tokens may be another seed: only a row repeated in full is a mistake.
    key = [name for name in RUN_KEY if name in frame] if "model" in frame else list(frame.columns)
    hashable = frame[key].apply(lambda cells: cells.map(str) if cells.dtype == object else cells)
    again = hashable.duplicated().to_numpy()
    if again.any():
        second = int(again.argmax())
        group = hashable.groupby(key, sort=False, dropna=False).ngroup().to_numpy()
        first = int((group == group[second]).argmax())
        values = ", ".join(f"{name}={_show(frame[name].iloc[second])}" for name in RUN_KEY if name in frame)
        more = "" if again.sum() == 1 else f" (and {again.sum() - 1} more repeated)"
        raise TableError(
            f"{place.name}, {place.row(second)}: repeats {place.row(first)} ({values}), expected one row for each"
            f" measurement{more}"
        )
