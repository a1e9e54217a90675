"""Mixtures of normals: moments and quantiles against SciPy."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from t2jax.extrapolation import gaussian_mixture
from t2jax.extrapolation.gaussian_mixture import GaussianMixture


def mixture_of(means, deviations, weight) -> GaussianMixture:
    return GaussianMixture(np.array(means, float), np.array(deviations, float) ** 2, np.array(weight, float))


@pytest.fixture
def mixture():
    """40 places: near normal ones, and the modes of some far apart."""
    rng = np.random.default_rng(0)
    centre, width = rng.normal(size=40), np.geomspace(1e-4, 3, 40)
    return mixture_of(
        centre + width * rng.normal(size=(5, 40)), rng.uniform(0.05, 1.5, (5, 40)), rng.dirichlet([1] * 5)
    )


@pytest.mark.parametrize("share", [1e-4, 0.05, 0.5, 0.95])
def test_quantiles_are_those_of_brentq(mixture, share, monkeypatch):
    monkeypatch.setattr(gaussian_mixture, "CHUNK", 7)  # so that places are computed in several parts
    result = mixture.quantile(share)
    for place, value in enumerate(result):
        means, deviations = mixture.means[:, place], np.sqrt(mixture.variances[:, place])

        def excess(x, means=means, deviations=deviations):
            return mixture.weight @ norm.cdf((x - means) / deviations) - share

        assert value == pytest.approx(brentq(excess, -30, 30, xtol=1e-13), abs=1e-9)


def test_a_quantile_that_is_met_exactly_is_kept():
    """A Newton step of zero length ends on the bracket; a search that left it again would move the band."""
    many = mixture_of([[0.0, 0.58], [0.0, 0.64]], [[1.0, 0.1], [1.0, 0.04]], [0.5, 0.5])
    assert many.quantile(0.5)[0] == pytest.approx(0.0, abs=1e-15)
    assert many.quantile(0.05)[0] == pytest.approx(norm.ppf(0.05), rel=1e-14)


def test_narrow_components_far_apart_have_quantiles_in_one_of_them():
    result = mixture_of([[-1.0], [1.0]], [[1e-6], [1e-6]], [0.3, 0.7])
    assert result.quantile(0.15)[0] == pytest.approx(-1.0, abs=1e-9)
    assert result.quantile(0.65)[0] == pytest.approx(1.0, abs=1e-9)


def test_moments_of_a_join_are_those_of_draws(mixture):
    joined = GaussianMixture.join([mixture, mixture_of(np.zeros((1, 40)), np.ones((1, 40)), [1.0])], [0.4, 0.6])
    np.testing.assert_allclose(joined.mean(), 0.4 * mixture.mean(), atol=1e-15)
    second = 0.4 * (mixture.mean() ** 2 + mixture.deviation() ** 2) + 0.6
    np.testing.assert_allclose(joined.deviation() ** 2, second - joined.mean() ** 2, rtol=1e-12)


def test_widening_and_errors(mixture):
    np.testing.assert_allclose(mixture.widened(2.0).mean(), mixture.mean(), atol=1e-14)
    np.testing.assert_allclose(mixture.widened(2.0).deviation(), 2 * mixture.deviation(), rtol=1e-12)
    errors = np.arange(5.0)
    added = mixture.with_errors(errors).deviation() ** 2 - mixture.deviation() ** 2
    np.testing.assert_allclose(added, mixture.weight @ errors, rtol=1e-10)
