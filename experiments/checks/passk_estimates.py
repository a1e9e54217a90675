"""Are pass@k, pass^k and maj@k exact, and do paired intervals hold what they promise?

Estimates from counts are compared with exact fractions over all subsets of the samples, and with a million random
subsets. Two models are simulated whose chances vary together over questions. The interval of their difference is
compared with the true difference of the population.

    python -m experiments.checks.passk_estimates [tiny] [-o FOLDER]
"""

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import comb
from typing import Self

import numpy as np

import t2jax as t2
from experiments.shared.record import command, stage

SETTINGS = ((164, 10), (164, 1), (50, 10), (20, 10))
"""Questions, and samples of each."""
SPREAD, SHARED = 2.0, 0.8
"""Standard deviation of the logit of a question's chance, and the correlation between two models."""
MEANS = (-1.0, -0.5)
"""Mean logit of each model."""


@dataclass(frozen=True)
class Config:
    """How many cases and simulations."""

    cases: int = 200
    """Random counts for each quantity, with up to 200 samples; for maj@k up to 12."""
    draws: int = 1_000_000
    """Random subsets of the samples of a question."""
    drawn_cases: int = 20
    """Random counts that are compared with random subsets."""
    population: int = 2_000_000
    """Questions that give the true difference."""
    simulations: int = 1000
    """Simulated pairs of models in each setting."""
    level: float = 0.9
    """Level of the intervals."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(cases=5, draws=10_000, drawn_cases=3, population=100_000, simulations=5)


@dataclass(frozen=True)
class Exactness:
    """One quantity beside exact fractions and random subsets.

    Attributes:
        quantity: "pass@k", "pass^k" or "maj@k".
        cases: Number of random counts.
        difference: Largest relative difference from the exact fraction.
        drawn: Number of counts compared with random subsets.
        deviation: Largest distance from their mean, in its standard errors.
    """

    quantity: str
    cases: int
    difference: float
    drawn: int
    deviation: float


@dataclass(frozen=True)
class Coverage:
    """Paired intervals at one k.

    Attributes:
        questions: Number of questions.
        trials: Samples of each question.
        k: Number of samples.
        truth: Difference of pass@k in the population.
        covered: Share of the intervals that hold it, percent.
        width: Mean width of the intervals.
        separate: Mean width of the sum in squares of both models' own intervals, which ignores the pairing.
    """

    questions: int
    trials: int
    k: int
    truth: float
    covered: float
    width: float
    separate: float


@dataclass(frozen=True)
class Result:
    """The comparisons, and the standard error of a coverage in percent if it is as promised."""

    exact: tuple[Exactness, ...]
    coverage: tuple[Coverage, ...]
    standard_error: float


def run(config: Config) -> Result:
    rng = np.random.default_rng(config.seed)
    with stage("exact fractions and random subsets"):
        exact = [of_counts("pass@k", config, rng), of_counts("pass^k", config, rng), of_votes(config, rng)]
    with stage("paired intervals"):
        coverage = [line for setting in SETTINGS for line in measure_coverage(*setting, config, rng)]
    share = config.level
    error = 100 * float(np.sqrt(share * (1 - share) / config.simulations))
    return Result(tuple(exact), tuple(coverage), error)


def of_counts(quantity: str, config: Config, rng: np.random.Generator) -> Exactness:
    """Compares pass@k or pass^k of one question with C(·, k) / C(n, k), and with random subsets."""
    differences, deviations = [], []
    for case in range(config.cases):
        n = int(rng.integers(1, 201))
        c, k = int(rng.integers(0, n + 1)), round(np.exp(rng.uniform(0, np.log(n))))
        every = quantity == "pass^k"
        share = Fraction(comb(c if every else n - c, k), comb(n, k))
        truth = share if every else 1 - share
        estimate = t2.forecasts.all_pass_from_counts if every else t2.forecasts.pass_from_counts
        value = float(estimate([n], [c], [k]).passed[0])
        differences.append(abs(value / float(truth) - 1) if float(truth) > 0 else abs(value))
        if case < config.drawn_cases:
            right = rng.hypergeometric(c, n - c, k, config.draws)
            deviations.append(deviation(value, (right == k) if every else (right > 0)))
    return Exactness(quantity, config.cases, max(differences), len(deviations), max(deviations))


def of_votes(config: Config, rng: np.random.Generator) -> Exactness:
    """Compares maj@k with all subsets of up to 12 samples, and with random subsets of up to 200."""
    differences, deviations = [], []
    for _ in range(config.cases):
        votes, right = random_votes(int(rng.integers(2, 13)), rng)
        k = int(rng.integers(1, sum(votes) + 1))
        value, truth = majority(votes, right, k), float(majority_of_all(votes, right, k))
        differences.append(abs(value / truth - 1) if truth > 0 else abs(value))
    for _ in range(config.drawn_cases):
        votes, right = random_votes(int(rng.integers(20, 201)), rng)
        k = int(rng.integers(1, min(sum(votes), 50) + 1))
        drawn = rng.multivariate_hypergeometric(votes, k, config.draws, method="marginals")
        first = drawn == drawn.max(axis=1, keepdims=True)
        shares = (first & np.array(right)).sum(axis=1) / first.sum(axis=1)
        deviations.append(deviation(majority(votes, right, k), shares))
    return Exactness("maj@k", config.cases, max(differences), len(deviations), max(deviations))


def random_votes(samples: int, rng: np.random.Generator) -> tuple[list[int], list[bool]]:
    """Draws the votes of each answer, and whether it is right: one answer is, or two that mean the same."""
    answers = rng.integers(2, 7)
    votes = np.bincount(rng.choice(answers, samples, p=rng.dirichlet(np.ones(answers))), minlength=answers)
    right = np.arange(answers) < rng.integers(1, 3)
    return votes.tolist(), right.tolist()


def majority(votes: list[int], right: list[bool], k: int) -> float:
    answers = [str(i) for i, count in enumerate(votes) for _ in range(count)]
    return t2.forecasts.majority_at_k(answers, [right[int(answer)] for answer in answers], k)


def majority_of_all(votes: list[int], right: list[bool], k: int) -> Fraction:
    """Averages over all subsets; of answers with equal votes one wins at random."""
    samples = [i for i, count in enumerate(votes) for _ in range(count)]
    total, count = Fraction(0), 0
    for chosen in combinations(samples, k):
        tally = Counter(chosen)
        most = max(tally.values())
        winners = [answer for answer, times in tally.items() if times == most]
        total += Fraction(sum(right[answer] for answer in winners), len(winners))
        count += 1
    return total / count


def deviation(value: float, drawn: np.ndarray) -> float:
    """Returns the distance of a value from the mean of draws in standard errors of a share with that value."""
    if value in (0.0, 1.0):
        return 0.0 if bool(np.all(drawn == value)) else float("inf")
    error = np.sqrt(value * (1 - value) / len(drawn))  # at least that of any draws in [0, 1] with this mean
    return abs(value - float(np.mean(drawn))) / float(error)


def measure_coverage(questions: int, trials: int, config: Config, rng: np.random.Generator) -> list[Coverage]:
    """Simulates pairs of models, and counts intervals that hold the difference of the population."""
    samples = [k for k in (1, 5, 10) if k <= trials]
    everyone = chances(config.population, rng)
    truth = [float(np.mean((1 - everyone[1]) ** k - (1 - everyone[0]) ** k)) for k in samples]
    inside, widths, separate = (np.zeros((config.simulations, len(samples))) for _ in range(3))
    for i in range(config.simulations):
        n = np.full(questions, trials)
        counts = [rng.binomial(trials, p) for p in chances(questions, rng)]
        band = t2.forecasts.compare_counts((n, counts[0]), (n, counts[1]), samples, config.level).population
        alone = [t2.forecasts.pass_from_counts(n, c, samples, config.level).population for c in counts]
        inside[i] = (band.low <= truth) & (truth <= band.high)
        widths[i] = band.high - band.low
        separate[i] = np.hypot(*(side.high - side.low for side in alone))
    return [
        Coverage(
            questions,
            trials,
            k,
            truth[i],
            100 * float(inside[:, i].mean()),
            float(widths[:, i].mean()),
            float(separate[:, i].mean()),
        )
        for i, k in enumerate(samples)
    ]


def chances(questions: int, rng: np.random.Generator) -> np.ndarray:
    """Draws the chance of each question for both models, shape (2, questions)."""
    common = rng.normal(size=questions)
    separate = rng.normal(size=(2, questions))
    logit = np.array(MEANS)[:, None] + SPREAD * (np.sqrt(SHARED) * common + np.sqrt(1 - SHARED) * separate)
    return 1 / (1 + np.exp(-logit))


def words(result: Result) -> list[str]:
    lines = [
        f"{exact.quantity}: within {exact.difference:.1g} of {exact.cases} fractions, and within {exact.deviation:.2g}"
        f" standard errors of random subsets"
        for exact in result.exact
    ]
    lines += [
        f"{line.questions} questions, {line.trials} samples, k = {line.k}: {line.covered:.1f} % covered, width"
        f" {line.width:.3f} instead of {line.separate:.3f}"
        for line in result.coverage
    ]
    return lines


def main() -> None:
    command(Config, run, words)


if __name__ == "__main__":
    main()
