"""The look that figures of experiments share: one column of a paper, 3.3 inches wide, with type of 8 points."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np

from t2jax.plot.style import GREY, SUPERSCRIPT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN = 3.3
"""Width of a figure, inches."""
LINE = 0.145
"""Height of a line of a legend, inches."""
DOTS = 300
"""Dots per inch of a PNG."""
SETTINGS: Any = {
    "font.size": 8,
    "figure.constrained_layout.w_pad": 0.07,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.titlepad": 3,
    "axes.labelsize": 8,
    "axes.labelpad": 2,
    "figure.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.pad": 2,
    "ytick.major.pad": 2,
    "legend.fontsize": 7,
    "legend.title_fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "legend.columnspacing": 1.2,
    "legend.labelspacing": 0.3,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "errorbar.capsize": 0,
}
LAWS = {
    "chinchilla": "Chinchilla",
    "kaplan": "Kaplan",
    "interaction": "with N and D interacting",
    "overtraining": "with overtraining",
    "broken-power": "broken powers",
    "T2Loss": "T² by loss",
    "T2LossOnKaplan": "T² by loss, on Kaplan",
    "T2PassK": "T² by pass@k",
    "T2PassKOnKaplan": "T² by pass@k, on Kaplan",
    "t2-loss": "T² by loss",
    "t2-loss-on-kaplan": "T² by loss, on Kaplan",
    "t2-pass-k": "T² by pass@k",
    "t2-pass-k-on-kaplan": "T² by pass@k, on Kaplan",
    "t2-pass-k-on-shared-exponent": "T² by pass@k, α = β",
    "t2-pass-k-naive": "all questions alike",
    "T2PassKNaive": "all questions alike",
    "shared-exponent": "Chinchilla, α = β",
}
"""Names of laws in words; Approach 1 of the T² paper is by loss, Approach 2 by pass@k."""

TABLES = {
    "chinchilla-epoch": "Hoffmann et al., read off a figure",
    "porian-refinedweb": "Porian et al., RefinedWeb",
    "gadre, C4": "Gadre et al., C4",
    "gadre, RedPajama": "Gadre et al., RedPajama",
    "testbed, loss": "testbed",
    "testbed, samples": "testbed, with samples",
}
SYMBOLS = {"alpha": "α", "beta": "β", "gamma": "γ", "sigma": "noise σ", "theta": "θ", "prediction": "a prediction"}
"""Of parameters."""


def settings() -> AbstractContextManager[None]:
    """Matplotlib with these settings: draw and save inside."""
    from matplotlib import rc_context

    return rc_context(SETTINGS)


def stacked(panels: int = 1, height: float = 2.0, **shared: Any) -> tuple["Figure", list["Axes"]]:
    """A figure of one column, with panels of this height in inches one below the other."""
    return small(panels, 1, height, **shared)


def small(panels: int, columns: int = 2, height: float = 1.25, **shared: Any) -> tuple["Figure", list["Axes"]]:
    """A figure of one column with rows of small panels, the last row only as full as it has to be."""
    from matplotlib.figure import Figure

    rows = -(-panels // columns)
    figure = Figure(figsize=(COLUMN, height * rows + 0.35), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False, **shared).flat)
    for ax in axes[panels:]:
        ax.remove()
    for ax in axes[max(0, panels - columns) : panels]:
        ax.tick_params(labelbottom=True)
    return figure, axes[:panels]


def common_legend(figure: "Figure", axes: Sequence["Axes"] | None = None, columns: int = 2, title: str = "") -> None:
    """One legend for what any of the panels shows, in place of their own: below them, or above a common label of x."""
    entries: dict[str, Any] = {}
    for ax in figure.axes if axes is None else axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
        if legend := ax.get_legend():
            legend.remove()
    lines = -(-len(entries) // columns) + bool(title)
    figure.set_figheight(figure.get_figheight() + LINE * lines)
    side = "upper" if figure.get_supxlabel() else "lower"
    place: dict[str, Any] = {"loc": f"outside {side} center", "ncols": columns, "frameon": False}
    figure.legend(list(entries.values()), list(entries), title=title or None, **place)


def draw_banded_points(ax: "Axes", forecast: Any, rows: np.ndarray, colour: str, label: str) -> None:
    """Predicted against observed values with their bands. forecast: observed, predicted, low and high, (rows,)."""
    ends = np.stack([forecast.predicted - forecast.low, forecast.high - forecast.predicted])[:, rows]
    ax.errorbar(
        forecast.observed[rows],
        forecast.predicted[rows],
        yerr=np.maximum(ends, 0.0),
        fmt="o",
        markersize=2,
        elinewidth=0.5,
        color=colour,
        label=label,
    )


def unmeasured(ax: "Axes", most: float, label: str = "beyond all measurements") -> None:
    """Shade what lies right of the largest value that was measured."""
    low, high = ax.get_xlim()
    if high > most:
        ax.axvspan(max(most, low), high, color=GREY, alpha=0.15, linewidth=0, zorder=0, label=label)
        ax.set_xlim(low, high)


def power(value: float) -> str:
    """A number as 10²⁴ or 1.4·10¹¹."""
    factor, exponent = f"{value:.1e}".split("e")
    ten = "10" + str(int(exponent)).translate(SUPERSCRIPT)
    return ten if factor == "1.0" else f"{factor.removesuffix('.0')}·{ten}"


def task_name(task: str) -> str:
    """A task in words: final_word as final word."""
    return task.replace("_", " ")


def table_name(table: str) -> str:
    """A table in words, as far as it has some."""
    return TABLES.get(table, table)


def symbol(parameter: str) -> str:
    """A parameter as one writes it: alpha as α, theta0 as θ0."""
    name = parameter.rstrip("0123456789")
    return SYMBOLS.get(name, name) + parameter[len(name) :]


def law_name(law: str) -> str:
    """A law in words, as far as it has some."""
    return LAWS.get(law, law)
