"""Figures of a fit as functions of axes and arrays: predicted against observed, and residuals.

The caller brings the axes, so nothing here touches pyplot or its global state.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from t2jax.plot.style import AXIS_LABELS, BLACK, BLUE, equal_axes, log_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def predicted_observed(ax: "Axes", observed: Any, predicted: Any, *, quantity: str = "loss") -> "Axes":
    """Draws predictions of the law against measurements, each (rows,), on log axes with the line of equality.

    `quantity` is the response column, which names the axes. Rows of zero have no place on a log axis. They are left out
    and counted in the title.
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
    """Draws residuals against an input, both (rows,), on a log x axis with a line at zero.

    `against` is the column of x, "params" or "tokens", which names the axis.
    """
    ax.axhline(0.0, color=BLACK, linewidth=1)
    ax.plot(x, residual, "o", color=BLUE, markersize=4, alpha=0.5, markeredgewidth=0)
    ax.set_xscale("log")
    log_ticks(ax)
    ax.set_xlabel(AXIS_LABELS.get(against, against))
    ax.set_ylabel(ylabel)
    return ax
