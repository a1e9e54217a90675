"""Counts of correct samples of many questions, tallied for each run: what a likelihood of rates needs to know."""

from dataclasses import dataclass
from typing import Any, Self

import jax.numpy as jnp
import numpy as np

from t2jax.pytrees import register
from t2jax.tables.measurements import Measurements, bucket, measurements
from t2jax.tables.table import Table
from t2jax.typing import Array, Float, Int

LEAST_ROWS = 10_000
"""Rows from which a table is tallied; below, the general form is fitted in a second."""
MOST_SLOTS = 20
"""Slots for each different row up to which tallies are cheaper than its log-gammas."""


@dataclass(frozen=True)
class Tallies(Measurements):
    """Distinct rows of a table of counts, which `weighted` tallies for each run.

    A run has one combination of the columns that a law reads. Its tallies are how many questions have more than j
    correct samples, more than j wrong ones, and more than j samples.

    Attributes:
        run: Index of the run of each distinct row, shape (different,).
        inputs: Columns that the law reads by name, shape (runs,) each.
        log_choose: Log of the binomial coefficient of each distinct row, shape (different,).
        slots: Values of j, shape (width,).
    """

    run: Int[Array, " different"]
    inputs: dict[str, Float[Array, " runs"]]
    log_choose: Float[Array, " different"]
    slots: Int[Array, " width"]

    def weighted(self, times: Float[Array, " rows"]) -> dict[str, Array]:
        """Tallies the counts, each row of the table `times` times its weight.

        In float32, sums of many logs have too few digits, so the rows stay apart.
        """
        rows = super().weighted(times)
        weight, shape = rows["weight"], (len(next(iter(self.inputs.values()))), len(self.slots))
        if weight.dtype == jnp.float32:
            return rows

        def beyond(counts: Array) -> Array:
            slot = counts.astype(int) - 1  # a count of 0 is above no slot, and is dropped
            slot = jnp.where(slot < 0, shape[1], slot)
            histogram = jnp.zeros(shape, weight.dtype).at[self.run, slot].add(weight, mode="drop")
            return jnp.cumsum(histogram[:, ::-1], axis=1)[:, ::-1]

        trials, correct = rows["trials"], rows["correct"]
        constant = jnp.zeros(shape[0], weight.dtype).at[self.run].add(weight * self.log_choose)
        return {
            **self.inputs,
            "weight": jnp.ones(shape[0], weight.dtype),
            "log_choose": constant,
            "correct_beyond": beyond(correct),
            "wrong_beyond": beyond(trials - correct),
            "trials_beyond": beyond(trials),
        }

    def padded(self) -> Self:
        base = Measurements(self.columns, self.weight, self.place).padded()
        different, runs = len(self.run), len(next(iter(self.inputs.values())))
        rows_beyond, runs_beyond = bucket(different) - different, bucket(runs) - runs
        split: Any = (
            base.columns,
            base.weight,
            base.place,
            np.pad(self.run, (0, rows_beyond)),
            {name: np.pad(column, (0, runs_beyond), constant_values=column[0]) for name, column in self.inputs.items()},
            np.pad(self.log_choose, (0, rows_beyond)),
            np.arange(bucket(len(self.slots))),
        )
        return type(self)(*split)


register(Tallies, ("columns", "weight", "place", "run", "inputs", "log_choose", "slots"))


def tallied(table: Table, columns: tuple[str, ...]) -> Measurements:
    """Reads the named columns of a table of counts, with tallies where the table is large and they are cheaper.

    Args:
        table: The table.
        columns: Names of the columns, `trials` and `correct` among them.

    Returns:
        The measurements, as `Tallies` for a large table.
    """
    rows = measurements(table, columns)
    names = [name for name in columns if name not in ("trials", "correct")]
    if len(table) < LEAST_ROWS or not names:
        return rows
    stacked = np.stack([np.asarray(rows.columns[name]) for name in names])
    inputs, run = np.unique(stacked, axis=1, return_inverse=True)
    trials, correct = np.asarray(rows.columns["trials"]), np.asarray(rows.columns["correct"])
    width = int(trials.max())
    if 3 * inputs.shape[1] * width > MOST_SLOTS * len(trials):
        return rows
    from scipy.special import gammaln  # slow to load, and only for large tables

    log_choose: Any = gammaln(trials + 1) - gammaln(correct + 1) - gammaln(trials - correct + 1)
    by_name: Any = dict(zip(names, inputs, strict=True))
    split: Any = run.ravel(), by_name, log_choose, np.arange(width)
    return Tallies(rows.columns, rows.weight, rows.place, *split)
