"""`t2jax next --pool`: of all subsets of a small pool that are paid for, the one that leaves the least variance."""

from itertools import chain, combinations

import jax
import numpy as np
import pandas as pd
import pytest

import t2jax as t2
from t2jax import cli
from t2jax.planning.next_runs.joint_moments import joint_moments
from t2jax.planning.next_runs.pool import as_mixture
from tests.helpers.json_answers import checked_answer

pytestmark = pytest.mark.usefixtures("settings_alone")
LAW = t2.laws.Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
DOLLARS = [30.0, 80.0, 60.0, 200.0, 45.0, 120.0, 70.0]
SPEND, TRAIN = 260.0, 1e23


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve runs, half a per cent off LAW, and seven that could be trained, whose costs are in dollars."""
    path = tmp_path_factory.mktemp("pool")
    random = np.random.default_rng(0)
    params, tokens = (axis.ravel() for axis in np.meshgrid(np.geomspace(2e7, 1e9, 4), np.geomspace(1e9, 3e10, 3)))
    loss = t2.evaluate(LAW, params=params, tokens=tokens) * np.exp(0.005 * random.standard_normal(12))
    pd.DataFrame({"params": params, "tokens": tokens, "loss": loss}).to_csv(path / "runs.csv", index=False)
    sizes = {"params": np.geomspace(1e8, 8e9, 7), "tokens": [4e10, 2e11, 1e10, 1e11, 2e10, 3e10, 5e9]}
    pd.DataFrame(sizes | {"cost": DOLLARS}).to_csv(path / "pool.csv", index=False)
    pd.DataFrame({"params": [1e10, 3e10], "tokens": [2e11, 6e11]}).to_csv(path / "rows.csv", index=False)
    return path


def test_no_subset_of_the_pool_leaves_less_variance(folder, capsys):
    """The posterior variance of a subset is T - c (K + σ²I)⁻¹ c for each target, and their mean is the criterion."""
    options = ["--law", "chinchilla", "--draws", "0", "--train", str(TRAIN), "--compute", str(SPEND)]
    options += ["--pool", str(folder / "pool.csv"), "--targets", str(folder / "rows.csv"), "--json"]
    assert cli.command(["next", str(folder / "runs.csv"), *options, "-o", str(folder / "out")]) == 0
    answer = checked_answer(capsys.readouterr().out)
    fit = t2.fit(t2.laws.Chinchilla, t2.read_table(folder / "runs.csv"), key=jax.random.split(jax.random.key(0))[0])
    plan = t2.allocate(fit.law, t2.Budget(train=TRAIN))
    pool = t2.read_table(folder / "pool.csv")
    targets = t2.Table.from_columns(params=[float(plan.params), 1e10, 3e10], tokens=[float(plan.tokens), 2e11, 6e11])
    moments = joint_moments(as_mixture(fit), [pool, targets])
    inner, cross = moments.covariance[:7, :7] + moments.error * np.eye(7), moments.covariance[:7, 7:]
    subsets = chain.from_iterable(combinations(range(7), size) for size in range(1, 8))
    left = {}
    for subset in map(list, subsets):
        if np.sum(np.array(DOLLARS)[subset]) <= SPEND:
            explained = np.einsum(
                "it,it->t", cross[subset], np.linalg.solve(inner[np.ix_(subset, subset)], cross[subset])
            )
            left[tuple(subset)] = np.mean(np.diag(moments.covariance)[7:] - explained)
    best = min(left, key=lambda subset: left[subset])
    chosen = [int(np.argmin(np.abs(pool["params"] - run["params"]))) for run in answer["runs"]]
    assert tuple(sorted(chosen)) == best and len(best) > 1
    assert answer["runs"][-1]["log_error_after"] == pytest.approx(np.sqrt(left[best]), rel=1e-6)
    assert [run["cost"] for run in answer["runs"]] == [DOLLARS[row] for row in chosen]
    assert (folder / "out" / "next.png").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--targets", "rows.csv"], "--targets lists what runs of --pool are to predict; give --pool too"),
        (["--pool", "pool.csv"], "--pool needs --compute, which pays for the runs, or --count"),
        (["--pool", "pool.csv", "--count", "2", "--largest", "1e20"], "--largest does not apply to --pool"),
        (["--pool", "pool.csv", "--count", "2", "--of", "tokens"], "--of tokens does not apply to --pool"),
        (["--pool", "pool.csv", "--compute", "20"], "does not pay for the cheapest run to choose from: 30\n"),
    ],
)
def test_options_that_would_do_nothing_are_refused(folder, tmp_path, capsys, monkeypatch, given, message):
    monkeypatch.chdir(folder)
    assert cli.command(["next", "runs.csv", "--train", "1e22", "-o", str(tmp_path / "none"), *given]) == 1
    assert message in capsys.readouterr().err and not (tmp_path / "none").exists()
