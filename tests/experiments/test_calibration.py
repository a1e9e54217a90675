"""Tables that the check of calibration simulates."""

import numpy as np
import pytest

import t2jax as t2
from experiments.checks import calibration
from experiments.shared import calibration_tables


def test_tables_of_calibration_are_of_their_laws():
    config, rng = calibration.Config(questions=4000), np.random.default_rng(0)
    truth = t2.laws.T2PassK(
        E=0.0, A=300.0, B=800.0, alpha=0.3, beta=0.3, theta0=1.0, theta1=1.0, theta2=0.8, theta3=0.0, theta4=0.0
    )
    table, _ = calibration_tables.simulate(t2.laws.T2PassK, truth, rng, config)
    weighted = table.where(table["weight"] > 0.5)
    run, weight = weighted.runs(), weighted["weight"]
    assert len(table) % 32 == 0 and weight.sum() == 36 * 4000
    assert table["weight"].sum() == pytest.approx(36 * 4000, rel=1e-15)
    first = np.unique(run, return_index=True)[1]
    mean = np.bincount(run, weight * weighted["correct"] / 4) / 4000
    loss = 300.0 * weighted["params"][first] ** -0.3 + 800.0 * weighted["tokens"][first] ** -0.3
    expected = 0.8 / (1 + np.exp(loss - 1.0))
    # a question's share of 4 has the variance m (1 - m) (1 / 4 + 3 / 4 / (size + 1)), and the size is one
    error = np.sqrt(expected * (1 - expected) * 0.625 / 4000)
    np.testing.assert_array_less(np.abs(mean - expected), 4.5 * error)


def test_calibration_fits_what_shows_something():
    for seed in range(3):
        _, table, _ = calibration_tables.world(t2.laws.T2PassK, np.random.default_rng(seed), calibration.Config())
        weighted = table.where(table["weight"] > 0.5)
        run = weighted.runs()
        share = np.bincount(run, weighted["weight"] * weighted["correct"]) / np.bincount(run, 4 * weighted["weight"])
        assert share.max() - share.min() >= 0.2
