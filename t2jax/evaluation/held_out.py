"""Groups of rows to leave out of fits, and fits without them that share one compilation."""

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
"""Weight of a row that is left out. At 1e-12 such rows still decided values that the others leave undetermined."""
WITHIN = 0.05
CHAIN = 5  # a group may be this many times as wide as one gap


class NoFit(ValueError):
    """A fit reached no optimum where one is needed. The message names the law and the reason."""


def left_out(table: Table, out: np.ndarray) -> Table:
    """Gives rows a negligible weight, so that a fit ignores them.

    Every fit then has the same number of rows and shares one compilation.

    Args:
        table: The table.
        out: Rows to leave out, booleans of shape (rows,).

    Returns:
        The table with new weights.

    Examples:
        >>> table = t2.evaluation.left_out(runs, runs["params"] > 5e8)
        >>> table.weights()[:6]
        array([1.e+00, 1.e+00, 1.e+00, 1.e+00, 1.e+00, 1.e-30])
    """
    weight = table.weights()
    return table.with_columns(weight=np.where(out, NEGLIGIBLE, weight))


def fitted_rows(table: Table) -> np.ndarray:
    """Returns the rows of a table of `left_out` that are fitted, booleans of shape (rows,)."""
    return table.weights() > NEGLIGIBLE


def groups(table: Table, by: By, within: float = WITHIN) -> np.ndarray:
    """Numbers the group of each row from 0: runs by first appearance, sizes and budgets in increasing order.

    Rows share a size if their params are nearly equal, and a budget if their 6ND is. In sorted order a new group begins
    at a rise of more than the share `within` over the row before. It also begins at more than five times that over the
    first row of the group. Otherwise evenly spread values would form one chain. Unlike rounded logs, gaps never
    separate two neighbours at the edge of a bin.

    Returns:
        Group numbers, shape (rows,).

    Raises:
        ValueError: `by` is unknown, or `within` is not positive.
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
    group, first = np.zeros(len(table), int), ordered[0]
    for i in range(1, len(ordered)):
        new = ordered[i] > ordered[i - 1] * (1 + within) or ordered[i] > first * (1 + CHAIN * within)
        group[order[i]] = group[order[i - 1]] + new
        first = ordered[i] if new else first
    return group


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
    """Fits a law to the rows that are not `out` (rows,), with the shapes of the whole table, for one compilation.

    Starts and coordinates still use N and D of the other rows, and the median of all responses.

    Raises:
        TableError: Fewer rows remain than the fit has parameters. `t2.fit` lists the other errors.
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
    """Checks that enough rows remain without `out` (rows,).

    Raises:
        TableError: Fewer rows remain than the fit has parameters. `t2.fit` lists the other errors.
    """
    problem, _ = prepare(law, table, noise, fixed or {})
    rest, needed = int(np.sum(~out)), len(problem.names)
    if rest < needed:
        raise TableError(
            f"{table.source.name}: {rest} of {len(table)} rows are left to fit, but {law.__name__} needs at least"
            f" {needed}, one for each parameter"
        )
