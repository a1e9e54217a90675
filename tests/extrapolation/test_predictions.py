"""Predictions beyond a table against formulas: exact rows, a dense Gaussian, horizons, weights of laws, long tables."""

from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student_t

import t2jax as t2
from t2jax.extrapolation import law_choice as choosing
from t2jax.extrapolation.averaged_counts import averaged_counts
from t2jax.extrapolation.discrepancy import fit_from
from t2jax.extrapolation.forward_chain import origins
from t2jax.fitting.measured_range import MeasuredRange
from t2jax.noise.smooth import kernel

LAW = t2.laws.Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
BEYOND = t2.Table.from_columns(params=[3e8, 1e10, 7e10], tokens=[1e10, 2e12, 1.4e12])
KEY = jax.random.key(0)


@pytest.fixture
def noisy_runs():
    """48 runs with errors of 0.3 %."""
    params, ratio = (axis.ravel() for axis in np.meshgrid(np.geomspace(2e7, 2e9, 8), np.geomspace(5, 160, 6)))
    losses = t2.evaluate(LAW, params=params, tokens=params * ratio)
    losses = losses * np.exp(0.003 * np.random.default_rng(0).standard_normal(len(params)))
    return t2.Table.from_columns(params=params, tokens=params * ratio, loss=losses)


def table_of(rows: int, error: float, models: int | None = None) -> t2.Table:
    """Runs at random sizes whose losses deviate from LAW, several rows of each model if `models` are given."""
    rng = np.random.default_rng(rows)
    params, tokens = np.exp(rng.uniform(np.log([1e7, 1e9]), np.log([2e9, 1e11]), (rows, 2))).T
    exact = t2.evaluate(LAW, params=params, tokens=tokens)
    smooth = 0.01 * np.sin(np.log(params)) if error else 0.0
    columns: dict[str, Any] = {"params": params, "tokens": tokens}
    columns["loss"] = exact * np.exp(smooth + error * rng.standard_normal(rows))
    if models:
        columns["model"] = [f"run-{row % models}" for row in range(rows)]
    return t2.Table.from_columns(**columns)


@pytest.fixture(scope="module")
def noisy():
    return t2.extrapolation.fit_discrepancy(t2.laws.Chinchilla, table_of(48, 0.003, models=24), key=KEY)


@pytest.fixture(scope="module")
def exact():
    return t2.extrapolation.fit_discrepancy(t2.laws.Chinchilla, table_of(30, 0.0), key=KEY)


def test_exact_rows_give_the_law_beyond_them(exact):
    at = t2.predict_band(exact, BEYOND)
    expected = t2.evaluate(LAW, params=BEYOND["params"], tokens=BEYOND["tokens"])
    np.testing.assert_allclose(at.mean, expected, rtol=1e-10)
    assert exact.log_odds < 0 and "no smooth deviation" in exact.status


@pytest.mark.parametrize("new_run", [False, True])
def test_a_node_predicts_as_the_dense_gaussian_does(noisy, new_run):
    """With the covariance of rows, law and discrepancy written out, and a linear solve of all rows."""
    chosen = int(np.argmax(noisy.nodes.amplitude))
    amplitude, noise = noisy.nodes.amplitude[chosen], noisy.nodes.noise[chosen]
    assert amplitude > 0
    kernel = noisy.spectra[noisy.nodes.kernel[chosen]].kernel
    curve, table, model = noisy.curve, noisy.table, noisy.model
    columns, elsewhere = curve.read(table), curve.read(BEYOND)
    places, run = curve.places(columns), table.runs()
    prior, spread = curve.prior
    slopes = curve.evaluate(noisy.u, columns)[1]
    values, far = curve.evaluate(noisy.u, elsewhere)

    same = run[:, None] == run
    of_law = slopes * spread**2 @ slopes.T
    covariance = of_law + amplitude**2 * (kernel.between(places, places) + kernel.run_share * same)
    covariance += np.diag(noise**2 / model.weight)
    cross = far * spread**2 @ slopes.T + amplitude**2 * kernel.between(curve.places(elsewhere), places)
    at_prior = values - far @ (noisy.u - prior)
    mean = at_prior + cross @ np.linalg.solve(covariance, model.residual)
    variance = (far**2 * spread**2).sum(1) + amplitude**2 - (cross * np.linalg.solve(covariance, cross.T).T).sum(1)
    tail = student_t.ppf(0.95, noisy.noise_model.df) / norm.ppf(0.95)
    variance += amplitude**2 * kernel.run_share + (tail * noise) ** 2 if new_run else 0.0

    prediction = noisy.predict(elsewhere, new_run=new_run)
    np.testing.assert_allclose(prediction.means[chosen], mean, rtol=1e-7)
    np.testing.assert_allclose(prediction.variances[chosen], variance, rtol=1e-4)


def test_bands_are_nested_and_widen_with_the_distance(noisy):
    at = t2.predict_band(noisy, BEYOND)
    assert (at.low < at.mean_low).all() and (at.mean_low < at.mean).all()
    assert (at.mean < at.mean_high).all() and (at.mean_high < at.high).all()
    width = np.log(at.high / at.low)
    assert width[0] < width[1]
    narrow = t2.predict_band(noisy, BEYOND, level=0.5)
    assert (narrow.high < at.high).all() and (narrow.mean == at.mean).all()


def test_horizons_are_decades_beyond_the_farthest_range():
    runs = t2.Table.from_columns(params=[1e8, 1e9], tokens=[1e10, 1e10], samples=[1.0, 100.0])
    measured = MeasuredRange.of(runs)
    rows = t2.Table.from_columns(
        params=[3e8, 1e9, 1e8, 1e9, 1e9], tokens=[1e10, 1e12, 1e8, 1e10, 1e10], samples=[10, 10, 10, 1e4, 100.5]
    )
    # inside; 100 times the tokens; a hundredth of tokens and compute; 100 times k; within the tolerance of 1 %
    np.testing.assert_allclose(measured.horizons(rows), [0, 2, 2, 2, 0], atol=1e-12)
    without = t2.Table.from_columns(params=1e9, tokens=[1e10])  # one sample, which was measured
    assert measured.horizons(without).tolist() == [0.0]


def test_weights_of_laws_are_inverse_to_square_errors_of_a_forward_chain(noisy):
    kaplan = t2.extrapolation.fit_discrepancy(t2.laws.Kaplan, noisy.table, key=KEY)
    choice = choosing.choose_from([kaplan, noisy])
    places = origins(noisy.table)
    assert len(places) == 3
    compute = noisy.table.compute()
    errors = []
    for fit in (kaplan, noisy):
        at_origins = []
        for origin in places:
            assert compute[origin.fitted].max() < compute[origin.predicted].min()
            cheap, dear = fit.table.where(origin.fitted), fit.table.where(origin.predicted)
            refit = fit_from(fit.curve, cheap, fit.u[None], 1)
            off = refit.predict(refit.curve.read(dear), new_run=False).mean() - np.log(dear["loss"])
            at_origins.append(np.sqrt(np.mean(off**2)))
        errors.append(at_origins)
    typical = np.exp(np.log(errors).mean(1))
    by_name = {type(fit.law).__name__: weight for fit, weight in zip(choice.fits, choice.weights, strict=True)}
    expected = typical**-2 / (typical**-2).sum()
    np.testing.assert_allclose([by_name["Kaplan"], by_name["Chinchilla"]], expected, rtol=1e-9)
    assert choice.weights[0] == choice.weights.max() and type(choice.law).__name__ in choice.status
    assert 1 <= choice.widening <= choosing.MOST_WIDENING


def test_few_rows_weigh_all_laws_the_same():
    few = table_of(8, 0.003)
    choice = t2.choose_law(few, key=KEY, laws=[t2.laws.Chinchilla, t2.laws.SharedExponent])
    assert choice.weights.tolist() == [0.5, 0.5] and choice.origins == () and choice.widening == 1
    assert "too few rows" in choice.status


def test_a_long_table_predicts_as_the_dense_one_does(noisy, monkeypatch):
    """300 rows on 80 knots, inside and up to a decade beyond: means within 0.1 % and bands within a tenth."""
    table = table_of(300, 0.003)
    near = t2.Table.from_columns(params=[1e8, 1e9, 2e10], tokens=[1e10, 5e10, 1e11])
    columns = noisy.curve.read(near)

    def predicted():
        fit = fit_from(noisy.curve, table, noisy.u[None], 1)
        mixture = fit.predict(columns, new_run=True)
        return mixture.mean(), mixture.deviation()

    monkeypatch.setattr(kernel, "MOST_ROWS", 300)
    dense = predicted()
    monkeypatch.setattr(kernel, "MOST_ROWS", 299)
    monkeypatch.setattr(kernel, "PLANE_KNOTS", 80)
    short = predicted()
    np.testing.assert_allclose(short[0], dense[0], atol=1e-3)
    np.testing.assert_allclose(short[1], dense[1], rtol=0.1)


def test_wrong_arguments(noisy):
    with pytest.raises(ValueError, match="level must be between 0 and 1"):
        t2.predict_band(noisy, BEYOND, level=1.0)
    with pytest.raises(t2.TableError, match="2 rows of loss are left, expected at least 3"):
        t2.extrapolation.fit_discrepancy(t2.laws.Chinchilla, noisy.table.where(np.arange(48) < 2), key=KEY)
    counts = t2.Table.from_columns(params=[1e8, 1e9], tokens=1e10, trials=10, correct=[1, 2])
    with pytest.raises(t2.TableError, match="average them to pass_at_k first"):
        t2.choose_law(counts, key=KEY)
    failed = replace(t2.fit(t2.laws.Chinchilla, noisy.table, key=KEY), converged=False, status="no")
    with pytest.raises(ValueError, match=r"there is no fit to predict with \(no\)"):
        t2.predict_band(failed, BEYOND)


def test_counts_are_averaged_to_the_share_of_each_run():
    """Bands of counts are those of the unbiased estimate of pass@1, the mean share over questions."""
    rng = np.random.default_rng(0)
    params, tokens = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e8, 1e10, 4), np.geomspace(1e10, 1e12, 3)))
    chance = 0.2 * (params / 1e9) ** 0.3 * (tokens / 1e11) ** 0.2
    correct = rng.binomial(5, np.repeat(chance, 40))
    sizes: dict[str, Any] = {"params": params, "tokens": tokens}
    names = np.array([f"run {i}" for i in range(12)])
    rows: Any = {"model": np.repeat(names, 40), "question": np.tile([f"{i}" for i in range(40)], 12)}
    rows |= {name: np.repeat(column, 40) for name, column in sizes.items()}
    counts = t2.Table.from_columns(**rows, trials=5, correct=correct)
    shares = averaged_counts(t2.laws.T2PassK, counts)
    np.testing.assert_allclose(shares["pass_at_k"], correct.reshape(12, 40).mean(1) / 5)
    assert averaged_counts(t2.laws.Chinchilla, counts) is counts
    seen = t2.Table.from_columns(model=names, **sizes, samples=1, pass_at_k=shares["pass_at_k"])
    at = t2.Table.from_columns(params=[3e10], tokens=[1e12], samples=[1])
    by_counts, by_shares = (
        t2.predict_band(t2.extrapolation.fit_discrepancy(t2.laws.T2PassK, table, key=KEY), at)
        for table in (counts, seen)
    )
    assert by_counts.low[0] == pytest.approx(by_shares.low[0]) and by_counts.high[0] < 1


def test_rows_left_out_by_weight_measure_nothing(noisy_runs):
    """They change no band and no range."""
    out = noisy_runs["params"] > 5e8
    rest = noisy_runs.where(~out)
    alone, among = (
        t2.extrapolation.fit_discrepancy(t2.laws.Chinchilla, rows, key=KEY)
        for rows in (rest, t2.evaluation.left_out(noisy_runs, out))
    )
    assert among.measured == alone.measured and len(among.table) == len(rest)
    np.testing.assert_allclose(among.noise, alone.noise)


def test_laws_of_different_responses_are_not_compared(noisy_runs):
    rows = noisy_runs.with_columns(neg_log_pass=noisy_runs["loss"], samples=1.0)
    with pytest.raises(ValueError, match="Chinchilla of loss, T2Loss of neg_log_pass"):
        t2.choose_law(rows, key=KEY, laws=[t2.laws.Chinchilla, t2.laws.T2Loss])
