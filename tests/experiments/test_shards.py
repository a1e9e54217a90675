"""The studies of the testbed, on shards made from a known law: optima by SciPy, a shift that is put in."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar

import t2jax as t2
from experiments.shared import shards
from experiments.shared.seeds import by_seed, seed_spread
from experiments.testbed import data_wall, rq1, rq2, rq3
from t2jax.tables.source import Source
from t2jax.working_precision import scope
from tests.helpers.experiments import check_output

SIZES = 1000.0 * 2 ** np.arange(10)
TRAIN = 3e10 * 4.0 ** np.arange(4)
C_INF = 2 * SIZES[-1] * 4.0
SHIFT = (-0.5, 0.8, 0.05)


def loss(params, tokens):
    """Nats of an answer: Chinchilla's form."""
    return 2.0 + 120 * params**-0.35 + 3000 * tokens**-0.45


def shards_of_law(stages=False):
    """Every size at every budget, 30 questions of equal difficulty; post-training moves the cost by SHIFT."""
    params, train = (axis.ravel() for axis in np.meshgrid(SIZES, TRAIN, indexing="ij"))
    tokens = train / (6 * params)
    runs = pd.DataFrame({"model": [f"m{i}" for i in range(len(params))], "seed": 0, "params": params})
    runs = runs.assign(tokens=tokens, budget=train)
    p = {("base", "facts"): np.repeat(np.exp(-loss(params, tokens))[:, None], 30, axis=1)}
    if stages:
        k = C_INF / (2 * params)
        before = -np.log(-np.expm1(k * np.log1p(-p["base", "facts"][:, 0])))
        cost = SHIFT[0] + SHIFT[1] * before + SHIFT[2] * np.log2(tokens / params)
        tuned = -np.expm1(np.log1p(-np.exp(-np.maximum(cost, 1e-3))) / k)
        p["sft", "facts"] = np.where(np.arange(len(params)) % 2, tuned, np.nan)[:, None] + np.zeros(30)
    return shards.Shards(runs, p)


def best(train, cost):
    """Size of least cost at a training budget."""
    ends = tuple(np.log(SIZES[[0, -1]]))
    optimum: Any = minimize_scalar(lambda x: cost(np.exp(x), train / (6 * np.exp(x))), bounds=ends)
    return float(np.exp(optimum.x))


def with_samples(params, tokens):
    """-log pass@k at k = C_inf/(2N)."""
    return -np.log(-np.expm1(C_INF / (2 * params) * np.log1p(-np.exp(-loss(params, tokens)))))


def test_optima_and_their_shift_are_those_of_the_law():
    """Parabolas through sizes a factor of two apart find the law's optima within a tenth, and its shift.

    A level is that of the best size trained, which is up to a twentieth below the law's best.
    """
    result = rq1.study_all(shards_of_law(), rq1.Config(inference=C_INF, draws=20, beside=()))
    task, average = result.studies
    once, served = (np.array([best(train, cost) for train in TRAIN]) for cost in (loss, with_samples))
    assert task.once.inside.all() and task.best.inside.all()
    np.testing.assert_allclose(task.once.params, once, rtol=0.1)
    np.testing.assert_allclose(task.best.params, served, rtol=0.1)
    np.testing.assert_allclose(task.shift, np.log2(served / once), atol=0.15)
    np.testing.assert_allclose(task.level, np.exp(-with_samples(served, TRAIN / (6 * served))), rtol=0.05)
    np.testing.assert_allclose(task.questions, 30)  # all alike
    np.testing.assert_allclose([task.shift_low, task.shift_high], [task.shift] * 2, atol=1e-9)
    assert average.mean_shift == pytest.approx(task.mean_shift)
    assert np.all(np.diff(task.served[:, 0]) > 0)


def test_the_size_of_least_cost_by_hand():
    """A parabola in log2 N is found exactly, between sizes that are not evenly spaced; an edge is said to be one."""
    sizes = np.array([1.0, 2.0, 16.0, 64.0])
    cost = (np.log2(sizes) - np.array([[2.5], [-3.0]])) ** 2
    params, inside = shards.best_size(cost, sizes)
    np.testing.assert_allclose(params, [2**2.5, 1.0])
    assert inside.tolist() == [True, False]


def test_a_shift_by_post_training_is_found():
    result = rq3.study_all(shards_of_law(stages=True), rq3.Config(inference=C_INF, draws=20, choices=3, fitted=8))
    (study,) = result.studies
    np.testing.assert_allclose(study.shift[:, 0], SHIFT, atol=1e-6)
    assert study.error < 1e-6 and study.error_of_others < 1e-6 and study.checkpoints == len(SIZES) * len(TRAIN) // 2


def test_the_cut_is_by_the_optimum_for_one_sample():
    runs = shards_of_law().runs.assign(samples=1.0)
    average = t2.Table(runs.assign(loss=loss(runs["params"], runs["tokens"])), Source(units={"loss": 1.0}))
    expected = np.median([train / (6 * best(train, loss) ** 2) for train in TRAIN])
    assert rq2.best_ratio(average, rq2.Config()) == pytest.approx(expected, rel=0.2)


@pytest.mark.tiny
def test_rq1(tmp_path):
    check_output(rq1, rq1.run(rq1.Config.tiny()), tmp_path)


@pytest.mark.tiny
def test_rq2(tmp_path):
    check_output(rq2, rq2.run(rq2.Config.tiny()), tmp_path)


@pytest.mark.tiny
def test_rq3(tmp_path):
    check_output(rq3, rq3.run(rq3.Config.tiny()), tmp_path)


@pytest.mark.tiny
def test_data_wall(tmp_path, monkeypatch):
    """Runs of a law of repeated data: it errs nowhere, Chinchilla's beyond the passes that it was fitted to."""
    law = t2.laws.DataConstrained(E=2.0, A=40.0, B=300.0, alpha=0.35, beta=0.35, R_D=5.0)
    grid = np.meshgrid([9e3, 4e4, 3e5], 2.0 ** np.arange(20, 24), 2.0 ** np.arange(7), indexing="ij")
    params, unique, passes = (axis.ravel() for axis in grid)
    tokens = unique * passes
    runs = pd.DataFrame({"params": params, "tokens": tokens, "unique_tokens": unique})
    with scope():
        runs = runs.assign(validation_loss=np.asarray(law(params, tokens, unique)))
    (tmp_path / "data-wall").mkdir()
    runs.to_csv(tmp_path / "data-wall" / "runs.csv", index=False)
    monkeypatch.setattr(shards, "FOLDER", tmp_path)
    result = data_wall.run(data_wall.Config.tiny())
    chinchilla, constrained = result.laws
    assert constrained.error < 1e-4 < 0.01 < chinchilla.error
    assert (result.runs, result.beyond, result.groups, result.harmed) == (84, 36, 12, 0)
    check_output(data_wall, result, tmp_path / "out")
    monkeypatch.setattr(shards, "FOLDER", tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="expected the shard of the preset data-wall"):
        data_wall.run(data_wall.Config())


def test_seeds_that_differ_by_a_known_factor():
    """Losses of three seeds 1 % below, at and above their mean have a coefficient of variation of 1 %."""
    one_seed = shards_of_law().runs
    runs = pd.concat([one_seed.assign(seed=seed) for seed in range(3)], ignore_index=True)
    base = loss(runs["params"], runs["tokens"]).to_numpy()
    assert seed_spread(runs, base * (1 + 0.01 * (runs["seed"].to_numpy() - 1))) == pytest.approx(0.01, rel=1e-9)
    assert seed_spread(one_seed, base[: len(one_seed)]) is None
    parts = by_seed(runs, {"loss": base[None]})
    assert [len(part) for part, _ in parts] == [len(one_seed)] * 3
    np.testing.assert_array_equal(parts[2][1]["loss"][0], base[-len(one_seed) :])


def test_shifts_of_seeds_alike_are_the_shift_of_all():
    once = shards_of_law()
    runs = pd.concat([once.runs.assign(seed=seed) for seed in range(2)], ignore_index=True)
    twice = shards.Shards(runs, {name: np.concatenate([p, p]) for name, p in once.p.items()})
    study = rq1.study_all(twice, rq1.Config(inference=C_INF, draws=20, beside=())).studies[0]
    assert study.seed_shifts == pytest.approx((study.mean_shift[0],) * 2, rel=1e-9)
    assert study.spread == pytest.approx(0.0, abs=1e-12)
