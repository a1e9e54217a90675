"""Figures of a frontier: optima against training compute, and isoFLOP curves with the optima."""

from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes

from t2jax.cli.figures import figure_of, save_panels
from t2jax.cli.fitting import LEVEL
from t2jax.cli.frontier.allocations import Allocations
from t2jax.cli.output import Output
from t2jax.cli.words import evenly
from t2jax.fitting.measured_range import MeasuredRange
from t2jax.plot.frontier import Optima, frontier_panels
from t2jax.plot.isoflop import draw_isoflops_of
from t2jax.plot.style import number, shared_legend
from t2jax.tables.table import Table

CURVES = 8
LEGEND = 3.4  # inches


def picture_frontier(
    solved: Allocations, table: Table | None, out: Output, below: str = "", measured: MeasuredRange | None = None
) -> None:
    """Draws figure 2 of the paper (optimal D/N, N, D) for several budgets, and figure 3 (isoFLOP curves).

    Rows of `table` at k = 1 are drawn on the curves. `below` is a folder in the output's. Budgets beyond the `measured`
    compute are shaded.
    """
    if solved.usable.sum() > 1:
        figure, axes = figure_of(3, LEGEND)
        largest = None if measured is None else measured.compute[1]
        frontier_panels(axes, solved.train[solved.usable], solved.optima(), LEVEL, largest)
        save_panels(figure, below + "frontier", out)
    served = None if solved.chinchilla is None else float(np.asarray(solved.budget.inference))
    figure, axes = figure_of(1 if served is None else 2, LEGEND)
    _isoflops(axes[0], solved, table, None)
    if "k" in type(solved.law).inputs():
        axes[0].set_title("one sample, k = 1", fontsize="medium")
    if served is not None:
        _isoflops(axes[1], solved, None, served)
        axes[1].set_title(f"k = C/2N, C = {number(served)} FLOPs per token served", fontsize="medium")
    shared_legend(axes)
    save_panels(figure, below + "isoflop", out)


def _isoflops(ax: Axes, solved: Allocations, table: Table | None, inference: float | None) -> None:
    """Draws the law over N with the optima of both rules, at k = 1 or with all samples that `inference` affords."""
    chosen = evenly(int(solved.usable.sum()), CURVES)
    most = np.inf if solved.budget.tokens_max is None else float(np.asarray(solved.budget.tokens_max))
    draw_isoflops_of(
        ax,
        solved.law,
        solved.train[solved.usable][chosen],
        [_select_budgets(optima, chosen) for optima in solved.optima()],
        laws=solved.laws,
        table=table,
        inference=inference,
        tokens_max=most,
        level=LEVEL,
    )


def _select_budgets(optima: Optima, chosen: np.ndarray) -> Optima:
    """Returns the optima of a rule at some of its budgets."""
    draws = None if optima.params_draws is None else (optima.params_draws[:, chosen], optima.tokens_draws[:, chosen])
    params_draws, tokens_draws = draws or (None, None)
    point = replace(optima, params=optima.params[chosen], tokens=optima.tokens[chosen])
    return replace(point, params_draws=params_draws, tokens_draws=tokens_draws)
