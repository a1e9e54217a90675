"""Selections among samples: against mpmath, against simulated questions, and in their limits."""

from typing import Any

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy import special, stats

import t2jax as t2
from t2jax.laws import AbstainingVerifier, BestOfN, Correlated, Kaplan, MajorityVote, Oracle, T2PassK, Verifier

QUESTIONS = 1_000_000
LOSS = t2.laws.Chinchilla(E=0.5, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
LAW = T2PassK(loss=LOSS, theta0=1.0, theta1=2.0, theta2=0.9, theta3=1.0, theta4=0.0)


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


@jax.jit
def mean_success(selection, a, b, k):
    """The selection's success; one program for all numbers of a class of selections."""
    return selection(a, b, k)


@jax.jit
def mean_samples(selection, a, b, k):
    """Samples that are drawn on average, likewise."""
    return selection.expected_samples(a, b, k)


@jax.jit
@jax.value_and_grad
def verifier_cost(numbers):
    """-log success of a verifier with its derivatives, likewise."""
    t, h, a, b, k = numbers
    return Verifier(true_positive=t, false_positive=h).cost(a, b, k)


def by_mpmath(success: Any, a: Any, b: Any) -> Any:
    """The mean of the success of a question over Beta(a, b), by p = v^(1/a) below one half, and by 1-p above."""
    half, total = mpmath.mpf(1) / 2, mpmath.beta(a, b)

    def low(v):
        p = v ** (1 / a)
        return success(p) * (1 - p) ** (b - 1) / a

    def high(v):
        q = v ** (1 / b)
        return success(1 - q) * (1 - q) ** (a - 1) / b

    near_zero = [0, *(half**a * mpmath.mpf(10) ** -j for j in (6, 4, 2, 1)), half**a]
    return (mpmath.quad(low, near_zero) + mpmath.quad(high, [0, half**b])) / total


def verifier_by_process(t, h, k):
    """A question's success, as the docstring of `Verifier` states the process."""

    def success(p):
        accepted = p * t + (1 - p) * h
        return p * t / accepted * (1 - (1 - accepted) ** k) + p * (1 - t) * (1 - accepted) ** (k - 1)

    return success


@pytest.mark.parametrize(
    ("t", "h", "a", "b", "k"),
    [
        (0.95, 0.02, 0.5, 2.0, 16.0),
        (0.7, 0.1, 0.05, 1.5, 40.0),
        (0.9, 1e-3, 1.3, 0.2, 7.3),
        (0.99, 0.3, 0.2, 30.0, 2.0),
    ],
)
def test_verifier_and_its_derivatives_are_those_of_mpmath(t, h, a, b, k):
    """To 1e-10, and first derivatives in all five numbers by central differences with 60 digits."""

    def exact(*numbers):
        t, h, a, b, k = map(mpmath.mpf, numbers)
        return -mpmath.log(by_mpmath(verifier_by_process(t, h, k), a, b))

    value, slope = verifier_cost(jnp.array([t, h, a, b, k]))
    with mpmath.workdps(40):
        assert float(value) == pytest.approx(float(exact(t, h, a, b, k)), rel=1e-10)
        for i, number in enumerate((t, h, a, b, k)):
            step = mpmath.mpf(number) * mpmath.mpf(10) ** -10
            ends = [[*(t, h, a, b, k)[:i], number + sign * step, *(t, h, a, b, k)[i + 1 :]] for sign in (1, -1)]
            difference = (exact(*ends[0]) - exact(*ends[1])) / (2 * step)
            assert float(slope[i]) == pytest.approx(float(difference), rel=1e-8)


def test_abstaining_verifier_is_that_of_mpmath():
    t, h, w, a, b, k = 0.9, 0.05, 0.4, 0.3, 1.7, 12.0

    def value(p):
        accepted = p * t + (1 - p) * h
        return p * t / accepted * (1 - (1 - accepted) ** k) + w * (1 - accepted) ** k

    verifier = AbstainingVerifier(true_positive=t, false_positive=h, abstention=w)
    assert float(verifier(a, b, k)) == pytest.approx(float(by_mpmath(value, a, b)), rel=1e-10)


def test_vote_is_that_of_mpmath():
    """P(X > Y) for X ~ Beta(a, b) with whole a is a sum of a terms; for other a it is an integral."""
    for rival, a, b, k in ((0.5, 1, 0.01, 1e4), (1.0, 2, 300.0, 9.0), (0.5, 30, 50.0, 80.0), (0.02, 300, 500.0, 6.5)):
        share = mpmath.mpf(rival) / (1 + mpmath.mpf(rival))
        c, d = 1 + share * (k - 1), 1 + (1 - share) * (k - 1)
        terms = (mpmath.beta(c + i, b + d) / ((b + i) * mpmath.beta(1 + i, b) * mpmath.beta(c, d)) for i in range(a))
        assert float(mean_success(MajorityVote(rival=rival), float(a), b, k)) == pytest.approx(
            float(sum(terms)), rel=1e-10
        )
    exact = by_mpmath(lambda p: mpmath.betainc(1 + 39.5 / 4, 1 + 39.5 * 3 / 4, 0, p, regularized=True), 0.2, 0.7)
    assert float(mean_success(MajorityVote(rival=1 / 3), 0.2, 0.7, 40.5)) == pytest.approx(float(exact), rel=1e-10)


def test_best_of_n_is_that_of_mpmath():
    """A question's success is an integral over the highest reward; questions are all but alike at a + b = 2e9."""
    rho, n, p = mpmath.mpf("0.6"), 5, mpmath.mpf("0.1")
    threshold, noise = -mpmath.sqrt(2) * mpmath.erfinv(2 * p - 1), mpmath.sqrt(1 - rho**2)

    def density(r):
        return n * mpmath.npdf(r) * mpmath.ncdf(r) ** (n - 1) * mpmath.ncdf((rho * r - threshold) / noise)

    exact: Any = mpmath.quad(density, [-10, -2, 0, 2, 4, 12])
    assert float(mean_success(BestOfN(correlation=0.6), 2e8, 1.8e9, 5.0)) == pytest.approx(float(exact), rel=1e-8)
    # of two samples the better one is right if z > t and z is the winner's: twice an orthant of two normals
    covariance: Any = [[1, 0.6 / 2**0.5], [0.6 / 2**0.5, 1]]
    orthant = stats.multivariate_normal.cdf([float(-threshold), 0.0], cov=covariance)
    assert float(mean_success(BestOfN(correlation=0.6), 2e8, 1.8e9, 2.0)) == pytest.approx(2 * orthant, rel=1e-5)


@pytest.fixture(scope="module")
def questions():
    return np.random.default_rng(0).beta(0.5, 2.0, QUESTIONS)


def assert_within_four_errors(simulated, predicted):
    """The mean of 0/1 outcomes, or of counts, of a million questions."""
    assert abs(np.mean(simulated) - predicted) < 4 * np.std(simulated) / QUESTIONS**0.5 + 1e-12


@pytest.mark.parametrize(("t", "h"), [(0.95, 0.02), (0.7, 0.1), (0.99, 0.5), (1.0, 0.0)])
def test_verifiers_are_those_of_a_million_questions(questions, t, h):
    """Each sample is drawn, right or wrong, and accepted or not; success, value and samples at k = 1, 3 and 12."""
    random = np.random.default_rng(1)
    waiting, returned = np.ones(QUESTIONS, bool), np.zeros(QUESTIONS, bool)
    drawn = np.zeros(QUESTIONS, np.int16)
    verifier = Verifier(true_positive=t, false_positive=h)
    abstaining = AbstainingVerifier(true_positive=t, false_positive=h, abstention=0.3)
    for k in range(1, 13):
        drawn += waiting
        right = random.random(QUESTIONS, np.float32) < questions
        accepted = waiting & (random.random(QUESTIONS, np.float32) < np.where(right, t, h))
        returned[accepted] = right[accepted]
        waiting &= ~accepted
        if k in (1, 3, 12):  # the last rejected sample is one of the rejected at random
            assert_within_four_errors(
                np.where(waiting, right, returned), float(mean_success(verifier, 0.5, 2.0, float(k)))
            )
            assert_within_four_errors(
                np.where(waiting, 0.3, returned), float(mean_success(abstaining, 0.5, 2.0, float(k)))
            )
            assert_within_four_errors(drawn, float(mean_samples(verifier, 0.5, 2.0, float(k))))


def test_vote_is_that_of_a_million_questions(questions):
    """The rival has its share of the wrong votes: k is odd for a share of one, else such that 1 + τ(k-1) is whole."""
    random = np.random.default_rng(2)
    for rival, ks in ((1.0, (3, 9, 33)), (0.5, (4, 10, 31))):
        for k in ks:
            right = random.binomial(k, questions)
            won = right >= np.round(1 + rival / (1 + rival) * (k - 1))
            assert_within_four_errors(won, float(mean_success(MajorityVote(rival=rival), 0.5, 2.0, float(k))))


def test_best_of_n_is_that_of_a_million_questions(questions):
    random = np.random.default_rng(3)
    threshold = special.ndtri(1 - questions)
    best, right = np.full(QUESTIONS, -np.inf), np.zeros(QUESTIONS, bool)
    for k in range(1, 9):
        quality = random.standard_normal(QUESTIONS)
        reward = 0.6 * quality + 0.8 * random.standard_normal(QUESTIONS)
        better = reward > best
        best, right = np.where(better, reward, best), np.where(better, quality > threshold, right)
        if k in (1, 2, 8):
            assert_within_four_errors(right, float(mean_success(BestOfN(correlation=0.6), 0.5, 2.0, float(k))))


@pytest.mark.parametrize(("p", "c", "k"), [(0.2, 0.1, 16), (0.05, 0.3, 64), (0.6, 0.02, 5)])
def test_correlated_samples_have_the_variance_of_the_effective_number(p, c, k):
    """A beta-binomial: the share of right samples varies by p(1-p)/n, and one of k is right more often than of n."""
    random, spread = np.random.default_rng(4), 1 / c - 1
    right = random.binomial(k, random.beta(p * spread, (1 - p) * spread, QUESTIONS))
    success = float(Correlated(shared=c)(2e9 * p, 2e9 * (1 - p), float(k)))  # questions are all but alike
    effective = np.log1p(-success) / np.log1p(-p)
    assert effective == pytest.approx(k / (1 + (k - 1) * c), rel=1e-5)
    assert_within_four_errors((right / k - p) ** 2, p * (1 - p) / effective)
    assert np.mean(right > 0) > success - 0.004


def test_limits_are_those_of_simpler_selections():
    k = np.array([1.0, 2.0, 17.5, 1000.0])
    oracle = np.asarray(Oracle()(0.4, 3.0, k))
    np.testing.assert_array_equal(oracle, np.asarray(jnp.exp(t2.special.log_pass_at_k_beta(0.4, 3.0, k))))
    perfect = Verifier(true_positive=1.0, false_positive=0.0)
    np.testing.assert_allclose(mean_success(perfect, 0.4, 3.0, k), oracle, rtol=1e-12)
    np.testing.assert_allclose(
        mean_success(Verifier(true_positive=0.3, false_positive=0.3), 0.4, 3.0, k), 0.4 / 3.4, rtol=1e-12
    )
    np.testing.assert_allclose(mean_success(BestOfN(correlation=0.0), 0.4, 3.0, k), 0.4 / 3.4, rtol=1e-12)
    verifier = Verifier(true_positive=0.9, false_positive=0.1)
    alike = Correlated.on(Verifier)(selection=verifier, shared=0.2)
    np.testing.assert_allclose(
        mean_success(alike, 0.4, 3.0, k), mean_success(verifier, 0.4, 3.0, k / (1 + (k - 1) * 0.2)), rtol=1e-12
    )
    # votes without end: the share of questions whose right answer is more frequent than the rival
    assert float(mean_success(MajorityVote(rival=0.5), 0.4, 3.0, 1e7)) == pytest.approx(
        special.betainc(3.0, 0.4, 2 / 3), rel=1e-6
    )
    # a verifier without end: the mean of p·t/A, a hypergeometric function
    limit = 0.4 / 3.4 * 0.9 / 0.1 * special.hyp2f1(1.0, 1.4, 4.4, -0.8 / 0.1)
    assert float(mean_success(verifier, 0.4, 3.0, 1e12)) == pytest.approx(limit, rel=1e-10)


def test_success_falls_again_where_no_answer_has_a_value_and_by_votes_on_hard_questions():
    k = np.geomspace(1.0, 1e4, 41)
    assert np.all(
        np.diff(Verifier(true_positive=0.9, false_positive=0.2)(0.5, 2.0, k)) >= -1e-12
    )  # falls by rounding at most
    value = np.asarray(AbstainingVerifier(true_positive=0.9, false_positive=0.02, abstention=0.5)(0.5, 2.0, k))
    assert 0 < np.argmax(value) < 20 and value[-1] < value.max() - 0.02
    vote = np.asarray(MajorityVote(rival=1.0)(0.5, 2.0, k))
    assert np.all(np.diff(vote) < 0)  # most questions have p < 1/2


@pytest.mark.parametrize(
    "selection",
    [
        AbstainingVerifier(true_positive=0.9, false_positive=0.05, abstention=0.4),
        MajorityVote(rival=0.4),
        BestOfN(correlation=0.5),
        Correlated.on(Verifier)(true_positive=0.9, false_positive=0.05, shared=0.1),
    ],
    ids=lambda selection: type(selection).__name__,
)
def test_derivatives_are_finite_differences(selection):
    """First derivatives in a, b, k and every parameter, and the second one in log k, which planners need."""
    names = list(selection.values())
    place = np.array([0.5, 2.0, 10.0, *selection.values().values()])

    def cost(x):
        return type(selection)(**dict(zip(names, x[3:], strict=True))).cost(*x[:3])

    both, slope = jax.jit(jax.value_and_grad(cost)), jax.grad(cost)
    slopes = both(place)[1]
    for i in range(len(place)):
        step = 1e-4 * place[i] * np.eye(len(place))[i]
        difference = (both(place + step)[0] - both(place - step)[0]) / (2e-4 * place[i])
        assert float(slopes[i]) == pytest.approx(float(difference), rel=1e-6, abs=1e-9)
    in_k = np.eye(len(place))[2]
    curvature = (both(place + 1e-3 * in_k)[1][2] - both(place - 1e-3 * in_k)[1][2]) / 2e-3
    second = jax.jit(lambda x: jax.jvp(slope, (x,), (in_k,))[1][2])(place)
    assert float(second) == pytest.approx(float(curvature), rel=1e-4)


def test_a_law_takes_a_selection_as_it_takes_a_loss():
    verified = t2.laws.select(LAW, Verifier(true_positive=0.95, false_positive=0.02))
    a, b = LAW.questions(1e9, 2e10)
    assert float(verified(1e9, 2e10, 16.0)) == float(Verifier(true_positive=0.95, false_positive=0.02)(a, b, 16.0))
    assert type(verified) is T2PassK.on(Verifier) and type(verified).inputs() == ("N", "D", "k")
    assert set(verified.values()) == {*LAW.values(), "true_positive", "false_positive"}
    assert type(t2.laws.select(verified, Oracle())) is T2PassK
    both = T2PassK.on(Kaplan).on(Correlated.on(Verifier))
    assert t2.laws.by_name(t2.laws.name_of(both)) is both
    assert float(verified.expected_samples(1e9, 2e10, 1.0)) == pytest.approx(1.0)
    batch = T2PassK(**{name: np.full(3, value) for name, value in LAW.values().items()})
    drawn = t2.laws.select(batch, Verifier(true_positive=0.95, false_positive=0.02))
    expected = float(verified(1e9, 2e10, 16.0))
    np.testing.assert_allclose(
        t2.evaluate(drawn, params=1e9, tokens=2e10, samples=16.0), np.full(3, expected), rtol=1e-12
    )


def test_selections_that_do_not_fit_are_refused():
    loss = t2.laws.T2Loss(loss=LOSS, G=0.8, gamma=0.5)
    with pytest.raises(TypeError, match="T2Loss has no selection among samples to replace by Verifier"):
        t2.laws.select(loss, Verifier(true_positive=0.95, false_positive=0.02))
    with pytest.raises(TypeError, match="T2Loss has no selection among samples, so it does not say when to stop"):
        loss.expected_samples(1e9, 2e10, 4.0)
    with pytest.raises(TypeError, match="MajorityVote needs all samples before it picks one"):
        MajorityVote(rival=0.5).expected_samples(0.5, 2.0, 4.0)
    with pytest.raises(ValueError, match="there is no selection 'kaplan'; the selections are oracle, verifier,"):
        t2.laws.by_name("t2-pass-k-on-correlated-on-kaplan")


@pytest.mark.parametrize("selection", [Verifier(true_positive=0.9, false_positive=0.1), MajorityVote(rival=0.5)])
def test_float32_keeps_five_digits(selection):
    exact = float(selection(0.5, 2.0, 20.0))
    with jax.enable_x64(False):
        rounded = selection(np.float32(0.5), np.float32(2.0), np.float32(20.0))
    assert rounded.dtype == np.float32 and float(rounded) == pytest.approx(exact, rel=2e-5)
