"""The cells of a CSV file of results: texts where a column has a fixed meaning, else numbers where all cells are."""

import pandas as pd

from t2jax.tables.place import Place
from t2jax.tables.reading.files.text import text_cells, typed_cells


def csv_cells(data: bytes, name: str) -> tuple[pd.DataFrame, Place]:
    """Reads the cells of a file, and the line on which each row begins.

    Args:
        data: Bytes of the file.
        name: Name of the file, for messages.

    Returns:
        The cells, and the place with the line of each row.

    Raises:
        TableError: As `text_cells`.
    """
    raw = text_cells(data, name)
    return typed_cells(raw.frame), raw.place
