"""First mistakes in Python are told in one sentence that says what to write instead."""

# pyright: reportArgumentType=false, reportCallIssue=false
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest

import t2jax as t2

KEY = jax.random.key(0)
LAW = t2.laws.Chinchilla(E=1.7, A=400.0, B=400.0, alpha=0.34, beta=0.28)
N, D = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e9, 4), np.geomspace(1e9, 1e11, 4)))
FRAME = pd.DataFrame({"params": N, "tokens": D, "loss": 1.7 + 400 * N**-0.34 + 400 * D**-0.28})
TABLE = t2.Table(FRAME)
BUDGET = t2.Budget(train=1e21)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: t2.fit("chinchilla", TABLE, key=KEY),
            "fit: law is 'chinchilla', expected a class of laws: write t2.laws",
        ),
        (lambda: t2.fit(LAW, TABLE, key=KEY), "fit: law is a Chinchilla, expected a class of laws: write Chinchilla,"),
        (lambda: t2.fit(None, TABLE, key=KEY), "fit: law is None, expected a class of laws such as t2.laws.Chinchilla"),
        (lambda: t2.fit(type(LAW), "runs.csv", key=KEY), r"write t2.read_table\('runs.csv'\)"),
        (lambda: t2.fit(type(LAW), Path("runs.csv"), key=KEY), r"write t2.read_table\('runs.csv'\)"),
        (lambda: t2.fit(type(LAW), {"params": N}, key=KEY), r"a dict, expected a Table: write t2.Table.from_columns"),
        (lambda: t2.fit(type(LAW), [1.0], key=KEY), "table is a list, expected a Table, such as t2.read_table gives"),
        (
            lambda: t2.fit(type(LAW), TABLE, key=7),
            r"fit: key is 7, expected a random key: write key=jax.random.key\(7\)",
        ),
        (lambda: t2.fit(type(LAW), TABLE), r"fit: missing a required (keyword-only )?argument: 'key'"),
        (
            lambda: t2.fit(type(LAW), TABLE, key=KEY, noise="huber"),
            r"fit: noise is 'huber', expected a noise model such as t2.noise.Huber\(\)",
        ),
        (
            lambda: t2.fit(type(LAW), TABLE, key=KEY, noise=t2.noise.Huber),
            r"noise is the class Huber.* write Huber\(\)",
        ),
        (lambda: t2.sample(LAW, TABLE, key=KEY), "sample: law is a Chinchilla, expected a class"),
        (lambda: t2.sample(type(LAW), "runs.csv", key=KEY), "sample: table is 'runs.csv'"),
        (lambda: t2.sample_tasks(type(LAW), "runs.csv", key=KEY), "sample_tasks: tables is 'runs.csv'"),
        (lambda: t2.bootstrap(LAW, TABLE, draws=9, key=KEY), "bootstrap: fit is a Chinchilla, expected a Fit"),
        (lambda: t2.evaluation.criteria("law", TABLE), "criteria: fit is 'law', expected a Fit"),
        (
            lambda: t2.allocate(type(LAW), BUDGET),
            "allocate: law is the class Chinchilla, expected a law with values, as",
        ),
        (lambda: t2.allocate(LAW, 1e21), r"allocate: budget is 1e\+21, expected a Budget"),
        (lambda: t2.frontier("law", BUDGET), "frontier: laws is 'law', expected a law with values, such as"),
        (lambda: t2.predict(type(LAW), TABLE), "predict: law is the class Chinchilla, expected a law with values"),
        (lambda: t2.evaluate(type(LAW), params=1e9), "evaluate: law is the class Chinchilla"),
        (lambda: t2.next_runs(LAW, TABLE, BUDGET), "next_runs: fit is a Chinchilla, expected a Fit"),
        (
            lambda: t2.evaluation.extrapolate(LAW, TABLE, t2.evaluation.Cut("compute", 1e20), key=KEY),
            "extrapolate: law is a Chinchilla",
        ),
        (lambda: t2.evaluation.cross_validate(LAW, TABLE, key=KEY), "cross_validate: law is a Chinchilla"),
        (
            lambda: t2.forecasts.forecast_beta([1], [1], [1], key="0"),
            "forecast_beta: key is '0', expected a random key",
        ),
    ],
)
def test_first_mistakes(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_a_fit_in_place_of_its_law():
    result = t2.fit(t2.laws.Chinchilla, TABLE, key=KEY)
    with pytest.raises(TypeError, match=r"allocate: law is a Fit, expected a law with values: write its \.law"):
        t2.allocate(result, BUDGET)


def test_a_dataframe_is_a_table():
    """The values are those of the Table, and a bad frame is refused as a bad table."""
    result = t2.fit(t2.laws.Chinchilla, FRAME, key=KEY)
    np.testing.assert_allclose([result.law.alpha, result.law.beta], [0.34, 0.28], rtol=1e-4)
    np.testing.assert_array_equal(t2.predict(LAW, FRAME), t2.predict(LAW, TABLE))
    with pytest.raises(t2.TableError, match="column 'params'"):
        t2.fit(t2.laws.Chinchilla, FRAME.drop(columns="params"), key=KEY)
