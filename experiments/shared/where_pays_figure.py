"""The picture of where_overtraining_pays: a map by verifier error and answer length, and three levers."""

from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.shared.pictures import COLUMN
from t2jax.plot.style import BLACK, BLUE, GREEN, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLES = {
    "oracle": (BLUE, "-"),
    "verifier .95/.001": (GREEN, "-"),
    "verifier .95/.02": (VERMILLION, "-"),
}
CLOSE = 0.01


def draw_map(result: Any) -> "Figure":
    """The map on the left; the optimal size along the serving budget, the cache and the data wall on the right."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.1 * COLUMN, 4.9), layout="constrained")
    parts = figure.subplot_mosaic([["map", "serving"], ["map", "cache"], ["map", "wall"]], width_ratios=[1.25, 1])
    _draw_grid(figure, parts["map"], result)
    _draw_lines(parts["serving"], result.serving, "samples that Chinchilla's model could draw", log=True)
    _draw_lines(parts["cache"], result.cache, "share of the KV cache in the time of decoding", log=False)
    _draw_lines(parts["wall"], result.wall, "unique tokens over Chinchilla's tokens", log=True)
    handles, labels = parts["serving"].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower right", ncols=3, frameon=False)
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
        ax.plot([], [], color="w", label="right of it, another plan gains less than 1 % of questions")
        legend = ax.legend(loc="lower right", fontsize=6, labelcolor="w", facecolor=BLACK, frameon=True)
        legend.get_frame().set_alpha(0.45)
        sizes = ax.contour(
            result.errors, result.answers, size, levels=[0.03, 0.1, 0.3, 0.5], colors=BLACK, linewidths=0.6
        )
        ax.clabel(sizes, fmt="%g", fontsize=6)
    if result.rate[0] < np.log(2) < result.rate[-1]:
        edge = float(np.exp(np.interp(np.log(2), result.rate, np.log(result.answers))))
        ax.axhline(edge, color="w", linestyle="--", linewidth=1)
        ax.annotate(
            "N/10: a doubling of N gains .69 nats", (0.98, edge), xycoords=("axes fraction", "data"), color="w",
            fontsize=6.5, ha="right", va="bottom",
        )  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel="wrong answers that the verifier accepts", ylabel="tokens of an answer")
    ax.set_title("optimal size N*, as a share of Chinchilla's")
    figure.colorbar(mesh, ax=ax, location="bottom", aspect=35, pad=0.02)


def _draw_lines(ax: "Axes", lines: dict[str, Any], label: str, log: bool) -> None:
    for name, line in lines.items():
        colour, style = STYLES[name]
        ax.plot(line.lever, line.size, style, color=colour, label=name)
    ax.axhline(1.0, color=BLACK, linewidth=0.5)
    ax.set(ylim=(0, 1.05), xlabel=label, ylabel="N* as a share")
    if log:
        ax.set_xscale("log")
