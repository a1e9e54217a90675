"""Shifts of the best size by laws that made the rows themselves: laws and parabolas find the same shift."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar

import t2jax as t2
from experiments.testbed import rq1_laws
from t2jax.working_precision import scope
from tests.helpers.experiments import check_output

LAW = t2.laws.T2Loss(loss=t2.laws.Chinchilla(E=0.3, A=60.0, B=3000.0, alpha=0.35, beta=0.45), G=2.5, gamma=0.3)
SIZES, TRAIN, C_INF = 1000.0 * 2 ** np.arange(10), 3e10 * 4.0 ** np.arange(4), 2 * 1000.0 * 2**9 * 4.0
CONFIG = rq1_laws.Config(inference=C_INF, samples=(1.0, 4.0, 16.0), tasks=("facts",), draws=20, starts=2)


def rows_of_law():
    params, train = (axis.ravel() for axis in np.meshgrid(SIZES, TRAIN, indexing="ij"))
    tokens, parts = train / (6 * params), []
    with scope():
        for k in (*(np.full_like(params, k) for k in CONFIG.samples), C_INF / (2 * params)):
            cost = np.asarray(LAW(params, tokens, k))
            parts.append(pd.DataFrame({"params": params, "tokens": tokens, "samples": k, "neg_log_pass": cost}))
        rows = pd.concat(parts, ignore_index=True).drop_duplicates(["params", "tokens", "samples"])
        once = np.asarray(LAW(rows["params"].to_numpy(), rows["tokens"].to_numpy(), np.ones(len(rows))))
    budget = 6 * rows["params"] * rows["tokens"]
    return rows.assign(loss=once, budget=budget.round(-6), seed=0, task="facts", model="m")


def best(train, samples):
    def cost(x):
        size = np.exp(x)
        with scope():
            return float(LAW(size, train / (6 * size), samples(size)))

    optimum: Any = minimize_scalar(cost, bounds=tuple(np.log(SIZES[[0, -1]])), options={"xatol": 1e-10})
    return np.exp(optimum.x)


def test_the_shift_of_a_law_from_its_own_rows():
    study = rq1_laws.study_all(rows_of_law(), CONFIG).studies[0]
    exact = [np.log2(best(train, lambda n: C_INF / (2 * n)) / best(train, lambda n: 1.0)) for train in study.train]
    assert len(study.train) >= 2
    chinchilla = study.rules[0]
    assert chinchilla.shift[0] == pytest.approx(np.mean(exact), abs=2e-3)
    assert max(chinchilla.error) < 1e-6
    assert study.measured == pytest.approx(np.mean(exact), abs=0.15)  # parabolas through sizes a factor of two apart


@pytest.mark.tiny
def test_the_small_mode(tmp_path):
    check_output(rq1_laws, rq1_laws.run(rq1_laws.Config.tiny()), tmp_path)
