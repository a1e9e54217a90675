"""Draws of optima that include the law's discrepancy, for the intervals of plans and frontiers."""

from dataclasses import dataclass, replace

import jax
import numpy as np

from t2jax.cli.frontier.surfaces import SIZES, columns_of, lowest, sizes_about, surface_of, within
from t2jax.cli.frontier.targets import Levels, crossing
from t2jax.extrapolation.law_choice import LawChoice
from t2jax.extrapolation.optimum import SizeLine, cost_of_response, draw_optima, response_of, size_grid, training_line
from t2jax.laws.base import Law
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import allocate, frontier
from t2jax.planning.problem import chooses_samples
from t2jax.typing import Array

DRAWS = 400
FEWEST_SIZES = 5
"""Sizes in steps of 6 % that a budget must allow for an interval of the best one."""
MOST_SAMPLES = 40
"""Numbers of whole samples that are compared. Of more, those that are evenly apart in their logs."""
WHOLE_REACH = 1.0
"""Range of the sizes about the best one of each whole number of samples, in decades."""


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
    """Draws the optima of each training budget, or None where the size is not free or is not all that is asked.

    None is for fixed sizes, fixed ratios D/N, and whole samples with a target. Each draw has the same random numbers at
    every budget, so a band over budgets is smooth. A size has the tokens and samples that are best for it in the fitted
    law.
    """
    if choice is None or budget.tokens_per_param is not None or "params" in budget.fixed or budget.stops:
        return None
    whole = budget.whole_samples and chooses_samples(type(choice.law), budget)
    if whole and budget.goal != "quality":
        return None
    trains = np.asarray(np.nan if budget.train is None else budget.train, float)
    parts = []
    for train in trains.ravel():
        single = replace(budget if budget.train is None else replace(budget, train=float(train)), whole_samples=whole)
        drawn = _draw_single(choice, single, jax.random.key(seed))
        if drawn is None:
            return None
        parts.append(drawn)
    return jax.tree.map(lambda *columns: np.stack(columns, axis=1).reshape(DRAWS, *trains.shape), *parts)


def _draw_single(choice: LawChoice, budget: Budget, key: Array) -> SmoothDraws | None:
    """Draws the optima of one budget."""
    if budget.goal != "quality":
        return _draw_target(choice, budget, key)
    if budget.whole_samples:
        return _draw_whole(choice, budget, key)
    if budget.sizes is not None:
        return _draw_members(choice, budget, budget, np.sort(budget.sizes)[None], key)
    sizes = _sizes_of(choice, budget)
    return None if sizes is None else sizes.draw(choice, key)


def _draw_members(
    choice: LawChoice, members: Budget, budget: Budget, sizes: np.ndarray, key: Array
) -> SmoothDraws | None:
    """Draws the best size of the best member of a family of budgets."""
    surface = surface_of(choice.fits[0].law, members, budget, sizes)
    if surface is None:
        return None
    place, cost, at_end = lowest(surface.draw(choice, key, DRAWS), surface.listed)
    member = np.argmin(cost, axis=1)
    at = surface.at(member, np.take_along_axis(place, member[:, None], 1)[:, 0])
    end, least = (np.take_along_axis(column, member[:, None], 1)[:, 0] for column in (at_end, cost))
    return SmoothDraws(**at, value=response_of(choice, least), ok=~end)


def _draw_whole(choice: LawChoice, budget: Budget, key: Array) -> SmoothDraws | None:
    """Draws the best size for each whole number of samples about the best real one, and takes the best of these."""
    law, real = choice.fits[0].law, replace(budget, whole_samples=False)
    drawn = _draw_single(choice, real, key)
    if drawn is None or not drawn.ok.any():
        return None
    least, most = np.quantile(drawn.samples[drawn.ok], [0.01, 0.99])
    if budget.sizes is not None:  # the samples of every size
        least, most = _ends_of_samples(law, real)
    low = max(np.floor(least), np.ceil(1.0 if budget.samples_min is None else float(np.asarray(budget.samples_min))))
    high = min(np.ceil(most), np.floor(np.inf if budget.samples_max is None else float(np.asarray(budget.samples_max))))
    samples = np.arange(low, high + 1)
    if len(samples) > MOST_SAMPLES:
        samples = np.unique(np.round(np.geomspace(low, high, MOST_SAMPLES)))
    sizes = np.sort(np.array(budget.sizes or (), float))[None]
    if budget.sizes is None:
        best = frontier(law, replace(real, samples_min=samples, samples_max=samples))
        samples, centres = samples[best.ok], np.asarray(best.params)[best.ok]
        if not len(samples):
            return None
        sizes = sizes_about(centres, WHOLE_REACH)
    members = replace(real, samples_min=samples[:, None], samples_max=samples[:, None])
    return _draw_members(choice, members, budget, sizes, key)


def _ends_of_samples(law: Law, budget: Budget) -> tuple[float, float]:
    """Returns the fewest and most samples of the listed sizes that a budget allows."""
    sizes = np.sort(np.array(budget.sizes, float))
    plans = frontier(law, replace(budget, sizes=None, params_min=sizes, params_max=sizes))
    samples = np.asarray(plans.samples)[plans.ok]
    return float(samples.min()), float(samples.max())


def _draw_target(choice: LawChoice, budget: Budget, key: Array) -> SmoothDraws | None:
    """Draws the least spending, or the most queries, that reach a target.

    Each draw has its prediction at levels of spending, or numbers of queries, and at sizes. Where it passes the target,
    a size has the level that it needs. The best size needs the least.
    """
    law = choice.fits[0].law
    best = allocate(law, budget)
    if not best.ok:
        return None
    sizes = sizes_about(np.asarray(best.params)) if budget.sizes is None else np.sort(budget.sizes)
    levels = Levels.of(budget, best, sizes)
    surface = surface_of(law, levels.members, budget, sizes)
    if surface is None:
        return None
    costs, target = surface.draw(choice, key, DRAWS), cost_of_response(choice, float(np.asarray(budget.target)))
    logs, at_least = crossing(levels.logs, costs, target)
    place, needed, at_end = lowest(levels.needed(logs), surface.listed)
    below = np.floor(place).astype(int)
    here, above = (
        np.take_along_axis(logs, i[:, None], 1)[:, 0] for i in (below, np.minimum(below + 1, len(sizes) - 1))
    )
    log = here + np.where(place > below, (place - below) * (np.where(place > below, above, here) - here), 0.0)
    at_end |= np.take_along_axis(at_least, below[:, None], 1)[:, 0]
    member = np.interp(log, levels.logs, np.arange(len(levels.logs)))
    at = surface.at(member, place)
    at |= {"spent": np.exp(needed)} if budget.goal == "spending" else {"queries": np.exp(-needed)}
    return SmoothDraws(**at, value=np.full(DRAWS, float(np.asarray(budget.target))), ok=~at_end)


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
    allowed = (np.asarray(plans.ok) & within(grid, budget)) | (grid == grid[len(grid) // 2])
    least, most = _stretch(allowed)
    if most - least < FEWEST_SIZES:
        return None

    def at_sizes(name: str) -> np.ndarray | None:
        column = getattr(plans, name)
        return None if column is None else np.where(np.asarray(plans.ok), column, getattr(best, name))[least:most]

    tokens, samples = np.asarray(at_sizes("tokens")), np.asarray(at_sizes("samples"))
    columns = columns_of(law, budget, grid[least:most], tokens, samples)
    sizes = [columns.pop(name) for name in SIZES]
    line = SizeLine(*sizes, least_is_limit=least > 0, most_is_limit=most < len(grid), others=columns)
    return _Sizes(line, at_sizes("queries"), at_sizes("spent"))


def _stretch(allowed: np.ndarray) -> tuple[int, int]:
    """Finds the start and end of the allowed sizes about the middle one, without a gap between them."""
    middle, gaps = len(allowed) // 2, np.flatnonzero(~allowed)
    return int(max(gaps[gaps < middle], default=-1)) + 1, int(min(gaps[gaps > middle], default=len(allowed)))
