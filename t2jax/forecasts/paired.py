"""Paired comparison of two models on the same questions."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from scipy.special import stdtrit

from t2jax.forecasts.counts import checked_counts, checked_samples, question_pass_at_k
from t2jax.numerics.bands import Band
from t2jax.printing import summary
from t2jax.working_precision import scope

FEW = 30
"""Below this number of questions an interval of differences that are mostly zero may be too narrow."""


@dataclass(frozen=True, repr=False)
class PairedDifference:
    """Result of `compare_counts`.

    Attributes:
        samples: Values of k, shape (k,).
        difference: Mean over questions of pass@k of the first model minus that of the second, shape (k,).
        population: Interval of the mean difference over the population of questions, shape (k,).
        status: How many questions there are, and on how many of them the models differ.
    """

    samples: np.ndarray
    difference: np.ndarray
    population: Band
    status: str

    def __repr__(self) -> str:
        """Writes the status, then the difference at each k with its interval."""
        band = self.population
        lines = {
            f"pass@{k:g}": f"{self.difference[i]:+.4g} ({band.low[i]:+.4g} to {band.high[i]:+.4g})"
            for i, k in enumerate(self.samples)
        }
        return summary("PairedDifference", self.status, lines)


def compare_counts(
    first: tuple[object, object], second: tuple[object, object], samples: Sequence[float], level: float = 0.9
) -> PairedDifference:
    """Compares pass@k of two models on the same questions, with the interval of the difference over questions.

    Each question gives one difference of unbiased estimates. Their mean has Student's interval with Q - 1 degrees of
    freedom. Questions that are hard for both models cancel, so it is narrower than two intervals beside each other.
    Where all differences are equal there is no spread. The interval is then as wide as 1-α^(1/Q) with α = (1-level)/2,
    the largest share of questions with another difference that is still likely.

    Args:
        first: Trials and correct samples of each question of the first model, each of shape (questions,).
        second: The same of the second model, for the same questions in the same order.
        samples: Values of k, whole numbers from 1 to the fewest samples of a question of either model.
        level: Level of the interval, in (0, 1).

    Returns:
        A `PairedDifference`.

    Raises:
        ValueError: A count is bad, the models have unlike numbers of questions or only one, or a question has fewer
            samples than k.

    Examples:
        >>> difference = t2.forecasts.compare_counts(([4, 4, 4], [1, 2, 4]), ([4, 4, 4], [0, 2, 2]), samples=[1])
        >>> difference.difference
        array([0.25])
    """
    counts = [checked_counts(*model) for model in (first, second)]
    k = checked_samples(samples)
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, not {level!r}")
    sizes = [len(n) for n, _ in counts]
    if sizes[0] != sizes[1] or sizes[0] < 2:
        raise ValueError(f"found {sizes[0]} and {sizes[1]} questions, expected the same ones of both, and at least 2")
    fewest = min(float(n.min()) for n, _ in counts)
    if k.max() > fewest:
        raise ValueError(f"found k = {k.max():g}, expected at most {fewest:g}, the fewest samples of a question")
    with scope() as dtype:
        of_models = [
            np.asarray(question_pass_at_k(*(jnp.asarray(array, dtype) for array in (n, c, k))), float)
            for n, c in counts
        ]
    differences = of_models[0] - of_models[1]
    mean = differences.mean(axis=0)
    spread = differences.std(axis=0, ddof=1)
    reach = stdtrit(sizes[0] - 1, 1 - (1 - level) / 2) * spread / np.sqrt(sizes[0])
    reach = np.where(spread <= 1e-12, 1 - ((1 - level) / 2) ** (1 / sizes[0]), reach)
    band = Band(np.maximum(mean - reach, -1.0), mean, np.minimum(mean + reach, 1.0), level)
    unlike = int(np.count_nonzero(np.abs(differences[:, 0]) > 1e-12))
    status = f"{sizes[0]} common questions, {unlike} of which differ at k = {k[0]:g}"
    if unlike < FEW:
        status += f"; fewer than {FEW} differ, so the interval may be too narrow"
    return PairedDifference(k, mean, band, status)
