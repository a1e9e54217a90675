"""The budget that makes a model the best choice, against closed forms and against the plans of known budgets."""

from typing import Any

import jax
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import t2jax as t2

CHINCHILLA = {"E": 1.8172, "A": 477.83, "B": 2143.4, "alpha": 0.34731, "beta": 0.36717}
LOSS = t2.laws.Chinchilla(**CHINCHILLA)
SAMPLED = t2.laws.T2Loss(E=0.6, A=300.0, B=1500.0, alpha=0.34, beta=0.35, G=0.8, gamma=0.35)


def gains(params, tokens):
    """Gains of Chinchilla's law per log of N and of D, by hand."""
    of_params = CHINCHILLA["alpha"] * CHINCHILLA["A"] * params ** -CHINCHILLA["alpha"]
    return of_params, CHINCHILLA["beta"] * CHINCHILLA["B"] * tokens ** -CHINCHILLA["beta"]


def test_served_tokens_of_a_published_model():
    """Llama-3 8B: 6ND(G_N/G_D - 1)/2N tokens in closed form, and SciPy finds no cheaper model of that loss."""
    params, tokens = 8.03e9, 15e12
    of_params, of_tokens = gains(params, tokens)
    result = t2.planning.explain_model(LOSS, params, tokens)
    assert result.wedge == pytest.approx(of_params / of_tokens, rel=1e-9)
    assert result.served_tokens == pytest.approx(3 * tokens * (of_params / of_tokens - 1), rel=1e-9)
    assert result.total == pytest.approx(6 * params * tokens + 2 * params * result.served_tokens, rel=1e-9)
    assert result.samples == 1 and result.ok and result.unit == "FLOPs"
    loss = float(LOSS(params, tokens))
    assert result.value == pytest.approx(loss, rel=1e-6)

    def spending(log_params):
        size = np.exp(log_params)
        left = result.value - CHINCHILLA["E"] - CHINCHILLA["A"] * size ** -CHINCHILLA["alpha"]
        data = (left / CHINCHILLA["B"]) ** (-1 / CHINCHILLA["beta"])
        return np.log(6 * size * data + 2 * size * result.served_tokens)

    best: Any = minimize_scalar(
        spending, bounds=(np.log(5e9), np.log(5e10)), method="bounded", options={"xatol": 1e-10}
    )
    assert np.exp(best.x) == pytest.approx(params, rel=1e-4)


def test_a_model_with_too_few_tokens_has_no_budget():
    """GPT-3 had 1.7 tokens for each parameter: fewer parameters and more tokens are better even unserved."""
    result = t2.planning.explain_model(LOSS, 175e9, 300e9)
    of_params, of_tokens = gains(175e9, 300e9)
    assert not result.ok and np.isnan(result.queries) and result.wedge == pytest.approx(of_params / of_tokens, rel=1e-9)
    assert result.wedge < 1 and "fewer parameters and more tokens are better even unserved" in result.status


@pytest.fixture(scope="module")
def problems():
    """Ten budgets of each kind over four decades, and the plans that they make."""
    rng = np.random.default_rng(0)
    train, served = 10 ** rng.uniform(21, 25, 10), 10 ** rng.uniform(10, 12.5, 10)
    apart = t2.frontier(SAMPLED, t2.Budget(train=train, inference=served))
    queries = 10 ** rng.uniform(11, 14, 10)
    together = t2.frontier(SAMPLED, t2.Budget(total=train, queries=queries))
    return train, served, apart, queries, together


def test_the_budget_of_a_plan_is_recovered(problems):
    train, served, apart, queries, together = problems
    several = 0
    for i in range(10):
        result = t2.planning.explain_model(SAMPLED, apart.params[i], apart.tokens[i])
        assert result.train == pytest.approx(train[i], rel=1e-9)
        assert result.inference == pytest.approx(served[i], rel=1e-6)
        result = t2.planning.explain_model(SAMPLED, together.params[i], together.tokens[i])
        several += result.samples > 1.5
        assert result.samples == pytest.approx(together.samples[i], rel=1e-6)
        assert result.queries == pytest.approx(queries[i], rel=1e-6) and result.total == pytest.approx(
            train[i], rel=1e-6
        )
    assert several > 2


def test_samples_in_closed_form():
    """With 6ND and 2Nk, γ G k^-γ = αA N^-α - βB D^-β."""
    values, params, tokens = SAMPLED.values(), 2e9, 3e12
    rest = values["alpha"] * values["A"] * params ** -values["alpha"]
    rest -= values["beta"] * values["B"] * tokens ** -values["beta"]
    result = t2.planning.explain_model(SAMPLED, params, tokens)
    assert result.samples == pytest.approx((values["gamma"] * values["G"] / rest) ** (1 / values["gamma"]), rel=1e-8)
    explained = t2.planning.explain_model(SAMPLED, params, tokens, samples=result.samples)
    assert explained.queries == pytest.approx(result.queries, rel=1e-8)


def test_prices_of_a_query():
    """With a prompt of 900 tokens and 100 generated ones a query counts for 1,000 tokens."""
    plain = t2.planning.explain_model(LOSS, 8.03e9, 15e12)
    long = t2.planning.explain_model(LOSS, 8.03e9, 15e12, serving=t2.Serving(prompt=900.0, generated=100.0))
    assert long.queries == pytest.approx(plain.queries / 1000, rel=1e-9)
    assert long.served_tokens == pytest.approx(plain.queries / 10, rel=1e-9)
    with pytest.raises(ValueError, match="explain_model: tokens must be positive and finite, not -1"):
        t2.planning.explain_model(LOSS, 1e9, -1.0)
    with pytest.raises(ValueError, match="which do not add up"):
        t2.planning.explain_model(LOSS, 1e9, 1e10, serving=t2.Serving(on=t2.accelerator("H100")))


def test_float32_agrees():
    with t2.precision("float32"), jax.enable_x64(False):
        result = t2.planning.explain_model(LOSS, 8.03e9, 15e12)
    assert result.queries == pytest.approx(t2.planning.explain_model(LOSS, 8.03e9, 15e12).queries, rel=1e-3)


def test_a_law_of_bits_is_explained_in_the_bits_that_are_served():
    """Two bytes a weight, by default, are 16 bits."""
    quantised = t2.laws.Quantised(**{name: CHINCHILLA.get(name, 1.0) for name in t2.laws.Quantised.declared()})
    result = t2.planning.explain_model(quantised, 8e9, 15e12)
    assert result.ok and result.value == pytest.approx(float(quantised(8e9, 15e12, 16.0)), rel=1e-6)
