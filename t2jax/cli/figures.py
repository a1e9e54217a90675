"""Figures of commands: axes and files are made here, and `t2jax.plot` draws."""

from contextlib import ExitStack

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from t2jax.cli.output import Output
from t2jax.files import save_figure
from t2jax.laws.base import Law
from t2jax.plot.draw_fit import draw_predicted_observed, draw_residuals
from t2jax.tables.table import Table


def figure_of(panels: int, legend: float = 0.0) -> tuple[Figure, list[Axes]]:
    """Returns a figure with panels side by side and `legend` inches beside the last, made without pyplot."""
    figure = Figure(figsize=(4.4 * panels + legend, 4.0), layout="constrained")
    return figure, list(np.atleast_1d(figure.subplots(1, panels)))


def save_panels(figure: Figure, name: str, out: Output) -> None:
    """Writes a figure as NAME.png and so on, in the formats of --figures, among the run's files."""
    with ExitStack() as files:
        for suffix in out.formats:
            files.enter_context(out.file(f"{name}.{suffix}"))
        save_figure(out.folder / name, figure, out.formats)


def picture_fit(law: Law, table: Table, out: Output, below: str = "") -> None:
    """Draws predicted against observed values, and residuals against params and tokens, or against compute alone."""
    figure, (ax,) = figure_of(1)
    draw_predicted_observed(ax, law, table)
    save_panels(figure, below + "predicted", out)
    inputs = ("params", "tokens") if table.has_sizes else ("compute",)
    figure, axes = figure_of(len(inputs))
    for ax, name in zip(axes, inputs, strict=True):
        draw_residuals(ax, law, table, against=name)
    save_panels(figure, below + "residuals", out)
