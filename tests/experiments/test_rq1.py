"""The studies of the testbed on tables made from known laws, whose answers have closed forms; and their tiny runs."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

import t2jax as t2
from experiments.paper import rq1_overtrain, table1
from experiments.shared import isoflops
from t2jax.working_precision import scope
from tests.helpers.experiments import check_output

SIZES = 2000.0 * 2 ** np.arange(9)
TRAIN = 1e9 * 2.0 ** np.arange(0, 14, 2)
C_INF = 1.6e7
LAW = t2.laws.T2Loss(E=0.3, A=90.0, alpha=0.4, B=600.0, beta=0.4, G=3.0, gamma=0.4)


def closed_form(train):
    """log2 N*(T²)/N*(k = 1) where gamma = beta: the samples' term joins the data's as one power of N."""
    p = LAW.values()
    data, samples = p["B"] * (6 / train) ** p["beta"], p["G"] * (2 / C_INF) ** p["gamma"]
    return -np.log2(1 + samples / data) / (p["alpha"] + p["beta"])


def made_table(config, seeds=(0, 1)):
    """A task and its average in the columns that `rq1_overtrain.read` gives, without noise."""
    rows = []
    for seed in seeds:
        for size in SIZES:
            for train in TRAIN:
                tokens = train / (6 * size)
                for k in {*config.samples, C_INF / (2 * size)}:
                    rows.append((f"{size}-{tokens}-{seed}", size, tokens, train, seed, k))
    frame = pd.DataFrame(rows, columns=["model", "params", "tokens", "budget", "seed", "samples"])
    with scope():
        cost = np.asarray(LAW(*(frame[name].to_numpy() for name in ("params", "tokens", "samples"))))
        loss = np.asarray(LAW(frame["params"].to_numpy(), frame["tokens"].to_numpy(), 1.0))
    frame = frame.assign(neg_log_pass=cost, pass_at_k=np.exp(-cost), loss=loss)
    return pd.concat([frame.assign(task=name) for name in ("one", "average")], ignore_index=True)


@pytest.fixture(scope="module")
def recovered():
    config = rq1_overtrain.Config(
        inference=C_INF, candidates=(C_INF,), tokens_min=0.0, cuts=(), draws=20, pass_tasks=()
    )
    return rq1_overtrain.study_all(made_table(config), config)


@pytest.mark.long
def test_the_fitted_law_shifts_as_its_closed_form(recovered):
    study = recovered.studies[0]
    additive = study.shifts[0]
    np.testing.assert_allclose(additive.value, closed_form(TRAIN), atol=1e-3)
    # rows without noise: every resample has the same law
    np.testing.assert_allclose(additive.low, additive.high, atol=1e-3)
    assert np.all(additive.verdicts() == -1)
    with scope():
        once = np.asarray(LAW.loss.optimum(TRAIN)[0])
    np.testing.assert_allclose(study.once[0].params, once, rtol=1e-3)
    np.testing.assert_allclose(study.once[0].seeds, [once, once], rtol=1e-3)


@pytest.mark.long
def test_measured_curves_shift_as_the_closed_form(recovered):
    study = recovered.studies[0]
    result = study.measured[0]
    inside = result.inside() & np.all((result.once > result.low) & (result.once < result.high), axis=0)
    assert inside.sum() >= 3
    # curves are sums of powers and no parabolas, so the vertex is near and not exact
    np.testing.assert_allclose(result.shift.value[inside], closed_form(TRAIN)[inside], atol=0.35)
    # equal seeds leave an interval of no width, and -log pass@k of one chance is the same by either response
    np.testing.assert_allclose(result.shift.low[inside], result.shift.value[inside], atol=1e-9)
    np.testing.assert_allclose(study.measured[1].served, result.served)


@pytest.mark.long
def test_the_t2_frontier_improves_at_every_budget(recovered):
    best, usual = recovered.studies[0].measured[0].best, recovered.studies[0].measured[0].chinchilla
    assert np.all(np.diff(best) < 0)
    assert np.all(usual >= best)


@pytest.mark.long
def test_the_study_is_told_and_drawn(recovered, tmp_path):
    check_output(rq1_overtrain, recovered, tmp_path)


def test_vertex_of_a_parabola_and_at_the_edges():
    sizes = 2.0 ** np.arange(10, 17)
    cost = (np.log2(sizes) - 12.7) ** 2
    assert np.log2(isoflops.vertex(cost, sizes)) == pytest.approx(12.7, abs=1e-9)
    assert isoflops.vertex(np.arange(7.0), sizes) == sizes[0]
    assert isoflops.vertex(-np.arange(7.0), sizes) == sizes[-1]
    assert np.isnan(isoflops.vertex(np.where(sizes > 2**11, np.nan, cost), sizes))


def test_interval_over_seeds():
    spread = isoflops.over_seeds(np.array([[1.0, 5.0], [2.0, np.nan], [3.0, np.nan]]))
    half = student.ppf(0.95, 2) / np.sqrt(3)  # the standard deviation of 1, 2, 3 is one
    assert (spread.value[0], spread.low[0], spread.high[0]) == pytest.approx((2.0, 2 - half, 2 + half))
    assert spread.value[1] == 5.0 and np.isnan(spread.low[1])
    assert list(spread.verdicts()) == [-1 if 2 + half < 0 else 1 if 2 - half > 0 else 0, 0]


def test_a_seed_that_lacks_sizes_is_left_out():
    config = rq1_overtrain.Config(inference=C_INF)
    frame = made_table(config)
    rows = frame.loc[frame["task"] == "one"]
    whole = isoflops.measure(rows, "neg_log_pass", C_INF)
    part = isoflops.measure(rows.loc[(rows["seed"] == 0) | (rows["params"] > SIZES[3])], "neg_log_pass", C_INF)
    np.testing.assert_allclose(part.served[0], whole.served[0])
    assert np.all(np.isnan(part.served[1]))


def made_questions():
    """Two budgets of three sizes; every question alike, so that pass@k is 1 - (1 - p)^k without any average."""
    chances = {"small": 0.02, "middle": 0.05, "large": 0.08}
    sizes = {"small": 100.0, "middle": 400.0, "large": 1600.0}
    runs, questions = [], []
    for budget in (9.6e6, 1.92e7):
        for name, size in sizes.items():
            for seed in (0, 1, 2):
                model = f"{name}-{budget:g}-{seed}"
                runs.append((model, seed, size, 2 * size, budget / (6 * size), budget))
                questions += [(model, "facts", i, chances[name]) for i in range(20)]
    return (
        pd.DataFrame(runs, columns=["model", "seed", "params", "params_with_embeddings", "tokens", "budget"]),
        pd.DataFrame(questions, columns=["model", "task", "question", "p"]),
    )


def test_table1_picks_the_best_of_either_kind(tmp_path):
    # D/N at 9.6e6: 160, 10, 0.6; at 1.92e7: 320, 20, 1.25
    result = table1.compare_all(*made_questions(), table1.Config(inference=8000.0, draws=20))
    (row,) = result.table
    assert result.train == 1.92e7 and len(result.every) == 2
    assert (row.overtrained.params, row.overtrained.samples) == (100.0, 40.0)
    assert (row.chinchilla.params, row.chinchilla.tokens_per_param) == (400.0, 20.0)
    expected = 1 - 0.98**40, 1 - 0.95**10
    assert (row.overtrained.pass_at_k, row.chinchilla.pass_at_k) == pytest.approx(expected)
    gain = 100 * (expected[0] - expected[1])
    assert (row.gain, row.low, row.high, *row.seeds) == pytest.approx([gain] * 6)
    assert (row.seeds_low, row.seeds_high) == pytest.approx((gain, gain))
    assert row.verdict == table1.BETTER
    ((half,), (wide,)) = result.whole, result.wider  # counted twice, a size buys half the samples
    assert half.gain == pytest.approx(100 * (0.95**5 - 0.98**20))
    assert (half.overtrained.samples, half.chinchilla.samples) == (20.0, 5.0)
    assert wide.gain == row.gain
    check_output(table1, result, tmp_path)


def test_table1_counts_only_sizes_that_serving_allows():
    runs, questions = made_questions()
    result = table1.compare_all(runs, questions, table1.Config(inference=900.0, draws=20))
    assert {row.chinchilla.params for row in result.every} == {400.0}
    with pytest.raises(ValueError, match="no training budget"):
        table1.compare_all(runs, questions, table1.Config(inference=700.0, draws=20))


@pytest.mark.tiny
def test_tiny_table1(tmp_path):
    result = table1.run(table1.Config.tiny())
    low, high = result.ratios
    for row in result.every:
        assert low <= row.chinchilla.tokens_per_param <= high < row.overtrained.tokens_per_param
        assert row.low <= row.high
    check_output(table1, result, tmp_path)


@pytest.mark.tiny
def test_tiny_rq1(tmp_path):
    result = rq1_overtrain.run(rq1_overtrain.Config.tiny())
    assert [study.task for study in result.studies] == ["verse_end", "average"]
    check_output(rq1_overtrain, result, tmp_path)
