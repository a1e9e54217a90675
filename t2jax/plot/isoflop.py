"""IsoFLOP figures of a law: its prediction over N at each training budget, with measured rows and optima."""

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
    """Draws the law over N, within a factor of ten of the optima at each training budget, with these optima on it.

    Args:
        ax: Axes of Matplotlib.
        law: One law with values.
        train: Training budgets in FLOPs, shape (budgets,).
        optima: Optima of each rule at these budgets.
        laws: Draws of the law, leaves (draws,), for bands. At most 200 of them are used.
        table: Its rows at k = 1 become points if their training compute is in the range of the budgets.
        inference: FLOPs per token served, which pay for the samples. Without it, k = 1.
        tokens_max: Largest number of tokens.
        level: Probability of the bands.

    Returns:
        The axes.
    """
    train = np.asarray(train, float)
    params, tokens = _grid(train, optima, tokens_max)
    samples = _samples(params, inference)
    curves = np.where(samples >= 1, evaluate(law, params=params, tokens=tokens, samples=samples), np.nan)
    draws = None
    if laws is not None:
        some_laws = jax.tree.map(lambda leaf: leaf[:DRAWS], laws)
        draws = evaluate(some_laws, params=params, tokens=tokens, samples=samples)
    isoflop_curves(ax, params, curves, train, draws=draws, quantity=response_name(law, table), level=level)
    if table is not None:
        _points(ax, law, table, train)
    values = []
    for rule in optima:
        samples = _samples(np.asarray(rule.params), inference)
        values.append(
            np.where(samples >= 1, evaluate(law, params=rule.params, tokens=rule.tokens, samples=samples), np.nan)
        )
    return optima_on_isoflops(ax, optima, values, level)


def _points(ax: "Axes", law: Law, table: Table, train: np.ndarray) -> None:
    """Draws the rows measured on one sample whose training compute is in the range of the curves."""
    rows = measured_columns(law, table)
    flops = 6 * rows["params"] * rows["tokens"]
    shown = (rows["samples"] == 1) & (flops >= train.min() / 2) & (flops <= train.max() * 2) & (rows["observed"] > 0)
    if shown.any():
        isoflop_points(ax, rows["params"][shown], rows["observed"][shown], flops[shown], train)


def _grid(train: np.ndarray, optima: Sequence[Optima], tokens_max: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns N and D (budgets, sizes) within a factor of ten of each budget's optima, with all allowed tokens."""
    optimal = np.array([rule.params for rule in optima])
    params = np.geomspace(optimal.min(axis=0) / 10, optimal.max(axis=0) * 10, SIZES, axis=1)
    return params, np.minimum(train[:, None] / (6 * params), tokens_max)


def _samples(params: np.ndarray, inference: float | None) -> np.ndarray:
    return np.ones_like(params) if inference is None else inference / (2 * params)
