"""Settings such as a learning rate that differ between rows of one size, and the best row of each size."""

import numpy as np
import pandas as pd

from t2jax.tables.columns import NUMBERS, SIZE, TEXTS, with_compute
from t2jax.tables.place import TableError
from t2jax.tables.reading.headers import is_setting
from t2jax.tables.reading.recognise import shown
from t2jax.tables.table import Table


def swept_settings(table: Table) -> tuple[str, ...]:
    """Finds settings with the names of hyperparameters that differ inside most sizes of several rows.

    Args:
        table: The rows.

    Returns:
        Names of the columns, in order. A setting that is tuned to the size differs between sizes only.
    """
    named = [name for name in table.columns if is_setting(name)]
    return tuple(name for name in named if _varies(table, name, _sizes(table)))


def best_rows(table: Table, settings: tuple[str, ...]) -> Table:
    """Keeps the row of the lowest loss of each size after a sweep of settings.

    Args:
        table: The rows.
        settings: Columns of the swept settings.

    Returns:
        The best row of each size, in order.

    Raises:
        TableError: A column is missing. Or rows with equal settings differ in another column of few values, so that it
            is open whether that one was swept too.
    """
    table.require("loss", *settings, needed_by="best_of (--best-of)")
    group = _sizes(table, settings)
    fixed = {*NUMBERS, *TEXTS, *settings}
    for name in (name for name in table.columns if name not in fixed):
        levels = len(set(map(str, table[name])))
        if 2 <= levels <= len(table) / 3 and _varies(table, name, group):
            raise TableError(
                f"{table.source.name}: rows of equal size and equal {', '.join(settings)} differ in column {name!r}:"
                f" is that a swept setting too? Then say best_of={[*settings, name]!r}, in commands --best-of"
                f" {shown(','.join((*settings, name)))}; else select rows by where={{{name!r}: ...}},"
                f" in commands --where"
                f" {shown(f'{name}=...')}"
            )
    return table.keep_lowest("loss")


def _sizes(table: Table, settings: tuple[str, ...] = ()) -> np.ndarray:
    """Numbers the size, and the settings, of each row."""
    size = with_compute(SIZE, table.columns)
    columns = [name for name in table.columns if name in size or name in settings]
    frame = pd.DataFrame({name: table[name] for name in columns})
    return frame.groupby(columns, dropna=False, sort=False).ngroup().to_numpy()


def _varies(table: Table, name: str, group: np.ndarray) -> bool:
    """Tells whether a column has several values in more than half of the groups of several rows."""
    levels = pd.Series(pd.factorize(table[name].astype(str))[0]).groupby(group)
    several = levels.size() > 1
    return bool(several.any()) and bool((levels.nunique()[several] > 1).mean() > 0.5)
