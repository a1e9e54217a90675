"""What results of planning print: the status first, then each answer by name."""

import numpy as np
import pytest

import t2jax as t2
from t2jax.numerics.bands import Band
from t2jax.planning.sensitivity import DeltaBand

LAW = t2.laws.Chinchilla(E=1.7, A=400.0, B=400.0, alpha=0.34, beta=0.28)
BUDGET = t2.Budget(train=1e21)


@pytest.fixture(scope="module")
def plan():
    return t2.allocate(LAW, BUDGET)


def test_elasticities():
    result = t2.planning.elasticities(LAW, BUDGET)
    first, *lines = repr(result).splitlines()
    assert first == f"Elasticities: {result.plan.status}"
    assert [line.split()[0] for line in lines] == ["params", "tokens", "samples", "value"]
    assert f"train {result.params['train']:.3g}" in lines[0] and lines[2].endswith("none")


def test_shadow_prices():
    result = t2.planning.shadow_prices(LAW, t2.Budget(train=1e21, tokens_max=1e12))
    assert repr(result).splitlines() == [
        f"ShadowPrices: {result.plan.status}",
        f"  train             {result.buys['train']:.4g} per unit",
    ]


def test_delta_band(plan):
    band = Band(1e9, 2e9, 3e9, 0.9)
    result = DeltaBand(plan, band, band, band, {"params": 0.1, "tokens": 0.1, "samples": 0.1})
    first, line, *_ = repr(result).splitlines()
    assert first == f"DeltaBand: {plan.status}" and line == "  params            2e+09 (1e+09 to 3e+09)"


def test_next_runs():
    params, tokens = np.array([1e9, 2e9]), np.array([1e10, 2e10])
    candidates = t2.Table.from_columns(params=params, tokens=tokens)
    cost, after = np.array([6e19, 2.4e20]), np.array([0.04, 0.01])
    result = t2.planning.NextRuns(params, tokens, None, cost, 0.09, after, candidates, cost, cost, 0.1, "two runs")
    assert repr(result).splitlines() == [
        "NextRuns: two runs",
        "  run 1             N=1e+09, D=1e+10, cost 6e+19, then a standard error of 20.0%",
        "  run 2             N=2e+09, D=2e+10, cost 2.4e+20, then a standard error of 10.0%",
    ]


def test_long_reports_are_cut():
    values = {f"limit {i}": float(i + 1) for i in range(20)}
    result = t2.planning.shadow_prices(LAW, BUDGET)
    lines = repr(type(result)(result.plan, values)).splitlines()
    assert len(lines) == 14 and lines[-1] == "  and 8 more"
