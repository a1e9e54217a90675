"""Residuals: the differences between measurements and a law's predictions."""

from collections.abc import Mapping
from typing import Literal

import jax
import jax.numpy as jnp

from t2jax.laws.base import Law
from t2jax.tables.table import Table
from t2jax.typing import Array, ArrayLike, Float

Rows = Mapping[str, Array]
Transform = Literal["identity", "log"]
ROW_ERROR = "loss_se"
"""Column of each row's standard error of the loss."""


def response(law: type[Law], table: Table) -> str:
    """Returns the response column that a law predicts: the first of `law.response` in the table, else the first."""
    return next((name for name in law.response if name in table), law.response[0])


def measured_response(name: str, rows: Rows) -> Array:
    """Returns the response `name` of rows, shape (rows,). For counts it is the share of correct samples."""
    return rows[name] if name in rows else rows["correct"] / rows["trials"]


def _inputs(law: type[Law], table: Table, but: str = "") -> tuple[str, ...]:
    # a loss without a samples column was measured on one sample
    single = "samples" if response(law, table) == "loss" and "samples" not in table else but
    return tuple(column for column in law.columns().values() if column != single)


def _response_column(law: type[Law], table: Table, transform: Transform) -> str:
    name = response(law, table)
    if transform == "log" and name != "loss" and name in table:  # tables refuse a loss of zero themselves
        table.require_positive(name, needed_by="noise of the log; take noise.Gaussian(), or leave such rows out")
    return name


def residual(law: Law, rows: Rows, transform: Transform) -> Float[Array, " rows"]:
    """Computes prediction minus response of each row, or with "log" the log of their ratio."""
    predicted, seen = law.predict(rows), observed(law, rows)
    return jnp.log(predicted / seen) if transform == "log" else predicted - seen


def _log_stretch(law: Law, rows: Rows, transform: Transform) -> ArrayLike:
    """Computes log |dy/dr| of a measurement y by its residual r.

    Without it, densities of y and of log y would not be comparable.
    """
    return jnp.log(observed(law, rows)) if transform == "log" else 0.0


def observed(law: Law, rows: Rows) -> Float[Array, " rows"]:
    """Returns the response of rows, by the first of its names among the columns."""
    return rows[next(name for name in law.response if name in rows)]


def row_error(law: Law, rows: Rows, transform: Transform) -> ArrayLike:
    """Returns the standard error of each row's loss or, with "log", of its log. It is 0 without that column."""
    if ROW_ERROR not in rows or next(name for name in law.response if name in rows) != "loss":
        return 0.0
    return rows[ROW_ERROR] / rows["loss"] if transform == "log" else rows[ROW_ERROR]


def _redraw_residuals(
    law: Law, rows: Rows, transform: Transform, key: Array, scale: ArrayLike = 1.0
) -> dict[str, Array]:
    """Resamples the residuals in units of each row's scale."""
    name = next(name for name in law.response if name in rows)
    residuals = residual(law, rows, transform) / scale
    drawn = scale * jax.random.choice(key, residuals, residuals.shape)
    predicted = law.predict(rows)
    return {name: predicted * jnp.exp(-drawn) if transform == "log" else predicted - drawn}
