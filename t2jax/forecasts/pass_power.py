"""pass^k: the chance that all of k samples are right, from counts of each question."""

from collections.abc import Sequence

import numpy as np

from t2jax.forecasts.counts import checked_counts, checked_samples
from t2jax.forecasts.estimates import Estimate, estimate_of_questions


def all_pass_from_counts(trials: object, correct: object, samples: Sequence[float], level: float = 0.9) -> Estimate:
    """Estimates pass^k, the chance that k samples are all right, without bias from counts, with intervals.

    The estimate is the mean over questions of f = C(c, k)/C(n, k). The unbiased variance of one question is
    f² - C(c, 2k)/C(n, 2k), and intervals follow as in `pass_from_counts`. Source: Yao et al. 2024 (2406.12045) for the
    quantity.

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
    k = checked_samples(samples)
    short = np.flatnonzero(n < k.max())
    if short.size:
        raise ValueError(f"question {short[0]} has n = {n[short[0]]:g} samples, fewer than k = {k.max():g}")
    by_question = _chosen(n, c, k)
    twice = _chosen(n, c, np.where(n.min() >= 2 * k, 2 * k, 1))
    return estimate_of_questions(k, by_question, by_question**2 - twice, n, int(np.count_nonzero(c)), level)


def _chosen(n: np.ndarray, c: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Computes C(c, k)/C(n, k), shape (questions, k).

    It sums logs of the factors, because one minus a chance near one would have no digits left.
    """
    pairs, place = np.unique(np.stack([n, c]), axis=1, return_inverse=True)
    values = np.array([[_share(int(trials), int(right), int(size)) for size in k] for trials, right in pairs.T])
    return values[place.ravel()]


def _share(n: int, c: int, k: int) -> float:
    """Computes the share C(c, k)/C(n, k) of the subsets of k samples that are all right.

    The product of k factors (c - i)/(n - i) equals that of n - c factors (n - k - j)/(n - j). The shorter is taken.
    """
    if k > c:
        return 0.0
    factors = np.arange(min(k, n - c), dtype=float)
    lost = n - c if k <= n - c else k
    return float(np.exp(np.sum(np.log((n - lost - factors) / (n - factors)))))
