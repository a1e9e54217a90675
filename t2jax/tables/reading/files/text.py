"""Reads the cells of a text file, with the line of each row."""

import csv
import io
import re
from collections.abc import Iterator

import numpy as np
import pandas as pd

from t2jax.tables.columns import NUMBERS, TEXTS
from t2jax.tables.place import Place, TableError, unique_names
from t2jax.tables.reading.files.raw import RawTable

UTF8_MARK, UTF16_MARKS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")
FOUND_SEPARATORS = (",", ";", "\t", "|")
NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}


def text_cells(data: bytes, name: str, separator: str | None = None, encoding: str | None = None) -> RawTable:
    """Reads the cells of a text file as text, and the line on which each row begins.

    Blank lines, rows of empty cells, columns without a name or a cell, and lines that begin with `#` are left out.

    Args:
        data: Bytes of the file.
        name: Name of the file, for messages.
        separator: Character between cells; None takes that of the line of column names.
        encoding: Encoding; None is UTF-8 with or without a byte order mark, or UTF-16 with one.

    Returns:
        The cells, with the line of each row.

    Raises:
        TableError: The file is empty, in another encoding, ragged, cut off, badly quoted or has another separator.
    """
    text = decoded(data, name, encoding)
    separator = separator or found_separator(_first_line(text))
    notes = [] if separator == "," else [f"cells are separated by {NAMES.get(separator, repr(separator))}"]
    if (plain := _plain_cells(text, separator)) is not None:
        frame = plain.set_axis(unique_names(list(plain), Place(name, np.ones(1, int))), axis=1)
        return RawTable(frame, Place(name, np.arange(2, 2 + len(frame))), notes=tuple(notes))
    lines = _Lines(text)
    records, starts = _records(lines, separator, name)
    if not records:
        raise TableError(f"{name}: the file is empty, expected column names and rows")
    if lines.comments and lines.comments[0] < starts[0] and all(map(_is_number, records[0])):
        raise TableError(
            f"{name}, line {starts[0]}: found numbers, expected column names; if they stand in line"
            f" {lines.comments[-1]}, which begins with '#', remove the '#'"
        )
    header, rows = records[0], records[1:]
    place = Place(name, np.array(starts[1:], dtype=int))
    for line, record in zip(starts, records, strict=True):
        if len(record) != len(header) and "".join(record).strip():
            cut_off = line == starts[-1] and len(record) < len(header)
            cause = "the file may be cut off" if cut_off else "the row is ragged"
            raise TableError(f"{name}, line {line}: found {len(record)} cells, expected {len(header)}; {cause}")
    full = np.array(["".join(record).strip() != "" for record in rows], dtype=bool)
    rows = [record for record, is_full in zip(rows, full, strict=True) if is_full]
    columns: list[tuple[str, ...]] = [*zip(*rows, strict=True)] if rows else [() for _ in header]
    named = [i for i, column in enumerate(columns) if header[i].strip() or "".join(column).strip()]
    unique = unique_names([header[i] for i in named], place)
    frame = pd.DataFrame({title: pd.Series(columns[i], dtype=object) for title, i in zip(unique, named, strict=True)})
    if lines.comments:
        several = len(lines.comments) > 1
        shown = ", ".join(map(str, lines.comments[:5])) + (", ..." if len(lines.comments) > 5 else "")
        notes.append(
            f"line{'s' * several} {shown} begin{'s' * (not several)} with '#' and {'are' if several else 'is'} no row"
        )
    return RawTable(frame, place.where(full), notes=tuple(notes))


def decoded(data: bytes, name: str, encoding: str | None) -> str:
    """Returns the text of a file. It raises TableError with line and byte for another encoding."""
    if encoding is None and data.startswith(UTF16_MARKS):
        encoding = "utf-16"
    start = len(UTF8_MARK) if data.startswith(UTF8_MARK) else 0
    try:
        return data[start:].decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        offset = start + error.start
        line = data.count(b"\n", 0, offset) + 1
        byte = f"byte 0x{data[min(offset, len(data) - 1)]:02x} at offset {offset}"
        hint = "" if encoding else "; of Excel or Windows: encoding='cp1252', in commands --encoding cp1252"
        raise TableError(f"{name}, line {line}: found {byte}, expected a file in {encoding or 'UTF-8'}{hint}") from None


def found_separator(header: str) -> str:
    """Returns the one character of FOUND_SEPARATORS in the line of column names, and a comma for none or several."""
    separators = [separator for separator in FOUND_SEPARATORS if separator in header]
    return separators[0] if len(separators) == 1 else ","


def _first_line(text: str) -> str:
    """Returns the first line that is neither blank nor a comment."""
    lines = io.StringIO(text, newline="")
    return next((line for line in lines if line.strip() and not line.lstrip().startswith("#")), "")


class _Lines:
    """Lines of a text without comments, which are lines that begin a record with `#`.

    Attributes:
        number: Number of the line that was read last, from 1.
        begins: Whether the next line begins a record.
        first_of_record: Number of the line on which the record that was read last begins.
        comments: Numbers of the comment lines.
    """

    def __init__(self, text: str):
        self._all = list(io.StringIO(text, newline=""))
        self.number, self.begins, self.first_of_record = 0, True, 1
        self.comments: list[int] = []

    def __iter__(self) -> Iterator[str]:
        while self.number < len(self._all):
            line = self._all[self.number]
            self.number += 1
            if self.begins and line.lstrip().startswith("#"):
                self.comments.append(self.number)
                continue
            if self.begins:
                self.first_of_record = self.number
            self.begins = False
            yield line


def _records(lines: _Lines, separator: str, name: str) -> tuple[list[list[str]], list[int]]:
    """Returns the cells of each record and the line on which it begins."""
    records, starts = [], []
    reader = csv.reader(iter(lines), strict=True, delimiter=separator)
    while True:
        lines.begins = True
        try:
            record = next(reader)
        except StopIteration:
            return records, starts
        except csv.Error as error:
            line = lines.first_of_record
            raise TableError(f"{name}, line {line}: {error}, expected CSV with every quotation mark closed") from None
        if "".join(record).strip() or len(record) > 1:  # a blank line is no row
            records.append(record)
            starts.append(lines.first_of_record)


def _plain_cells(text: str, separator: str) -> pd.DataFrame | None:
    """Reads a text in which every line is a record of as many cells, by the names in its first line.

    Such a text has no quotation marks, comments, empty rows or columns without a name. pandas reads it ten times as
    fast as Python's csv does. Any other text gives None.
    """
    empty_row = re.compile(rf"^[{re.escape(separator)} \t\r]*$", re.MULTILINE)
    if any(mark in text for mark in ('"', "#", "\0")) or text.count("\r") > text.count("\r\n"):
        return None
    text = text.removesuffix("\n")
    if empty_row.search(text):
        return None
    try:
        frame = pd.read_csv(
            io.StringIO(text, newline=""),
            sep=separator,
            header=None,
            dtype=object,
            quoting=csv.QUOTE_NONE,
            na_filter=False,
            skip_blank_lines=False,
        )
    except (ValueError, pd.errors.ParserError):
        return None
    header, (rows, columns) = frame.iloc[0], frame.shape
    cut_off = text.count(separator) < rows * (columns - 1)  # pandas fills short rows
    if cut_off or not all(map(str.strip, header)):
        return None
    return frame.iloc[1:].reset_index(drop=True).set_axis(list(header), axis=1)


def _is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False


def typed_cells(frame: pd.DataFrame, decimal: str = ".") -> pd.DataFrame:
    """Gives columns of numbers without a fixed meaning their type. Those of a fixed meaning are checked as text."""
    return pd.DataFrame(
        {
            name: cells if name in NUMBERS or name in TEXTS else numbers_or_text(cells, decimal)
            for name, cells in frame.items()
        }
    )


def numbers_or_text(cells: pd.Series, decimal: str = ".") -> pd.Series:
    """Converts cells to whole numbers or to numbers with NaN for empty cells, or leaves them as text."""
    if cells.dtype != object or not all(isinstance(cell, str) for cell in cells):
        return cells
    texts = [cell.strip() for cell in cells]
    if not any(texts) or any("_" in text or re.match(r"-?0\d", text) for text in texts):  # "007" is a name
        return cells
    try:
        return pd.Series([int(text) for text in texts], dtype=np.int64)
    except (ValueError, OverflowError):
        pass
    if decimal == "," and not any("." in text for text in texts):
        texts = [text.replace(",", ".") for text in texts]
    try:
        return pd.Series([float(text) if text else np.nan for text in texts], dtype=np.float64)
    except ValueError:
        return cells
