"""Measurements of a law's response in a table, with their inputs, for figures."""

import numpy as np

from t2jax.laws.base import Law
from t2jax.noise.residuals import response
from t2jax.tables.table import Table


def response_name(law: Law, table: Table | None) -> str:
    """Returns the column that the law predicts: that of the table, or without one the law's first."""
    return law.response[0] if table is None else response(type(law), table)


def measured_columns(law: Law, table: Table) -> dict[str, np.ndarray]:
    """Returns `observed` with its inputs, each (rows,). For counts it is pass@1 of each run of each task.

    A run's pass@1 is the mean over its questions of correct / trials, which is unbiased for any number of trials.
    """
    name = response_name(law, table)
    if name in table:
        samples = table["samples"] if "samples" in table else np.ones(len(table))
        return _inputs(law, table) | {"samples": samples, "observed": table[name]}
    keys = [key for key in ("model", "params", "tokens", "task") if key in table]
    run = table.to_frame().groupby(keys, sort=False).ngroup().to_numpy()
    first = np.unique(run, return_index=True)[1]
    weight = table.weights()
    share = np.bincount(run, weight * table["correct"] / table["trials"]) / np.bincount(run, weight)
    inputs = {name: column[first] for name, column in _inputs(law, table).items()}
    return inputs | {"samples": np.ones(len(first)), "observed": share}


def _inputs(law: Law, table: Table) -> dict[str, np.ndarray]:
    columns = {"params", "tokens", *type(law).columns().values()}
    return {name: table[name] for name in sorted(columns) if name in table}
