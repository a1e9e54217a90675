"""Scores of predictions with bands: errors, coverage and the interval score."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Score:
    """How well a method predicts the rows beyond a cut.

    Attributes:
        error: Mean relative error, per cent.
        in_90: Share inside the 90 % band, per cent; NaN for a method without bands.
        in_50: Share inside the 50 % band, per cent.
        interval_score: Mean interval score of the 90 % band of the log loss (Gneiting & Raftery 2007).
        half_width: Half of the mean width of the 90 % band, per cent.
    """

    error: float
    in_90: float = float("nan")
    in_50: float = float("nan")
    interval_score: float = float("nan")
    half_width: float = float("nan")


def score(
    mean: np.ndarray, wide: tuple[np.ndarray, np.ndarray], narrow: tuple[np.ndarray, np.ndarray], seen: np.ndarray
) -> Score:
    """Computes the scores of log predictions with their 90 % and 50 % bands."""
    (low, high), (low_50, high_50) = wide, narrow
    outside = np.maximum(low - seen, 0) + np.maximum(seen - high, 0)
    return Score(
        error=relative_error(mean, seen),
        in_90=100 * float(np.mean((low <= seen) & (seen <= high))),
        in_50=100 * float(np.mean((low_50 <= seen) & (seen <= high_50))),
        interval_score=float(np.mean(high - low + 20 * outside)),
        half_width=50 * float(np.mean(high - low)),
    )


def relative_error(mean: np.ndarray, seen: np.ndarray) -> float:
    """Computes the mean relative error in per cent, from logs."""
    return 100 * float(np.mean(np.abs(np.expm1(mean - seen))))


def mean_score(scores: list[Score]) -> Score:
    """Averages each number of the scores."""
    if not scores:
        return Score(float("nan"))
    return Score(*np.mean([list(vars(score).values()) for score in scores], axis=0).tolist())
