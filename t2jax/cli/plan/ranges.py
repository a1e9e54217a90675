"""Plans over ranges of prices and utilisation, together with draws of the law."""

from collections.abc import Sequence

import jax
import numpy as np

from t2jax.cli.frontier.smooth_draws import DRAWS, SmoothDraws, draw_smooth_optima
from t2jax.extrapolation.law_choice import LawChoice
from t2jax.laws.base import Law
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import side_by_side
from t2jax.planning.plan import Plan

POINTS, SMOOTH_POINTS, LEVER_POINTS = 64, 8, 32
"""Numbers of points in the ranges: for draws of a law, for draws with deviations, which take longer, and in a page."""


def plans_over_ranges(law: Law, laws: Law | None, budgets: Sequence[Budget]) -> Plan:
    """Returns the plan of each draw at one point of the ranges in turn, or of the law at every point without draws."""
    leaves = jax.tree.leaves(law if laws is None else laws)
    count = len(budgets) if laws is None else len(np.atleast_1d(leaves[0]))
    drawn = jax.tree.map(lambda leaf: np.broadcast_to(np.asarray(leaf, float), (count,)), law if laws is None else laws)
    at = np.arange(count) % len(budgets)
    points = jax.tree.map(lambda *values: np.stack([np.asarray(value, float) for value in values])[at], *budgets)
    return side_by_side(drawn, points)


def smooth_over_ranges(choice: LawChoice | None, budgets: Sequence[Budget], seed: int) -> SmoothDraws | None:
    """Returns draws with deviations, in equal parts from each point of the ranges, or None if one has none."""
    parts = []
    for i, budget in enumerate(budgets):
        drawn = draw_smooth_optima(choice, budget, seed)
        if drawn is None:
            return None
        at = np.arange(i, DRAWS, len(budgets))
        parts.append(jax.tree.map(lambda leaf, at=at: leaf[at], drawn))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)
