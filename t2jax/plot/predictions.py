"""Figure of predictions beyond a table as a function of axes and arrays."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from t2jax.plot.style import AXIS_LABELS, BLUE, GREY, VERMILLION, legend_outside, log_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARGIN = 1.5
"""Room beside the outermost points, as a factor of compute."""


def predictions_against_compute(
    ax: "Axes", compute: Any, at: Mapping[str, Any], *, measured: tuple[Any, Any], response: str, level: float
) -> "Axes":
    """Draws predictions with their bands as bars against training compute, on log axes.

    `compute` is in FLOPs, shape (rows,). `at` has the columns of `Predictions.to_frame`. `measured` are the compute and
    the response of the rows that were fitted. Compute beyond them is shaded. `level` is that of the bands.
    """
    compute = np.asarray(compute, float)
    at = {name: np.asarray(at[name], float) for name in ("mean", "low", "high", "mean_low", "mean_high", "inside")}
    flops, values = (np.asarray(column, float) for column in measured)
    ax.plot(flops, values, "o", color=GREY, markersize=3, alpha=0.5, markeredgewidth=0, label="measured")
    bars = (("mean_low", "mean_high", 5, 0.35, "of the mean"), ("low", "high", 1.2, 1.0, "of one new run"))
    for low, high, width, alpha, whose in bars:
        label = f"{100 * level:g} % band {whose}"
        ax.vlines(compute, at[low], at[high], color=BLUE, linewidth=width, alpha=alpha, label=label)
    inside = at["inside"] > 0
    for chosen, face, edge, where in ((inside, BLUE, BLUE, "inside"), (~inside, "white", VERMILLION, "beyond")):
        if chosen.any():
            colours: dict[str, Any] = {"markerfacecolor": face, "markeredgecolor": edge}
            label = f"predicted, {where} the table"
            ax.plot(compute[chosen], at["mean"][chosen], "o", markersize=5, label=label, **colours)
    least, most = min(compute.min(), flops.min()) / MARGIN, max(compute.max(), flops.max()) * MARGIN
    label = "compute not measured"
    for start, end in ((least, flops.min()), (flops.max(), most)):
        if end > start * MARGIN * 1.01:
            ax.axvspan(start, end, color=GREY, alpha=0.15, linewidth=0, zorder=0, label=label)
            label = None
    ax.set(xscale="log", yscale="log", xlim=(least, most))
    ax.set_xlabel(AXIS_LABELS["train"])
    ax.set_ylabel(AXIS_LABELS.get(response, response))
    log_ticks(ax)
    legend_outside(ax)
    return ax
