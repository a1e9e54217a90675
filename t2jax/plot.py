"""Figures of a fit, each a function (ax, arrays) -> ax: predicted against observed, and residuals.

The caller brings the Axes, so nothing here touches pyplot or its global state. `plot_frontier` draws allocations.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

__all__ = ["BLACK", "BLUE", "GREY", "VERMILLION", "legend_outside", "plain_ticks", "predicted_observed", "residuals"]

# Okabe & Ito 2008: told apart with any colour vision, and in grey
BLUE, VERMILLION, BLACK, GREY = "#0072B2", "#D55E00", "#000000", "#666666"

AXIS_LABELS = {
    "params": "parameters N",
    "tokens": "training tokens D",
    "tokens_per_param": "tokens per parameter D/N",
    "samples": "samples k",
    "train": "training compute 6ND (FLOPs)",
    "loss": "loss (nats/token)",
    "neg_log_pass": "mean of -log pass@k (nats)",
    "pass_at_k": "pass@k (share of questions)",
}
"""What the axis of a table column says, with its unit; N, D and k are counts."""


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
    ends = _ends(np.concatenate([observed[shown], predicted[shown]]))
    ax.plot(ends, ends, "-", color=BLACK, linewidth=1, label="predicted = observed")
    ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    plain_ticks(ax.xaxis)
    plain_ticks(ax.yaxis)
    ax.set_aspect("equal")
    name = AXIS_LABELS.get(quantity, quantity)
    ax.set_xlabel(f"observed {name}")
    ax.set_ylabel(f"predicted {name}")
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
    ax.set_xlabel(AXIS_LABELS.get(against, against))
    ax.set_ylabel(ylabel)
    return ax


def legend_outside(ax: "Axes", title: str = "") -> None:
    """Put the legend to the right of the axes, where it covers no data; without a new title it keeps the one it has."""
    earlier = ax.get_legend()
    title = title or (earlier.get_title().get_text() if earlier else "")
    place = {"loc": "upper left", "bbox_to_anchor": (1.02, 1.0), "borderaxespad": 0.0}
    ax.legend(**place, frameon=False, alignment="left", title=title or None)


def plain_ticks(axis: "Axis") -> None:
    """Label a log axis that spans less than a decade with plain numbers, such as 2, 2.5 and 3 in place of 3·10⁰."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

    low, high = axis.get_view_interval()
    if high / low < 10:
        axis.set_major_locator(MaxNLocator(7, steps=[1, 2, 2.5, 5, 10]))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
        axis.set_minor_locator(NullLocator())


def _ends(values: np.ndarray) -> tuple[float, float]:
    """Limits of a log axis that hold all values with a little room."""
    low, high = float(values.min()), float(values.max())
    room = (high / low) ** 0.05 if high > low else 1.1
    return low / room, high * room
