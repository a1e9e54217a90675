"""Posterior predictive checks: closed forms of what is measured again, and misfits that must be seen."""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure
from numpyro.distributions import Beta
from scipy import stats

import t2jax as t2
from t2jax.plot.posterior import places, places_against
from t2jax.typing import Scalar
from tests.helpers.linear_law import SIGMA, Line, X, closed_form, line_table

KEY = jax.random.key(0)
GAUSSIAN = t2.noise.Gaussian()


@t2.law
class Coin(t2.Law):
    """pass@k = 1 - (1-p)^k of every question, whatever N: one success rate."""

    p: Scalar = t2.param(Beta(1.0, 1.0), unit="1", doc="chance of a correct sample")

    response: ClassVar[tuple[str, ...]] = ("pass_at_k",)

    def __call__(self, N, k):
        return 1 - (1 - self.p) ** k + 0.0 * N

    def cost(self, N, k):
        return -jnp.log(self(N, k))


@pytest.fixture(scope="module")
def line() -> t2.Posterior:
    return t2.sample(Line, line_table(X), GAUSSIAN, key=KEY, fixed={"sigma": SIGMA})


def test_a_linear_law_measures_again_as_its_closed_form_says(line):
    """Normal about the posterior mean, with the posterior's variance and the errors' added."""
    table = line_table(X)
    result = t2.posterior.posterior_predictive(line, table, key=KEY, draws=4000)
    mean, covariance = closed_form(X, (1.0, 1.0))
    design = np.stack([np.ones_like(X), X], axis=1)
    scale = np.sqrt(np.einsum("ri,ij,rj->r", design, covariance, design) + SIGMA**2)
    exact = stats.norm(design @ mean, scale)
    for side, quantile in ((result.predicted.low, 0.05), (result.predicted.mid, 0.5), (result.predicted.high, 0.95)):
        # 4000 draws: five standard errors of a quantile in the tail
        assert np.all(np.abs(side - exact.ppf(quantile)) < 0.17 * scale)
    np.testing.assert_allclose(result.place, exact.cdf(table["loss"]), atol=0.045)
    assert min(result.tails.values()) > 0.05 and "the rows agree with simulated rows in" in result.status
    inside = np.sum(np.abs(stats.norm.cdf(table["loss"], design @ mean, scale) - 0.5) < 0.45)
    assert f"{inside} of 12 rows lie inside the 90 % interval of a new measurement" in result.status


def test_a_missing_slope_and_errors_that_are_too_small_are_seen():
    """A constant leaves the trend with log N; errors held at a fifth leave spread and largest residual."""
    flat = t2.sample(Line, line_table(X), GAUSSIAN, key=KEY, fixed={"b": 0.0})
    result = t2.posterior.posterior_predictive(flat, line_table(X), key=KEY)
    assert result.tails["trend with log N"] < 0.01 < result.tails["spread"]
    assert "the rows differ from simulated rows in" in result.status and "trend with log N (p = " in result.status
    sure = t2.sample(Line, line_table(X), GAUSSIAN, key=KEY, fixed={"sigma": SIGMA / 5})
    result = t2.posterior.posterior_predictive(sure, line_table(X), key=KEY)
    assert max(result.tails["spread"], result.tails["largest residual"]) <= 2 / 1001 + 1e-12
    assert result.covered < 0.7


@pytest.mark.long
def test_student_errors_have_their_tails(line):
    """With the law held, a new log measurement is its log prediction plus sigma times Student's t."""
    table = t2.Table.from_columns(params=np.full(6, 1e8), tokens=np.full(6, 1e9), loss=2.0, model=list("abcdef"))
    noise = t2.noise.StudentT(df=3.0)
    post = t2.sample(Line, table, noise, key=KEY, fixed={"a": 2.0, "sigma": 0.1})
    result = t2.posterior.posterior_predictive(post, table, key=KEY, draws=4000)
    quantiles = 2.0 * np.exp(0.1 * stats.t.ppf([0.05, 0.95], 3))
    np.testing.assert_allclose([result.predicted.low.mean(), result.predicted.high.mean()], quantiles, rtol=0.01)
    assert set(result.tails) == {"spread", "largest residual"}  # there is no trend with one N and one D


@pytest.mark.long
def test_counts_are_measured_again_as_a_beta_binomial():
    """A success rate under a uniform prior: new counts are beta-binomial, and questions that differ are seen."""
    rng, columns = np.random.default_rng(0), {"params": np.geomspace(1e7, 1e9, 40), "tokens": 1e10, "trials": 20.0}
    alike: Any = t2.Table.from_columns(**columns, correct=rng.binomial(20, 0.3, 40).astype(float))
    post = t2.sample(Coin, alike, t2.noise.Binomial(), key=KEY)
    result = t2.posterior.posterior_predictive(post, alike, key=KEY)
    total = alike["correct"].sum()
    again: Any = stats.betabinom(20, 1 + total, 1 + 800 - total)
    assert set(20 * result.predicted.low) <= {again.ppf(q) for q in (0.03, 0.05, 0.07)}
    np.testing.assert_allclose(result.observed, alike["correct"] / 20)
    below, at = again.cdf(alike["correct"] - 1), again.pmf(alike["correct"])
    assert np.all((result.place > below - 0.06) & (result.place < below + at + 0.06))
    assert min(result.tails.values()) > 0.01
    differ: Any = t2.Table.from_columns(**columns, correct=np.where(np.arange(40) % 2, 0.0, 12.0))
    result = t2.posterior.posterior_predictive(t2.sample(Coin, differ, t2.noise.Binomial(), key=KEY), differ, key=KEY)
    assert result.tails["spread"] < 0.01 and "differ from simulated rows" in result.status


def test_bad_arguments_are_named(line):
    with pytest.raises(ValueError, match="read from a file has no noise model"):
        t2.posterior.posterior_predictive(dataclasses.replace(line, density=None), line_table(X), key=KEY)
    stuck = dataclasses.replace(line, diagnosis=dataclasses.replace(line.diagnosis, failures=("stuck",)))
    with pytest.raises(ValueError, match=r"there is no posterior to check \(not converged: stuck"):
        t2.posterior.posterior_predictive(stuck, line_table(X), key=KEY)


def test_figures():
    figure = Figure()
    first, second = figure.subplots(1, 2)
    places(first, np.linspace(0, 1, 100))
    assert sum(patch.get_height() for patch in first.patches[1:]) == 100  # pyright: ignore
    places_against(second, np.geomspace(1e6, 1e9, 5), np.linspace(0, 1, 5), level=0.9, against="params")
    assert [line.get_ydata()[0] for line in second.lines[:2]] == pytest.approx([0.05, 0.95])  # pyright: ignore
    assert second.get_xlabel() == "parameters N" and second.get_xscale() == "log"
