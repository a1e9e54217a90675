"""Standard errors of rows (`loss_se`): weighted least squares in closed form, densities of SciPy, and what is said."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, stats

import t2jax as t2
from t2jax.fitting.cautions import own_errors
from t2jax.posterior.density import density
from tests.helpers.linear_law import LOSSES, Line, X, line_table

KEY = jax.random.key(0)
ERRORS = 0.02 * 10 ** np.linspace(0.0, 1.0, len(X))
TABLE = line_table(X).with_columns(loss_se=ERRORS)
LINE = Line(a=2.9, b=-0.35)
RESIDUAL = LOSSES - (2.9 - 0.35 * X)
DESIGN = np.stack([np.ones_like(X), X], axis=1)


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def rows(**columns):
    return {name: jnp.asarray(TABLE[name]) for name in ("params", "tokens", "loss", "loss_se")} | columns


@pytest.mark.parametrize("common", [0.0, 0.05])
def test_a_fit_is_weighted_least_squares(common):
    """Coefficients are (XᵀWX)⁻¹XᵀWy with weights 1/(scale² + se²)."""
    weight = 1 / (common**2 + ERRORS**2)
    expected = np.linalg.solve(DESIGN.T @ (weight[:, None] * DESIGN), DESIGN.T @ (weight * LOSSES))
    fit = t2.fit(Line, TABLE, key=KEY, noise=t2.noise.Gaussian(scale=common))
    np.testing.assert_allclose([fit.law.a, fit.law.b], expected, rtol=1e-6)
    assert "each row's loss_se" in fit.status
    plain = np.linalg.lstsq(DESIGN, LOSSES)[0]
    assert abs(fit.law.b - plain[1]) > 1e-3  # the weights matter here


@pytest.mark.parametrize("log", [False, True])
def test_densities_have_the_scale_of_both_errors(log):
    residual, errors, stretch = RESIDUAL, ERRORS, 0.0
    if log:
        residual, errors = np.log(LOSSES / (2.9 - 0.35 * X)), ERRORS / LOSSES
        stretch = np.log(LOSSES)
    scale, sigma = np.hypot(0.03, errors), {"sigma": jnp.asarray(0.03)}
    transform = "log" if log else "identity"
    normal = t2.noise.Gaussian(transform).log_density(LINE, rows(), sigma)
    np.testing.assert_allclose(normal, stats.norm.logpdf(residual, 0, scale) - stretch, rtol=1e-9)
    student = t2.noise.StudentT(transform=transform).log_density(LINE, rows(), sigma)
    np.testing.assert_allclose(student, stats.t.logpdf(residual, 4, 0, scale) - stretch, rtol=1e-9)


def test_a_posterior_reads_them_by_default():
    target, data = density(Line, TABLE, None, {}, {})
    assert isinstance(target.noise, t2.noise.StudentT)
    u = target.unconstrain({"a": 2.9, "b": -0.35, "sigma": 0.01})
    scale = np.hypot(0.01, ERRORS / LOSSES)
    expected = stats.t.logpdf(np.log(LOSSES / (2.9 - 0.35 * X)), 4, 0, scale) - np.log(LOSSES)
    np.testing.assert_allclose(target.row_log_likelihood(u, data), expected, rtol=1e-6)


@pytest.mark.parametrize("factor", [1.0, 0.1])
def test_the_profiled_scale_is_the_most_likely(factor):
    errors = factor * ERRORS
    columns = rows(loss_se=jnp.asarray(errors), weight=jnp.ones(len(X)))
    result = float(t2.noise.Gaussian().profile(LINE, columns)["sigma"])

    def cost(log_sigma):
        return -stats.norm.logpdf(RESIDUAL, 0, np.hypot(np.exp(log_sigma), errors)).sum()

    best: Any = optimize.minimize_scalar(cost, bounds=(-12.0, 0.0), method="bounded", options={"xatol": 1e-10})
    assert cost(np.log(result)) <= best.fun + 1e-9


def test_residuals_are_resampled_in_units_of_each_rows_scale():
    noise, common = t2.noise.StudentT(transform="identity"), {"sigma": jnp.asarray(0.03)}
    drawn = np.asarray(noise.simulate(LINE, rows(), common, KEY)["loss"])
    scale = np.hypot(0.03, ERRORS)
    units, drawn_units = RESIDUAL / scale, (drawn - (2.9 - 0.35 * X)) / scale
    assert np.abs(drawn_units[:, None] - units[None]).min(axis=1).max() < 1e-9
    again = noise.measure_again(LINE, jnp.zeros(len(X)), rows(), common, KEY)
    np.testing.assert_allclose(again, scale * jax.random.t(KEY, 4.0, (len(X),)), rtol=1e-9)


def test_a_joint_fit_weighs_losses_by_them():
    """The loss part of a joint penalty is ½ r² / (0.01² + (se / loss)²), beside that of the samples."""
    law = t2.laws.T2PassK(
        loss=t2.laws.Chinchilla(E=1.7, A=480.0, B=2000.0, alpha=0.35, beta=0.37),
        theta0=2.5,
        theta1=2.0,
        theta2=0.9,
        theta3=1.0,
        theta4=-0.3,
    )
    counts = t2.Table.from_columns(params=[1e8, 1e9], tokens=2e10, loss=[3.0, 2.5], trials=10, correct=[1, 4])
    noise = t2.noise.Joint(t2.noise.BetaBinomial())
    penalties = []
    for table in (counts, counts.with_columns(loss_se=[0.03, 0.1])):
        data = noise.measurements(t2.laws.T2PassK, table, {})
        penalties.append(np.asarray(noise.penalty(law, data.every_row(), {})))
    square = np.log(np.asarray(law.loss(counts["params"], 2e10)) / counts["loss"]) ** 2
    expected = 0.5 * square * (1 / (0.01**2 + np.array([0.01, 0.04]) ** 2) - 1 / 0.01**2)
    np.testing.assert_allclose(penalties[1] - penalties[0], expected, rtol=1e-9)


def test_every_noise_says_whether_it_reads_them():
    assert "Huber has one scale for all rows" in own_errors(t2.noise.Huber(), Line, TABLE)
    assert "hardly counts" in own_errors(t2.noise.Gaussian(scale=10.0), Line, TABLE)
    assert "hardly" not in own_errors(t2.noise.StudentT(), Line, TABLE)
    assert own_errors(t2.noise.Huber(), Line, line_table(X)) == ""
    assert isinstance(t2.noise.default_noise(Line, line_table(X)), t2.noise.Huber)
    with pytest.raises(t2.TableError, match=r"'loss_se', needed by Gaussian\(scale=0\)"):
        t2.fit(Line, line_table(X), key=KEY, noise=t2.noise.Gaussian(scale=0.0))
