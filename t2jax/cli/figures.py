"""The figures that commands write: they gather the arrays, and `t2jax.plot` draws them."""

from contextlib import ExitStack

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from t2jax.cli.output import Output
from t2jax.files import save_figure
from t2jax.laws.base import Law
from t2jax.laws.predict import evaluate
from t2jax.noise.residuals import response
from t2jax.plot.fit import predicted_observed, residuals
from t2jax.tables.table import Table


def figure_of(panels: int, legend: float = 0.0) -> tuple[Figure, list[Axes]]:
    """A figure with panels side by side and `legend` inches beside the last, made without pyplot."""
    figure = Figure(figsize=(4.4 * panels + legend, 4.0), layout="constrained")
    return figure, list(np.atleast_1d(figure.subplots(1, panels)))


def save_panels(figure: Figure, name: str, out: Output) -> None:
    """Write a figure as NAME.png and so on, in the formats asked for, among the run's files."""
    with ExitStack() as files:
        for suffix in out.formats:
            files.enter_context(out.file(f"{name}.{suffix}"))
        save_figure(out.folder / name, figure, out.formats)


def picture_fit(law: Law, table: Table, out: Output, below: str = "") -> None:
    """Predicted against observed, and residuals against params and tokens."""
    rows = measured_columns(law, table)
    prediction = evaluate(law, **rows)
    figure, (ax,) = figure_of(1)
    predicted_observed(ax, rows["observed"], prediction, quantity=response_name(law, table))
    save_panels(figure, below + "predicted", out)
    figure, axes = figure_of(2)
    there = rows["observed"] > 0
    error = np.log(rows["observed"][there] / prediction[there])
    for ax, name in zip(axes, ("params", "tokens"), strict=True):
        residuals(ax, rows[name][there], error, against=name)
    save_panels(figure, below + "residuals", out)


def measured_columns(law: Law, table: Table) -> dict[str, np.ndarray]:
    """`observed` with its inputs, each (rows,); from counts, pass@1 of each run of each task.

    A run's pass@1 is the mean over its questions of correct / trials, which is unbiased whatever the trials.
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
    inputs = {name: one[first] for name, one in _inputs(law, table).items()}
    return inputs | {"samples": np.ones(len(first)), "observed": share}


def _inputs(law: Law, table: Table) -> dict[str, np.ndarray]:
    columns = {"params", "tokens", *type(law).columns().values()}
    return {name: table[name] for name in sorted(columns) if name in table}


def response_name(law: Law, table: Table | None) -> str:
    """What the law predicts: the column of the table, or without one the first that it can."""
    return law.response[0] if table is None else response(type(law), table)
