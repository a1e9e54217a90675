"""Predictions of a law at columns or at the rows of a table, compiled once per law type."""

import jax
import numpy as np

from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.tables.table import Table
from t2jax.typing import Array, ArrayLike
from t2jax.working_precision import scope


@check_arguments
def evaluate(law: Law, **columns: ArrayLike) -> np.ndarray:
    """Evaluates a law at columns, in the working precision.

    Args:
        law: A law, or a batch of laws with a leading axis of draws.
        columns: One column of shape (rows,) for each input: `params` for N, `tokens` for D, `samples` for k.
            A single number holds for every row.

    Returns:
        Predictions in the unit of the law's response, shape (rows,), or (draws, rows) for a batch.

    Examples:
        >>> t2.evaluate(law, params=np.array([1e8, 1e9]), tokens=2e10).round(3)
        array([2.885, 2.464])
    """
    with scope() as dtype:
        rows = {name: np.asarray(column, dtype) for name, column in columns.items()}
        law = jax.tree.map(lambda leaf: np.asarray(leaf, dtype), law)
        single = jax.tree.leaves(law)[0].ndim == 0
        return np.asarray((_predict_single if single else _predict_batch)(law, rows))


@check_arguments
def predict(law: Law, table: Table) -> np.ndarray:
    """Evaluates a law at every row of a table, in the working precision.

    Args:
        law: A law, or a batch of laws with a leading axis of draws.
        table: Rows with the columns that the law reads. A missing `samples` column means one sample.

    Returns:
        Predictions in the unit of the law's response, shape (rows,), or (draws, rows) for a batch.

    Raises:
        TableError: A column that the law reads is missing or has a cell that is no number.

    Examples:
        >>> rows = t2.Table.from_columns(params=[1e8, 1e9], tokens=[2e9, 2e10])
        >>> t2.predict(law, rows).round(3)
        array([3.321, 2.464])
    """
    columns = [name for name in type(law).columns().values() if name in table or name != "samples"]
    table.require_numbers(*columns, needed_by=type(law).__name__)
    return evaluate(law, **({"samples": 1.0} | {name: table[name] for name in columns}))


def _predict(law: Law, rows: dict[str, Array]) -> Array:
    return law.predict(rows)


_predict_single = jax.jit(_predict)
_predict_batch = jax.jit(jax.vmap(_predict, (0, None)))
