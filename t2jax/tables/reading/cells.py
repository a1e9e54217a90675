"""Numbers as people write them: "1.3B", "1,234", "3,72", "58 %" and "n/a"."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from t2jax.tables.columns import NUMBERS, SHARES, UNITS
from t2jax.tables.place import Place, TableError
from t2jax.tables.reading.headers import SCALED
from t2jax.tables.reading.repeats import first_of_equals, for_each_cell

NOT_MEASURED = frozenset(("n/a", "na", "#n/a", "null", "none", "-", "--", "—", "–"))
"""Cells that say, in lower case, that there is no value. An empty cell and `nan` may be mistakes, so they are asked."""
SUFFIXED = re.compile(r"(.+?)\s*([kmbt])", flags=re.IGNORECASE)
THOUSANDS = {
    ",": re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?"),
    ".": re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+(,\d*)?"),
}
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?|[+-]?\d+(\.\d{3})*,\d*")


@dataclass(frozen=True)
class Style:
    """How a file writes numbers.

    Attributes:
        decimal: The decimal mark, "." or ",".
        note: A sentence on it, empty where nothing is unusual.
    """

    decimal: str = "."
    note: str = ""


def style_of(frame: pd.DataFrame, given: str | None, place: Place) -> Style:
    """Finds the decimal mark of a file.

    Args:
        frame: The columns by their names in t2jax.
        given: The decimal mark that the user gives, if any.
        place: Names the file in messages.

    Returns:
        The style.

    Raises:
        TableError: Commas mean both marks, or a comma could mean either.
    """
    if given is not None:
        return Style(given)
    marks: dict[str, tuple[int, str, str]] = {}  # the first cell of each kind
    for name in (name for name in frame if name in NUMBERS and frame[name].dtype == object):
        for cell, row in zip(*first_of_equals(frame.loc[:, name]), strict=True):
            if (kind := _kind(cell)) is not None:
                marks.setdefault(kind, (int(row), name, str(cell)))
    where = {kind: f"{place.row(row)}, column {name!r}" for kind, (row, name, _) in marks.items()}
    thousands = next((kind for kind in ("thousands", "decimal point") if kind in marks), None)
    if "decimal comma" in marks:
        cell = marks["decimal comma"][2]
        if thousands is not None:
            raise TableError(
                f"{place.name}, {where['decimal comma']}: found {cell!r} with a decimal comma, but"
                f" {marks[thousands][2]!r} in {where[thousands]} is written otherwise: write all numbers in one way"
            )
        return Style(",", f"commas are decimal marks, as in {cell!r} ({where['decimal comma']})")
    commas = next((kind for kind in ("thousands", "either") if kind in marks), None)
    if commas is None:
        return Style()
    if thousands is None:
        raise TableError(
            f"{place.name}, {where['either']}: found {marks['either'][2]!r}, whose comma may be a decimal mark or stand"
            " between thousands: say decimal=',' or decimal='.', in commands --decimal"
        )
    return Style(".", f"commas stand between thousands, as in {marks[commas][2]!r} ({where[commas]})")


def _kind(cell: Any) -> str | None:
    """Returns what a cell tells of the marks of numbers, None for nothing."""
    if not isinstance(cell, str):
        return "decimal point" if isinstance(cell, float) and cell % 1 else None
    text = cell.strip().rstrip("%").strip()
    suffixed = SUFFIXED.fullmatch(text)
    text = suffixed[1] if suffixed else text
    if "," not in text:
        return "decimal point" if "." in text and _plain(text, Style()) and not THOUSANDS["."].fullmatch(text) else None
    if THOUSANDS[","].fullmatch(text):
        return "thousands" if text.count(",") > 1 or "." in text else "either"
    return "decimal comma" if DECIMAL_COMMA.fullmatch(text) else None


def number_of(cell: Any, column: str, style: Style, scaled: bool) -> Any:
    """Returns a number that is written in another way than Python's as a float, and any other cell as it is.

    Args:
        cell: The cell.
        column: Its column.
        style: How the file writes numbers.
        scaled: Whether the column has a unit, so that a suffix of its own would be a second one.

    Returns:
        A float, or the cell.
    """
    if not isinstance(cell, str):
        return cell
    text = cell.strip()
    if column in SHARES and text.endswith("%"):
        share = _plain(text[:-1].strip(), style)
        return cell if share is None else share / 100.0
    value = _plain(text, style)
    if value is not None:
        return value if style.decimal == "," or "," in text else cell  # Python reads it alike
    match = SUFFIXED.fullmatch(text) if column in SCALED and not scaled else None
    if match:
        value = _plain(match[1], style)
        if value is not None:
            return _times(value, UNITS[match[2].lower()])
    return cell


def _times(value: float, factor: float) -> float:
    """Multiplies by a power of ten without a digit of its own: 0.07 million is 70,000."""
    exact = value * factor
    return round(exact) if abs(exact) < 2**53 and abs(exact - round(exact)) < 1e-6 * abs(exact) else exact


def _plain(text: str, style: Style) -> float | None:
    """Returns the number of a text without suffix, None for any other text."""
    group = "," if style.decimal == "." else "."
    if THOUSANDS[group].fullmatch(text):
        if group == "." and text.count(".") == 1 and "," not in text:
            return None  # beside decimal commas, "1.234" may be 1.234 or 1234
        text = text.replace(group, "")
    elif group in text:
        return None
    text = text.replace(",", ".")
    if "_" in text or not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text):
        return None
    return float(text)


def normalised(frame: pd.DataFrame, style: Style, scaled: Mapping[str, float], place: Place) -> pd.DataFrame:
    """Writes numbers of columns with a fixed meaning as Python reads them.

    Args:
        frame: Columns by their names in t2jax.
        style: How the file writes numbers.
        scaled: Columns that have units.
        place: The file.

    Returns:
        The columns, with cells that are no numbers as they are.

    Raises:
        TableError: A number has a decimal point in a file with decimal commas.
    """
    columns = {}
    for name, cells in frame.items():
        if name not in NUMBERS or cells.dtype.kind in "iuf":
            columns[name] = cells
            continue
        read = for_each_cell(cells, partial(number_of, column=str(name), style=style, scaled=name in scaled))
        if style.decimal == ",":
            pointed = np.array([isinstance(cell, str) and "." in cell for cell in read], dtype=bool)
            place.refuse(str(name), pointed, cells, "a number with a decimal comma, as other cells have")
        columns[name] = pd.Series(read, dtype=object, index=cells.index)
    return pd.DataFrame(columns, index=frame.index)


def is_number(cell: Any) -> bool:
    """Tells whether a cell, after `number_of`, is a finite number."""
    if isinstance(cell, str):
        if "_" in cell or not cell.strip():
            return False
    elif cell is None or cell is pd.NA or isinstance(cell, bool | np.bool_):
        return False
    try:
        return bool(np.isfinite(float(cell)))
    except (TypeError, ValueError):
        return False


def says_missing(cell: Any, words: tuple[str, ...] = ()) -> bool:
    """Tells whether a cell says that nothing was measured, by NOT_MEASURED or by the user's words."""
    if not isinstance(cell, str):
        return bool(pd.isna(cell)) and ("" in words or "nan" in words)
    text = cell.strip().casefold()
    return text in NOT_MEASURED or text in {word.strip().casefold() for word in words}
