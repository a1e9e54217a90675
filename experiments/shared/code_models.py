"""Figures of t2_on_code_models: predicted against measured pass@k, and the frontier with what was not measured."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from experiments.shared.pictures import common_legend, draw_banded_points, law_name, power, small, stacked, unmeasured
from t2jax.fitting.measured_range import MeasuredRange
from t2jax.plot.style import AXIS_LABELS, BLACK, BLUE, GREEN, GREY, VERMILLION, log_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANELS = (("T2PassK", "bootstrap"), *((law, "discrepancy") for law in ("T2PassK", "T2PassKOnKaplan", "T2Loss")))
TITLES = {"bootstrap": "bootstrap only", "discrepancy": "with smooth deviations"}
COLOURS = {1: BLUE, 16: GREEN, 128: VERMILLION}


@dataclass(frozen=True)
class ForecastPoints:
    """Samples, measured and predicted pass@k of dearer rows, and the ends of their bands: each (rows,)."""

    samples: np.ndarray
    observed: np.ndarray
    predicted: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class OptimumCurves:
    """Optima over training budgets, with samples and for one: each quantity as low, point fit, high (3, budgets)."""

    train: np.ndarray
    with_samples: dict[str, np.ndarray]
    one_sample: dict[str, np.ndarray]
    ranges: MeasuredRange


def draw_forecasts(points: dict[tuple[str, str], ForecastPoints], cut: float) -> "Figure":
    """Predicted against measured pass@k of the runs beyond the cut, one panel for each law and kind of bands."""
    laws = [name for name in PANELS if name in points]
    figure, axes = small(len(laws), height=1.5, sharex=True, sharey=True)
    shown = [points[name] for name in laws]
    # bands may reach far below zero or above one; the panels show what a pass@k can be
    values = np.concatenate([np.r_[forecast.observed, forecast.predicted] for forecast in shown])
    low, high = max(0.0, values.min() - 0.05), min(1.0, values.max() + 0.05)
    for ax, name, forecast in zip(axes, laws, shown, strict=True):
        for k, colour in COLOURS.items():
            rows = forecast.samples == k
            draw_banded_points(ax, forecast, rows, colour, f"k = {k}")
        ax.plot([low, high], [low, high], color=BLACK, linewidth=0.8, label="equal")
        ax.set(xlim=(low, high), ylim=(low, high))
        ax.set_title(f"{law_name(name[0])}\n{TITLES[name[1]]}")
    figure.supxlabel("measured pass@k")
    figure.supylabel("predicted pass@k")
    common_legend(figure, columns=4, title=f"fitted up to {power(cut)} FLOPs; dearer runs, with 90 % bands")
    return figure


def draw_frontier(curves: OptimumCurves) -> "Figure":
    """Tokens per parameter and pass@k of the best models, shaded and dotted where no run was measured."""
    figure, (above, below) = stacked(2, 1.8, sharex=True)
    for name, result, colour in (
        ("one sample", curves.one_sample, VERMILLION),
        ("with samples", curves.with_samples, BLUE),
    ):
        middles = zip(*(result[quantity][1].tolist() for quantity in ("params", "tokens", "samples")), strict=True)
        inside = np.array([not curves.ranges.beyond(*middle) for middle in middles])
        for ax, quantity in ((above, "tokens_per_param"), (below, "value")):
            low, mid, high = result[quantity]
            ax.fill_between(curves.train, low, high, color=colour, alpha=0.25, linewidth=0, label=f"{name}, 90 %")
            ax.plot(curves.train, mid, ":", color=colour)
            ax.plot(curves.train, np.where(inside, mid, np.nan), color=colour, label=f"{name}, median")
    above.set(xscale="log", yscale="log", ylabel="tokens per parameter")
    below.set(xscale="log", ylabel="pass@k", ylim=(0, 1), xlabel=AXIS_LABELS["train"])
    bottom, top = above.get_ylim()
    least, most = curves.ranges.tokens_per_param or (bottom, top)
    for start, end in ((bottom, least), (most, top)):
        if start < end:
            above.axhspan(start, end, color=GREY, alpha=0.15, linewidth=0, zorder=0)
    above.set_ylim(bottom, top)
    for ax in (above, below):
        ax.set_xlim(curves.train[0], curves.train[-1])
        log_ticks(ax)
        unmeasured(ax, curves.ranges.compute[1], "not measured")
    common_legend(figure, title="dotted: models beyond the measured ranges")
    return figure
