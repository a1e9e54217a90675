"""Figures of an audit as functions of axes and arrays: errors against distance, and rows by their ranges."""

from typing import TYPE_CHECKING, Any

import numpy as np

from t2jax.plot.style import BLACK, BLUE, GREY, VERMILLION, equal_axes, log_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["errors_against_ratio", "predicted_observed_marks"]

RATIO_LABELS = {
    "compute": "training compute 6ND / largest fitted",
    "tokens_per_param": "tokens per parameter / largest fitted",
    "samples": "samples k / most fitted",
}
LIGHT_BLUE = "#BFDBEC"
MARKS = {"fitted": (GREY, "."), "inside": (BLUE, "o"), "outside": (VERMILLION, "^")}
TEXTS = {
    "fitted": "fitted",
    "inside": "predicted, inputs in\nthe fitted ranges",
    "outside": "predicted, an input\nout of its range",
}


def errors_against_ratio(
    ax: "Axes",
    ratio: Any,
    predicted: Any,
    observed: Any,
    low: Any,
    high: Any,
    *,
    held_out: Any,
    in_ranges: Any,
    quantity: str,
    level: float,
) -> "Axes":
    """Draws errors of predictions in per cent against the ratio to the largest fitted row, all of shape (rows,).

    `low` and `high` are the ends of the band of each measurement, drawn as a bar. `held_out` and `in_ranges` are
    booleans. `quantity` is "compute", "tokens_per_param" or "samples", which names the axis.
    """
    ratio, predicted, held_out = np.asarray(ratio, float), np.asarray(predicted, float), np.asarray(held_out)
    ends = [100 * (np.asarray(end, float) / predicted - 1)[held_out] for end in (low, high)]
    # opaque, so that overlapping bars look like one
    ax.vlines(ratio[held_out], *ends, color=LIGHT_BLUE, linewidth=2, label=f"{level:.0%} band\nof a measurement")
    ax.axhline(0.0, color=BLACK, linewidth=1)
    ax.axvline(1.0, color=BLACK, linewidth=1, linestyle=":")
    error = 100 * (np.asarray(observed, float) / predicted - 1)
    for name, rows in _rows_by_mark(held_out, in_ranges).items():
        colour, mark = MARKS[name]
        ax.plot(ratio[rows], error[rows], mark, color=colour, markersize=4, markeredgewidth=0, label=TEXTS[name])
    ax.set_xscale("log")
    log_ticks(ax)
    ax.set_xlabel(RATIO_LABELS.get(quantity, quantity))
    ax.set_ylabel("observed / predicted - 1 (%)")
    return ax


def predicted_observed_marks(
    ax: "Axes", observed: Any, predicted: Any, *, held_out: Any, in_ranges: Any, quantity: str = "loss"
) -> "Axes":
    """Draws predictions against measurements, each (rows,), on log axes with the line of equality."""
    observed, predicted = np.asarray(observed, float), np.asarray(predicted, float)
    for name, rows in _rows_by_mark(np.asarray(held_out), in_ranges).items():
        colour, mark = MARKS[name]
        ax.plot(observed[rows], predicted[rows], mark, color=colour, markersize=4, markeredgewidth=0, label=TEXTS[name])
    equal_axes(ax, np.concatenate([observed, predicted]), quantity)
    return ax


def _rows_by_mark(held_out: np.ndarray, in_ranges: Any) -> dict[str, np.ndarray]:
    """Returns the rows of each mark, without marks that have none."""
    inside = np.asarray(in_ranges, bool)
    rows = {"fitted": ~held_out, "inside": held_out & inside, "outside": held_out & ~inside}
    return {name: mask for name, mask in rows.items() if mask.any()}
