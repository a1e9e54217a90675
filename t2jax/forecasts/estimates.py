"""pass@k of one model from what was measured: counts of each question, or the known chance of each.

Two intervals stand beside each estimate, because two questions are asked. What would pass@k be over *other* questions
of the same kind (`population`)? And what is it for *these* questions, had more samples been drawn (`questions`)?
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import jax.numpy as jnp
import numpy as np

from t2jax.forecasts.counts import checked_counts, checked_samples, pass_of_each
from t2jax.numerics.bands import Band
from t2jax.numerics.special import log_pass_at_k
from t2jax.typing import Float
from t2jax.working_precision import scope


@dataclass(frozen=True)
class Estimate:
    """pass@k averaged over questions. samples: k. passed: the estimate at each k, shape (k,), as are the bands.

    questions: interval for these questions; only the noise of their counts enters. population: interval for the mean
    over the population of questions that these are a sample of; that noise and the choice of questions enter. status:
    in English.
    """

    samples: np.ndarray
    passed: np.ndarray
    questions: Band
    population: Band
    status: str


def pass_from_counts(trials: object, correct: object, samples: Sequence[float], level: float = 0.9) -> Estimate:
    """Unbiased pass@k from `correct` of `trials` samples of each question, with intervals.

    trials, correct: whole numbers, shape (questions,); the numbers of samples may differ. samples: every k, whole
    numbers from 1 to the smallest of `trials`. level: of the intervals.

    Estimate: mean over questions of 1 - C(n-c, k)/C(n, k) (Chen et al. 2021, 2107.03374, equation 1). Population:
    standard error s/√Q of the mean of Q questions; the noise of the counts is part of their spread s. Questions: with
    f = C(n-c, k)/C(n, k), f² - C(n-c, 2k)/C(n, 2k) is the unbiased estimate of one question's variance (that of a
    U-statistic; Hoeffding 1948). It needs n >= 2k for every question; at a larger k the population's error, which is
    on average the larger, stands in for it, and the status says so. Both intervals are normal on the logit scale
    (delta method). Where the estimate is 0 or 1 for every question there is no spread: with α = (1-level)/2 the
    interval is then 0 to 1-α^(1/Q), or α^(1/Q) to 1, which holds for any mean of Q independent numbers in [0, 1].

    The error of few questions, under about 30, is too small.

    Raises ValueError that names the question (from 0) for bad counts, and for n < k. There the estimator does not
    exist. Leaving such questions out biases the mean where hard questions were sampled more often than easy ones;
    `forecast_beta` uses them all.
    """
    n, c = checked_counts(trials, correct)
    k = checked_samples(samples)
    short = np.flatnonzero(n < k.max())
    if short.size:
        raise ValueError(
            f"question {short[0]} has n = {n[short[0]]:g} samples, fewer than k = {k.max():g} ({short.size} of {n.size}"
            " questions have); forecast pass@k, or leave such questions out if n does not depend on how hard they are"
        )
    with scope() as dtype:
        wide = n.min() >= 2 * k
        both = np.concatenate([k, np.where(wide, 2 * k, 1)])
        found = pass_of_each(*(jnp.asarray(one, dtype) for one in (n, c, both)))
        each, twice = np.split(np.asarray(found, float), 2, axis=1)
    noise = np.sqrt(np.sum(np.maximum(twice - 2 * each + each**2, 0.0), axis=0)) / len(n)
    spread = _spread(each)
    said = [f"{np.count_nonzero(c)} of {n.size} questions solved"]
    if not wide.all():
        above = f"above k = {n.min() // 2:g}" if n.min() > 1 else "with one sample of a question, at every k,"
        said.append(f"{above} the interval of these questions is that of the population")
    bands = _band(each, np.where(wide, noise, spread), level), _band(each, spread, level)
    return Estimate(k, each.mean(axis=0), *bands, "; ".join(said))


def pass_from_p(p: object, samples: Sequence[float], level: float = 0.9) -> Estimate:
    """pass@k from the known chance p that one sample is right, with the interval over questions.

    p: shape (questions,), from 0 to 1. samples: every k, real, at least 1. The mean of 1 - (1-p)^k; with p known the
    interval of these questions has no width, and that of the population is as in `pass_from_counts`. Raises ValueError
    that names the question (from 0) for p outside [0, 1], and for k below 1.
    """
    p = np.asarray(p, float)
    if p.ndim != 1 or not p.size:
        raise ValueError(f"p has shape {p.shape}, expected one chance per question")
    bad = np.flatnonzero(~((p >= 0) & (p <= 1)))
    if bad.size:
        raise ValueError(f"question {bad[0]} has p = {p[bad[0]]:g}, expected a chance from 0 to 1")
    k = checked_samples(samples, whole=False)
    with scope():
        each = np.asarray(jnp.exp(log_pass_at_k(jnp.asarray(p)[:, None], jnp.asarray(k)[None, :])), float)
    passed = each.mean(axis=0)
    known = Band(passed, passed, passed, level)
    return Estimate(k, passed, known, _band(each, _spread(each), level), f"{p.size} questions of known chance")


def _spread(each: Float[np.ndarray, "questions k"]) -> np.ndarray:
    """Standard error of the mean over questions; of one question the largest that a number in [0, 1] can have."""
    return np.std(each, axis=0, ddof=1) / np.sqrt(len(each)) if len(each) > 1 else np.full(each.shape[1], 0.5)


def _band(each: Float[np.ndarray, "questions k"], error: np.ndarray, level: float) -> Band:
    """Normal on the logit scale; where every question says 0, or 1, the bound that needs no spread."""
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, not {level!r}")
    passed, tail = each.mean(axis=0), (1 - level) / 2
    none, certain = passed <= 0, passed >= 1  # also where the mean rounds to 1
    inside = np.where(none | certain, 0.5, passed)
    logit = np.log(inside) - np.log1p(-inside)
    reach = -NormalDist().inv_cdf(tail) * error / inside / (1 - inside)
    bound = tail ** (1 / len(each))
    low, high = (1 / (1 + np.exp(-np.clip(logit + side * reach, -700, 700))) for side in (-1, 1))
    low, high = (
        np.where(none, 0.0, np.where(certain, bound, low)),
        np.where(certain, 1.0, np.where(none, 1 - bound, high)),
    )
    return Band(low, passed, high, level)
