"""Checks that a law can be fitted at all."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.base import Law
from t2jax.tables.table import Table
from t2jax.typing import Array
from t2jax.working_precision import scope

ORDER = np.array([2.0, 5.0, 1.0, 3.0])  # rolled by one for each column, it is never sorted
SCALES = 1e9, 1.0
ROWS = len(ORDER)  # more than one, so that a sum over rows and a scalar differ from a column


@cache
def check_law(law: type[Law]) -> None:
    """Raises TypeError with the law and the mistake unless the law gives one real number for each row.

    The laws of t2jax are not checked, which takes as long as a small fit: its tests check each of them.
    """
    if law.__module__.startswith("t2jax.") and vars(sys.modules[law.__module__]).get(law.__qualname__) is law:
        return
    check_any_law(law)


def check_any_law(law: type[Law]) -> None:
    """Checks a law as `check_law` does, also one of t2jax.

    The law is traced on abstract columns of four rows, as `jax.jit` would do.
    It is also evaluated at one point: a row alone must have the same value as among others.
    """
    if "fields" not in vars(law):
        raise TypeError(f"{law.__name__} is not decorated: write @t2.law above its class")
    column = jax.ShapeDtypeStruct((ROWS,), np.dtype(float))
    rows = dict.fromkeys(law.columns().values(), column)
    value = jax.ShapeDtypeStruct((), np.dtype(float))
    called = f"{law.__name__}({', '.join(law.inputs())})"
    with _shorten_errors(called, f"columns of {ROWS} rows"), scope():
        predictions = jax.eval_shape(
            lambda values, rows: law(**values).predict(rows), dict.fromkeys(law.declared(), value), rows
        )
    if not isinstance(predictions, jax.ShapeDtypeStruct):
        raise TypeError(f"{called} gives {type(predictions).__name__}, expected one array")
    if predictions.shape != (ROWS,):
        raise TypeError(
            f"{called} gives shape {predictions.shape} for {ROWS} rows, expected ({ROWS},): one number per row"
        )
    if not jnp.issubdtype(predictions.dtype, jnp.floating):
        raise TypeError(f"{called} gives {predictions.dtype}, expected real numbers")
    with _shorten_errors(called, "a table of one row"):
        others = _reads_other_rows(law)
    if others:
        raise TypeError(
            f"{called} gives a row another value when other rows are there: predict each row from its own inputs, "
            "without sums, means or sorting over rows"
        )


@contextmanager
def _shorten_errors(called: str, rows: str) -> Iterator[None]:
    """Turns any exception of a law on such columns into one sentence."""
    try:
        yield
    except jax.errors.JAXTypeError as error:
        raise TypeError(
            f"{called} cannot be compiled: its inputs and parameters are arrays that JAX traces, so use jax.numpy and "
            f"jnp.where in place of NumPy, float() and if ({_first_line(error)})"
        ) from error
    except Exception as error:
        raise TypeError(f"{called} fails on {rows}: {_first_line(error)}") from error


def _reads_other_rows(law: type[Law]) -> bool:
    """Checks whether a row alone has another value than among other rows.

    Rows are near two scales in every column but samples, since a law that overflows or vanishes at one may hide this.
    """

    def rows_at(scale: float) -> dict[str, np.ndarray]:
        rows = {}
        for i, column in enumerate(law.columns().values()):
            # other powers, so that no ratio of two columns is the same in all rows
            rows[column] = (1.0 if column == "samples" else scale) * np.roll(ORDER, i) ** (1 + 0.1 * i)
        return rows

    with scope():
        instance = law(**{name: np.asarray(parameter.median()) for name, parameter in law.declared().items()})

        @jax.jit
        def predict_both(rows: Any) -> tuple[Array, Array]:
            one_row = jax.vmap(lambda row: instance.predict({name: cell[None] for name, cell in row.items()}))
            return instance.predict(rows), one_row(rows)

        pairs = [predict_both(rows_at(scale)) for scale in SCALES]
    return any(not np.allclose(among, np.ravel(alone), rtol=1e-4, atol=0.0, equal_nan=True) for among, alone in pairs)


def not_finite(law: type[Law], table: Table, columns: tuple[str, ...]) -> str:
    """Describes the first row at which the law is not finite, or has no log, at the prior medians.

    Args:
        law: A class of laws.
        table: The table to fit.
        columns: Columns of the table that the fit reads.

    Returns:
        A sentence with the row and the parameters, empty if there is no such row.
    """
    values = {name: parameter.median() for name, parameter in law.declared().items()}
    rows = {name: table[name] for name in columns}
    with scope():
        predictions = np.asarray(law(**values).predict({name: jnp.asarray(column) for name, column in rows.items()}))
    bad = np.flatnonzero(~np.isfinite(predictions))
    if not bad.size:
        bad = np.flatnonzero(predictions <= 0)  # most noise compares logs
    if not bad.size:
        return ""
    inputs = ", ".join(f"{name}={rows[name][bad[0]]:.6g}" for name in law.columns().values())
    parameters = ", ".join(f"{name}={value:.6g}" for name, value in values.items())
    return (
        f"{law.__name__} is {predictions[bad[0]]} at row {bad[0]} ({inputs}) with {parameters}, and at {bad.size} of"
        f" {len(table)} rows"
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".")
