"""Draws of optima that include the law's discrepancy, for the intervals of plans and frontiers."""

from dataclasses import dataclass, replace

import jax
import numpy as np

from t2jax.extrapolation.law_choice import LawChoice
from t2jax.extrapolation.optimum import draw_optima
from t2jax.planning.budget import Budget

DRAWS = 400


@dataclass(frozen=True)
class SmoothDraws:
    """Optima of draws of laws and their discrepancies, shape (draws, *budgets) each.

    Attributes:
        params: N*.
        tokens: D*.
        samples: k*, which is one.
        value: The loss there.
        ok: Whether the optimum lies inside the range that was searched.
        queries: None, because training alone is paid.
        spent: None, likewise.
    """

    params: np.ndarray
    tokens: np.ndarray
    samples: np.ndarray
    value: np.ndarray
    ok: np.ndarray
    queries: None = None
    spent: None = None

    @property
    def tokens_per_param(self) -> np.ndarray:
        """D*/N*, shape (draws, *budgets)."""
        return self.tokens / self.params


def draw_smooth_optima(choice: LawChoice | None, budget: Budget, seed: int) -> SmoothDraws | None:
    """Draws the optima of each training budget, or None where the budget asks for more than the best size.

    Each draw has the same random numbers at every budget, so a band over budgets is smooth.
    """
    trains = None if budget.train is None else np.asarray(budget.train, float)
    if choice is None or trains is None or replace(budget, train=1.0) != Budget(train=1.0):
        return None
    key = jax.random.key(seed)
    parts = [draw_optima(choice, float(train), None, key=key, draws=DRAWS) for train in np.ravel(trains)]

    def stack(name: str) -> np.ndarray:
        return np.stack([getattr(part, name) for part in parts], axis=1).reshape(DRAWS, *np.shape(trains))

    columns = [stack(name) for name in ("params", "tokens", "samples", "value")]
    return SmoothDraws(*columns, ok=~stack("at_edge"))
