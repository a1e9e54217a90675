"""Rows left out of fits: which belong together, and fits without them that are compiled only once."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from t2jax.fitting.fit import Fit, fit
from t2jax.fitting.problem import prepare
from t2jax.laws.base import Law
from t2jax.noise.protocol import Noise
from t2jax.tables.place import TableError
from t2jax.tables.table import Table
from t2jax.typing import Array

By = Literal["run", "size", "budget"]
NEGLIGIBLE = 1e-30
"""The weight of a row that is left out. At 1e-12 such rows still chose values that the others leave undetermined."""
WITHIN = 0.05
CHAIN = 5  # a group may be this many times as wide as one gap


class NoFit(ValueError):
    """A fit that the question needs reached no optimum; the message names the law and says what happened."""


def left_out(table: Table, out: np.ndarray) -> Table:
    """The table with rows `out` (rows,) of negligible weight: every fit has as many rows, and is compiled once."""
    weight = table.weights()
    return table.with_columns(weight=np.where(out, NEGLIGIBLE, weight))


def fitted_rows(table: Table) -> np.ndarray:
    """Which rows of a table that `left_out` made are fitted, booleans (rows,)."""
    return table.weights() > NEGLIGIBLE


def groups(table: Table, by: By, within: float = WITHIN) -> np.ndarray:
    """The group of each row, numbered from 0, int (rows,): runs by first appearance, sizes and budgets by their size.

    run: `Table.runs`. size, budget: rows whose params, or 6ND, are equal as far as real tables have them equal: sorted,
    a new group begins where the value rises by more than the share `within` over the row before, or by more than five
    times that over the group's first row, so that evenly spread values do not all hang together. Gaps, unlike rounded
    logs, never part two neighbours at the edge of a bin.

    Raises ValueError for another `by` or a `within` that is not positive.
    """
    if by not in ("run", "size", "budget"):
        raise ValueError(f"rows are grouped by 'run', 'size' or 'budget', not {by!r}")
    if not within > 0:
        raise ValueError(f"within must be a share above 0, such as 0.05, not {within!r}")
    if by == "run":
        return table.runs()
    value = table["params"] if by == "size" else table.compute()
    order = np.argsort(value, kind="stable")
    ordered = value[order]
    found, first = np.zeros(len(table), int), ordered[0]
    for i in range(1, len(ordered)):
        new = ordered[i] > ordered[i - 1] * (1 + within) or ordered[i] > first * (1 + CHAIN * within)
        found[order[i]] = found[order[i - 1]] + new
        first = ordered[i] if new else first
    return found


def fit_without(
    law: type[Law],
    table: Table,
    out: np.ndarray,
    *,
    key: Array,
    noise: Noise | None = None,
    fixed: Mapping[str, float] | None = None,
    starts: int = 8,
) -> Fit:
    """`t2.fit` to the rows that are not `out` (rows,), with the shapes of the whole table, for one compilation.

    What starts and coordinates read of the rows left out is their N and D, and the median of all responses.
    Raises TableError where fewer rows are left than the fit has parameters, and as `t2.fit`.
    """
    require_rows_left(law, table, out, noise=noise, fixed=fixed)
    return fit(law, left_out(table, out), key=key, noise=noise, fixed=fixed, starts=starts)


def require_rows_left(
    law: type[Law],
    table: Table,
    out: np.ndarray,
    *,
    noise: Noise | None = None,
    fixed: Mapping[str, float] | None = None,
) -> None:
    """Raise TableError where fewer rows are left without `out` (rows,) than the fit has parameters, and as `t2.fit`."""
    problem, _ = prepare(law, table, noise, fixed or {})
    left, needed = int(np.sum(~out)), len(problem.names)
    if left < needed:
        raise TableError(
            f"{table.source.name}: {left} of {len(table)} rows are left to fit, but {law.__name__} needs at least"
            f" {needed}, one for each parameter"
        )
