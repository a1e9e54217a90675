"""Reads the cells of a CSV file and reports what is wrong with a file."""

import csv
import io
import re

import numpy as np
import pandas as pd

from t2jax.tables.columns import NUMBERS, TEXTS
from t2jax.tables.place import Place, TableError, unique_names

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def csv_cells(data: bytes, name: str) -> tuple[pd.DataFrame, Place]:
    """Reads the cells of a comma-separated file, and the line on which each row begins.

    Columns of fixed meaning stay text; others become numbers if every cell that is not empty is a number.

    Args:
        data: Bytes of the file, UTF-8 with or without a byte order mark.
        name: Name of the file, for messages.

    Returns:
        The cells, and the place with the line of each row.

    Raises:
        TableError: The file is empty, not UTF-8, ragged, cut off, badly quoted or has another separator.
    """
    start = len(BYTE_ORDER_MARK) if data.startswith(BYTE_ORDER_MARK) else 0
    try:
        text = data[start:].decode()
    except UnicodeDecodeError as error:
        offset = start + error.start
        line = data.count(b"\n", 0, offset) + 1
        byte = f"byte 0x{data[offset]:02x} at offset {offset}"
        raise TableError(f"{name}, line {line}: found {byte}, expected a file in UTF-8") from None
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


def _numbers_or_text(cells: pd.Series) -> pd.Series:
    """Converts cells to whole numbers or to numbers with NaN for empty cells, or leaves them as text."""
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
