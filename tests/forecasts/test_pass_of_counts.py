"""pass^k, maj@k, paired differences and targets: against exact fractions, all subsets, and simulated draws."""

import itertools
from fractions import Fraction
from math import comb, inf

import jax
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import betaln
from scipy.stats import beta

from t2jax.forecasts import (
    all_pass_from_counts,
    compare_counts,
    forecast_all_pass,
    forecast_beta,
    majority_at_k,
    pass_from_counts,
    samples_for_target,
)
from t2jax.forecasts.rising import forecast_beyond
from t2jax.laws.pass_at_k.beta_tail import BetaTail

KEY = jax.random.key(0)


def exact(n: list[int], c: list[int], k: int) -> tuple[float, float]:
    """Means over questions of pass@k and pass^k, in exact fractions."""
    fails = [Fraction(comb(n - c, k), comb(n, k)) for n, c in zip(n, c, strict=True)]
    powers = [Fraction(comb(c, k), comb(n, k)) for n, c in zip(n, c, strict=True)]
    return float(1 - sum(fails) / len(n)), float(sum(powers) / len(n))


def test_pass_at_k_and_pass_to_the_k_are_the_exact_fractions():
    draw = np.random.default_rng(0)
    n = draw.integers(20, 60, 40)
    c = [int(draw.integers(0, most + 1)) for most in n]
    for k in (1, 2, 5, 20):
        expected = exact(n.tolist(), c, k)
        assert pass_from_counts(n, c, [k]).passed[0] == pytest.approx(expected[0], rel=1e-12)
        assert all_pass_from_counts(n, c, [k]).passed[0] == pytest.approx(expected[1], rel=1e-12, abs=1e-14)


def test_pass_to_the_third_of_seven_in_ten_is_a_published_number():
    estimate = all_pass_from_counts([10], [7], samples=[3])
    assert estimate.passed[0] == pytest.approx(35 / 120, rel=1e-12)
    assert estimate.questions.low[0] < 35 / 120 < estimate.questions.high[0]
    assert np.isnan([estimate.population.low[0], estimate.population.high[0]]).all()
    assert estimate.status == "1 of 1 question solved; an interval of the population needs at least two questions"
    assert np.isnan(pass_from_counts([10], [0], [1]).population.high[0])


@pytest.mark.parametrize(("n", "c", "k"), [(128, 20, 16), (128, 127, 64), (1000, 40, 30), (5000, 4000, 500)])
def test_small_pass_to_the_k_keeps_its_digits(n, c, k):
    """Of (128, 20) and (128, 0) at k = 16 the mean is 2.6e-17, which one minus a chance near one would lose."""
    estimate = all_pass_from_counts([n, n], [c, 0], samples=[k])
    truth = float(Fraction(comb(c, k), 2 * comb(n, k)))
    assert estimate.passed[0] == pytest.approx(truth, rel=1e-10, abs=0)
    assert 0 < estimate.population.low[0] < truth < estimate.population.high[0]


def test_the_noise_of_pass_to_the_k_is_the_unbiased_variance():
    """C(7, 2)/C(10, 2) = 7/15 and C(7, 4)/C(10, 4) = 1/6: the variance is 49/225 - 1/6, carried to the logit."""
    estimate = all_pass_from_counts([10], [7], samples=[2])
    p, error = 7 / 15, (49 / 225 - 1 / 6) ** 0.5
    reach = 1.6448536269514722 * error / (p * (1 - p))
    expected = 1 / (1 + (1 - p) / p * np.exp(-reach))
    assert estimate.questions.high[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("estimate", [pass_from_counts, all_pass_from_counts])
@pytest.mark.parametrize(("n", "c", "k"), [(2, 0, 5), (99, 0, 100), (1, 1, 2)])
def test_k_beyond_the_samples_is_refused(estimate, n, c, k):
    with pytest.raises(ValueError, match=rf"n = {n} samples, fewer than k = {k}"):
        estimate([n], [c], [k])


def brute_majority(answers: list[str], right: list[bool], k: int) -> Fraction:
    """The share of all subsets whose most frequent answer is right, a tie as the share of right ones in it."""
    verdict = dict(zip(answers, right, strict=True))
    total, subsets = Fraction(0), 0
    for chosen in itertools.combinations(range(len(answers)), k):
        votes = [answers[i] for i in chosen if answers[i]]
        subsets += 1
        if votes:
            most = max(map(votes.count, votes))
            winners = [answer for answer in set(votes) if votes.count(answer) == most]
            total += Fraction(sum(verdict[answer] for answer in winners), len(winners))
    return total / subsets


@pytest.mark.parametrize("seed", range(6))
def test_maj_at_k_is_the_share_of_all_subsets(seed):
    draw = np.random.default_rng(seed)
    answers = [("", "4", "4.0", "7", "8", "9")[i] for i in draw.integers(0, 6, 10)]
    right = [answer in ("4", "4.0") for answer in answers]
    for k in (1, 2, 3, 5, 8, 10):
        assert majority_at_k(answers, right, k) == pytest.approx(float(brute_majority(answers, right, k)), abs=1e-12)


def test_maj_at_1_is_pass_at_1_and_many_samples_stay_a_probability():
    answers = ["a"] * 300 + ["b"] * 500 + [str(i) for i in range(200)]
    right = [answer == "a" for answer in answers]
    assert majority_at_k(answers, right, 1) == pytest.approx(0.3, rel=1e-12)
    assert 0 < majority_at_k(answers, right, 5) < 0.3
    assert majority_at_k(answers, right, 1000) == 0.0


@pytest.mark.parametrize(
    ("answers", "right", "k", "message"),
    [
        (["a", "a"], [True, False], 1, "both right and wrong"),
        (["", "a"], [True, True], 1, "right sample without an answer"),
        (["a"], [True], 2, "expected 1 <= k <= n"),
        (["a", "b"], [True], 1, "2 answers and 1 verdicts"),
    ],
)
def test_answers_that_contradict_are_refused(answers, right, k, message):
    with pytest.raises(ValueError, match=message):
        majority_at_k(answers, right, k)


def paired_counts(draw: np.random.Generator, questions: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Correct samples of two models whose chances rise and fall together: p of the second is p² of the first."""
    p = draw.beta(0.5, 0.8, questions)
    return draw.binomial(n, p), draw.binomial(n, p**2)


def paired_truth(k: int) -> float:
    """Difference of pass@k over the population, by quadrature over the Beta."""
    at = (np.arange(200_000) + 0.5) / 200_000
    p = beta(0.5, 0.8).ppf(at)
    return float(np.mean((1 - p**2) ** k - (1 - p) ** k))


def coverage_of_differences(simulations: int, k: int, seed: int, questions: int = 164, n: int = 16) -> float:
    draw, truth, covered = np.random.default_rng(seed), paired_truth(k), 0
    trials = np.full(questions, n)
    for _ in range(simulations):
        first, second = paired_counts(draw, questions, n)
        band = compare_counts((trials, first), (trials, second), [k]).population
        covered += bool(band.low[0] <= truth <= band.high[0])
    return covered / simulations


def test_intervals_of_paired_differences_hold_the_truth_as_often_as_they_say():
    # with 150 simulations and a true coverage of 0.9 the share has a standard error of 0.024
    assert 0.82 < coverage_of_differences(150, k=4, seed=0) < 0.97


def test_a_paired_interval_is_that_of_the_differences():
    """Textbook: mean 0.25, standard deviation 0.25 of three differences, Student's 95 % quantile of 2 is 2.91999."""
    comparison = compare_counts(([4] * 3, [1, 2, 4]), ([4] * 3, [0, 2, 2]), [1])
    assert comparison.difference[0] == pytest.approx(0.25)
    assert comparison.population.high[0] == pytest.approx(0.25 + 2.9199856 * 0.25 / 3**0.5, rel=1e-6)
    assert "fewer than 30 differ" in comparison.status


def test_models_that_agree_everywhere_may_still_differ_elsewhere():
    comparison = compare_counts(([4] * 50, [2] * 50), ([4] * 50, [2] * 50), [1])
    assert comparison.population.high[0] == pytest.approx(1 - 0.05 ** (1 / 50)) and comparison.population.low[0] < 0


@pytest.mark.parametrize(
    ("second", "k", "message"),
    [
        (([4], [1]), 1, "found 2 and 1 questions"),
        (([4, 4], [1, 5]), 1, "question 1 has 5 correct of 4"),
        (([4, 2], [1, 1]), 3, "found k = 3, expected at most 2"),
    ],
)
def test_models_that_cannot_be_compared_are_refused(second, k, message):
    with pytest.raises(ValueError, match=message):
        compare_counts(([4, 4], [1, 2]), second, [k])


def test_the_k_of_a_target_within_the_counts_is_the_smallest_that_reaches_it():
    """Questions of 8 samples with 1 right: pass@k is k/8, so 0.6 needs 5 of them."""
    answer = samples_for_target([8] * 40, [1] * 40, 0.6, key=KEY)
    assert answer.samples == 5 and answer.low <= 5 <= answer.high
    assert answer.status == "reached within the 8 samples a question"


def test_the_k_of_a_target_beyond_the_counts_is_that_of_the_beta():
    draw = np.random.default_rng(100)  # the truth was in 26 of 30 intervals of such seeds
    n = np.full(600, 10)
    c = draw.binomial(n, draw.beta(0.5, 4.0, 600))
    answer = samples_for_target(n, c, 0.9, key=KEY)
    truth = float(np.asarray(brentq(lambda k: np.expm1(betaln(0.5, 4.0 + k) - betaln(0.5, 4.0)) + 0.9, 1, 1e6)))
    assert answer.low <= truth <= answer.high and truth / 2 < answer.samples < 2 * truth
    assert "rests on the Beta distribution" in answer.status


def test_a_forecast_is_never_below_what_was_measured():
    """Every question is solved within its 8 samples, so pass@8 = 1, and pass@9 cannot be less."""
    n, c = np.full(10, 8), np.array([1, 1, 2, 2, 3, 3, 4, 4, 5, 5])
    plain = forecast_beta(n, c, [9], key=KEY, draws=200)
    assert plain.passed[0] < 1
    forecast = forecast_beyond(n, c, [9, 100], KEY, 200, 0.9)
    assert forecast.passed.tolist() == [1.0, 1.0] and forecast.high.tolist() == [1.0, 1.0]
    assert forecast.low[0] >= 0.05 ** (1 / 10)  # the lower end at k = 8, α^(1/Q)
    assert "the measured pass@8 = 1 stands" in forecast.status


def test_all_right_beyond_the_samples_is_a_ratio_of_beta_functions():
    """B(a+k, b)/B(a, b) in the population, and the same with a+c and b+n-c for a question, averaged over draws."""
    n, c, k = [8, 8, 4], [0, 7, 4], np.array([1.0, 9.0, 100.0])
    laws = BetaTail(a=np.linspace(0.5, 2.0, 20), b=np.linspace(4.0, 1.5, 20))
    with jax.enable_x64(True):
        mean, ends = forecast_all_pass(n, c, laws, k.tolist())
    draws = list(zip(laws.a, laws.b, strict=True))
    here = [
        [np.exp(betaln(a + x + k, b + m - x) - betaln(a + x, b + m - x)) for a, b in draws]
        for m, x in zip(n, c, strict=True)
    ]
    np.testing.assert_allclose(mean, np.mean(here, axis=(0, 1)), rtol=1e-9)
    elsewhere = [np.exp(betaln(a + k, b) - betaln(a, b)) for a, b in draws]
    np.testing.assert_allclose(ends.low, np.quantile(elsewhere, 0.05, axis=0), rtol=1e-9)
    assert forecast_all_pass([4, 4], [4, 4], laws, [9])[1].high == 1
    assert forecast_all_pass([4, 4], [0, 0], laws, [9])[1].low == 0


def test_one_short_question_does_not_discard_the_others():
    """Questions of 200 samples from Beta(1, 1), for which pass@k is k/(k + 1), and one of a single sample."""
    chances = (np.arange(49) + 0.5) / 49
    n, c = np.append(np.full(49, 200), 1), np.append(np.round(200 * chances), 0)
    answer = samples_for_target(n, c, 0.9, key=KEY)
    assert answer.low < 9 < answer.high and answer.samples == pytest.approx(9, abs=3)
    assert answer.status == "beyond the 1 sample a question: it rests on the Beta distribution of the forecast"


def test_where_nothing_is_solved_the_k_is_the_priors():
    answer = samples_for_target([2] * 99, [0] * 99, 0.5, key=KEY)
    assert "nothing is solved, so it rests on the prior and not on the counts" in answer.status
    far = samples_for_target([2] * 99, [0] * 99, 1 - 1e-9, key=KEY)
    assert far.samples == inf and far.status.startswith("no k up to 1e9 reaches it in the forecast; ")


def test_where_all_samples_are_right_the_upper_end_is_the_priors():
    """The lower end of pass@2 of 5 questions is 0.05^(1/5) = 0.549, so a target of 0.8 needs a forecast."""
    answer = samples_for_target([2] * 5, [2] * 5, 0.8, key=KEY)
    assert answer.samples == 1 and answer.high > 2
    assert answer.status == "reached within the 2 samples a question; the upper end of the interval rests on the prior"


def test_a_target_of_one_question_has_no_interval():
    """One right of two: pass@2 = 1."""
    answer = samples_for_target([2], [1], 0.9, key=KEY)
    assert answer.samples == 2 and np.isnan([answer.low, answer.high]).all()
    assert answer.status == "reached within the 2 samples a question; an interval needs at least two questions"


def test_one_sample_a_question_gives_no_k():
    answer = samples_for_target([1] * 164, [1] * 50 + [0] * 114, 0.8, key=KEY)
    assert answer.samples == inf and answer.status.startswith("one sample a question: only pass@1 is known")
    with pytest.raises(ValueError, match="found the target 80"):
        samples_for_target([4], [2], 80.0, key=KEY)
