"""The columns of a table in the form that a fit reads, with equal rows merged."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import jax
import numpy as np

from t2jax.pytrees import register
from t2jax.tables.place import TableError
from t2jax.tables.table import Table
from t2jax.typing import Array, Float, Int

LEFT_OUT = 1e-12
"""Weight, relative to the largest, below which a row is left out."""


@dataclass(frozen=True)
class Measurements:
    """Distinct rows of a table, with the position and the weight of each row.

    Counts repeat often, since most questions are never solved, so merging saves time.

    Attributes:
        columns: Columns by name, each of shape (different,).
        weight: Weight of each row of the table, shape (rows,); 1 without a `weight` column.
        place: Index of each row of the table in the columns, shape (rows,).
    """

    columns: dict[str, Float[Array, " different"]]
    weight: Float[Array, " rows"]
    place: Int[Array, " rows"]

    def weighted(self, times: Float[Array, " rows"]) -> dict[str, Array]:
        """Adds a `weight` column that counts each row of the table `times` times its weight."""
        count = len(next(iter(self.columns.values())))
        return {**self.columns, "weight": jax.ops.segment_sum(self.weight * times, self.place, num_segments=count)}

    def every_row(self) -> dict[str, Array]:
        """Expands the columns to one entry per row of the table, with its `weight`."""
        return {**{name: column[self.place] for name, column in self.columns.items()}, "weight": self.weight}

    def padded(self) -> Self:
        """Adds rows of zero weight, so that tables of similar length share a compiled program.

        The first row is repeated. Sums over rows do not change if each term is multiplied by the row's weight.
        """
        extra = bucket(len(self.weight)) - len(self.weight)
        columns = {
            name: np.pad(column, (0, bucket(len(column)) - len(column)), constant_values=column[0])
            for name, column in self.columns.items()
        }
        split: Any = columns, np.pad(self.weight, (0, extra)), np.pad(self.place, (0, extra))
        return type(self)(*split)

    def on_device(self, dtype: Any) -> Self:
        """Converts to JAX arrays, with floats in the given precision."""
        # jnp.asarray would compile for every shape
        return jax.device_put(jax.tree.map(lambda leaf: leaf.astype(dtype) if leaf.dtype.kind == "f" else leaf, self))


@dataclass(frozen=True)
class Units(Measurements):
    """Columns of distinct units such as questions or runs, with columns of other lengths beside them."""

    def weighted(self, times: Float[Array, " units"]) -> dict[str, Array]:
        return {**self.columns, "weight": self.weight * times}

    def every_row(self) -> dict[str, Array]:
        return {**self.columns, "weight": self.weight}

    def padded(self) -> Self:
        return self


register(Measurements, ("columns", "weight", "place"))
register(Units, ("columns", "weight", "place"))


def measuring_rows(table: Table) -> np.ndarray:
    """Marks the rows whose weight is not negligible; those left out by their weight say nothing about a law."""
    weights = table.weights()
    return weights > LEFT_OUT * weights.max()


def largest(rows: dict[str, Array]) -> int:
    """Returns the number of entries of the largest column, by which the memory of a computation grows."""
    return max(column.size for column in rows.values())


def bucket(length: int) -> int:
    """Rounds a length up to a series with steps of a fifth: 16, 20, 23, 27, 32, ..."""
    step = math.ceil(4 * math.log2(max(length, 16) / 16) - 1e-9)
    return math.ceil(16 * 2 ** (step / 4))


def measurements(table: Table, columns: tuple[str, ...]) -> Measurements:
    """Reads the named columns of a table, which must exist and be numeric."""
    stacked = np.stack([table[name] for name in columns], axis=1)
    order = np.lexsort(stacked.T)
    ordered = stacked[order]
    new = np.r_[True, (ordered[1:] != ordered[:-1]).any(axis=1)]
    place = np.empty(len(table), int)
    place[order] = np.cumsum(new) - 1
    weight = table.weights()
    split: Any = dict(zip(columns, ordered[new].T, strict=True)), weight, place
    return Measurements(*split)


def inputs_of_runs(table: Table, columns: Sequence[str]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Groups rows by run and reads the named columns of each run.

    Args:
        table: Rows of checkpoints.
        columns: Columns that are equal over the rows of a run.

    Returns:
        The run of each row, shape (rows,), and the columns of each run, shape (runs,).

    Raises:
        TableError: The rows of a run differ in a column, so it is more than one checkpoint.
    """
    run = table.runs()
    first = np.unique(run, return_index=True)[1]
    for name in columns:
        if np.any(bad := table[name] != table[name][first][run]):
            i = int(bad.argmax())
            raise TableError(
                f"{table.source.name}: row {i} has {name} = {table[name][i]:g}, another row of its run"
                f" {table[name][first][run[i]]:g}, expected one checkpoint a run: give each its own `model`"
            )
    return run, {name: table[name][first] for name in columns}
