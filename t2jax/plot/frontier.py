"""Figures of allocations: isoFLOP curves with their optima, and the optimal N, D and D/N against training compute.

Each function takes axes and arrays and returns the axes. Bands are quantiles of the given draws.
They show figures 2 and 3 of Roberts et al. 2026 (2604.01411) with the uncertainty of a bootstrap or a posterior.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from t2jax.numerics.bands import band
from t2jax.plot.style import (
    AXIS_LABELS,
    BLACK,
    BLUE,
    GREY,
    VERMILLION,
    legend_outside,
    log_ticks,
    number,
    shared_legend,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import LogNorm

__all__ = [
    "Optima",
    "frontier_panels",
    "isoflop_curves",
    "isoflop_points",
    "optima_against_train",
    "optima_on_isoflops",
]

Quantity = Literal["tokens_per_param", "params", "tokens"]
COLOURS = (VERMILLION, BLUE)
MARKERS = ("o", "s")
BOOTSTRAP = "bootstrap interval"
RULE = 20.0  # tokens per parameter, the rule of thumb taken from Hoffmann et al. 2022


@dataclass(frozen=True)
class Optima:
    """Optimal N and D of one rule at every budget.

    Attributes:
        label: Name in the legend, such as "T² optimum".
        params: Optimal N, shape (budgets,).
        tokens: Optimal D, shape (budgets,).
        params_draws: Draws of N, shape (draws, budgets), if any.
        tokens_draws: Draws of D, shape (draws, budgets), if any.
        interval: Name of the interval that the draws give.
    """

    label: str
    params: Any
    tokens: Any
    params_draws: Any = None
    tokens_draws: Any = None
    interval: str = BOOTSTRAP

    def line(self, quantity: Quantity) -> np.ndarray:
        """Returns a quantity at every budget, shape (budgets,)."""
        return _quantity(quantity, np.asarray(self.params, float), np.asarray(self.tokens, float))

    def draws(self, quantity: Quantity) -> np.ndarray | None:
        """Returns a quantity in every draw, shape (draws, budgets), or None without draws."""
        if self.params_draws is None:
            return None
        return _quantity(quantity, np.asarray(self.params_draws, float), np.asarray(self.tokens_draws, float))


def frontier_panels(
    axes: Sequence["Axes"],
    train: Any,
    optima: Sequence[Optima],
    level: float = 0.9,
    largest_run: float | None = None,
) -> None:
    """Draws D/N, N and D against training compute on three axes, with one legend. This is figure 2 of the paper.

    `train` is in FLOPs, shape (budgets,). `optima` are up to two rules, such as the T² optimum and Chinchilla's.
    Budgets beyond `largest_run`, the largest measured compute, are shaded.
    """
    for ax, quantity in zip(axes, ("tokens_per_param", "params", "tokens"), strict=True):
        optima_against_train(ax, train, optima, quantity=quantity, level=level)
        least, most = np.min(train), np.max(train)
        if largest_run is not None and largest_run < most:
            start = max(largest_run, least)
            ax.axvspan(start, most, color=GREY, alpha=0.15, linewidth=0, zorder=0, label="beyond the largest run")
            legend_outside(ax)
    shared_legend(axes)


def optima_against_train(
    ax: "Axes", train: Any, optima: Sequence[Optima], *, quantity: Quantity, level: float = 0.9
) -> "Axes":
    """Draws one optimal quantity against training compute (budgets,), with a band for each rule.

    The 20:1 rule is dashed.
    """
    train = np.asarray(train, float)
    for rule, colour in zip(optima, COLOURS[: len(optima)], strict=True):
        ax.plot(train, rule.line(quantity), color=colour, linewidth=2, label=rule.label)
        if (draws := rule.draws(quantity)) is not None:
            spread = band(draws, level)
            label = f"{100 * level:g} % {rule.interval}"
            ax.fill_between(train, spread.low, spread.high, color=colour, alpha=0.2, linewidth=0, label=label)
    params = np.sqrt(train / (6 * RULE))
    ax.plot(train, _quantity(quantity, params, RULE * params), "--", color=BLACK, linewidth=1.2, label="D = 20 N")
    ax.set(xscale="log", yscale="log", xlim=(train.min(), train.max()))
    ax.set_xlabel(AXIS_LABELS["train"])
    ax.set_ylabel(f"optimal {AXIS_LABELS[quantity]}")
    log_ticks(ax)
    legend_outside(ax)
    return ax


def isoflop_curves(
    ax: "Axes",
    params: Any,
    values: Any,
    train: Any,
    *,
    draws: Any = None,
    quantity: str = "loss",
    level: float = 0.9,
    interval: str = BOOTSTRAP,
) -> "Axes":
    """Draws one curve over N for each training budget, light for large budgets, with bands if there are `draws`.

    `params` has shape (budgets, sizes). `values` are the law's predictions there, NaN if a budget has no such model.
    `train` is in FLOPs, shape (budgets,). `draws` are predictions (draws, budgets, sizes). `quantity` names the axis of
    the values, and `interval` the interval that the draws give.
    """
    params, values, norm = np.asarray(params, float), np.asarray(values, float), _norm(train)
    for i, budget in enumerate(np.asarray(train, float)):
        valid, colour = np.isfinite(values[i]), _colour(norm, budget)
        ax.plot(params[i, valid], values[i, valid], color=colour, linewidth=1.5, label=number(budget, 3))
        if draws is not None and valid.any():
            spread = band(np.asarray(draws, float)[:, i, valid], level)
            ax.fill_between(params[i, valid], spread.low, spread.high, color=colour, alpha=0.25, linewidth=0)
    ax.set(xscale="log", yscale="log")
    ax.set_xlabel(AXIS_LABELS["params"])
    ax.set_ylabel(AXIS_LABELS.get(quantity, quantity))
    log_ticks(ax)
    bands = f"\nbands: {100 * level:g} % {interval}" if draws is not None else ""
    legend_outside(ax, title=AXIS_LABELS["train"] + bands)
    return ax


def isoflop_points(ax: "Axes", params: Any, values: Any, flops: Any, train: Any) -> "Axes":
    """Draws measured rows on `isoflop_curves`, coloured by their training FLOPs, all of shape (rows,).

    The budgets of the curves, `train` of shape (budgets,), set the colours.
    """
    colours = [_colour(_norm(train), budget) for budget in np.asarray(flops, float)]
    ax.scatter(params, values, s=14, c=colours, edgecolors=GREY, linewidths=0.4, zorder=3, label="measured")
    log_ticks(ax)
    legend_outside(ax)
    return ax


def optima_on_isoflops(ax: "Axes", optima: Sequence[Optima], values: Sequence[Any], level: float = 0.9) -> "Axes":
    """Draws the path of each rule through the isoFLOP curves, with the interval of N at every budget as a bar.

    `values` are, for each of `optima`, the predictions at its allocations, shape (budgets,), NaN if there is none.
    """
    for rule, value, colour, marker in zip(optima, values, COLOURS, MARKERS, strict=False):
        line, error = rule.line("params"), None
        if (draws := rule.draws("params")) is not None:
            spread = band(draws, level)
            error = np.maximum([line - spread.low, spread.high - line], 0.0)
        bars = f"\n(bars: {100 * level:g} % {rule.interval} of N)" if error is not None else ""
        ax.errorbar(
            line,
            value,
            xerr=error,
            color=colour,
            marker=marker,
            markersize=5,
            markeredgecolor="white",
            linewidth=1.5,
            elinewidth=1,
            zorder=4,
            label=rule.label + bars,
        )
    log_ticks(ax)
    legend_outside(ax)
    return ax


def _quantity(quantity: Quantity, params: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    return {"params": params, "tokens": tokens, "tokens_per_param": tokens / params}[quantity]


def _norm(train: Any) -> "LogNorm":
    from matplotlib.colors import LogNorm

    train = np.asarray(train, float)
    return LogNorm(train.min(), max(train.max(), 10 * train.min()))  # a single budget needs a range too


def _colour(norm: "LogNorm", flops: float) -> Any:
    """Returns a colour of Viridis without its palest end, which is invisible on white."""
    from matplotlib import colormaps

    return colormaps["viridis"](0.9 * float(np.clip(norm(flops), 0.0, 1.0)))
