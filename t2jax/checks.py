"""What each column of a table means, and the refusal of tables that break it: one sentence that says where and why."""

import csv
import difflib
import io
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["TEXTS", "Place", "TableError", "clean", "csv_cells", "missing_column", "multiplied", "unique_names"]


class TableError(ValueError):
    """A table or its file is refused; the message names file, column, row, value and what was expected."""


@dataclass(frozen=True)
class Column:
    """A numeric column of fixed meaning: its symbol in papers, its values in words, and a test of finite values."""

    name: str
    symbol: str
    expected: str
    accepts: Callable[[np.ndarray], np.ndarray]


NUMBERS = {
    column.name: column
    for column in (
        Column("params", "N", "a number of parameters > 0", lambda x: x > 0),
        Column("tokens", "D", "a number of training tokens > 0", lambda x: x > 0),
        Column("samples", "k", "a number of samples >= 1", lambda x: x >= 1),
        Column("loss", "L", "a loss > 0 in nats", lambda x: x > 0),
        Column("unique_tokens", "U", "a number of different tokens > 0", lambda x: x > 0),
        Column("error", "Err", "a share of wrong answers from 0 to 1", lambda x: (x >= 0) & (x <= 1)),
        Column("neg_log_pass", "-log pass@k", "a mean of -log pass@k >= 0", lambda x: x >= 0),
        Column("pass_at_k", "pass@k", "a probability from 0 to 1", lambda x: (x >= 0) & (x <= 1)),
        Column("trials", "n", "a whole number of trials >= 1", lambda x: (x >= 1) & (x == np.floor(x))),
        Column("correct", "c", "a whole number of correct trials >= 0", lambda x: (x >= 0) & (x == np.floor(x))),
        Column("weight", "w", "a weight > 0", lambda x: x > 0),
    )
}
TEXTS = ("model", "task", "question")
REQUIRED = ("params", "tokens")
RUN_KEY = ("model", "params", "tokens", "task", "question", "samples")
SMALLEST_LARGEST = 1e4  # a table whose largest model or token count is below this is written in millions or billions
UNITS = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
UNITS |= {"thousands": 1e3, "millions": 1e6, "billions": 1e9, "trillions": 1e12}
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


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


def near(name: str, known: Iterable[str]) -> str:
    """The words "; did you mean 'loss'?" for the one of `known` most like `name`, or nothing where none is alike."""
    folded = {other.casefold(): other for other in known}
    alike = difflib.get_close_matches(name.casefold(), folded, n=1)
    return f"; did you mean {folded[alike[0]]!r}?" if alike else ""


def missing_column(place: Place, name: str, present: Iterable[str], needed_by: str) -> TableError:
    """The error for a column that is not there: who needs it, what is there, and which of those may be it."""
    present = tuple(present)
    symbol = NUMBERS[name].symbol if name in NUMBERS else name
    hint = f"; rename column {symbol!r}?" if name != symbol and symbol in present else near(str(name), present)
    there = ", ".join(map(repr, present)) or "none"
    return TableError(f"{place.name}: column {name!r}, needed by {needed_by}, is missing; columns there: {there}{hint}")


def to_numbers(cells: pd.Series, place: Place, column: str) -> np.ndarray:
    """Each cell as a float64, exactly as Python reads it; empty cells become NaN.

    Args: `cells` (rows,) of numbers or text; `place` and `column` name them in messages.
    Returns: float64 array (rows,).
    Raises: TableError at the first cell that is not a number.
    """
    if cells.dtype.kind in "iuf":
        return cells.to_numpy(dtype=np.float64, na_value=np.nan)
    parsed = [_number(cell) for cell in cells]
    bad = np.array([value is None for value in parsed], dtype=bool)
    hint = _number_hint(column, cells.iloc[int(bad.argmax())]) if bad.any() else ""
    place.refuse(column, bad, cells, "a number" + hint)
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
    for name in REQUIRED:
        if name not in known_raw:
            _check_magnitude(name, columns[name], place)
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
            cause = "holds text" if name in TEXTS else "is not there" + near(name, frame.columns)
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


def csv_cells(data: bytes, name: str) -> tuple[pd.DataFrame, Place]:
    """The cells of a comma-separated file, and the line on which each row begins.

    Columns of fixed meaning are left as text; others become numbers where every cell that is not empty is one.
    Args: `data`, the bytes of the file, UTF-8 with or without a byte order mark; `name`, for messages.
    Raises: TableError if it is empty, not UTF-8, ragged, cut off, badly quoted or separated by something else.
    """
    start = len(BYTE_ORDER_MARK) if data.startswith(BYTE_ORDER_MARK) else 0
    try:
        text = data[start:].decode()
    except UnicodeDecodeError as error:
        at = start + error.start
        line = data.count(b"\n", 0, at) + 1
        found = f"byte 0x{data[at]:02x} at offset {at}"
        raise TableError(f"{name}, line {line}: found {found}, expected a file in UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    records, lines, line = [], [], 1
    try:
        for record in reader:
            if "".join(record).strip() or len(record) > 1:  # a blank line is no row
                records.append(record)
                lines.append(line)
            line = reader.line_num + 1  # a quoted cell may hold line breaks, so a row may take several lines
    except csv.Error as error:
        raise TableError(f"{name}, line {line}: {error}, expected CSV with every quotation mark closed") from None
    if not records:
        raise TableError(f"{name}: the file is empty, expected column names and rows")
    place = Place(name, np.array(lines[1:], dtype=int))
    header = unique_names(records[0], place)
    if len(header) == 1 and re.search(r"[;\t]", header[0]):
        raise TableError(f"{name}, line {lines[0]}: found one column {header[0]!r}, expected commas between columns")
    for line, record in zip(lines, records, strict=True):
        if len(record) != len(header):
            cut_off = line == lines[-1] and len(record) < len(header)
            cause = "the file may be cut off" if cut_off else "the row is ragged"
            raise TableError(f"{name}, line {line}: found {len(record)} cells, expected {len(header)}; {cause}")
    columns = zip(*records[1:], strict=True) if records[1:] else [() for _ in header]
    cells = {column: pd.Series(texts, dtype=object) for column, texts in zip(header, columns, strict=True)}
    fixed = {*NUMBERS, *TEXTS}
    return pd.DataFrame(
        {name: text if name in fixed else _numbers_or_text(text) for name, text in cells.items()}
    ), place


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


def _numbers_or_text(cells: pd.Series) -> pd.Series:
    """Whole numbers if all cells are, else numbers with NaN for empty cells, else the text as it stands."""
    texts = [cell.strip() for cell in cells]
    if not any(texts) or any("_" in text or re.match(r"-?0\d", text) for text in texts):  # "007" is a name
        return cells
    try:
        return pd.Series([int(text) for text in texts], dtype=np.int64)
    except (ValueError, OverflowError):
        pass
    try:
        return pd.Series([float(text) if text else np.nan for text in texts], dtype=np.float64)
    except ValueError:
        return cells


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


def _check_magnitude(name: str, values: pd.Series, place: Place) -> None:
    largest = int(values.to_numpy().argmax())
    if values.iloc[largest] < SMALLEST_LARGEST:
        raise TableError(
            f"{place.name}, {place.row(largest)}, column {name!r}: the largest value is {values.iloc[largest]:g},"
            f' expected raw counts, not millions or billions: pass units={{{name!r}: "M"}} or "B" to multiply it, or'
            f" units={{{name!r}: 1}} if it is a raw count (to read_table, or in Source for a table from memory; in"
            f" commands as --units {name}=M)"
        )


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
