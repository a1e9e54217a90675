"""Region in N and D from which the next runs may come."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from t2jax.planning.prices.costs import Training
from t2jax.planning.prices.hardware import check_positive
from t2jax.working_precision import scope

COSTS, RATIOS = 13, 13
"""Size of the lattice over a Region. Runs start on it and then move."""


@dataclass(frozen=True)
class Region:
    """Region of candidate runs: every N and D with cost and tokens per parameter between two ends.

    Args:
        cost_min: Smallest training cost of a run, in the unit of the budget's training price (FLOPs by default).
        cost_max: Largest training cost of a run.
        ratio_min: Fewest tokens per parameter.
        ratio_max: Most tokens per parameter.

    Raises:
        ValueError: When an end is not positive, or a smallest value exceeds the largest.

    Examples:
        >>> region = t2.planning.Region(1e19, 1e21, ratio_min=5.0, ratio_max=100.0)
        >>> params, tokens = region.lattice(t2.Training())
        >>> params.shape, float(round(max(tokens / params), 3))
        ((169,), 100.0)
    """

    cost_min: float
    cost_max: float
    ratio_min: float = 1.0
    ratio_max: float = 1000.0

    def __post_init__(self):
        check_positive(self, ("cost_min", "cost_max", "ratio_min", "ratio_max"))
        for quantity in ("cost", "ratio"):
            low, high = getattr(self, f"{quantity}_min"), getattr(self, f"{quantity}_max")
            if low > high:
                raise ValueError(f"Region.{quantity}_min={low:g} must not be above Region.{quantity}_max={high:g}")

    def sizes(self, training: Training, costs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Computes the smallest and largest N of runs at given costs.

        Args:
            training: Price of training.
            costs: Costs of the runs, shape (costs,).

        Returns:
            Logs of the smallest and largest N, shape (costs,) each.
        """
        ends = []
        for ratio in (self.ratio_max, self.ratio_min):
            low, high = np.zeros(len(costs)), np.full(len(costs), 60.0)
            for _ in range(60):  # tokens per parameter fall as N grows at a given cost
                middle = (low + high) / 2
                too_many = tokens_at_cost(training, costs, middle) > ratio * np.exp(middle)
                low, high = np.where(too_many, middle, low), np.where(too_many, high, middle)
            ends.append((low + high) / 2)
        return ends[0], ends[1]

    def lattice(self, training: Training) -> tuple[np.ndarray, np.ndarray]:
        """Computes a lattice of candidate runs, even in the log of cost and in log N.

        Args:
            training: Price of training.

        Returns:
            N and D, shape (COSTS · RATIOS,) each.
        """
        costs = np.geomspace(self.cost_min, self.cost_max, COSTS)
        low, high = self.sizes(training, costs)
        log_params = np.linspace(low, high, RATIOS, axis=1).ravel()
        return np.exp(log_params), tokens_at_cost(training, np.repeat(costs, RATIOS), log_params)


def tokens_at_cost(training: Training, cost: Any, log_params: Any) -> Any:
    """Computes D of runs with a given cost and log N. Training costs are proportional to D."""
    if isinstance(log_params, np.ndarray):
        with scope():
            return cost / np.asarray(training(np.exp(log_params), 1.0))
    return cost / training(jnp.exp(log_params), 1.0)
