"""Posteriors: closed forms, priors that come back where rows say nothing, and chains that are not to be believed."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.distributions import Normal
from scipy import stats

import t2jax as t2
from t2jax.laws import T2Loss
from t2jax.typing import Scalar

KEY = jax.random.key(0)
SIGMA = 0.05
X = np.linspace(-1.0, 2.0, 12)
LOSSES = 3.0 - 0.4 * X + SIGMA * np.random.default_rng(1).normal(size=12)


@t2.law
class Line(t2.Law):
    """L(N) = a + b·log(N/10⁸): linear, so that its posterior under normal errors and priors is normal."""

    a: Scalar = t2.param(Normal(2.0, 1.0), unit="nats", doc="loss at 10⁸ parameters")
    b: Scalar = t2.param(Normal(0.0, 1.0), unit="nats", doc="slope")

    def __call__(self, N):
        return self.a + self.b * jnp.log(N / 1e8)


@t2.law
class Fold(t2.Law):
    """L(N) = 2 + (a² + 0·log N): a and -a fit equally well."""

    a: Scalar = t2.param(Normal(0.0, 2.0), unit="1", doc="of either sign")

    def __call__(self, N):
        return 2.0 + self.a**2 + 0.0 * N


def line_table(x: np.ndarray) -> t2.Table:
    return t2.Table.from_columns(params=1e8 * np.exp(x), tokens=np.geomspace(1e9, 1e10, len(x)), loss=LOSSES)


def line_posterior(x: np.ndarray, priors: Any = None) -> t2.Posterior:
    noise = t2.noise.Gaussian()
    return t2.sample(Line, line_table(x), noise, key=KEY, fixed={"sigma": SIGMA}, priors=priors)


def closed_form(x: np.ndarray, deviations: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of (a, b) under priors Normal(2, ·) and Normal(0, ·)."""
    design = np.stack([np.ones_like(x), x], axis=1)
    precision = np.diag(np.square(deviations) ** -1.0)
    covariance = np.linalg.inv(design.T @ design / SIGMA**2 + precision)
    return covariance @ (design.T @ LOSSES / SIGMA**2 + precision @ [2.0, 0.0]), covariance


def agrees(post: t2.Posterior, mean: np.ndarray, covariance: np.ndarray) -> None:
    """4000 draws of about that ESS: means within 5/√2000 deviations, covariance within 5·√(2/2000) of each scale."""
    drawn = np.stack([post.laws.a, post.laws.b])
    deviation = np.sqrt(np.diag(covariance))
    assert np.all(np.abs(drawn.mean(axis=1) - mean) < 0.11 * deviation)
    np.testing.assert_allclose(
        np.cov(drawn) / np.outer(deviation, deviation), covariance / np.outer(deviation, deviation), atol=0.16
    )


def test_a_linear_law_has_its_closed_form():
    post = line_posterior(X)
    assert post.converged and post.status.startswith("converged: R-hat at most 1.0"), post.status
    agrees(post, *closed_form(X, (1.0, 1.0)))
    table = post.summary()
    assert list(table.index) == ["a", "b"] and table.attrs["status"] == post.status
    mean, covariance = closed_form(X, (1.0, 1.0))
    low, high = stats.norm.ppf([0.05, 0.95], mean[0], np.sqrt(covariance[0, 0]))
    assert table.loc["a", "5 %"] == pytest.approx(low, abs=0.15 * np.sqrt(covariance[0, 0]))
    assert table.loc["a", "95 %"] == pytest.approx(high, abs=0.15 * np.sqrt(covariance[0, 0]))
    # the prior is standard normal in its own scores, so contraction is 1 - variance ratio
    np.testing.assert_allclose(table["contraction"], 1 - np.diag(covariance), atol=0.02)
    # highest density of a normal posterior: its mean
    np.testing.assert_allclose([post.point.a, post.point.b], mean, rtol=1e-8)


def test_a_prior_by_keyword_replaces_the_declared_one():
    post = line_posterior(X, {"b": Normal(0.0, 0.03)})
    agrees(post, *closed_form(X, (1.0, 0.03)))


def test_one_size_leaves_a_direction_to_the_prior():
    """With one N, at log(N/10⁸) = 1, only a + b is measured; across, the prior of a - b stays: Normal(2, √2)."""
    x = np.ones(12)
    table = t2.Table.from_columns(params=1e8 * np.e, tokens=np.geomspace(1e9, 1e10, 12), loss=LOSSES)
    post = t2.sample(Line, table, t2.noise.Gaussian(), key=KEY, fixed={"sigma": SIGMA})
    agrees(post, *closed_form(x, (1.0, 1.0)))
    assert post.converged
    assert post.diagnosis.directions == 1 and post.diagnosis.left == ("a", "b")
    assert post.status.endswith("the rows tell nothing in 1 of 2 directions (a, b): there the posterior is the prior")


def test_two_optima_are_reported_and_not_summarised():
    table = t2.Table.from_columns(params=np.geomspace(1e7, 1e9, 4), tokens=1e9, loss=[3.01, 2.99, 3.0, 3.02])
    post = t2.sample(Fold, table, key=KEY, warmup=100, draws=200, fixed={"sigma": 0.01})
    assert not post.converged
    assert post.status.startswith("not converged: the chains do not agree on a (R-hat ")
    assert "there are several optima" in post.status
    assert {-1, 1} == set(np.sign(post.laws.a))
    row = post.summary().loc["a"]
    assert row[["mean", "sd", "5 %", "median", "95 %"]].isna().all() and row["r_hat"] > 1.5


def test_three_runs_of_one_length_and_one_sample():
    """Rows at k = 1 say nothing of γ, whose prior is independent of the rest: LogNormal(-1, 0.7) comes back."""
    table = t2.Table.from_columns(params=[1e7, 1e8, 1e9], tokens=1e10, loss=[3.4, 2.9, 2.6])
    post = t2.sample(T2Loss, table, key=KEY, fixed={"sigma": 0.05}, draws=2000, accept=0.95)
    scores = (np.log(post.laws.gamma) + 1.0) / 0.7
    assert abs(scores.mean()) < 0.12 and scores.std() == pytest.approx(1.0, abs=0.08)
    assert "gamma" in post.diagnosis.left and "the rows tell nothing in" in post.status
    assert post.diagnosis.contraction["gamma"] == pytest.approx(0.0, abs=0.15)
    assert post.diagnosis.contraction["alpha"] > 0.05
