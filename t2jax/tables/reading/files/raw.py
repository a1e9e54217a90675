"""The cells of a file before anybody knows what they mean."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from t2jax.tables.place import Place
from t2jax.tables.source import Source


@dataclass(frozen=True)
class RawTable:
    """The cells of a file.

    Attributes:
        frame: Columns by their names in the file: texts of a text file, and typed values of other files.
        place: The file, with the line of each row if it has lines.
        earlier: Provenance that was written with the file, if any.
        by_t2jax: Whether t2jax wrote the file, so that its names mean what they say.
        notes: Sentences on how the file was read.
    """

    frame: pd.DataFrame
    place: Place
    earlier: Source = field(default_factory=Source)
    by_t2jax: bool = False
    notes: tuple[str, ...] = ()


def with_types(frame: pd.DataFrame) -> pd.DataFrame:
    """Gives columns of whole numbers, or of numbers, their type, and writes dates, lists and booleans as text."""
    return pd.DataFrame({name: _typed(cells) for name, cells in frame.items()})


def _typed(cells: pd.Series) -> pd.Series:
    kinds = {type(cell) for cell in cells}
    if kinds <= {int} and all(abs(cell) < 2**63 for cell in cells):
        return cells.astype(np.int64)
    if kinds <= {int, float}:
        return cells.astype(np.float64)
    plain = (str, int, float, bool, type(None))
    return cells.map(lambda cell: cell if isinstance(cell, plain) else str(cell))
