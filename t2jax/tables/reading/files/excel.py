"""Reads the cells of an Excel file."""

import io
import warnings

import numpy as np
import pandas as pd

from t2jax.tables.place import Place, TableError, unique_names
from t2jax.tables.reading.files.raw import RawTable, with_types


def excel_cells(data: bytes, name: str, sheet: str | None) -> RawTable:
    """Reads a sheet of an .xlsx file whose first row with cells holds the column names.

    Args:
        data: Bytes of the file.
        name: Name of the file, for messages.
        sheet: Name of the sheet; None is the only one with cells.

    Returns:
        The cells, with the line of each row. Formulas have the values that Excel stored.

    Raises:
        TableError: The optional package openpyxl is missing, the file is damaged, or the sheet is open.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions, which hold no cells
            sheets = pd.read_excel(
                io.BytesIO(data), sheet_name=None, header=None, dtype=object, na_filter=False, engine="openpyxl"
            )
    except ImportError:
        raise TableError(
            f"{name}: Excel files need the package openpyxl (pip install 't2jax[excel]'); or save the sheet as CSV"
        ) from None
    except Exception as error:  # a damaged archive fails anywhere inside openpyxl
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TableError(f"{name}: not a whole Excel file ({reason})") from None
    filled = {str(title): cells for title, cells in sheets.items() if not _empty(cells).all()}
    if sheet is not None and sheet not in filled:
        raise TableError(
            f"{name}: there is no sheet {sheet!r} with cells, expected one of {', '.join(filled) or 'none'}"
        )
    if not filled:
        raise TableError(f"{name}: the file is empty, expected column names and rows")
    if sheet is None and len(filled) > 1:
        raise TableError(
            f"{name}: found sheets {', '.join(map(repr, filled))}, expected one: say sheet={next(iter(filled))!r}, in"
            " commands --sheet"
        )
    cells = filled[sheet or next(iter(filled))]
    cells = cells.where(~_empty_cells(cells), "")
    rows = np.flatnonzero(~_empty(cells))
    header, body = cells.iloc[rows[0]], cells.iloc[rows[1:]]
    named = [column for column in cells if str(header[column]).strip() or not (body[column] == "").all()]
    place = Place(name, rows[1:] + 1)
    titles = unique_names([header[column] for column in named], place)
    body = body[named].reset_index(drop=True)
    frame = pd.DataFrame({title: body[column] for title, column in zip(titles, named, strict=True)})
    return RawTable(with_types(frame), place)


def _empty_cells(cells: pd.DataFrame) -> pd.DataFrame:
    return cells.map(lambda cell: cell is None or cell != cell or (isinstance(cell, str) and not cell.strip()))


def _empty(cells: pd.DataFrame) -> np.ndarray:
    """Tells which rows have no cell."""
    return np.all(_empty_cells(cells).to_numpy(), axis=1) if cells.size else np.ones(len(cells), dtype=bool)
