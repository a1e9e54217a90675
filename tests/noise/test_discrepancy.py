"""The smooth discrepancy as a noise model, against dense Gaussians, generalised least squares and its closed form."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logit, polygamma
from scipy.stats import gamma, multivariate_normal, norm

import t2jax as t2
from t2jax.noise.protocol import DEVIATION
from t2jax.noise.smooth.kernel import DECADE, Kernel
from t2jax.working_precision import scope

KEY = jax.random.key(0)
NORMAL = t2.noise.Discrepancy(df=None)
LAW = t2.laws.Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
LINK = {"theta0": 1.0, "theta1": 1.0, "theta2": 0.9, "theta3": 1.5, "theta4": 0.1}
PASSES = t2.laws.T2PassK(**LAW.values(), **LINK)


def runs(rows: int, error: float, smooth: float = 0.01) -> t2.Table:
    """Runs at random sizes whose losses deviate from LAW in a smooth way."""
    rng = np.random.default_rng(rows)
    params, tokens = np.exp(rng.uniform(np.log([1e7, 1e9]), np.log([2e9, 1e11]), (rows, 2))).T
    exact = t2.evaluate(LAW, params=params, tokens=tokens)
    losses = exact * np.exp(smooth * np.sin(np.log(params)) + error * rng.standard_normal(rows))
    return t2.Table.from_columns(params=params, tokens=tokens, loss=losses)


def places(table: t2.Table, *columns: str) -> np.ndarray:
    return np.log(np.stack([table[name] for name in columns], axis=1))


def density(noise: t2.noise.Discrepancy, law: t2.Law, table: t2.Table, scales: dict[str, float], **more: Any) -> float:
    columns = {**noise.units(type(law), table).columns, **more}
    with scope() as dtype:
        rows = {name: jnp.asarray(column, dtype) for name, column in columns.items()}
        given = {name: jnp.asarray(value, dtype) for name, value in scales.items()}
        return float(noise.log_density(law, rows, given)[0])


def dense(residual: np.ndarray, at: np.ndarray, scales: dict[str, float], variance: np.ndarray) -> float:
    """Averages the densities of dense Gaussians over no discrepancy and three lengths, in decades.

    The amplitude is that of two decades, and in proportion to the length.
    """
    covariances = [
        (scales["amplitude"] * length / 2) ** 2 * Kernel(length * DECADE).between(at, at) for length in (1, 2, 4)
    ]
    gaussian: Any = multivariate_normal
    logs = [gaussian.logpdf(residual, cov=cov + np.diag(variance)) for cov in covariances]
    none = norm.logpdf(residual, scale=np.sqrt(variance)).sum()
    return np.logaddexp.reduce([np.log(0.1) + none, *(np.log(0.3) + log for log in logs)])


def test_the_density_is_that_of_a_dense_gaussian():
    table, scales = runs(40, 0.003), {"amplitude": 0.008, "sigma": 0.003}
    residual = np.log(table["loss"] / t2.predict(LAW, table))
    expected = dense(residual, places(table, "params", "tokens"), scales, np.full(40, 0.003**2))
    assert density(NORMAL, LAW, table, scales) == pytest.approx(expected - np.log(table["loss"]).sum(), rel=1e-9)


def test_student_t_errors_are_normal_ones_of_random_precision():
    """Modes with 1e-4 of the variance are left out, so the density agrees to that."""
    noise, table, scales = t2.noise.Discrepancy(df=4.0), runs(40, 0.003), {"amplitude": 0.008, "sigma": 0.003}
    z = np.random.default_rng(0).standard_normal(40)
    spread = np.sqrt(polygamma(1, 2.0))
    precision = np.exp(spread * z)
    residual = np.log(table["loss"] / t2.predict(LAW, table))
    expected = dense(residual, places(table, "params", "tokens"), scales, 0.003**2 / precision)
    prior = gamma.logpdf(precision, 2.0, scale=0.5) + np.log(spread * precision) - norm.logpdf(z)
    result = density(noise, LAW, table, scales, **{DEVIATION: z})
    assert result == pytest.approx(expected - np.log(table["loss"]).sum() + prior.sum(), abs=0.01)


def test_pass_at_k_is_compared_by_its_logit():
    """The scales are ten times as large, and errors those of shares."""
    table = runs(12, 0.0).with_columns(samples=np.full(12, 4.0))
    exact = t2.predict(PASSES, table)
    share = 1 / (1 + np.exp(-logit(exact) - 0.05 * np.random.default_rng(0).standard_normal(12)))
    table = table.with_columns(pass_at_k=share)
    table = t2.Table(table.to_frame().drop(columns="loss"))
    scales = {"amplitude": 0.01, "sigma": 0.005}
    variance = 0.05**2 / (4 * share * (1 - share))
    at = places(table, "params", "tokens", "samples")
    expected = dense(logit(share) - logit(exact), at, {"amplitude": 0.1}, variance)
    result = density(NORMAL, PASSES, table, scales)
    assert result == pytest.approx(expected - np.log(share * (1 - share)).sum(), rel=1e-7)


@pytest.mark.parametrize("noise", [NORMAL, t2.noise.Discrepancy()], ids=["normal", "student"])
def test_rows_without_error_give_the_law_again(noise):
    fit = t2.fit(t2.laws.Chinchilla, runs(30, 0.0, smooth=0.0), key=KEY, noise=noise)
    assert fit.converged and fit.noise_values["amplitude"] < 1e-12 and fit.noise_values["sigma"] < 1e-9
    for name, value in LAW.values().items():
        assert fit.law.values()[name] == pytest.approx(value, rel=1e-10)


def test_a_fit_is_generalised_least_squares():
    """With the covariance of the most probable scales written out, and SciPy's search in two parameters."""
    table = runs(30, 0.003)
    fixed = {name: LAW.values()[name] for name in ("E", "alpha", "beta")}
    fit = t2.fit(t2.laws.Chinchilla, table, key=KEY, noise=NORMAL, fixed=fixed)
    columns = NORMAL.measurements(t2.laws.Chinchilla, table, fixed).columns
    vectors, variances = np.asarray(columns["modes"]), np.asarray(columns["variances of modes"])
    amplitude, error = float(columns["penalty amplitude"]), float(columns["penalty error"])
    assert amplitude > 0.002
    inverse = np.linalg.inv(amplitude**2 * (vectors * variances) @ vectors.T + error**2 * np.eye(30))

    def half_square(logs: np.ndarray) -> float:
        law = t2.laws.Chinchilla(**fixed, A=float(np.exp(logs[0])), B=float(np.exp(logs[1])))
        residual = np.log(table["loss"] / t2.predict(law, table))
        return 0.5 * float(residual @ inverse @ residual)

    start = np.log([fit.law.A, fit.law.B])
    best = minimize(half_square, start + 0.05, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-10})
    np.testing.assert_allclose(best.x, start, atol=1e-5)
    assert fit.objective == pytest.approx(best.fun, rel=1e-8)


def test_rows_that_are_left_out_say_nothing():
    table = runs(31, 0.003)
    out = np.arange(31) == 7
    whole = t2.fit(t2.laws.Chinchilla, t2.evaluation.left_out(table, out), key=KEY, noise=NORMAL)
    rest = t2.fit(t2.laws.Chinchilla, table.where(~out), key=KEY, noise=NORMAL)
    for name, value in rest.law.values().items():
        assert whole.law.values()[name] == pytest.approx(value, rel=1e-6)
    assert whole.noise_values == pytest.approx(rest.noise_values, rel=1e-9)


def test_simulated_rows_have_the_covariance_of_the_model():
    """Of 4,000 tables of twelve rows, whose logs have the smooth covariance and the independent one."""
    table, scales = runs(12, 0.003), {"amplitude": 0.02, "sigma": 0.005}
    columns = NORMAL.measurements(t2.laws.Chinchilla, table, {}).columns
    with scope() as dtype:
        rows, given = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), (columns, scales))
        draw = jax.jit(jax.vmap(lambda key: NORMAL.simulate(LAW, rows, given, key)["loss"]))
        logs = np.log(np.asarray(draw(jax.random.split(KEY, 4000))) / t2.predict(LAW, table))
    smooth = (np.asarray(columns["modes"]) * np.asarray(columns["variances of modes"])) @ np.asarray(columns["modes"]).T
    np.testing.assert_allclose(np.cov(logs.T), 0.02**2 * smooth + 0.005**2 * np.eye(12), atol=3.5e-5)
    np.testing.assert_allclose(logs.mean(0), 0.0, atol=2e-3)


@pytest.fixture(scope="module")
def post():
    """A posterior of two free parameters, so that few draws are enough."""
    fixed = {name: LAW.values()[name] for name in ("E", "alpha", "beta")}
    drawn = t2.sample(
        t2.laws.Chinchilla, runs(30, 0.003), NORMAL, key=KEY, fixed=fixed, draws=400, warmup=200, chains=2
    )
    # the limit of effective draws is for users
    return replace(drawn, diagnosis=replace(drawn.diagnosis, failures=()))


def test_a_posterior_predicts_as_the_closed_form_does(post):
    """Both average over scales and kernels with the same priors, one by a grid and one by draws."""
    beyond = t2.Table.from_columns(params=[3e8, 1e10, 7e10], tokens=[1e10, 2e11, 1.4e12])
    fixed = {name: LAW.values()[name] for name in ("E", "alpha", "beta")}
    closed = t2.extrapolation.fit_discrepancy(t2.laws.Chinchilla, post.table, key=KEY, fixed=fixed, noise=NORMAL)
    sampled, expected = t2.predict_band(post, beyond), t2.predict_band(closed, beyond)
    for name in ("low", "high", "mean_low", "mean_high"):
        width = expected.high - expected.low
        np.testing.assert_allclose((getattr(sampled, name) - getattr(expected, name)) / width, 0.0, atol=0.1)
    np.testing.assert_allclose(sampled.mean, expected.mean, rtol=2e-3)
    drawn, of_fit = (t2.extrapolation.optimum_band(posterior, 1e21, key=KEY).params for posterior in (post, closed))
    assert drawn.mid == pytest.approx(of_fit.mid, rel=0.1)
    assert np.log(drawn.high / drawn.low) == pytest.approx(np.log(of_fit.high / of_fit.low), rel=0.25)


def test_what_a_posterior_cannot_do_is_told(post):
    with pytest.raises(ValueError, match="one likelihood together"):
        t2.loo(post)
    with pytest.raises(ValueError, match="one likelihood together"):
        t2.sample(t2.laws.Chinchilla, post.table, NORMAL, key=KEY, unit="run")
    huber = replace(post, density=replace(post.density, noise=t2.noise.StudentT()))
    with pytest.raises(ValueError, match=r"StudentT has no deviation beyond its rows: sample with noise.Discrepancy"):
        t2.predict_band(huber, post.table)
    with pytest.raises(ValueError, match="at least one length"):
        t2.noise.Discrepancy(lengths=())
    with pytest.raises(TypeError, match="not inside Joint"):
        counted = post.table.with_columns(pass_at_k=np.linspace(0.1, 0.8, 30))
        t2.fit(t2.laws.T2PassK, counted, key=KEY, noise=t2.noise.Joint(NORMAL))
