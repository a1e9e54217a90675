"""Bands of the optimum: closed forms without noise, and the effect of a known misfit."""

import jax
import numpy as np
import pytest

import t2jax as t2

KEY = jax.random.key(0)
LAW = t2.laws.Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
PARAMS, RATIO = (axis.ravel() for axis in np.meshgrid(np.geomspace(2e7, 2e9, 6), np.geomspace(5, 160, 5)))
TOKENS = PARAMS * RATIO


def table(log_misfit: float | np.ndarray = 0.0, error: float = 0.0, seed: int = 0) -> t2.Table:
    errors = error * np.random.default_rng(seed).standard_normal(len(PARAMS))
    losses = t2.evaluate(LAW, params=PARAMS, tokens=TOKENS) * np.exp(log_misfit + errors)
    return t2.Table.from_columns(params=PARAMS, tokens=TOKENS, loss=losses)


@pytest.mark.parametrize("flops", [1e21, 1e24])
def test_without_noise_the_band_is_the_closed_form(flops):
    at = t2.extrapolation.optimum_band(
        t2.extrapolation.fit_discrepancy(t2.laws.Chinchilla, table(), key=KEY), flops, key=KEY, draws=50
    )
    params, tokens = LAW.optimum(flops)
    # a parabola through three points, 0.025 decades apart
    np.testing.assert_allclose([at.params.low, at.params.mid, at.params.high], float(params), rtol=2e-3)
    np.testing.assert_allclose(at.tokens.mid, float(tokens), rtol=2e-3)
    np.testing.assert_allclose(at.value.mid, float(LAW(params, tokens)), rtol=1e-6)


def test_the_optimum_with_samples_is_that_of_the_planner():
    loss = t2.laws.Chinchilla(E=0.5, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
    law = t2.laws.T2Loss(loss=loss, G=0.4, gamma=0.3)
    samples = np.tile([1.0, 4.0, 16.0], len(PARAMS))
    columns = {"params": np.repeat(PARAMS, 3), "tokens": np.repeat(TOKENS, 3), "samples": samples}
    rows = t2.Table.from_columns(**columns, neg_log_pass=t2.evaluate(law, **columns))
    fit = t2.extrapolation.fit_discrepancy(t2.laws.T2Loss, rows, key=KEY)
    at = t2.extrapolation.optimum_band(fit, 1e21, 1e11, key=KEY, draws=50)
    plan = t2.allocate(law, t2.Budget(train=1e21, inference=1e11))
    np.testing.assert_allclose(at.params.mid, plan.params, rtol=5e-3)
    np.testing.assert_allclose(at.samples.mid, plan.samples, rtol=5e-3)


def test_a_smooth_misfit_widens_the_band_of_the_optimum():
    wave = 0.01 * np.sin(2 * np.pi * np.log10(PARAMS) / 2)
    fits = [
        t2.extrapolation.fit_discrepancy(t2.laws.Chinchilla, table(misfit, 0.002), key=KEY) for misfit in (0.0, wave)
    ]
    assert fits[0].log_odds < 3 < fits[1].log_odds
    plain, bent = (t2.extrapolation.optimum_band(fit, 1e22, key=KEY).params for fit in fits)
    assert bent.high / bent.low > 1.5 * plain.high / plain.low


def test_wrong_budgets_are_refused():
    fit = t2.extrapolation.fit_discrepancy(t2.laws.Chinchilla, table(), key=KEY)
    with pytest.raises(ValueError, match="positive FLOPs"):
        t2.extrapolation.optimum_band(fit, -1.0, key=KEY)
    with pytest.raises(ValueError, match="no sample of any model"):
        t2.extrapolation.optimum_band(fit, 1e21, 1e2, key=KEY)


def test_a_small_serving_budget_bounds_the_size():
    """With 2e9 FLOPs a token, one sample of 1e9 params is the most, and best at 1e21 FLOPs of training."""
    fit = t2.extrapolation.fit_discrepancy(t2.laws.Chinchilla, table(0.0, 0.002), key=KEY)
    at = t2.extrapolation.optimum_band(fit, 1e21, 2e9, key=KEY, draws=50)
    np.testing.assert_allclose([at.params.low, at.params.high], 1e9, rtol=1e-9)
    assert at.at_edge == 0 and at.samples.mid == pytest.approx(1.0)
