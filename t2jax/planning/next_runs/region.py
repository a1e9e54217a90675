"""Where in N and D candidates for the next run may lie."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from t2jax.planning.costs import Training
from t2jax.planning.hardware import check_positive
from t2jax.working_precision import scope

COSTS, RATIOS = 13, 13
"""How fine the lattice over a Region is, from which runs are then moved."""


@dataclass(frozen=True)
class Region:
    """Where runs may be chosen from: every N and D whose cost and tokens per parameter lie between the ends.

    cost_min, cost_max: in the unit of the budget's training costs, FLOPs by default. Raises ValueError for ends that
    are not positive or not in order.
    """

    cost_min: float
    cost_max: float
    ratio_min: float = 1.0
    ratio_max: float = 1000.0

    def __post_init__(self):
        check_positive(self, ("cost_min", "cost_max", "ratio_min", "ratio_max"))
        for what in ("cost", "ratio"):
            low, high = getattr(self, f"{what}_min"), getattr(self, f"{what}_max")
            if low > high:
                raise ValueError(f"Region.{what}_min={low:g} must not be above Region.{what}_max={high:g}")

    def sizes(self, training: Training, costs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The least and the largest N that runs of these costs may have, as logs: (costs,) each."""
        ends = []
        for ratio in (self.ratio_max, self.ratio_min):
            low, high = np.zeros(len(costs)), np.full(len(costs), 60.0)
            for _ in range(60):  # tokens per parameter fall as N grows at a given cost
                middle = (low + high) / 2
                many = _tokens(training, costs, middle) > ratio * np.exp(middle)
                low, high = np.where(many, middle, low), np.where(many, high, middle)
            ends.append((low + high) / 2)
        return ends[0], ends[1]

    def lattice(self, training: Training) -> tuple[np.ndarray, np.ndarray]:
        """N and D, (COSTS · RATIOS,) each, even in the logs of cost and of N."""
        costs = np.geomspace(self.cost_min, self.cost_max, COSTS)
        low, high = self.sizes(training, costs)
        log_params = np.linspace(low, high, RATIOS, axis=1).ravel()
        return np.exp(log_params), _tokens(training, np.repeat(costs, RATIOS), log_params)


def _tokens(training: Training, cost: Any, log_params: Any) -> Any:
    """D of runs of given cost and log N: training costs are in proportion to D."""
    if isinstance(log_params, np.ndarray):
        with scope():
            return cost / np.asarray(training(np.exp(log_params), 1.0))
    return cost / training(jnp.exp(log_params), 1.0)
