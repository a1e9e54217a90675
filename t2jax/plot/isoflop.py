"""IsoFLOP pictures of a law: its prediction over N at each training budget, with measured rows and optima."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import jax
import numpy as np

from t2jax.laws.base import Law
from t2jax.laws.predict import evaluate
from t2jax.plot.frontier import Optima, isoflop_curves, isoflop_points, optima_on_isoflops
from t2jax.plot.measured import measured_columns, response_name
from t2jax.tables.table import Table
from t2jax.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZES, DRAWS = 41, 200


def draw_isoflops_of(
    ax: "Axes",
    law: Law,
    train: ArrayLike,
    optima: Sequence[Optima],
    *,
    laws: Law | None = None,
    table: Table | None = None,
    inference: float | None = None,
    tokens_max: float = np.inf,
    level: float = 0.9,
) -> "Axes":
    """Draw the law over N, within a factor of ten of the optima at each training budget, with these optima on it.

    Args:
        ax: axes of Matplotlib.
        law: one law with values.
        train: training budgets in FLOPs, shape (budgets,).
        optima: what each rule trains at these budgets.
        laws: draws of the law, leaves (draws,), for bands; at most 200 of them are used.
        table: its rows at k = 1 become points, where their training compute is in the range of the budgets.
        inference: FLOPs per token served, which pay for the samples; k = 1 without.
        tokens_max: the most tokens there are.
        level: of the bands.
    Returns:
        The axes.
    """
    train = np.asarray(train, float)
    params, tokens = _grid(train, optima, tokens_max)
    samples = _samples(params, inference)
    curves = np.where(samples >= 1, evaluate(law, params=params, tokens=tokens, samples=samples), np.nan)
    draws = None
    if laws is not None:
        few = jax.tree.map(lambda leaf: leaf[:DRAWS], laws)
        draws = evaluate(few, params=params, tokens=tokens, samples=samples)
    isoflop_curves(ax, params, curves, train, draws=draws, quantity=response_name(law, table), level=level)
    if table is not None:
        _points(ax, law, table, train)
    values = []
    for one in optima:
        drawn = _samples(np.asarray(one.params), inference)
        values.append(np.where(drawn >= 1, evaluate(law, params=one.params, tokens=one.tokens, samples=drawn), np.nan))
    return optima_on_isoflops(ax, optima, values, level)


def _points(ax: "Axes", law: Law, table: Table, train: np.ndarray) -> None:
    """The rows measured on one sample whose training compute lies in the range of the curves."""
    rows = measured_columns(law, table)
    flops = 6 * rows["params"] * rows["tokens"]
    shown = (rows["samples"] == 1) & (flops >= train.min() / 2) & (flops <= train.max() * 2) & (rows["observed"] > 0)
    if shown.any():
        isoflop_points(ax, rows["params"][shown], rows["observed"][shown], flops[shown], train)


def _grid(train: np.ndarray, optima: Sequence[Optima], tokens_max: float) -> tuple[np.ndarray, np.ndarray]:
    """N and D (budgets, sizes) within a factor of ten of each budget's optima, on all tokens that may be used."""
    optimal = np.array([one.params for one in optima])
    params = np.geomspace(optimal.min(axis=0) / 10, optimal.max(axis=0) * 10, SIZES, axis=1)
    return params, np.minimum(train[:, None] / (6 * params), tokens_max)


def _samples(params: np.ndarray, inference: float | None) -> np.ndarray:
    return np.ones_like(params) if inference is None else inference / (2 * params)
