"""The cells of a CSV file of results: texts where a column has a fixed meaning, else numbers where all cells are."""

import pandas as pd

from t2jax.tables.columns import NUMBERS, TEXTS
from t2jax.tables.place import Place
from t2jax.tables.reading.files.text import numbers_or_text, text_cells


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
    fixed = {*NUMBERS, *TEXTS}
    columns = {title: cells if title in fixed else numbers_or_text(cells) for title, cells in raw.frame.items()}
    return pd.DataFrame(columns), raw.place
