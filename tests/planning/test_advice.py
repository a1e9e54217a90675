"""What explains a plan: the gain of a larger model, and the best number of samples of a selection."""

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import beta as beta_function
from scipy.special import hyp2f1

import t2jax as t2
from t2jax.laws import AbstainingVerifier, Chinchilla, T2PassK, T2PassKNaive, Verifier

LOSS = Chinchilla(E=0.5, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
LAW = T2PassK(loss=LOSS, theta0=1.0, theta1=2.0, theta2=0.9, theta3=1.0, theta4=0.0)


def test_marginal_rate_is_the_closed_form_and_vanishes_at_the_optimum_of_one_sample():
    n, d = np.array([[1e8], [3e9]]), np.array([2e9, 1e11, 5e12])
    size, data = 0.35 * 480.0 * n**-0.35, 0.37 * 2100.0 * d**-0.37
    rate = t2.planning.marginal_rate(LOSS, n, d, answer_tokens=7.0)
    np.testing.assert_allclose(rate, 7.0 * np.log(2) * (size - data), rtol=1e-12)
    best = t2.allocate(LOSS, t2.Budget(train=1e21))
    assert abs(t2.planning.marginal_rate(LOSS, best.params, best.tokens)) < 1e-10


def test_marginal_rate_of_pass_at_k_is_a_finite_difference():
    n, d, step = 1e9, 2e10, 2.0**1e-4
    ends = [t2.evaluate(LAW, params=n * f, tokens=d / f, samples=1.0) for f in (step, 1 / step)]
    difference = (np.log(ends[0]) - np.log(ends[1])) / 2e-4
    assert float(t2.planning.marginal_rate(LAW, n, d)) == pytest.approx(float(difference), rel=1e-6)


def test_marginal_rate_is_log_two_at_the_optimum_of_rare_successes():
    """With pass@k = k·p, the best size under budgets of training and serving gains as much as twice the samples."""
    law = T2PassKNaive(loss=LOSS, theta0=-20.0, theta1=7.0, theta2=0.9)
    plan = t2.allocate(law, t2.Budget(train=1e21, inference=1e12))
    assert plan.ok and plan.samples > 2
    assert float(t2.planning.marginal_rate(law, plan.params, plan.tokens)) == pytest.approx(np.log(2), rel=1e-6)


def test_best_samples_are_those_of_scipy():
    """The value of a verifier that abstains is a sum of hypergeometric functions."""
    t, h, w = 0.9, 0.02, 0.5
    law = t2.laws.select(LAW, AbstainingVerifier(true_positive=t, false_positive=h, abstention=w))
    a, b = (float(x) for x in LAW.questions(1e9, 2e10))

    def value(k: float) -> float:
        silent = (1 - h) ** k * hyp2f1(-k, a, a + b, (t - h) / (1 - h))
        p = (np.arange(200_000) + 0.5) / 200_000
        accepted = p * t + (1 - p) * h
        density = p ** (a - 1) * (1 - p) ** (b - 1) / beta_function(a, b)
        return float(np.mean(density * p * t / accepted * (1 - (1 - accepted) ** k)) + w * silent)

    best: Any = minimize_scalar(lambda log_k: -value(np.exp(log_k)), bounds=(0, 6), method="bounded")
    result = t2.planning.best_samples(law, 1e9, 2e10)
    assert result.samples == pytest.approx(np.exp(best.x), rel=0.01)
    assert result.success == pytest.approx(-best.fun, rel=1e-4)
    assert result.single == pytest.approx(value(1.0), rel=1e-4)
    assert 1 < result.enough < result.samples


def test_a_verifier_that_always_answers_has_no_best_number_but_one_that_is_enough():
    law = t2.laws.select(LAW, Verifier(true_positive=0.95, false_positive=0.05))
    result = t2.planning.best_samples(law, 1e9, 2e10)
    gain = [t2.evaluate(law, params=1e9, tokens=2e10, samples=k) - result.single for k in (result.enough, 1e6)]
    assert result.samples == np.inf
    assert gain[0] / gain[1] == pytest.approx(0.99, abs=1e-4)


def test_advice_needs_a_law_of_sizes_and_samples():
    with pytest.raises(ValueError, match="best_samples needs a law of pass@k by N, D and k, not Chinchilla"):
        t2.planning.best_samples(LOSS, 1e9, 2e10)
    with pytest.raises(ValueError, match="BetaTail does not read N and D"):
        t2.planning.marginal_rate(t2.laws.BetaTail(a=0.5, b=20.0), 1e9, 2e10)
