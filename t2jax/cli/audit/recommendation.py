"""The law that an audit recommends, and how its predictions beyond the cut turned out."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from t2jax.cli.fitting import choice_answer
from t2jax.evaluation.extrapolation import Cut
from t2jax.extrapolation.law_choice import LawChoice
from t2jax.extrapolation.predictions import Predictions, predict_band
from t2jax.tables.table import Table


@dataclass(frozen=True)
class Recommendation:
    """Laws weighed by forward chaining below the cut, and their averaged predictions beyond it.

    Attributes:
        choice: The laws, with smooth deviations of the runs.
        predictions: Predictions of the rows beyond the cut.
        observed: What was measured there, shape (rows,).
    """

    choice: LawChoice
    predictions: Predictions
    observed: np.ndarray

    @classmethod
    def of(cls, choice: LawChoice, table: Table, cut: Cut) -> "Recommendation":
        """Predicts the rows beyond the cut from the choice below it."""
        dear = table.where(cut.above(table))
        predictions = predict_band(choice, dear)
        return cls(choice, predictions, dear[predictions.response])

    @property
    def error(self) -> float:
        """Mean of |predicted/observed - 1| beyond the cut."""
        return float(np.mean(np.abs(self.predictions.mean / self.observed - 1)))

    def coverage(self, rows: np.ndarray) -> float:
        """Computes the share of some rows beyond the cut inside their bands."""
        inside = (self.predictions.low <= self.observed) & (self.observed <= self.predictions.high)
        return float(inside[rows].mean())

    @property
    def sentence(self) -> str:
        """What forward chaining below the cut recommends, and how that turned out beyond it."""
        every = np.ones(len(self.observed), bool)
        return (
            f"Recommended: {self.choice.status}.\n"
            f"Beyond the cut the weighted laws err by {self.error:.2%} on average, and {self.coverage(every):.0%} of"
            f" the rows lie in their {self.predictions.level:.0%} bands (t2jax predict)."
        )

    def answer(self) -> dict[str, Any]:
        """Returns the recommendation for --json, with errors and coverage by distance beyond the measured ranges."""
        horizon = self.predictions.horizon_decades
        edges = np.linspace(0.0, max(float(horizon.max()), 1e-9), 6)
        curve = []
        for low, high in pairwise(edges.tolist()):
            rows = (horizon >= low if low == 0 else horizon > low) & (horizon <= high)
            if rows.any():
                error = float(np.mean(np.abs(self.predictions.mean[rows] / self.observed[rows] - 1)))
                ends = {"from_decades": low, "to_decades": high, "rows": int(rows.sum())}
                curve.append({**ends, "error": error, "coverage": self.coverage(rows)})
        every = np.ones(len(self.observed), bool)
        return {
            "choice": choice_answer(self.choice),
            "error": self.error,
            "coverage": self.coverage(every),
            "level": self.predictions.level,
            "curve": curve,
        }
