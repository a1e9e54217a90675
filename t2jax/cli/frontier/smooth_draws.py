"""Draws of optima that include the law's discrepancy, for the intervals of plans and frontiers."""

from dataclasses import dataclass, replace

import jax
import numpy as np

from t2jax.extrapolation.law_choice import LawChoice
from t2jax.extrapolation.optimum import SizeLine, draw_optima, size_grid, training_line
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import allocate, frontier
from t2jax.planning.problem import inputs_at
from t2jax.typing import Array

DRAWS = 400
SIZES = ("params", "tokens", "samples", "unique_tokens")
"""Columns of a line of sizes that every law may read."""
FEWEST_SIZES = 5
"""Sizes in steps of 6 % that a budget must allow for an interval of the best one."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SmoothDraws:
    """Optima of draws of laws and their discrepancies, shape (draws, *budgets) each.

    Attributes:
        params: N*.
        tokens: D*.
        samples: k*.
        value: The prediction there.
        ok: Whether the optimum lies inside the range that was searched.
        queries: Number of queries served, or None if the budget has none.
        spent: Cost of training and serving together, or None if the budget does not add them up.
    """

    params: np.ndarray
    tokens: np.ndarray
    samples: np.ndarray
    value: np.ndarray
    ok: np.ndarray
    queries: np.ndarray | None = None
    spent: np.ndarray | None = None

    @property
    def tokens_per_param(self) -> np.ndarray:
        """D*/N*, shape (draws, *budgets)."""
        return self.tokens / self.params


@dataclass(frozen=True)
class _Sizes:
    """Sizes that a budget allows, with what is served and spent at each of them, shape (sizes,) or None."""

    line: SizeLine
    queries: np.ndarray | None = None
    spent: np.ndarray | None = None

    def draw(self, choice: LawChoice, key: Array) -> SmoothDraws:
        """Draws the best size, with all that belongs to it."""
        drawn = draw_optima(choice, self.line, key=key, draws=DRAWS)
        place, sizes = np.log10(drawn.params), np.log10(self.line.params)
        paid = [None if column is None else np.interp(place, sizes, column) for column in (self.queries, self.spent)]
        return SmoothDraws(drawn.params, drawn.tokens, drawn.samples, drawn.value, ~drawn.at_edge, *paid)


def draw_smooth_optima(choice: LawChoice | None, budget: Budget, seed: int) -> SmoothDraws | None:
    """Draws the optima of each training budget, or None where the budget does not ask for the best size alone.

    Each draw has the same random numbers at every budget, so a band over budgets is smooth. A size has the tokens and
    samples that are best for it in the fitted law.
    """
    free_size = budget.goal == "quality" and budget.sizes is None and budget.tokens_per_param is None
    if choice is None or not free_size or budget.whole_samples or "params" in budget.fixed:
        return None
    trains = np.asarray(np.nan if budget.train is None else budget.train, float)
    parts = []
    for train in trains.ravel():
        sizes = _sizes_of(choice, budget if budget.train is None else replace(budget, train=float(train)))
        if sizes is None:
            return None
        parts.append(sizes.draw(choice, jax.random.key(seed)))
    return jax.tree.map(lambda *columns: np.stack(columns, axis=1).reshape(DRAWS, *trains.shape), *parts)


def _sizes_of(choice: LawChoice, budget: Budget) -> _Sizes | None:
    """Lists the sizes that one budget allows about the best one, or None if it allows too few."""
    if budget.train is not None and replace(budget, train=1.0) == Budget(train=1.0):
        return _Sizes(training_line(choice, float(np.asarray(budget.train)), None))
    law = choice.fits[0].law
    best = allocate(law, budget)
    if not best.ok:
        return None
    grid = size_grid(float(np.log10(best.params)))
    plans = frontier(law, replace(budget, params_min=grid, params_max=grid))
    # next to a limit the size that is best may miss it by rounding
    allowed = (np.asarray(plans.ok) & _within(grid, budget)) | (grid == grid[len(grid) // 2])
    least, most = _stretch(allowed)
    if most - least < FEWEST_SIZES:
        return None

    def at_sizes(name: str) -> np.ndarray | None:
        column = getattr(plans, name)
        return None if column is None else np.where(np.asarray(plans.ok), column, getattr(best, name))[least:most]

    tokens, samples = np.asarray(at_sizes("tokens")), np.asarray(at_sizes("samples"))
    unique = tokens if budget.unique_tokens is None else np.minimum(tokens, np.asarray(budget.unique_tokens))
    params = grid[least:most]
    inputs = inputs_at(law, budget, params, tokens, samples)
    columns = {column: inputs[name] for name, column in law.columns().items() if column not in SIZES and name in inputs}
    others = {column: np.broadcast_to(np.asarray(value, float), params.shape) for column, value in columns.items()}
    line = SizeLine(params, tokens, samples, unique, least > 0, most < len(grid), others)
    return _Sizes(line, at_sizes("queries"), at_sizes("spent"))


def _stretch(allowed: np.ndarray) -> tuple[int, int]:
    """Finds the start and end of the allowed sizes about the middle one, without a gap between them."""
    middle, gaps = len(allowed) // 2, np.flatnonzero(~allowed)
    return int(max(gaps[gaps < middle], default=-1)) + 1, int(min(gaps[gaps > middle], default=len(allowed)))


def _within(params: np.ndarray, budget: Budget) -> np.ndarray:
    """Checks which sizes the limits of the budget on N allow."""
    low = 0.0 if budget.params_min is None else float(np.asarray(budget.params_min))
    high = np.inf if budget.params_max is None else float(np.asarray(budget.params_max))
    return (params >= low * (1 - 1e-9)) & (params <= high * (1 + 1e-9))
