"""A table's columns as a fit reads them: equal rows together, each row's weight apart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.pytrees import register
from t2jax.tables.place import TableError
from t2jax.tables.table import Table
from t2jax.typing import Array, Float, Int


@dataclass(frozen=True)
class Measurements:
    """Different rows once, and where each row of the table went.

    columns: name -> (different,). weight (rows,): of each row of the table, 1 without a `weight` column. place (rows,):
    its index in the columns. Counts repeat themselves a lot (most questions are solved never), which this saves.
    """

    columns: dict[str, Float[Array, " different"]]
    weight: Float[Array, " rows"]
    place: Int[Array, " rows"]

    def weighted(self, times: Float[Array, " rows"]) -> dict[str, Array]:
        """The columns with a `weight` that counts each row of the table `times` times its own weight."""
        count = len(next(iter(self.columns.values())))
        return {**self.columns, "weight": jax.ops.segment_sum(self.weight * times, self.place, num_segments=count)}

    def every_row(self) -> dict[str, Array]:
        """The columns with one entry per row of the table, and its `weight`."""
        return {**{name: column[self.place] for name, column in self.columns.items()}, "weight": self.weight}

    def padded(self) -> Self:
        """The same with more rows, of no weight, so that tables of nearly the same length share a compiled program.

        The first row is repeated. Sums over rows stay as they are where each term is multiplied by the row's weight.
        """
        extra = bucket(len(self.weight)) - len(self.weight)
        columns = {
            name: np.pad(column, (0, bucket(len(column)) - len(column)), constant_values=column[0])
            for name, column in self.columns.items()
        }
        split: Any = columns, np.pad(self.weight, (0, extra)), np.pad(self.place, (0, extra))
        return type(self)(*split)

    def on_device(self, dtype: Any) -> Self:
        """As arrays of JAX, those of floats in the given precision."""
        return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype if leaf.dtype.kind == "f" else None), self)


@dataclass(frozen=True)
class Units(Measurements):
    """Columns of units of which each is there once (questions, runs), beside columns of other lengths about them."""

    def weighted(self, times: Float[Array, " units"]) -> dict[str, Array]:
        return {**self.columns, "weight": self.weight * times}


register(Measurements, ("columns", "weight", "place"))
register(Units, ("columns", "weight", "place"))


def bucket(length: int) -> int:
    """The next length of a series that grows by a fifth from step to step: 16, 20, 23, 27, 32, ..."""
    step = math.ceil(4 * math.log2(max(length, 16) / 16) - 1e-9)
    return math.ceil(16 * 2 ** (step / 4))


def measurements(table: Table, columns: tuple[str, ...]) -> Measurements:
    """The named columns of a table, which must be there and numeric."""
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
    """The run of each row, (rows,), and the named columns of each run, (runs,).

    Raises TableError for a run whose rows differ in one of them: it is more than one checkpoint.
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
