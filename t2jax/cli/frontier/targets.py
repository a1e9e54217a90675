"""Levels of spending or queries among which each draw of a law reaches a target."""

from dataclasses import dataclass, replace

import numpy as np

from t2jax.planning.budget import Budget
from t2jax.planning.plan import Plan
from t2jax.typing import Float

DECADES = 0.25 * np.arange(-8, 13)
"""Decades of the purse about that of the fitted law."""


@dataclass(frozen=True)
class Levels:
    """Levels of the purse that is left once every query has one sample, the same for all sizes.

    In the log of this purse, tokens and samples have no pole where the purse ends.

    Attributes:
        logs: Natural logs of the purse, or of its odds where training and queries share a total. Shape (levels,).
        budget: The problem.
        query: Cost of one query with the fewest samples at each size, shape (sizes,).
    """

    logs: Float[np.ndarray, " levels"]
    budget: Budget
    query: Float[np.ndarray, " sizes"]

    @classmethod
    def of(cls, budget: Budget, best: Plan, sizes: Float[np.ndarray, " sizes"]) -> "Levels":
        """Lists levels about the plan of the fitted law."""
        fewest = 1.0 if budget.samples_min is None else float(np.asarray(budget.samples_min))
        serving = budget.prices[1]
        query = np.zeros(len(sizes)) if best.queries is None else np.asarray(serving(sizes, fewest), float)
        served = 0.0 if best.queries is None else float(best.queries * serving(best.params, fewest))
        purse = float(best.spent) - served
        middle = np.log(purse) - (np.log(served) if budget.goal == "queries" else 0.0)
        return cls(middle + np.log(10.0) * DECADES, budget, query)

    @property
    def members(self) -> Budget:
        """Budgets without a target, one for each level and size."""
        at = self._spending(self.logs[:, None]) if self.budget.goal == "spending" else self._queries(self.logs[:, None])
        name = "queries" if self.budget.goal == "queries" else "train" if self.budget.queries is None else "total"
        return replace(self.budget, target=None, **{name: at})

    def needed(self, logs: Float[np.ndarray, "draws sizes"]) -> Float[np.ndarray, "draws sizes"]:
        """Returns the log of the spending at levels, or minus that of the queries; infinite where a level is."""
        finite = np.isfinite(logs)
        at = np.where(finite, logs, 0.0)
        level = np.log(self._spending(at)) if self.budget.goal == "spending" else -np.log(self._queries(at))
        return np.where(finite, level, np.inf)

    def _spending(self, logs: np.ndarray) -> np.ndarray:
        """Returns the spending at levels, up to its limit."""
        budget = self.budget
        limit = budget.train if budget.queries is None else budget.total
        served = 0.0 if budget.queries is None else float(np.asarray(budget.queries)) * self.query
        return np.minimum(np.exp(logs) + served, np.inf if limit is None else float(np.asarray(limit)))

    def _queries(self, logs: np.ndarray) -> np.ndarray:
        """Returns the number of queries with the fewest samples that the total pays for beside the purse."""
        return float(np.asarray(self.budget.total)) / (1 + np.exp(logs)) / self.query


def crossing(
    levels: Float[np.ndarray, " levels"], costs: Float[np.ndarray, "draws levels sizes"], target: float
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the first level at which a size costs at most the target, by a parabola through three levels.

    Args:
        levels: Levels, increasing.
        costs: Cost of each size at each level.
        target: The cost to reach.

    Returns:
        The level, infinite where none reaches the target, and whether the first level does. Shapes (draws, sizes).
    """
    reached = costs <= target
    first = np.argmax(reached, axis=1)
    upper = np.clip(first, 1, len(levels) - 1)
    third = np.where(upper + 1 < len(levels), upper + 1, upper - 2)
    x = [levels[i] for i in (upper - 1, upper, third)]
    y = [np.take_along_axis(costs, i[:, None], 1)[:, 0] for i in (upper - 1, upper, third)]
    both = np.isfinite(y[0]) & np.isfinite(y[1])
    y = [np.where(both, column, target + away) for column, away in zip(y, (1.0, -1.0, -2.0), strict=True)]
    share = (y[0] - target) / np.where(y[0] == y[1], 1.0, y[0] - y[1])
    line = x[0] + share * (x[1] - x[0])
    steps = [y[0] - y[1], y[0] - y[2], y[1] - y[2]]
    straight = ~np.isfinite(y[2]) | (np.sign(steps[2]) * np.sign(steps[0]) * np.sign(x[2] - x[1]) <= 0)
    safe = [np.where(straight | (step == 0), 1.0, step) for step in steps]
    gap = [np.where(straight, 0.0, target - column) for column in y]
    curve = x[0] * gap[1] * gap[2] / (safe[0] * safe[1]) - x[1] * gap[0] * gap[2] / (safe[0] * safe[2])
    curve += x[2] * gap[0] * gap[1] / (safe[1] * safe[2])
    level = np.clip(np.where(straight, line, curve), x[0], x[1])
    level = np.where(both, level, levels[first])
    at_least = reached[:, 0]
    return np.where(reached.any(1), np.where(at_least, levels[0], level), np.inf), at_least
