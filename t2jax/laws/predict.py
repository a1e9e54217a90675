"""A law's predictions, at columns or at the rows of a table, in the working precision; compiled once a law type."""

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.tables.table import Table
from t2jax.typing import Array, ArrayLike
from t2jax.working_precision import scope


@check_arguments
def evaluate(law: Law, **columns: ArrayLike) -> np.ndarray:
    """The law at columns of one shape (rows,), by their names, or (draws, rows) for a batch of laws.

    columns: one for each input, N as `params` and so on; single numbers hold for every row.
    """
    with scope() as dtype:
        rows = {name: jnp.asarray(one, dtype) for name, one in columns.items()}
        law = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), law)
        single = jax.tree.leaves(law)[0].ndim == 0
        return np.asarray((_one if single else _each)(law, rows))


@check_arguments
def predict(law: Law, table: Table) -> np.ndarray:
    """The law at every row of a table, (rows,), or (draws, rows) for a batch of laws. One sample where no k is given.

    Raises TableError for an input that the table lacks, or has no number of in a row.
    """
    columns = [name for name in type(law).columns().values() if name in table or name != "samples"]
    table.require_numbers(*columns, needed_by=type(law).__name__)
    return evaluate(law, **({"samples": 1.0} | {name: table[name] for name in columns}))


def _at(law: Law, rows: dict[str, Array]) -> Array:
    return law.predict(rows)


_one = jax.jit(_at)
_each = jax.jit(jax.vmap(_at, (0, None)))
