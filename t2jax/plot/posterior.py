"""Figures of priors and posteriors as functions of axes and arrays."""

from typing import TYPE_CHECKING, Any

import numpy as np

from t2jax.plot.style import AXIS_LABELS, BLACK, BLUE, GREY, VERMILLION, legend_outside, log_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["interval_observed", "marginal", "places", "places_against"]


def marginal(ax: "Axes", draws: Any, x: Any, prior: Any, *, name: str, unit: str = "") -> "Axes":
    """Draws a histogram of a parameter's draws (draws,), with the density of its prior at `x`, both (points,)."""
    x, draws = np.asarray(x, float), np.asarray(draws, float).ravel()
    bins = np.linspace(x[0], x[-1], 41)
    ax.hist(draws, bins, density=True, color=BLUE, alpha=0.5, linewidth=0, label="posterior")  # pyright: ignore
    ax.plot(x, prior, color=VERMILLION, linewidth=1.5, label="prior")
    ax.set(xlim=(x[0], x[-1]), ylim=(0, None), xlabel=f"{name} ({unit})" if unit and unit != "1" else name, yticks=[])
    return ax


def interval_observed(
    ax: "Axes", observed: Any, low: Any, mid: Any, high: Any, *, level: float, what: str, quantity: str = "loss"
) -> "Axes":
    """Draws the median and central interval of predictions against measurements, each (rows,), on log axes.

    `level` is the probability of the interval. `what` is "prior" or "posterior", for the legend.
    Rows of zero or less have no place on a log axis. They are left out and counted in the title.
    """
    observed, low, mid, high = (np.asarray(column, float) for column in (observed, low, mid, high))
    shown = (observed > 0) & (low > 0)
    x = observed[shown]
    ax.vlines(
        x,
        low[shown],
        high[shown],
        color=BLUE,
        alpha=0.3,
        linewidth=1.5,
        label=f"{100 * level:g} % {what} interval of the law",
    )
    ax.plot(x, mid[shown], "o", color=BLUE, markersize=3, markeredgewidth=0, label=f"{what} median")
    ends = (x.min() / 1.02, x.max() * 1.02) if len(x) else (0.1, 1.0)
    ax.plot(ends, ends, "-", color=BLACK, linewidth=1, label="predicted = observed")
    ax.set(xscale="log", yscale="log", xlim=ends)
    log_ticks(ax)
    name = AXIS_LABELS.get(quantity, quantity)
    ax.set(xlabel=f"observed {name}", ylabel=f"predicted {name}")
    if not shown.all():
        ax.set_title(f"{np.sum(~shown)} of {shown.size} rows are zero and not shown", fontsize="small")
    legend_outside(ax)
    return ax


def places(ax: "Axes", place: Any) -> "Axes":
    """Draws a histogram of the shares of new measurements below each row (rows,).

    It is flat if law and noise are right. The grey band covers 99 % of the bars of as many independent rows.
    """
    from scipy.stats import binom

    place = np.asarray(place, float)
    bins = int(np.clip(len(place) // 10, 5, 20))
    low, high = binom.ppf([0.005, 0.995], len(place), 1 / bins)
    ax.axhspan(low, high, color=GREY, alpha=0.25, linewidth=0, label="99 % of bars of\nindependent rows")
    ax.hist(place, np.linspace(0, 1, bins + 1).tolist(), color=BLUE, alpha=0.7, linewidth=0, label="rows")
    ax.set(xlim=(0, 1), xlabel="share of new measurements below the row", ylabel="rows")
    return ax


def places_against(ax: "Axes", x: Any, place: Any, *, level: float, against: str) -> "Axes":
    """Draws each row's share of new measurements below it against N, D or k, all of shape (rows,).

    A share `level` of the rows lies between the dashed lines.
    """
    for end, label in ((0.5 - level / 2, f"{100 * level:g} % of rows\nbetween"), (0.5 + level / 2, None)):
        ax.axhline(end, color=BLACK, linewidth=1, linestyle="--", label=label)
    ax.plot(x, place, "o", color=BLUE, markersize=3, markeredgewidth=0)
    ax.set(xscale="log", ylim=(-0.02, 1.02), xlabel=AXIS_LABELS.get(against, against))
    ax.set_ylabel("share of new measurements below the row")
    log_ticks(ax)
    return ax
