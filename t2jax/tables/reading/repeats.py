"""Functions of cells, computed once for equal cells: a large table repeats its sizes, lengths and counts."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd


def first_of_equals(cells: pd.Series) -> tuple[list[Any], np.ndarray]:
    """Returns the different cells in the order of their first rows, and those rows.

    Cells that are not all texts count as different, because 1, 1.0 and True are equal in Python.

    Args:
        cells: Cells, shape (rows,).

    Returns:
        The different cells, and the first row of each, shape (different,).
    """
    if not _all_texts(cells):
        return list(cells), np.arange(len(cells))
    codes, texts = pd.factorize(cells)
    return list(texts), np.unique(codes, return_index=True)[1]


def for_each_cell(cells: pd.Series, function: Callable[[Any], Any]) -> np.ndarray:
    """Computes a function of each cell, once for equal texts.

    Args:
        cells: Cells, shape (rows,).
        function: Function of one cell.

    Returns:
        Its values as objects, shape (rows,).
    """
    codes, different = pd.factorize(cells) if _all_texts(cells) else (slice(None), list(cells))
    values = np.empty(len(different), dtype=object)
    values[:] = [function(cell) for cell in different]
    return values[codes]


def _all_texts(cells: pd.Series) -> bool:
    return pd.api.types.infer_dtype(cells, skipna=False) == "string"
