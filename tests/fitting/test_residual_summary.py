"""How far a law lies from its rows: quantiles by hand, in words, and for counts by run and not by question."""

import jax
import numpy as np
import pytest

import t2jax as t2
from t2jax.fitting.residual_summary import ResidualSummary, residual_summary

KEY = jax.random.key(0)
LOSS = ("params", "tokens", "loss")


def summary_of(measured: np.ndarray, predicted: np.ndarray) -> ResidualSummary:
    """Eleven losses and what a law says of them."""
    table = t2.Table.from_columns(params=np.geomspace(1e7, 1e9, 11), tokens=1e10, loss=measured)
    result = residual_summary(t2.laws.Chinchilla, table, LOSS, predicted)
    assert result is not None
    return result


def test_losses_by_relative_quantiles():
    """The law is 0, 0.1, ..., 1 % too high: half of the rows are within 0.5 %, 90 % within 0.9 %."""
    measured = np.linspace(2.0, 4.0, 11)
    result = summary_of(measured, measured * (1 + np.arange(11) / 1000))
    assert (result.median, result.p90) == pytest.approx((0.005, 0.009), rel=1e-9)
    assert (result.measure, result.of, result.unit) == ("relative", "loss", "rows")
    assert (
        result.sentence == "the law is within 0.5 % of the measured loss in half of the rows and within 0.9 % in 90 %"
    )


def test_rounding_is_no_distance():
    measured = np.linspace(2.0, 4.0, 11)
    assert "within 0.0001 % of the measured loss in half" in summary_of(measured, measured).sentence
    assert summary_of(measured, np.full(11, np.nan)).sentence == ""


def test_shares_are_told_in_percentage_points():
    """A pass@k of 0.001 that is predicted as 0.011 is one point off, not 1000 %."""
    columns = ("params", "tokens", "samples", "pass_at_k")
    shares = np.linspace(0.001, 0.5, 11)
    table = t2.Table.from_columns(params=np.geomspace(1e7, 1e9, 11), tokens=1e10, samples=1.0, pass_at_k=shares)
    result = residual_summary(t2.laws.T2PassK, table, columns, shares + 0.01)
    assert result is not None and result.measure == "absolute" and result.median == pytest.approx(0.01)
    assert result.sentence.startswith(
        "the law is within 1 percentage points of the measured pass@k in half of the rows"
    )


def test_questions_of_a_run_are_averaged():
    """Two runs of four questions: shares of 1/2 and 1/4, and a law that says 0.6 and 0.3."""
    correct = [10, 10, 0, 0, 5, 5, 0, 0]
    params = np.repeat([1e8, 1e9], 4)
    shared = {"question": [f"q{i % 4}" for i in range(8)], "model": np.repeat(["a", "b"], 4)}
    table = t2.Table.from_columns(params=params, tokens=1e10, trials=10.0, correct=correct, **shared)
    columns = ("params", "tokens", "trials", "correct")
    result = residual_summary(t2.laws.T2PassK, table, columns, np.repeat([0.6, 0.3], 4))
    assert result is not None and (result.of, result.unit) == ("pass@1", "runs")
    assert (result.median, result.p90) == pytest.approx((0.075, 0.095))  # of 0.1 and 0.05


def test_a_fit_carries_it():
    """With nearly the same error at every row, every quantile is that error."""
    params, tokens = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e9, 1e11, 5)))
    signs = np.where(np.arange(25) % 2, 1.0, -1.0)
    loss = (1.8 + 480 * params**-0.35 + 2100 * tokens**-0.37) * np.exp(0.01 * signs)
    table = t2.Table.from_columns(params=params, tokens=tokens, loss=loss)
    fit = t2.fit(t2.laws.Chinchilla, table, key=KEY, noise=t2.noise.Gaussian("log"))
    assert fit.residuals is not None
    by_hand = np.abs(t2.predict(fit.law, table) / loss - 1)
    assert (fit.residuals.median, fit.residuals.p90) == pytest.approx(tuple(np.quantile(by_hand, [0.5, 0.9])), rel=1e-9)
