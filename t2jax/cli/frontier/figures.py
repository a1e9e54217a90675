"""The figures of a frontier: optima against training compute, and isoFLOP curves with the optima on them."""

from dataclasses import replace

import jax
import numpy as np
from matplotlib.axes import Axes

from t2jax.cli.figures import figure_of, measured_columns, response_name, save_panels
from t2jax.cli.fitting import LEVEL
from t2jax.cli.frontier.allocations import Allocations
from t2jax.cli.output import Output
from t2jax.cli.words import evenly
from t2jax.laws.predict import evaluate
from t2jax.plot.frontier import Optima, frontier_panels, isoflop_curves, isoflop_points, optima_on_isoflops
from t2jax.plot.style import number, shared_legend
from t2jax.tables.table import Table

CURVES, SIZES, CURVE_DRAWS = 8, 41, 200
LEGEND = 3.4  # inches


def picture_frontier(solved: Allocations, table: Table | None, out: Output, below: str = "") -> None:
    """Figure 2 of the paper (optimal D/N, N, D) where there are several budgets, and figure 3 (isoFLOP curves).

    table: whose rows at k = 1 are put on the curves, if any. below: the folder in the output's.
    """
    if solved.usable.sum() > 1:
        figure, axes = figure_of(3, LEGEND)
        frontier_panels(axes, solved.train[solved.usable], solved.optima(), LEVEL)
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
    """The law over N with the optima of both rules, at k = 1 or with all samples that `inference` pays for."""
    chosen = evenly(int(solved.usable.sum()), CURVES)
    train = solved.train[solved.usable][chosen]
    optima = [_at(one, chosen) for one in solved.optima()]
    params, tokens = _grid(solved, train, optima)
    samples = _samples(params, inference)
    curves = np.where(samples >= 1, evaluate(solved.law, params=params, tokens=tokens, samples=samples), np.nan)
    draws = None
    if solved.laws is not None:
        few = jax.tree.map(lambda leaf: leaf[:CURVE_DRAWS], solved.laws)
        draws = evaluate(few, params=params, tokens=tokens, samples=samples)
    quantity = response_name(solved.law, table)
    isoflop_curves(ax, params, curves, train, draws=draws, quantity=quantity, level=LEVEL)
    if table is not None:
        _points(ax, solved, table, train)
    values = []
    for one in optima:
        drawn = _samples(np.asarray(one.params), inference)
        values.append(
            np.where(drawn >= 1, evaluate(solved.law, params=one.params, tokens=one.tokens, samples=drawn), np.nan)
        )
    optima_on_isoflops(ax, optima, values, LEVEL)


def _points(ax: Axes, solved: Allocations, table: Table, train: np.ndarray) -> None:
    """The rows measured on one sample whose training compute lies in the range of the curves."""
    rows = measured_columns(solved.law, table)
    flops = 6 * rows["params"] * rows["tokens"]
    shown = (rows["samples"] == 1) & (flops >= train.min() / 2) & (flops <= train.max() * 2) & (rows["observed"] > 0)
    if shown.any():
        isoflop_points(ax, rows["params"][shown], rows["observed"][shown], flops[shown], train)


def _grid(solved: Allocations, train: np.ndarray, optima: list[Optima]) -> tuple[np.ndarray, np.ndarray]:
    """N and D (budgets, sizes) within a factor of ten of each budget's optima, on all tokens that may be used."""
    optimal = np.array([one.params for one in optima])
    params = np.geomspace(optimal.min(axis=0) / 10, optimal.max(axis=0) * 10, SIZES, axis=1)
    most = np.inf if solved.budget.tokens_max is None else float(np.asarray(solved.budget.tokens_max))
    return params, np.minimum(train[:, None] / (6 * params), most)


def _samples(params: np.ndarray, inference: float | None) -> np.ndarray:
    return np.ones_like(params) if inference is None else inference / (2 * params)


def _at(one: Optima, chosen: np.ndarray) -> Optima:
    """The same rule at some of its budgets."""
    draws = None if one.params_draws is None else (one.params_draws[:, chosen], one.tokens_draws[:, chosen])
    params_draws, tokens_draws = draws or (None, None)
    point = replace(one, params=one.params[chosen], tokens=one.tokens[chosen])
    return replace(point, params_draws=params_draws, tokens_draws=tokens_draws)
