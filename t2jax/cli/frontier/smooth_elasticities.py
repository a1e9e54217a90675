"""Elasticities of the best size in each draw of a law with its deviation."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from t2jax.cli.fitting import LEVEL
from t2jax.cli.frontier.allocations import why_no_band
from t2jax.cli.frontier.smooth_draws import DRAWS
from t2jax.cli.frontier.surfaces import lowest, sizes_about, surface_of
from t2jax.extrapolation.law_choice import LawChoice
from t2jax.extrapolation.optimum import response_of
from t2jax.files import finite
from t2jax.numerics.bands import Band, band
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import frontier
from t2jax.planning.sensitivity import names_of

CHANGE = 0.1
"""Change of the log of a limit or price to either side, between which a slope is taken."""


def draw_elasticities(
    choice: LawChoice | None, budget: Budget, options: Sequence[str], seed: int
) -> dict[str, dict[str, np.ndarray]] | None:
    """Draws the elasticities of N, D, k and the prediction, or returns None where the size alone is not free.

    Each draw of the law and its deviation is solved again with an option a tenth larger and smaller.

    Args:
        choice: The law or laws with their discrepancies.
        budget: The problem, of single numbers.
        options: Names of limits and prices. A price of training and of serving moves with both.
        seed: Seed of the draws.

    Returns:
        Draws by answer and by option, shape (draws,). They are NaN where a draw has no optimum.
    """
    free = budget.sizes is None and budget.tokens_per_param is None and "params" not in budget.fixed
    if choice is None or not options or budget.goal != "quality" or not free or budget.whole_samples or budget.stops:
        return None
    law, signs = choice.fits[0].law, np.array([1.0, -1.0])
    leaves, tree = jax.tree.flatten(budget)
    moved = np.array([[name.rpartition(".")[2] == option for name in names_of(budget)] for option in options])
    factors = np.exp(CHANGE * signs[:, None] * moved[:, None, :]).reshape(-1, len(leaves))
    values = [float(np.asarray(leaf)) * factor[:, None] for leaf, factor in zip(leaves, factors.T, strict=True)]
    members = replace(jax.tree.unflatten(tree, values))
    best = frontier(law, members)
    if not np.all(best.ok):
        return None
    surface = surface_of(law, members, members, sizes_about(np.asarray(best.params)[:, 0]))
    if surface is None:
        return None
    place, cost, at_end = lowest(surface.draw(choice, jax.random.key(seed), DRAWS), listed=False)
    at = surface.at(np.arange(len(factors))[None], place) | {"value": response_of(choice, cost)}
    slopes = {}
    for name in ("params", "tokens", "samples", "value"):
        logs = np.where(at_end, np.nan, np.log(at[name]))
        slopes[name] = dict(zip(options, ((logs[:, ::2] - logs[:, 1::2]) / (2 * CHANGE)).T, strict=True))
    return slopes


def elasticity_bands(drawn: dict[str, dict[str, np.ndarray]] | None) -> dict[str, dict[str, Band]]:
    """Returns the band of each elasticity that enough draws have, by answer and option."""
    tables = {} if drawn is None else drawn
    return {
        answer: {
            option: band(draws, LEVEL)
            for option, draws in table.items()
            if not why_no_band(int(np.isfinite(draws).sum()), draws.size)
        }
        for answer, table in tables.items()
    }


def bands_answer(bands: dict[str, dict[str, Band]]) -> dict[str, Any]:
    """Returns the ends of the bands for --json."""
    return {
        answer: {
            option: {"low": finite(float(spread.low)), "high": finite(float(spread.high))}
            for option, spread in table.items()
        }
        for answer, table in bands.items()
    }


def change_in_words(change: float, spread: Band | None) -> str:
    """Returns an elasticity in per cent, with its interval if there is one."""
    return f"{change:+.3f} %" + ("" if spread is None else f" ({spread.low:+.2f} to {spread.high:+.2f})")
