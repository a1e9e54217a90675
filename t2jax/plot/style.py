"""Colours, labels, ticks and legends of all figures."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# Okabe & Ito 2008: distinct for any colour vision, and in grey
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
BLACK, GREY = "#000000", "#666666"
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
AXIS_LABELS = {
    "params": "parameters N",
    "tokens": "training tokens D",
    "tokens_per_param": "tokens per parameter D/N",
    "samples": "samples k",
    "train": "training compute 6ND (FLOPs)",
    "compute": "training compute (FLOPs)",
    "loss": "loss (nats/token)",
    "neg_log_pass": "mean of -log pass@k (nats)",
    "pass_at_k": "pass@k (share of questions)",
}
"""Axis label of each table column, with its unit. N, D and k are counts."""


def equal_axes(ax: "Axes", values: np.ndarray, quantity: str) -> None:
    """Sets log axes of one scale that contain `values`, and draws the line of equality."""
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.1, 1.0)
    margin = (high / low) ** 0.05 if high > low else 1.1
    ends = (low / margin, high * margin)
    ax.plot(ends, ends, "-", color=BLACK, linewidth=1, label="predicted = observed")
    ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    log_ticks(ax)
    ax.set_aspect("equal")
    name = AXIS_LABELS.get(quantity, quantity)
    ax.set_xlabel(f"observed {name}")
    ax.set_ylabel(f"predicted {name}")


def legend_outside(ax: "Axes", title: str = "", **entries: Any) -> None:
    """Puts the legend to the right of the axes, where it covers no data. Without a new title, the old one stays.

    `handles` and `labels` in `entries` replace those of the axes.
    """
    earlier = ax.get_legend()
    title = title or (earlier.get_title().get_text() if earlier else "")
    place = {"loc": "upper left", "bbox_to_anchor": (1.02, 1.0), "borderaxespad": 0.0}
    ax.legend(**entries, **place, frameon=False, alignment="left", title=title or None)


def shared_legend(axes: Sequence["Axes"]) -> None:
    """Draws one legend for panels with the same entries, to the right of the last panel, and removes the others."""
    entries: list[tuple[str, Any]] = []
    for ax in axes:
        handles, labels = ax.get_legend_handles_labels()
        listed = {label for label, _ in entries}
        entries += [(label, handle) for label, handle in zip(labels, handles, strict=True) if label not in listed]
        if ax is not axes[-1] and (legend := ax.get_legend()):
            legend.remove()
    labels, handles = zip(*entries, strict=True)
    legend_outside(axes[-1], handles=handles, labels=labels)


def log_ticks(ax: "Axes") -> None:
    """Sets readable ticks on log axes: even steps below a decade, then 1, 2 and 5 if they fit, and powers of ten.

    Minor ticks appear up to three decades. Beyond, they are useless and take most of the drawing time.
    Labels are plain text such as 2·10⁸, because mathematical type needs a parser.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

    box, figure = ax.get_window_extent(), ax.get_figure(root=True)
    for axis, length, room in ((ax.xaxis, box.width, 0.45), (ax.yaxis, box.height, 0.2)):
        if axis.get_scale() != "log":
            continue
        fit = max(2, min(7, int(length / (room * (figure.dpi if figure else 100)))))
        low, high = axis.get_view_interval()
        decades = np.log10(high / low)
        even = MaxNLocator(fit, steps=[1, 2, 2.5, 5, 10])
        # as many of 1, 2 and 5 as there is room for
        steps = next((some for some in ((1, 2, 5), (1, 3)) if len(some) * decades <= fit), (1,))
        axis.set_major_locator(
            even if decades < 1 else LogLocator(subs=steps if decades < 2.5 else (1,), numticks=max(fit, 3))
        )
        axis.set_minor_locator(LogLocator(subs="auto") if 1 <= decades < 3 else NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
        axis.set_minor_formatter(NullFormatter())


def number(value: float, digits: int = 4) -> str:
    """Formats a number for axes and legends, with a power of ten outside 0.001 to 10,000: 0.02, 2.5, 10⁸, 2·10⁸."""
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return f"{value:.{digits}g}"
    factor, exponent = f"{value:.{digits - 1}e}".split("e")
    factor = factor.rstrip("0").rstrip(".")
    power = "10" + str(int(exponent)).translate(SUPERSCRIPT)
    return power if factor == "1" else f"{factor}·{power}"
