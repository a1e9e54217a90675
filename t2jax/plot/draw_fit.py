"""Figures of fits as functions of axes and results, apart from those of plans, which take long to load."""

from typing import TYPE_CHECKING

import numpy as np

from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.laws.predict import evaluate
from t2jax.plot.fit import predicted_observed, residuals
from t2jax.plot.measured import measured_columns, response_name
from t2jax.tables.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@check_arguments
def draw_predicted_observed(ax: "Axes", law: Law, table: Table) -> "Axes":
    """Draws the law's prediction against the measurement of each row, on log axes with the line of equality.

    Args:
        ax: Axes of Matplotlib.
        law: One law with values, such as `fit.law`.
        table: The measured rows. For counts, the figure shows pass@1 of each run.

    Returns:
        The axes.

    Examples:
        >>> from matplotlib.figure import Figure
        >>> ax = Figure().subplots()
        >>> t2.plot.draw_predicted_observed(ax, fit.law, runs).get_xlabel()
        'observed loss (nats/token)'
    """
    rows = measured_columns(law, table)
    return predicted_observed(ax, rows["observed"], evaluate(law, **rows), quantity=response_name(law, table))


@check_arguments
def draw_residuals(ax: "Axes", law: Law, table: Table, against: str = "params") -> "Axes":
    """Draws log(observed / predicted) of each row against one of its columns, without rows that measured zero.

    Args:
        ax: Axes of Matplotlib.
        law: One law with values, such as `fit.law`.
        table: The measured rows. For counts, the figure shows pass@1 of each run.
        against: Column on the x axis: "params", "tokens" or another input of the law.

    Returns:
        The axes.

    Examples:
        >>> from matplotlib.figure import Figure
        >>> ax = Figure().subplots()
        >>> t2.plot.draw_residuals(ax, fit.law, runs, against="tokens").get_xlabel()
        'training tokens D'
    """
    rows = measured_columns(law, table)
    shown = rows["observed"] > 0
    prediction = evaluate(law, **rows)
    return residuals(ax, rows[against][shown], np.log(rows["observed"][shown] / prediction[shown]), against=against)
