"""Pictures of results from Python: each shows the numbers that the library gives for them."""

from typing import Any

import jax
import numpy as np
import pytest
from matplotlib.figure import Figure

import t2jax as t2
from t2jax import plot

KEY = jax.random.key(0)
LAW = t2.laws.Chinchilla(E=1.7, A=400.0, B=400.0, alpha=0.34, beta=0.28)
N, D = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e9, 4), np.geomspace(1e9, 1e11, 4)))
TABLE = t2.Table.from_columns(params=N, tokens=D, loss=1.01 * t2.evaluate(LAW, params=N, tokens=D))
TRAIN = np.geomspace(1e18, 1e21, 4)
SPREAD = np.exp(np.linspace(-0.01, 0.01, 21))
LAWS = t2.laws.Chinchilla(**{name: value * SPREAD for name, value in LAW.values().items()})


@pytest.fixture
def ax():
    return Figure().subplots()


def line(ax, label):
    return next(drawn for drawn in ax.get_lines() if drawn.get_label() == label)


def test_predicted_observed(ax):
    assert plot.draw_predicted_observed(ax, LAW, TABLE) is ax
    np.testing.assert_array_equal(line(ax, "runs").get_xdata(), TABLE["loss"])
    np.testing.assert_allclose(line(ax, "runs").get_ydata(), TABLE["loss"] / 1.01)


def test_residuals(ax):
    assert plot.draw_residuals(ax, LAW, TABLE, against="tokens") is ax
    np.testing.assert_array_equal(ax.get_lines()[1].get_xdata(), D)
    np.testing.assert_allclose(ax.get_lines()[1].get_ydata(), np.log(1.01), rtol=1e-6)


def test_frontier_with_its_band(ax):
    """N* is proportional to C^(beta/(alpha+beta)): Hoffmann et al. 2022 (2203.15556), equation 4."""
    budget = t2.Budget(train=TRAIN)
    plan = t2.frontier(LAW, budget)
    assert plot.draw_frontier(ax, TRAIN, plan, draws=t2.frontier(LAWS, budget), quantity="params") is ax
    drawn = line(ax, "optimum").get_ydata()
    np.testing.assert_allclose(np.diff(np.log(drawn)), np.log(10) * 0.28 / 0.62, rtol=1e-6)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["optimum", "90 % interval", "D = 20 N"]


def test_isoflops(ax):
    assert plot.draw_isoflops(ax, LAW, TRAIN, laws=LAWS, table=TABLE) is ax
    curve = line(ax, "10¹⁸")
    params = curve.get_xdata()
    np.testing.assert_allclose(curve.get_ydata(), t2.evaluate(LAW, params=params, tokens=1e18 / 6 / params))
    best = t2.allocate(LAW, t2.Budget(train=1e18))
    np.testing.assert_allclose(ax.containers[0].lines[0].get_xdata()[0], best.params)
    assert curve.get_ydata().min() >= float(best.value)
    assert {"measured", "optimum\n(bars: 90 % interval of N)"} <= {t.get_text() for t in ax.get_legend().get_texts()}


def test_posterior(ax):
    noise = np.exp(0.01 * np.random.default_rng(0).standard_normal(len(N)))
    rows = TABLE.with_columns(loss=TABLE["loss"] * noise)
    post = t2.sample(t2.laws.Chinchilla, rows, key=KEY, draws=50, warmup=100, chains=2)
    assert plot.draw_posterior(ax, post, "alpha") is ax
    prior = line(ax, "prior")
    x = prior.get_xdata()
    expected = np.exp(t2.laws.Chinchilla.declared()["alpha"].prior.log_prob(x))
    np.testing.assert_allclose(prior.get_ydata(), expected, rtol=1e-5)
    with pytest.raises(ValueError, match="there is no parameter 'gamma', expected one of E, A, B, alpha, beta, sigma"):
        plot.draw_posterior(ax, post, "gamma")


def test_a_class_is_no_law(ax):
    with pytest.raises(TypeError, match="draw_residuals: law is the class Chinchilla, expected a law with values"):
        law: Any = t2.laws.Chinchilla
        plot.draw_residuals(ax, law, TABLE)
