"""The covariance of discrepancies: its formula, that it is one, and its approximation for long tables."""

import jax
import mpmath
import numpy as np
import pytest

import t2jax as t2
from t2jax.noise.smooth import kernel
from t2jax.noise.smooth.kernel import Kernel, distances, matern, spread_out


@pytest.mark.parametrize("distance", [1e-3, 0.7, 5.0])
def test_the_matern_formula(distance):
    """The general formula 2^(1-ν)/Γ(ν) (√(2ν) r)^ν K_ν(√(2ν) r) at ν = 5/2."""
    smoothness = mpmath.mpf(5) / 2
    scaled = mpmath.sqrt(2 * smoothness) * mpmath.mpf(distance)
    value = 2 ** (1 - smoothness) / mpmath.gamma(smoothness) * scaled**smoothness * mpmath.besselk(smoothness, scaled)
    assert float(matern(np.array(distance))) == pytest.approx(float(value), rel=1e-13)


def test_equal_places_correlate_fully():
    assert matern(np.zeros(2)).tolist() == [1.0, 1.0]


def test_distances_are_euclidean():
    places, knots = np.random.default_rng(0).normal(20, 3, (2, 6, 2))
    expected = np.linalg.norm(places[:, None] - knots[None], axis=-1)
    np.testing.assert_allclose(distances(places, knots), expected, rtol=1e-9)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_the_spectrum_rebuilds_a_positive_covariance(share):
    rng = np.random.default_rng(1)
    places, run, weight = rng.uniform(15, 25, (30, 2)), np.arange(30) // 3, rng.uniform(0.5, 2, 30)
    smooth = Kernel(3.0, share)
    spectrum = smooth.spectrum(places, run, weight)
    assert (spectrum.values >= 0).all()
    root = np.sqrt(weight)
    covariance = smooth.between(places, places) + share * (run[:, None] == run)
    rebuilt = spectrum.vectors * spectrum.values @ spectrum.vectors.T
    np.testing.assert_allclose(rebuilt, root[:, None] * covariance * root, atol=1e-12)
    elsewhere = rng.uniform(15, 25, (5, 2))
    modes = smooth.between(elsewhere, spectrum.knots) @ spectrum.cross
    np.testing.assert_allclose(modes, smooth.between(elsewhere, places) * root @ spectrum.vectors, atol=1e-12)


def test_knots_are_places_far_from_each_other():
    places = np.random.default_rng(2).uniform(0, 1, (200, 2))
    chosen = spread_out(places, 20)
    apart = distances(chosen, chosen) + 9 * np.eye(20)
    assert apart.min() > 0.1
    assert {tuple(place) for place in chosen} <= {tuple(place) for place in places}
    assert len(spread_out(places[[0, 0, 1]], 20)) == 2


def test_a_long_table_has_nearly_the_covariance_of_all_rows(monkeypatch):
    rng = np.random.default_rng(3)
    places, run = rng.uniform([16, 20], [23, 26], (150, 2)), np.arange(150) // 2
    smooth = Kernel(4.6, 0.3)
    dense = smooth.spectrum(places, run, np.ones(150))
    monkeypatch.setattr(kernel, "MOST_ROWS", 100)
    monkeypatch.setattr(kernel, "PLANE_KNOTS", 90)
    short = smooth.spectrum(places, run, np.ones(150))
    assert len(short.knots) == 90
    rebuilt = [spectrum.vectors * spectrum.values @ spectrum.vectors.T for spectrum in (dense, short)]
    np.testing.assert_allclose(rebuilt[1], rebuilt[0], atol=1e-3)


def test_knots_predict_as_all_rows_do(monkeypatch):
    """Bands of 250 rows, beyond the table too, from knots and from the rows themselves."""
    rng = np.random.default_rng(4)
    params, tokens = np.exp(rng.uniform(np.log([1e7, 1e9]), np.log([2e9, 1e11]), (250, 2))).T
    law = t2.laws.Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
    deviation = 0.01 * np.sin(np.log(params)) + 0.003 * rng.standard_normal(250)
    losses = t2.evaluate(law, params=params, tokens=tokens) * np.exp(deviation)
    table = t2.Table.from_columns(params=params, tokens=tokens, loss=losses)
    at = {"params": np.geomspace(1e9, 1e11, 6), "tokens": np.geomspace(1e10, 1e12, 6)}

    def moments() -> tuple[np.ndarray, np.ndarray]:
        fit = t2.extrapolation.fit_discrepancy(t2.laws.Chinchilla, table, key=jax.random.key(0))
        mixture = fit.predict(at, new_run=False)
        return mixture.mean(), mixture.deviation()

    mean, width = moments()
    monkeypatch.setattr(kernel, "MOST_ROWS", 200)
    monkeypatch.setattr(kernel, "PLANE_KNOTS", 150)
    from_knots, width_from_knots = moments()
    np.testing.assert_allclose((from_knots - mean) / width, 0.0, atol=0.02)
    np.testing.assert_allclose(width_from_knots, width, rtol=0.02)
