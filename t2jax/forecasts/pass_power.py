"""pass^k: the chance that all of k samples are right, from counts of each question."""

from collections.abc import Sequence

import numpy as np

from t2jax.forecasts.counts import checked_counts
from t2jax.forecasts.estimates import Estimate, pass_from_counts
from t2jax.numerics.bands import Band


def all_pass_from_counts(trials: object, correct: object, samples: Sequence[float], level: float = 0.9) -> Estimate:
    """Estimates pass^k, the chance that k samples are all right, without bias from counts, with intervals.

    The estimate is the mean over questions of C(c, k)/C(n, k). That is one minus pass@k of the wrong samples, so the
    intervals are those of `pass_from_counts`, mirrored. Source: Yao et al. 2024 (2406.12045) for the quantity.

    Args:
        trials: Number of samples of each question, shape (questions,). It may differ between questions.
        correct: Number of correct samples of each question, shape (questions,).
        samples: Values of k, whole numbers from 1 to the smallest of `trials`.
        level: Level of the intervals, in (0, 1).

    Returns:
        An `Estimate`, whose `passed` is pass^k.

    Raises:
        ValueError: A count is bad, or a question has fewer samples than k, where the estimator does not exist.

    Examples:
        >>> t2.forecasts.all_pass_from_counts([10], [7], samples=[3]).passed.round(4)
        array([0.2917])
    """
    n, c = checked_counts(trials, correct)
    wrong = pass_from_counts(n, n - c, samples, level)
    status = "; ".join([f"{np.count_nonzero(c)} of {n.size} questions solved", *wrong.status.split("; ")[1:]])
    return Estimate(wrong.samples, 1 - wrong.passed, _mirrored(wrong.questions), _mirrored(wrong.population), status)


def _mirrored(band: Band) -> Band:
    return Band(1 - band.high, 1 - band.mid, 1 - band.low, band.level)
