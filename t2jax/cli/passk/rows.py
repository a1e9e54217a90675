"""pass@k, pass^k and maj@k of one model on one task, measured up to n samples and forecast beyond them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from t2jax.forecasts.estimates import pass_from_counts
from t2jax.forecasts.majority import MOST, majority_at_k
from t2jax.forecasts.paired import compare_counts
from t2jax.forecasts.pass_power import all_pass_from_counts, forecast_all_pass
from t2jax.forecasts.power_law import forecast_power_law
from t2jax.forecasts.rising import RisingForecast, forecast_beyond
from t2jax.laws.pass_at_k.beta_tail import BetaTail
from t2jax.results.counts_file import QuestionCounts
from t2jax.tables.place import TableError
from t2jax.typing import Array

COUNTS, BETA, POWER_LAW, PRIOR = "counts", "beta forecast", "power law", "prior"
PASS, ALL, MAJORITY = "pass@k", "pass^k", "maj@k"


@dataclass(frozen=True)
class Cell:
    """One quantity at one k.

    Attributes:
        model: Name of the model.
        task: Name of the task.
        quantity: "pass@k", "pass^k" or "maj@k".
        k: Number of samples.
        value: The estimate or forecast.
        low: Lower end of its interval over questions.
        high: Upper end.
        rests_on: "counts", "beta forecast", "power law" or "prior".
        questions: Number of questions.
    """

    model: str
    task: str
    quantity: str
    k: int
    value: float
    low: float
    high: float
    rests_on: str
    questions: int


@dataclass(frozen=True)
class Difference:
    """pass@k of one model minus that of another on common questions.

    Attributes:
        first: Name of the first model.
        second: Name of the second model.
        task: Name of the task.
        k: Number of samples.
        value: The mean difference.
        low: Lower end of its interval over questions.
        high: Upper end.
        questions: Number of common questions.
    """

    first: str
    second: str
    task: str
    k: int
    value: float
    low: float
    high: float
    questions: int


def cells_of(
    counts: QuestionCounts, samples: Sequence[int], key: Array, draws: int, level: float
) -> tuple[list[Cell], list[str]]:
    """Computes every quantity at every k, and sentences on what the forecasts rest on."""
    n, c = counts.trials, counts.correct
    fewest = int(n.min())
    measured = [k for k in samples if k <= fewest]
    beyond = [k for k in samples if k > fewest]
    cells: list[Cell] = []
    statuses: list[str] = []
    if measured:
        for quantity, estimate in (
            (PASS, pass_from_counts(n, c, measured, level)),
            (ALL, all_pass_from_counts(n, c, measured, level)),
        ):
            band = estimate.population
            cells += _cells(counts, quantity, measured, estimate.passed, band.low, band.high, COUNTS)
        cells += _majorities(counts, measured, level)
    if beyond and n.max() == 1:
        cells += _bounds(counts, beyond, level)
        statuses.append(
            "one sample a question says pass@1 and nothing of larger k: pass@k may be anything between"
            " pass@1, if each question is always or never solved, and 1 - (1 - pass@1)^k, if all are alike;"
            " pass^k is between pass@1^k and pass@1"
        )
    elif beyond:
        forecast = forecast_beyond(n, c, beyond, key, draws, level)
        basis = PRIOR if forecast.from_prior else BETA
        cells += _cells(counts, PASS, beyond, forecast.passed, forecast.low, forecast.high, basis)
        cells += _all_right(counts, forecast.laws, beyond, level, basis)
        statuses.append(_forecast_status(n, forecast))
        line = forecast_power_law(n, c, beyond, key=key, draws=draws, level=level)
        if line.law is not None:
            band = line.population
            cells += _cells(counts, PASS, beyond, line.passed, band.low, band.high, POWER_LAW)
    if len(n) == 1:
        statuses.append("one question: an interval over questions needs at least two")
    return cells, statuses


def _forecast_status(n: np.ndarray, forecast: RisingForecast) -> str:
    """Writes what a forecast rests on, and how many questions have the fewest samples."""
    fewest = int(n.min())
    few = f"the {fewest} sample{'s' * (fewest != 1)}"
    where = f"beyond {few} of a question"
    if n.max() > fewest:
        where = f"beyond {few} of the question with the fewest ({np.sum(n == fewest)} of {len(n)} have so few)"
    basis = "a Beta distribution of the questions' chances"
    if forecast.from_prior:
        basis = f"the prior of {basis}, and not on the counts"
    return f"{where} pass@k is undefined; the forecast rests on {basis} ({forecast.status.replace('; ', ', ')})"


def differences(
    first: QuestionCounts, second: QuestionCounts, samples: Sequence[int], level: float
) -> tuple[list[Difference], str]:
    """Compares two models on the questions of both. It raises TableError without at least two of them."""
    places = [{name: i for i, name in enumerate(counts.questions)} for counts in (first, second)]
    common = [name for name in first.questions if name in places[1]]
    if len(common) < 2:
        raise TableError(f"{first.name} and {second.name} have {len(common)} common questions, expected at least 2")
    rows = [[place[name] for name in common] for place in places]
    pairs = [(counts.trials[at], counts.correct[at]) for counts, at in zip((first, second), rows, strict=True)]
    fewest = int(min(n.min() for n, _ in pairs))
    measured = [k for k in samples if k <= fewest] or [1]
    comparison = compare_counts(pairs[0], pairs[1], measured, level)
    band = comparison.population
    lines = [
        Difference(
            first.model,
            second.model,
            first.task,
            k,
            float(comparison.difference[i]),
            float(band.low[i]),
            float(band.high[i]),
            len(common),
        )
        for i, k in enumerate(measured)
    ]
    left_out = [k for k in samples if k > fewest]
    status = comparison.status
    if left_out:
        status += f"; k = {', '.join(map(str, left_out))} is beyond the {fewest} samples of a question"
    return lines, status


def _cells(
    counts: QuestionCounts, quantity: str, samples: Sequence[int], value: Any, low: Any, high: Any, rests_on: str
) -> list[Cell]:
    numbers = [np.asarray(array, float) for array in (value, low, high)]
    return [
        Cell(
            counts.model,
            counts.task,
            quantity,
            k,
            *(float(array[i]) for array in numbers),
            rests_on=rests_on,
            questions=len(counts.trials),
        )
        for i, k in enumerate(samples)
    ]


def _all_right(counts: QuestionCounts, laws: BetaTail, samples: Sequence[int], level: float, basis: str) -> list[Cell]:
    """Forecasts pass^k beyond the fewest samples of a question, never above what was measured there."""
    n, c = counts.trials, counts.correct
    measured = all_pass_from_counts(n, c, [int(n.min())], level)
    mean, band = forecast_all_pass(n, c, laws, samples, level)
    value, low, high = (
        np.minimum(of_beta, of_counts[0])
        for of_beta, of_counts in (
            (mean, measured.passed),
            (band.low, measured.population.low),
            (band.high, measured.population.high),
        )
    )
    return _cells(counts, ALL, samples, value, np.minimum(low, value), np.maximum(high, value), basis)


def _bounds(counts: QuestionCounts, samples: Sequence[int], level: float) -> list[Cell]:
    """Bounds pass@k and pass^k of questions with one sample each; the middle of the bounds is no estimate."""
    band = pass_from_counts(counts.trials, counts.correct, [1], level).population
    low, high = float(band.low[0]), float(band.high[0])
    highs = [1.0 if high >= 1 else -math.expm1(k * math.log1p(-high)) for k in samples]
    none, every = [math.nan] * len(samples), len(samples)
    lows = [low**k for k in samples]
    return [
        *_cells(counts, PASS, samples, none, [low] * every, highs, PRIOR),
        *_cells(counts, ALL, samples, none, lows, [high] * every, PRIOR),
    ]


def _majorities(counts: QuestionCounts, samples: Sequence[int], level: float) -> list[Cell]:
    """Computes maj@k, whose interval over questions is normal and within 0 and 1; nothing without answers."""
    if not counts.answers or counts.trials.max() > MOST:
        return []
    from scipy.special import ndtri

    shares = np.array([[majority_at_k(*answers, k) for k in samples] for answers in counts.answers.values()])
    mean, total = shares.mean(axis=0), len(shares)
    error = shares.std(axis=0, ddof=1) / math.sqrt(total) if total > 1 else np.full(len(samples), np.nan)
    reach = float(ndtri(0.5 + level / 2)) * error
    return _cells(counts, MAJORITY, samples, mean, np.maximum(mean - reach, 0), np.minimum(mean + reach, 1), COUNTS)
