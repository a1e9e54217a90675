"""pass@k from counts and p against exact fractions and simulation; forecasts against SciPy, sampling, coverage."""

import math
from fractions import Fraction
from statistics import NormalDist
from typing import Any

import jax
import numpy as np
import pytest
from scipy.special import betaln
from scipy.stats import binom, norm

import t2jax as t2
from experiments.benchmarks import passk_forecast
from experiments.shared import record
from t2jax.laws.pass_at_k.beta_tail import BetaTail

KEY = jax.random.key(0)
Q, DRAWN, FAR = 128, 100, 1000  # every forecast has 100 samples and k = 1000 where it can: few shapes to compile
Z = NormalDist().inv_cdf(0.95)


def simulated(a, b, rng, questions=Q):
    """Chances of questions and the correct ones of 100 samples."""
    chance = rng.beta(a, b, questions)
    return chance, rng.binomial(DRAWN, chance)


def forecast_beta(correct, trials=None, **options):
    trials = np.full(len(correct), DRAWN) if trials is None else trials
    return t2.forecasts.forecast_beta(trials, correct, [FAR], key=KEY, **options)


def forecast_power_law(correct, **options):
    return t2.forecasts.forecast_power_law(np.full(len(correct), DRAWN), correct, [FAR], key=KEY, **options)


def inside(band, value):
    return bool(band.low[0] <= value <= band.high[0])


def test_counts_of_uneven_trials_match_exact_fractions():
    n, c, ks = [6, 7, 9, 6], [1, 2, 0, 6], [1, 2, 3]
    result = t2.forecasts.pass_from_counts(n, c, ks)
    for k, passed in zip(ks, result.passed, strict=True):
        estimates = [1 - Fraction(math.comb(m - s, k), math.comb(m, k)) for m, s in zip(n, c, strict=True)]
        assert passed == pytest.approx(float(sum(estimates) / 4), rel=1e-14)
        # the population's interval: s/√Q, carried to the logit
        error = np.std([float(estimate) for estimate in estimates], ddof=1) / 2
        logit = math.log(passed / (1 - passed)) + Z * error / (passed * (1 - passed))
        assert result.population.high[k - 1] == pytest.approx(1 / (1 + math.exp(-logit)), rel=1e-12)
    assert result.status == "3 of 4 questions solved"


def test_variance_of_the_counts_is_unbiased():
    """Summed over every possible count, the estimated variance of one question is the variance of its estimate."""
    n, k, p = 12, 3, 0.3
    passed, variance = np.zeros(n + 1), np.zeros(n + 1)
    for c in range(n + 1):
        forecast = t2.forecasts.pass_from_counts([n], [c], [k])
        passed[c] = forecast.passed[0]
        if 0 < passed[c] < 1:
            reach = np.diff(np.log([y / (1 - y) for y in (passed[c], forecast.questions.high[0])]))[0]
            variance[c] = (reach / Z * passed[c] * (1 - passed[c])) ** 2
    weight = binom.pmf(np.arange(n + 1), n, p)
    mean = weight @ passed
    assert mean == pytest.approx(1 - (1 - p) ** k, rel=1e-12)
    assert weight @ variance == pytest.approx(weight @ (passed - mean) ** 2, rel=1e-9)


def test_intervals_of_counts_hold_their_share():
    rng, k = np.random.default_rng(1), 20
    elsewhere = float(np.exp(-BetaTail(a=0.4, b=10.0).cost(float(k))))
    hits = []
    for _ in range(150):
        chance, correct = simulated(0.4, 10.0, rng)
        result = t2.forecasts.pass_from_counts(np.full(Q, DRAWN), correct, [k])
        here = t2.forecasts.pass_from_p(chance, [k])
        hits.append([inside(result.questions, here.passed[0]), inside(result.population, elsewhere)])
        hits[-1].append(inside(here.population, elsewhere))
    # standard error 0.024
    assert np.all(np.abs(np.mean(hits, axis=0) - 0.9) < 0.07), np.mean(hits, axis=0)


def test_intervals_without_spread():
    none, certain = (t2.forecasts.pass_from_counts([10] * 5, [c] * 5, [2, 10]) for c in (0, 10))
    bound = 0.05 ** (1 / 5)
    for band in (none.questions, none.population):
        np.testing.assert_allclose([band.low, band.mid, band.high], [[0, 0], [0, 0], [1 - bound] * 2], rtol=1e-12)
    for band in (certain.questions, certain.population):
        np.testing.assert_allclose([band.low, band.mid, band.high], [[bound] * 2, [1, 1], [1, 1]], rtol=1e-12)
    assert (
        none.status == "0 of 5 questions solved; above k = 5 the interval of these questions is that of the population"
    )


def test_known_chances():
    result = t2.forecasts.pass_from_p([0.0, 0.5, 1.0], [1, 2.5])
    np.testing.assert_allclose(result.passed, [0.5, (2 - 0.5**2.5) / 3], rtol=1e-14)
    np.testing.assert_array_equal(result.questions.low, result.questions.high)
    assert np.all(result.population.low < result.passed) and np.all(result.passed < result.population.high)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: t2.forecasts.pass_from_counts([5, 3, 9], [1, 1, 1], [2, 4]),
            "question 1 has n = 3 samples, fewer than k = 4",
        ),
        (lambda: t2.forecasts.pass_from_counts([5, 3], [1, 4], [2]), "question 1 has 4 correct of 3 trials"),
        (lambda: t2.forecasts.pass_from_counts([5, 0], [1, 0], [1]), "question 1 has 0 correct of 0 trials"),
        (lambda: t2.forecasts.pass_from_counts([5], [np.nan], [1]), "question 0 has nan correct of 5 trials"),
        (lambda: t2.forecasts.pass_from_counts([5, 5], [1], [1]), "one number per question in both"),
        (lambda: t2.forecasts.pass_from_counts([5], [1], [1.5]), "k = 1.5, expected whole numbers"),
        (lambda: t2.forecasts.pass_from_counts([5], [1], []), "expected a list of k"),
        (lambda: t2.forecasts.pass_from_counts([5], [1], [1], level=90), "level must be between 0 and 1, not 90"),
        (lambda: t2.forecasts.pass_from_p([0.5, 1.5], [1]), "question 1 has p = 1.5"),
        (lambda: t2.forecasts.pass_from_p([], [1]), "expected one chance per question"),
        (lambda: t2.forecasts.forecast_beta([5], [6], [10], key=KEY), "question 0 has 6 correct of 5 trials"),
        (lambda: t2.forecasts.forecast_beta([5], [1], [0.5], key=KEY), "k = 0.5, expected numbers of samples >= 1"),
        (lambda: t2.forecasts.forecast_power_law([5], [-1], [10], key=KEY), "question 0 has -1 correct"),
        (
            lambda: t2.forecasts.forecast_power_law([5], [0], [10], key=KEY, level=90),
            "level must be between 0 and 1, not 90",
        ),
        (lambda: t2.forecasts.forecast_power_law([5], [1], [10], key=KEY, first=6), "starts at k = 6, expected 1 to 5"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        call()


@pytest.fixture(scope="module")
def sampled():
    """One model of Beta(0.3, 200), its forecasts, and the chances they do not see."""
    chance, correct = simulated(0.3, 200.0, np.random.default_rng(4))
    return chance, correct, forecast_beta(correct), forecast_power_law(correct)


def test_posterior_matches_scipy_on_a_grid(sampled):
    _, correct, forecast, _ = sampled
    log_a, log_b = np.meshgrid(np.linspace(-5, 3, 320), np.linspace(0, 10, 320), indexing="ij")
    a, b = np.exp(log_a), np.exp(log_b)
    density, passed = norm.logpdf(log_a, -1, 1) + norm.logpdf(log_b, 3, 2), np.zeros_like(a)
    for c, count in zip(*np.unique(correct, return_counts=True), strict=True):
        density += count * (betaln(a + c, b + DRAWN - c) - betaln(a, b))
        fail = betaln(a + c, b + DRAWN - c + FAR) - betaln(a + c, b + DRAWN - c)
        passed += count * -np.expm1(fail) / Q
    weight = np.exp(density - density.max())
    weight /= weight.sum()
    error = math.sqrt(np.sum(weight * passed**2) - np.sum(weight * passed) ** 2) / math.sqrt(1000)
    assert forecast.passed[0] == pytest.approx(np.sum(weight * passed), abs=4 * error)
    for draws, values in ((forecast.laws.a, log_a), (forecast.laws.b, log_b)):
        mean = np.sum(weight * values)
        spread = math.sqrt(np.sum(weight * (values - mean) ** 2))
        assert np.mean(np.log(draws)) == pytest.approx(mean, abs=4 * spread / math.sqrt(1000))
        assert np.std(np.log(draws)) == pytest.approx(spread, rel=0.1)


def test_band_of_these_questions_matches_sampling(sampled):
    """Draws of every question's chance, one set for each draw of (a, b), in place of the Beta of two moments."""
    _, correct, forecast, _ = sampled
    rng = np.random.default_rng(5)
    a, b = (np.repeat(np.asarray(values), 10)[:, None] for values in (forecast.laws.a, forecast.laws.b))
    passed = np.mean(1 - (1 - rng.beta(a + correct, b + DRAWN - correct)) ** FAR, axis=1)
    band = forecast.questions
    low, mid, high = np.quantile(passed, [0.05, 0.5, 0.95])
    result = np.array([band.low[0], band.mid[0], band.high[0]])
    np.testing.assert_allclose(result, [low, mid, high], atol=0.07 * (high - low))


def test_coverage_is_exact_where_chances_follow_the_prior():
    """With (a, b) drawn from the prior a posterior band covers by construction; any error of the method shows here."""
    rng, hits, few = np.random.default_rng(6), [], 15  # so few samples that every table of counts has one shape
    while len(hits) < 120:
        law = BetaTail(a=float(np.exp(rng.normal(-1, 1))), b=float(np.exp(rng.normal(3, 2))))
        chance = rng.beta(law.a, law.b, Q)
        correct = rng.binomial(few, chance)
        if not correct.any() or np.all(correct == few):
            continue  # one-sided there, on purpose
        result = forecast_beta(correct, np.full(Q, few))
        here, elsewhere = t2.forecasts.pass_from_p(chance, [FAR]).passed[0], float(np.exp(-law.cost(float(FAR))))
        hits.append([inside(result.questions, here), inside(result.population, elsewhere)])
    # standard error 0.027
    assert np.all(np.abs(np.mean(hits, axis=0) - 0.9) < 0.08), np.mean(hits, axis=0)


def test_forecast_meets_the_estimate_where_counts_say_all():
    """A million samples of some questions, a hundred thousand of others: the prior does not matter."""
    rng = np.random.default_rng(7)
    trials = np.where(np.arange(16) % 2, 10**6, 10**5)
    correct = rng.binomial(trials, rng.beta(0.5, 300.0, 16))
    exact, result = t2.forecasts.pass_from_counts(trials, correct, [FAR]), forecast_beta(correct, trials)
    assert result.passed[0] == pytest.approx(exact.passed[0], abs=1e-3)
    width = exact.questions.high[0] - exact.questions.low[0]
    assert result.questions.high[0] - result.questions.low[0] == pytest.approx(width, rel=0.15)
    assert result.population.high[0] - result.population.low[0] > 10 * width


def test_line_is_the_least_squares_one(sampled):
    _, correct, _, line = sampled
    k = np.unique(np.round(np.geomspace(1, DRAWN, 13)))
    curve = t2.forecasts.pass_from_counts(np.full(Q, DRAWN), correct, list(k)).passed
    slope, height = np.polyfit(np.log(k), np.log(-np.log(curve)), 1)
    assert line.law is not None
    np.testing.assert_allclose([line.law.b, line.law.A], [-slope, np.exp(height)], rtol=1e-9)
    assert line.passed[0] == pytest.approx(np.exp(-np.exp(height) * FAR**slope), rel=1e-9)
    assert line.population.low[0] < line.passed[0] < line.population.high[0]


def test_each_forecast_fails_as_it_says(sampled):
    # the line is too low where the tail has not begun; the Beta is not
    chance, _, beta, line = sampled
    truth = t2.forecasts.pass_from_p(chance, [FAR]).passed[0]
    assert line.population.high[0] < truth and inside(beta.questions, truth)
    # half of the questions cannot be solved: the Beta goes on rising beyond one half, and is sure of it
    rng = np.random.default_rng(8)
    correct = np.concatenate([rng.binomial(DRAWN, rng.beta(2.0, 20.0, Q // 2)), np.zeros(Q // 2, int)])
    assert forecast_beta(correct).questions.low[0] > 0.52


def test_nothing_and_everything_solved():
    none, certain = np.zeros(Q, int), np.full(Q, DRAWN)
    low, high = forecast_beta(none), forecast_beta(certain)
    assert low.status == "nothing solved in 12800 samples: a is undetermined, the band is an upper bound from the prior"
    assert high.status.startswith("all 12800 samples correct: a and b are undetermined")
    for band in (low.questions, low.population):
        assert band.low[0] == 0 < band.mid[0] < band.high[0] < 0.25
    for band in (high.questions, high.population):
        assert 0.9 < band.low[0] <= band.mid[0] <= band.high[0] == 1
    for correct, passed in ((none, 0.0), (certain, 1.0)):
        line = forecast_power_law(correct)
        assert line.law is None and line.status.startswith("no power law: ")
        assert (line.passed[0], line.population.low[0], line.population.high[0]) == (passed, 0.0, 1.0)
    flat = forecast_power_law(np.where(np.arange(Q) < Q // 2, DRAWN, 0))
    assert flat.law is None and flat.status.endswith("pass@k does not rise with k")
    assert flat.passed[0] == pytest.approx(0.5)


def test_experiment_on_made_up_checkpoints(tmp_path):
    """Betas that are true, and one checkpoint with too few samples: the Beta's bands hold, the plain line is low."""
    rng = np.random.default_rng(9)
    models = {"a": (0.3, 300.0, 5e9), "b": (0.4, 100.0, 5e9), "short": (0.3, 100.0, 5e9)}
    models |= dict.fromkeys("cd", (0.3, 3e5, 1e8))
    columns: dict[str, Any] = {name: [] for name in ("model", "params", "tokens", "question", "trials", "correct")}
    for model, (a, b, tokens) in models.items():
        n = 1999 if model == "short" else 10**5
        for i, chance in enumerate(rng.beta(a, b, Q)):
            row = (model, 1e8, tokens, str(i), n, rng.binomial(n, chance))
            for column, value in zip(columns.values(), row, strict=True):
                column.append(value)
    config = passk_forecast.Config(repeats=6)
    answer = passk_forecast.checkpoints(t2.Table.from_columns(**columns), config)
    assert [row.model for row in answer] == ["a", "b", "c", "d"]
    assert all(row.high - row.low < 0.01 for row in answer)
    trials = [
        passk_forecast.repeat("trained", answer[:2], config, 0),
        passk_forecast.repeat("early", answer[2:], config, 1),
    ]
    again = passk_forecast.repeat("trained", answer[:2], config, 0)
    np.testing.assert_array_equal(again.passed, trials[0].passed)
    ours, _, line, _ = (passk_forecast.score(trials[0], method) for method in range(4))
    assert (ours.checkpoints, ours.forecasts) == (2, 12)
    assert ours.absolute < 0.7 * line.absolute and line.bias < -5
    assert ours.coverage >= 10 / 12 and line.coverage < 0.5
    assert ours.coverage + ours.below + ours.above == pytest.approx(1)
    early = passk_forecast.score(trials[1], 0)
    assert early.coverage == 1 and trials[1].solved.max() <= 1
    grid = np.array([1.0, 10.0, 100.0, 1000.0])
    band = np.stack([grid / 2000, grid / 1500, grid / 1000])
    result = passk_forecast.Result(
        drawn=DRAWN,
        target=FAR,
        checkpoints=tuple(answer),
        scores=tuple(passk_forecast.score(trial, i) for trial in trials for i in range(len(passk_forecast.METHODS))),
        trials=tuple(trials),
        curves=(passk_forecast.Curve("a", grid, band, band, band),),
    )
    assert all("nan" not in line for line in passk_forecast.words(result))
    record.save(tmp_path, "passk_forecast", config, result, 1.0, passk_forecast.figures(result))
    assert all((tmp_path / f"{stem}.png").stat().st_size > 1000 for stem in ("forecasts", "curves"))


def test_one_sample_a_question_tells_the_mean_only():
    """With n = 1 the likelihood is (a/(a+b))^s (b/(a+b))^(q-s): a+b keeps its prior, and the status says so."""
    correct = np.repeat([1, 0], [50, 114])
    result = t2.forecasts.forecast_beta(np.ones(164), correct, [1, 10], key=jax.random.key(0))
    message = "50 of 164 questions solved; the counts hardly determine a + b: pass@k beyond"
    assert result.status.startswith(f"{message} k = 1 rests on the prior; a = ")
    # the prior's spread of log a at a known mean: 1/(1/1² + 1/2²) = 0.8
    inside = np.abs(np.log(result.laws.b / result.laws.a) - np.log(114 / 50)) < 0.1
    assert np.var(np.log(result.laws.a[inside])) == pytest.approx(0.8, rel=0.25)
    many = t2.forecasts.forecast_beta(np.full(164, 20), 6 * correct, [1, 10], key=jax.random.key(0))
    assert many.status.startswith("50 of 164 questions solved; a = ")
    assert "prior" not in many.status


def test_status_of_one_sample_a_question():
    forecast = t2.forecasts.pass_from_counts([1, 1, 1], [1, 0, 0], [1])
    assert "; with one sample of a question, at every k, the interval of these questions is that of" in forecast.status
    odd = t2.forecasts.pass_from_counts([5, 5, 5], [1, 0, 3], [1, 2, 3])
    assert odd.status.endswith("above k = 2 the interval of these questions is that of the population")


def test_results_print_their_status_and_pass_at_k():
    """The status first, then a line for at most eight k, each with its intervals."""
    trials, correct, samples = [8] * 6, [0, 0, 1, 1, 2, 6], [1, 2, 4, 8]
    estimate = t2.forecasts.pass_from_counts(trials, correct, samples[:3])
    first, *lines = repr(estimate).splitlines()
    assert first == "Estimate: 4 of 6 questions solved"
    assert [line.split()[0] for line in lines] == ["pass@1", "pass@2", "pass@4"]
    questions, population = estimate.questions, estimate.population
    assert lines[0] == (
        f"  pass@1            {estimate.passed[0]:.4g}, "
        f"these questions {questions.low[0]:.4g} to {questions.high[0]:.4g}, "
        f"population {population.low[0]:.4g} to {population.high[0]:.4g}"
    )
    line = t2.forecasts.forecast_power_law(trials, correct, range(1, 65), key=jax.random.key(0), draws=20)
    first, *lines = repr(line).splitlines()
    assert first.startswith("PowerLawForecast: line through") and lines[0] == "  4 of 6 questions solved"
    assert [text.split()[0] for text in lines[1:]] == [f"pass@{k}" for k in (1, 10, 19, 28, 37, 46, 55, 64)]
    forecast = t2.forecasts.forecast_beta(trials, correct, samples, key=jax.random.key(0), draws=20)
    assert repr(forecast).startswith("BetaForecast: 4 of 6 questions solved\n") and "\n  pass@8  " in repr(forecast)
