"""Optima at the edge of a domain: they are fits, their bootstraps lose no draw, and the status names the edge."""

import jax
import numpy as np
import pytest
from numpyro.distributions import LogNormal, Uniform

import t2jax as t2
from t2jax.typing import Scalar

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def curves():
    """Learning curves of six models within a decade of N; whole runs are off, and all cells have four decimals."""
    params = np.repeat([5e7, 8e7, 1.3e8, 2e8, 3.2e8, 5e8], 4)
    tokens = np.tile(np.geomspace(2e8, 5e9, 4), 6)
    off = np.repeat([-0.008, 0.002, 0.006, 0.006, 0.002, -0.008], 4)
    loss = np.round((1.9 + 300 * params**-0.33 + 900 * tokens**-0.36) * np.exp(off), 4)
    models = [f"m{i // 4}" for i in range(24)]
    return t2.Table.from_columns(model=models, params=params, tokens=tokens, loss=loss)


def test_a_floor_of_zero_is_reached_along_a_bent_valley(curves):
    """The optimum as SciPy finds it: least_squares, loss="huber", f_scale=1e-3, E = 0 the best of a profile over E."""
    fit = t2.fit(t2.laws.Chinchilla, curves, key=KEY)
    assert fit.converged and fit.agreement == 1.0, fit.status
    assert fit.objective == pytest.approx(2.20803e-5, rel=1e-5)
    expected = {"E": 0.0, "A": 10.97, "B": 915.0, "alpha": 0.0782, "beta": 0.3607}
    assert fit.law.values() == pytest.approx(expected, rel=1e-3, abs=1e-8)
    assert "E is at the edge of its domain (0)" in fit.status and "determine" not in fit.status
    assert fit.undetermined == () and fit.identification.rank == 4
    boot = t2.bootstrap(fit, curves, draws=40, key=KEY, over="rows")
    assert boot.failed == 0 and np.mean(boot.laws.E < 1e-8) > 0.9
    # tables simulated at an edge have their own optimum there, or at the end of a long bent valley inside
    simulated = t2.parametric_bootstrap(fit, curves, draws=20, key=KEY)
    assert simulated.failed == 0 and np.sum(simulated.laws.E < 1e-8) > 4
    # what is known stays known: beta of the fit lies among the draws'
    low, high = np.quantile(boot.laws.beta, [0.05, 0.95])
    assert low < 0.3607 < high and high - low < 0.1


@pytest.mark.parametrize("noise", [t2.noise.StudentT(), t2.noise.Gaussian()])
def test_a_floor_of_zero_is_reached_with_other_noise(curves, noise):
    """As under Huber's penalty, with the other parameters within 2 % of what they are there."""
    fit = t2.fit(t2.laws.Chinchilla, curves, key=KEY, noise=noise)
    assert fit.converged and fit.agreement == 1.0, fit.status
    expected = {"E": 0.0, "A": 10.97, "B": 915.0, "alpha": 0.0782, "beta": 0.3607}
    assert fit.law.values() == pytest.approx(expected, rel=0.02, abs=1e-8)


@t2.law
class Share(t2.Law):
    """A share of what there is: c·(1 - a·(N/1e7)^-b)."""

    c: Scalar = t2.param(Uniform(0.0, 1.0), unit="1", doc="highest share")
    a: Scalar = t2.param(Uniform(0.0, 1.0), unit="1", doc="what is missing at ten million")
    b: Scalar = t2.param(LogNormal(-1.0, 0.5), unit="1", doc="exponent")

    def __call__(self, N):
        return self.c * (1 - self.a * (N / 1e7) ** -self.b)


def test_a_highest_share_of_one_is_a_fit():
    """Shares that rise beyond one leave c at 1; the others are as they are with c held there."""
    params = np.geomspace(1e7, 1e10, 20)
    observed = 1.1 * (1 - 0.8 * (params / 1e7) ** -0.3)
    table = t2.Table.from_columns(params=params, tokens=20 * params, loss=observed)
    fit = t2.fit(Share, table, key=KEY, noise=t2.noise.Gaussian())
    at_edge = t2.fit(Share, table, key=KEY, noise=t2.noise.Gaussian(), fixed={"c": 1.0})
    assert fit.converged and "c is at the edge of its domain (1)" in fit.status, fit.status
    assert fit.law.c == pytest.approx(1.0, abs=1e-6)
    assert (fit.law.a, fit.law.b) == pytest.approx((at_edge.law.a, at_edge.law.b), rel=1e-5)
    assert fit.identification.errors["a"] == pytest.approx(at_edge.identification.errors["a"], rel=1e-3)
    assert t2.bootstrap(fit, table, draws=20, key=KEY).failed == 0


def test_a_fit_whose_every_parameter_is_at_an_edge_is_one():
    """Losses below the terms that are held leave E at 0, and nothing else is free."""
    params, tokens = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e9, 4), np.geomspace(1e9, 1e11, 4)))
    losses = 400 * params**-0.34 + 400 * tokens**-0.28 - 0.05
    table = t2.Table.from_columns(params=params, tokens=tokens, loss=losses)
    fixed = {"A": 400.0, "B": 400.0, "alpha": 0.34, "beta": 0.28}
    fit = t2.fit(t2.laws.Chinchilla, table, key=KEY, starts=1, fixed=fixed)
    assert fit.identification.rank == 0 and fit.identification.at_bound == {"E": 0.0}
    assert "E is at the edge of its domain (0)" in fit.status
