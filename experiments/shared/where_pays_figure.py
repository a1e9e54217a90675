"""The pictures of where_overtraining_pays: a map by verifier error and answer length, and four levers."""

from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.shared.pictures import COLUMN, common_legend
from t2jax.plot.style import BLACK, BLUE, GREEN, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {"oracle": BLUE, "verifier .95/.001": GREEN, "verifier .95/.02": VERMILLION}
CLOSE = 0.01
LEVERS = {  # field of the result, label, whether the axis is logarithmic
    "serving": ("samples that Chinchilla's\nmodel could draw", True),
    "cache": ("share of the KV cache\nin what decoding reads", False),
    "wall": ("unique tokens,\nover Chinchilla's tokens", True),
    "bits": ("bits of the weights", True),
}
QUANTITIES = {  # field of the plans, label
    "size": "N*,\nover Chinchilla's",
    "ratio": "D*/N*,\nover Chinchilla's",
    "samples": "samples k*",
    "gain": "gain of success over\nChinchilla's choice",
}


def draw_map(result: Any) -> "Figure":
    """The map on the left; the optimal size along four levers on the right."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.1 * COLUMN, 3.9), layout="constrained")
    parts = figure.subplot_mosaic([["map", "serving", "cache"], ["map", "wall", "bits"]], width_ratios=[1.5, 1, 1])
    _draw_grid(figure, parts["map"], result)
    for name in LEVERS:
        _draw_lever(parts[name], result, name, "size")
        parts[name].set(ylim=(0.08, 4.0))
        parts[name].set_yticks([0.1, 0.2, 0.5, 1.0, 2.0], ["0.1", "0.2", "0.5", "1", "2"])
        parts[name].minorticks_off()
        parts[name].axhline(1.0, color=BLACK, linewidth=0.5)
    parts["serving"].set_title("optimal size N*, over Chinchilla's")
    for name in ("serving", "wall"):
        parts[name].set(ylabel="N* over Chinchilla's")
    common_legend(figure, [parts["serving"], parts["bits"], parts["map"]], columns=2)
    return figure


def draw_levers(result: Any) -> "Figure":
    """Size, tokens per parameter, samples and gain, each along four levers."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.1 * COLUMN, 5.2), layout="constrained")
    grid = figure.subplots(len(QUANTITIES), len(LEVERS), sharex="col", sharey="row")
    for row, (quantity, label) in zip(grid, QUANTITIES.items(), strict=True):
        row[0].set_ylabel(label)
        for ax, name in zip(row, LEVERS, strict=True):
            _draw_lever(ax, result, name, quantity)
            if quantity != "gain":
                ax.set_xlabel("")
    common_legend(figure, columns=3)
    return figure


def _draw_grid(figure: "Figure", ax: "Axes", result: Any) -> None:
    from matplotlib.colors import LogNorm

    size = result.grid.size
    low = max(float(np.nanmin(size)), 1e-3)
    mesh = ax.pcolormesh(
        result.errors, result.answers, size, norm=LogNorm(low, max(1.0, 2 * low)), cmap="viridis", shading="gouraud"
    )
    if min(size.shape) > 2:
        ax.contour(result.errors, result.answers, result.grid.gain, levels=[CLOSE], colors="w")
        ax.annotate(
            "Chinchilla's\nchoice is\nwithin 1 %\nof questions", (0.98, 0.12), xycoords="axes fraction", color=BLACK,
            fontsize=6.5, ha="right",
        )  # fmt: skip
        sizes = ax.contour(
            result.errors, result.answers, size, levels=[0.03, 0.1, 0.3, 0.5], colors=BLACK, linewidths=0.6
        )
        ax.clabel(sizes, fmt="%g", fontsize=6)
    if result.rate[0] < np.log(2) < result.rate[-1]:
        edge = float(np.exp(np.interp(np.log(2), result.rate, np.log(result.answers))))
        ax.axhline(edge, color="w", linestyle="--", linewidth=1)
        ax.annotate(
            "at N/10, twice N\ngains .69 nats", (0.98, edge), xycoords=("axes fraction", "data"), color=BLACK,
            fontsize=6.5, ha="right", va="bottom",
        )  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel="wrong answers that the verifier accepts", ylabel="tokens of an answer")
    ax.set_title("where T²'s advice holds")
    figure.colorbar(mesh, ax=ax, location="bottom", aspect=35, pad=0.02, label="N* over Chinchilla's")


def _draw_lever(ax: "Axes", result: Any, lever: str, quantity: str) -> None:
    label, log = LEVERS[lever]
    for name, line in getattr(result, lever).items():
        way, _, selection = name.rpartition(", ")
        style = {"color": COLOURS[selection], "linestyle": ":" if way == "trained" else "-"}
        marks = {"marker": "o", "markersize": 2.5} if lever == "bits" else {}
        titles = {"rounded": "", "trained": f"{selection}, trained in these bits", "": selection}
        ax.plot(line.lever, getattr(line, quantity), label=titles[way] or "_", **style, **marks)
    ax.set(xlabel=label, yscale="linear" if quantity == "gain" else "log")
    if log:
        ax.set_xscale("log")
    if lever == "bits":
        ax.set_xticks([3, 4, 6, 8, 16], ["3", "4", "6", "8", "16"])
        ax.minorticks_off()
