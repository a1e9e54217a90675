"""Whether a law can be fitted at all: one sentence that names what is wrong in a law somebody has just written."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.base import Law
from t2jax.tables.table import Table
from t2jax.typing import Array
from t2jax.working_precision import scope

ORDER = np.array([2.0, 5.0, 1.0, 3.0])  # rolled by one for each column, it is never sorted
SCALES = 1e9, 1.0
ROWS = len(ORDER)  # more than one, so that a sum over rows and a scalar are told from a column


@cache
def check_law(law: type[Law]) -> None:
    """Raise TypeError, naming the law and the mistake, unless it gives one real number for each row.

    The law is traced on abstract columns of four rows, as `jax.jit` would, and computed at one place: every row alone
    must get what it gets among the others.
    """
    if "fields" not in vars(law):
        raise TypeError(f"{law.__name__} is not decorated: write @t2.law above its class")
    column = jax.ShapeDtypeStruct((ROWS,), np.dtype(float))
    rows = dict.fromkeys(law.columns().values(), column)
    value = jax.ShapeDtypeStruct((), np.dtype(float))
    called = f"{law.__name__}({', '.join(law.inputs())})"
    with _told(called, f"columns of {ROWS} rows"), scope():
        made = jax.eval_shape(
            lambda values, rows: law(**values).predict(rows), dict.fromkeys(law.declared(), value), rows
        )
    if not isinstance(made, jax.ShapeDtypeStruct):
        raise TypeError(f"{called} gives {type(made).__name__}, expected one array")
    if made.shape != (ROWS,):
        raise TypeError(f"{called} gives shape {made.shape} for {ROWS} rows, expected ({ROWS},): one number per row")
    if not jnp.issubdtype(made.dtype, jnp.floating):
        raise TypeError(f"{called} gives {made.dtype}, expected real numbers")
    with _told(called, "a table of one row"):
        others = _reads_other_rows(law)
    if others:
        raise TypeError(
            f"{called} gives a row another value when other rows are there: predict each row from its own inputs, "
            "without sums, means or sorting over rows"
        )


@contextmanager
def _told(called: str, on: str) -> Iterator[None]:
    """Turn whatever a law raises on such columns into one sentence."""
    try:
        yield
    except jax.errors.JAXTypeError as error:
        raise TypeError(
            f"{called} cannot be compiled: its inputs and parameters are arrays that JAX traces, so use jax.numpy and "
            f"jnp.where in place of NumPy, float() and if ({_first_line(error)})"
        ) from error
    except Exception as error:
        raise TypeError(f"{called} fails on {on}: {_first_line(error)}") from error


def _reads_other_rows(law: type[Law]) -> bool:
    """Whether any row gets another value alone than among others.

    Rows are near two scales, in every column but samples, as a law that overflows or vanishes at the one may show
    nothing there.
    """

    def rows_at(scale: float) -> dict[str, Array]:
        rows = {}
        for i, column in enumerate(law.columns().values()):
            # other powers, so that no ratio of two columns is the same in all rows
            rows[column] = jnp.asarray((1.0 if column == "samples" else scale) * np.roll(ORDER, i) ** (1 + 0.1 * i))
        return rows

    with scope():
        made = law(**{name: jnp.asarray(one.median()) for name, one in law.declared().items()})

        @jax.jit
        def predicted(rows: dict[str, Array]) -> tuple[Array, Array]:
            alone = jax.vmap(lambda row: made.predict({name: one[None] for name, one in row.items()}))(rows)
            return made.predict(rows), alone

        found = [predicted(rows_at(scale)) for scale in SCALES]
    return any(not np.allclose(among, np.ravel(alone), rtol=1e-4, atol=0.0, equal_nan=True) for among, alone in found)


def not_finite(law: type[Law], table: Table, columns: tuple[str, ...]) -> str:
    """Name the first row at which the law has no finite value, or no log, at its priors' medians; empty if none.

    columns: those of the table that the fit reads.
    """
    values = {name: one.median() for name, one in law.declared().items()}
    rows = {name: table[name] for name in columns}
    with scope():
        found = np.asarray(law(**values).predict({name: jnp.asarray(one) for name, one in rows.items()}))
    bad = np.flatnonzero(~np.isfinite(found))
    if not bad.size:
        bad = np.flatnonzero(found <= 0)  # most noise compares logs
    if not bad.size:
        return ""
    at = ", ".join(f"{name}={rows[name][bad[0]]:.6g}" for name in law.columns().values())
    given = ", ".join(f"{name}={value:.6g}" for name, value in values.items())
    return (
        f"{law.__name__} is {found[bad[0]]} at row {bad[0]} ({at}) with {given}, and at {bad.size} of {len(table)} rows"
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".")
