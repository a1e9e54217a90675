"""What laws of counts are judged by: pass@k of runs, as measured and as a known law would have it."""

from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest
from scipy.stats import betabinom, hypergeom

import t2jax as t2
from t2jax.evaluation.pass_at_k_cells import simulated_band
from t2jax.extrapolation.averaged_counts import cells
from t2jax.fitting.problem import prepare
from t2jax.laws.pass_at_k.t2_pass_k import T2PassK

KEY = jax.random.key(0)


def test_counts_are_judged_by_cells():
    """Their pass@k is Chen et al.'s estimate, question by question; a band from one known law is SciPy's simulation."""
    law = T2PassK(
        E=0.0, A=80.0, B=2e3, alpha=0.35, beta=0.5, theta0=1.4, theta1=1.0, theta2=0.9, theta3=-0.5, theta4=0.5
    )
    rng, questions = np.random.default_rng(0), 30
    columns: Any = {"params": np.repeat([1e7, 1e9], questions), "tokens": np.repeat([1e9, 1e11], questions)}
    columns |= {"trials": rng.integers(20, 60, 2 * questions), "correct": rng.integers(0, 20, 2 * questions)}
    columns |= {"question": [str(i) for i in range(2 * questions)]}
    table = t2.Table.from_columns(**columns)
    grouped = cells(T2PassK, table)
    np.testing.assert_array_equal(grouped.samples, [1.0, 10.0])
    for i in range(2):
        here = slice(i * questions, (i + 1) * questions)
        direct = t2.forecasts.pass_from_counts(columns["trials"][here], columns["correct"][here], (1, 10))
        np.testing.assert_allclose(grouped.table["pass_at_k"][2 * i : 2 * i + 2], direct.passed, rtol=1e-9)
    problem, _ = prepare(T2PassK, table, t2.noise.BetaBinomial(), {})
    fit: Any = SimpleNamespace(problem=problem, noise_values={})  # what the band reads of a fit
    draws = 2000
    result = simulated_band(fit, jax.tree.map(lambda x: np.full(draws, x), law), table, grouped, key=KEY)
    a, b = (np.asarray(x) for x in law.questions(columns["params"], columns["tokens"]))
    drawn = betabinom.rvs(columns["trials"].astype(int), a, b, size=(draws, 2 * questions), random_state=rng)
    share = (drawn / columns["trials"]).reshape(draws, 2, questions).mean(axis=2)
    for side, quantile in ((result.low, 0.05), (result.mid, 0.5), (result.high, 0.95)):
        np.testing.assert_allclose(side[::2], np.quantile(share, quantile, axis=0), atol=0.01)


def test_cells_hold_what_a_law_reads():
    """k up to each run's own trials; unique tokens go with a run and may not differ in it; one task only."""
    counts = t2.Table.from_columns(
        params=np.repeat([1e7, 1e9], 3), tokens=np.repeat([1e9, 1e11], 3), unique_tokens=np.repeat([1e8, 1e10], 3),
        trials=[10, 20, 30, 200, 100, 150], correct=[0, 0, 0, 20, 10, 15], question=list("abcabc"),
    )  # fmt: skip
    law = T2PassK.on(t2.laws.DataConstrained)
    grouped = cells(law, counts)
    np.testing.assert_array_equal(grouped.table["samples"], [1, 10, 1, 10, 100])
    np.testing.assert_array_equal(grouped.table["unique_tokens"], [1e8, 1e8, 1e10, 1e10, 1e10])
    np.testing.assert_allclose(grouped.table["pass_at_k"][[0, 1, 2]], [0.0, 0.0, 0.1], rtol=1e-12)
    exact = [1 - hypergeom.pmf(0, n, c, 100) for n, c in ((200, 20), (100, 10), (150, 15))]
    np.testing.assert_allclose(grouped.table["pass_at_k"][4], np.mean(exact), rtol=1e-12)
    with pytest.raises(t2.TableError, match="column 'unique_tokens' is 200 at row 1 and 100 at row 0 of the same run"):
        cells(law, counts.with_columns(unique_tokens=[100.0, 200.0, 100.0, 1e10, 1e10, 1e10]))
    with pytest.raises(t2.TableError, match=r"column 'task' holds 2 tasks \(such as 'arc' and 'web'\), but a law"):
        cells(law, counts.with_columns(task=["web", "web", "arc", "web", "web", "arc"]))
