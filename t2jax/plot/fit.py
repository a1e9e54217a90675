"""Figures of a fit, each a function (ax, arrays) -> ax: predicted against observed, and residuals.

The caller brings the Axes, so nothing here touches pyplot or its global state. `plot.frontier` draws allocations.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from t2jax.plot.style import AXIS_LABELS, BLACK, BLUE, equal_axes, log_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def predicted_observed(ax: "Axes", observed: Any, predicted: Any, *, quantity: str = "loss") -> "Axes":
    """Prediction of the law against measurement, each (rows,), on log axes with the line of equality.

    quantity: the response column, which names the axes. Rows that are zero have no place on a log axis; they are left
    out and counted in the title.
    """
    observed, predicted = np.asarray(observed, float), np.asarray(predicted, float)
    shown = (observed > 0) & (predicted > 0)
    ax.plot(
        observed[shown], predicted[shown], "o", color=BLUE, markersize=4, alpha=0.5, markeredgewidth=0, label="runs"
    )
    equal_axes(ax, np.concatenate([observed[shown], predicted[shown]]), quantity)
    if not shown.all():
        ax.set_title(f"{np.sum(~shown)} of {shown.size} observations are zero and not shown", fontsize="small")
    ax.legend(loc="best", frameon=False)
    return ax


def residuals(
    ax: "Axes", x: Any, residual: Any, *, against: str = "params", ylabel: str = "log(observed / predicted)"
) -> "Axes":
    """Residuals against an input, both (rows,), on a log x axis with a line at zero.

    against: the column that x is, "params" or "tokens", which names the axis.
    """
    ax.axhline(0.0, color=BLACK, linewidth=1)
    ax.plot(x, residual, "o", color=BLUE, markersize=4, alpha=0.5, markeredgewidth=0)
    ax.set_xscale("log")
    log_ticks(ax)
    ax.set_xlabel(AXIS_LABELS.get(against, against))
    ax.set_ylabel(ylabel)
    return ax
