"""Fits that leave rows out, for predictions of what was not fitted."""

import numpy as np

import t2jax as t2

NEGLIGIBLE = 1e-12


def left_out(rows: t2.Table, out: np.ndarray) -> t2.Table:
    """The table with rows `out` (rows,) of negligible weight: every fit has as many rows, and is compiled once."""
    weight = rows["weight"] if "weight" in rows else np.ones(len(rows))
    return rows.with_columns(weight=np.where(out, NEGLIGIBLE, weight))
