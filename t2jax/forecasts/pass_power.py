"""pass^k: the chance that all of k samples are right, from counts of each question."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.forecasts.counts import checked_counts, checked_samples, refuse_short
from t2jax.forecasts.estimates import Estimate, estimate_of_questions
from t2jax.laws.pass_at_k.beta_tail import BetaTail
from t2jax.numerics.bands import Band, band
from t2jax.numerics.special import log_fail_at_k_beta
from t2jax.working_precision import scope


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
    refuse_short(n, k)
    by_question = _chosen(n, c, k)
    twice = _chosen(n, c, np.where(n.min() >= 2 * k, 2 * k, 1))
    return estimate_of_questions(k, by_question, by_question**2 - twice, n, int(np.count_nonzero(c)), level)


def forecast_all_pass(
    trials: object, correct: object, laws: BetaTail, samples: Sequence[float], level: float = 0.9
) -> tuple[np.ndarray, Band]:
    """Forecasts pass^k beyond the drawn samples, from posterior draws of a Beta(a, b) of the questions' chances.

    For the population the chance is B(a+k, b)/B(a, b). A question with c right samples of n has it with a+c for a and
    b+n-c for b. The limits of `forecast_beta` hold.

    Args:
        trials: Number of samples of each question, shape (questions,).
        correct: Number of correct samples of each question, shape (questions,).
        laws: Posterior draws, as `forecast_beta(...).laws`.
        samples: Values of k, from 1.
        level: Level of the band, in (0, 1).

    Returns:
        The posterior mean of pass^k over these questions, shape (k,), and the band of the population. The band has one
        open end if no sample or every sample is right.

    Raises:
        ValueError: A count is bad, a k is below 1, or the level is outside (0, 1).

    Examples:
        >>> trials, correct = [8] * 6, [0, 0, 1, 1, 2, 6]
        >>> laws = t2.forecasts.forecast_beta(trials, correct, samples=[1], key=jax.random.key(0)).laws
        >>> t2.forecasts.forecast_all_pass(trials, correct, laws, samples=[1, 4])[0].round(2)
        array([0.2 , 0.03])
    """
    n, c = checked_counts(trials, correct)
    k = checked_samples(samples, whole=False)
    kinds, times = np.unique(np.stack([n, c]), axis=1, return_counts=True)
    with scope() as dtype:
        a, b, more, (trials_of_kind, right) = jax.tree.map(
            lambda leaf: jnp.asarray(leaf, dtype), (laws.a, laws.b, k, (kinds[0], kinds[1]))
        )
        # all k right for a chance p is all k wrong for 1 - p
        population = np.exp(np.asarray(log_fail_at_k_beta(b[:, None], a[:, None], more[None, :]), float))
        here = [
            np.exp(np.asarray(log_fail_at_k_beta((b + m - x)[:, None], (a + x)[:, None], more[None, :]), float))
            for m, x in zip(trials_of_kind, right, strict=True)
        ]
    mean = np.tensordot(times / times.sum(), np.array(here).mean(axis=1), 1)
    ends = band(population, level)
    low = np.zeros_like(ends.low) if not c.any() else ends.low
    high = np.ones_like(ends.high) if np.all(c == n) else ends.high
    return mean, Band(low, ends.mid, high, level)


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
