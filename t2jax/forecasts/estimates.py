"""pass@k of one model from counts of each question, or from the known chance of each.

Each estimate has two intervals. `population` is for pass@k over *other* questions of the same kind. `questions` is for
*these* questions, if more samples were drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import jax.numpy as jnp
import numpy as np

from t2jax.forecasts.counts import checked_counts, checked_samples, question_pass_at_k, refuse_short
from t2jax.forecasts.summary import pass_lines
from t2jax.numerics.bands import Band
from t2jax.numerics.special import log_pass_at_k
from t2jax.printing import summary
from t2jax.typing import Float
from t2jax.working_precision import scope


@dataclass(frozen=True, repr=False)
class Estimate:
    """Result of `pass_from_counts` and `pass_from_p`: pass@k averaged over questions.

    Attributes:
        samples: Values of k, shape (k,).
        passed: Estimate at each k, shape (k,).
        questions: Interval for these questions, shape (k,). It contains only the noise of their counts.
        population: Interval for the mean of the population of questions, shape (k,). It also contains the choice of
            questions.
        status: How many questions were solved, and what limits the intervals.
    """

    samples: np.ndarray
    passed: np.ndarray
    questions: Band
    population: Band
    status: str

    def __repr__(self) -> str:
        """Writes the status, then pass@k with both intervals."""
        bands = {"these questions": self.questions, "population": self.population}
        return summary("Estimate", self.status, pass_lines(self.samples, self.passed, bands))


def pass_from_counts(trials: object, correct: object, samples: Sequence[float], level: float = 0.9) -> Estimate:
    """Estimates pass@k without bias from counts of correct samples, with intervals.

    The estimate is the mean over questions of 1 - C(n-c, k)/C(n, k) (Chen et al. 2021, 2107.03374, equation 1). The
    population's standard error is s/√Q, with s the spread of the Q questions, which includes the noise of the counts.
    For these questions, f² - C(n-c, 2k)/C(n, 2k) with f = C(n-c, k)/C(n, k) is the unbiased variance of one question
    (Hoeffding 1948). It needs n >= 2k for every question. At a larger k the population's error, on average the larger,
    replaces it, and the status notes that. Both intervals are normal on the logit scale (delta method).

    Where every question has the estimate 0, or every one 1, there is no spread. With α = (1-level)/2 the interval is
    then 0 to 1-α^(1/Q), or α^(1/Q) to 1. That holds for any mean of Q independent numbers in [0, 1]. Below about 30
    questions the error is too small, and one question has no spread, so its interval of the population is NaN.

    Args:
        trials: Number of samples of each question, shape (questions,). It may differ between questions.
        correct: Number of correct samples of each question, shape (questions,).
        samples: Values of k, whole numbers from 1 to the smallest of `trials`.
        level: Level of the intervals, in (0, 1).

    Returns:
        An `Estimate`.

    Raises:
        ValueError: A count is bad, or a question has fewer samples than k, where the estimator does not exist. The
            message names the question, from 0. To leave out such questions biases the mean where hard questions were
            sampled more often. `forecast_beta` uses them all.

    Examples:
        >>> estimate = t2.forecasts.pass_from_counts([4, 4, 4], [0, 1, 4], samples=[1, 2])
        >>> estimate.passed.round(3)
        array([0.417, 0.5  ])
    """
    n, c = checked_counts(trials, correct)
    k = checked_samples(samples)
    refuse_short(n, k)
    with scope() as dtype:
        wide = n.min() >= 2 * k
        both = np.concatenate([k, np.where(wide, 2 * k, 1)])
        estimates = question_pass_at_k(*(jnp.asarray(array, dtype) for array in (n, c, both)))
        by_question, twice = np.split(np.asarray(estimates, float), 2, axis=1)
    variance = twice - 2 * by_question + by_question**2
    return estimate_of_questions(k, by_question, variance, n, int(np.count_nonzero(c)), level)


def estimate_of_questions(
    k: np.ndarray,
    by_question: Float[np.ndarray, "questions k"],
    variance: Float[np.ndarray, "questions k"],
    trials: np.ndarray,
    solved: int,
    level: float,
) -> Estimate:
    """Averages unbiased estimates of single questions, and adds the intervals of `pass_from_counts`.

    Args:
        k: Numbers of samples, shape (k,).
        by_question: Estimate of each question.
        variance: Unbiased variance of each estimate, which is not read where a question has fewer than 2k samples.
        trials: Samples of each question.
        solved: Number of questions that were solved.
        level: Level of the intervals.

    Returns:
        The estimate.
    """
    wide, fewest = trials.min() >= 2 * k, trials.min()
    noise = np.sqrt(np.sum(np.maximum(variance, 0.0), axis=0)) / len(trials)
    spread = _spread(by_question)
    sentences = [f"{solved} of {trials.size} {'question' if trials.size == 1 else 'questions'} solved"]
    if not wide.all():
        above = f"above k = {fewest // 2:g}" if fewest > 1 else "with one sample of a question, at every k,"
        sentences.append(f"{above} the interval of these questions is that of the population")
    if trials.size == 1:
        sentences.append("an interval of the population needs at least two questions")
    bands = _band(by_question, np.where(wide, noise, spread), level), _band(by_question, spread, level)
    return Estimate(k, by_question.mean(axis=0), *bands, "; ".join(sentences))


def pass_from_p(p: object, samples: Sequence[float], level: float = 0.9) -> Estimate:
    """Computes pass@k from the known chance p that one sample is right, with the interval over questions.

    It is the mean of 1 - (1-p)^k. The interval of these questions has no width, because p is known. The interval of the
    population is that of `pass_from_counts`.

    Args:
        p: Chance of success of each question, from 0 to 1, shape (questions,).
        samples: Values of k, real numbers from 1.
        level: Level of the interval, in (0, 1).

    Returns:
        An `Estimate`.

    Raises:
        ValueError: A chance lies outside [0, 1] (the message names the question, from 0), or k is below 1.

    Examples:
        >>> t2.forecasts.pass_from_p([0.0, 0.1, 0.5], samples=[1, 10]).passed.round(3)
        array([0.2 , 0.55])
    """
    p = np.asarray(p, float)
    if p.ndim != 1 or not p.size:
        raise ValueError(f"p has shape {p.shape}, expected one chance per question")
    bad = np.flatnonzero(~((p >= 0) & (p <= 1)))
    if bad.size:
        raise ValueError(f"question {bad[0]} has p = {p[bad[0]]:g}, expected a chance from 0 to 1")
    k = checked_samples(samples, whole=False)
    with scope():
        by_question = np.asarray(jnp.exp(log_pass_at_k(jnp.asarray(p)[:, None], jnp.asarray(k)[None, :])), float)
    passed = by_question.mean(axis=0)
    exact = Band(passed, passed, passed, level)
    population = _band(by_question, _spread(by_question), level)
    return Estimate(k, passed, exact, population, f"{p.size} questions of known chance")


def _spread(values: Float[np.ndarray, "questions k"]) -> np.ndarray:
    """Computes the standard error of the mean over questions. One question has none, which is NaN."""
    several = len(values) > 1
    return np.std(values, axis=0, ddof=1) / np.sqrt(len(values)) if several else np.full(values.shape[1], np.nan)


def _band(by_question: Float[np.ndarray, "questions k"], error: np.ndarray, level: float) -> Band:
    """Computes intervals that are normal on the logit scale.

    Where every question has 0, or every one 1, it takes the bound that needs no spread.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, not {level!r}")
    passed, tail = by_question.mean(axis=0), (1 - level) / 2
    none, certain = passed <= 0, passed >= 1  # also where the mean rounds to 1
    inside = np.where(none | certain, 0.5, passed)
    logit = np.log(inside) - np.log1p(-inside)
    reach = -NormalDist().inv_cdf(tail) * error / inside / (1 - inside)
    bound = tail ** (1 / len(by_question))
    low, high = (1 / (1 + np.exp(-np.clip(logit + side * reach, -700, 700))) for side in (-1, 1))
    low, high = (
        np.where(none, 0.0, np.where(certain, bound, low)),
        np.where(certain, 1.0, np.where(none, 1 - bound, high)),
    )
    low, high = (np.where(np.isnan(error), np.nan, end) for end in (low, high))
    return Band(low, passed, high, level)
