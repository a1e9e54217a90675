"""Benchmarks in their tiny configuration: both sides reach the same answer, and seconds are of the same work."""

import dataclasses

import pytest

from experiments.benchmarks import bench_bayes, bench_fit, bench_frontier, bench_passk
from experiments.shared import processes
from tests.helpers.experiments import check_output, need


@pytest.mark.tiny
def test_bench_fit(tmp_path):
    need("chinchilla-epoch")
    result = bench_fit.run(bench_fit.Config.tiny())
    fits, bootstraps = result.tasks
    assert fits.sides[0].name == "t2jax, whole global fit" and len(fits.sides) == len(bootstraps.sides) == 2
    assert all(excess is not None and excess < 1e-9 for excess in fits.excess.values())
    check_output(bench_fit, result, tmp_path)


def test_benches_compare_seconds_of_the_same_work(capsys):
    """Five resamples in half a second are a hundred in ten, which is five times our two."""
    ours = processes.Timing("ours", [20.0, 40.0], [2.0, 2.0], [2.0, 2.0], [0.1, 0.1])
    loop = processes.Timing("loop", [1.0, 1.0], [0.5, 0.8], [0.5, 0.8], [0.2, 0.2])
    task = bench_fit.task("resamples", [ours, loop], {"ours": 1.0, "loop": 20.0})
    assert dataclasses.astuple(task.warm["loop"]) == pytest.approx((5.0, 6.5, 8.0))
    assert dataclasses.astuple(task.cold["loop"]) == pytest.approx((0.5, 0.75, 1.0))
    assert task.excess == {"ours": pytest.approx(0.0), "loop": pytest.approx(1.0)}
    absent = processes.Side("a peer", "module:function", {}, 0, ("no_such_package",))
    assert processes.alternate([absent], 1, 1) == [] and "a peer" in capsys.readouterr().err


@pytest.mark.tiny
def test_bench_bayes(tmp_path):
    need("chinchilla-epoch")
    result = bench_bayes.run(bench_bayes.Config.tiny())
    assert result.peer is None and result.status.startswith("converged: ")
    assert result.ours.divergences == 0 and result.ours.r_hat < 1.01
    # Besiroglu et al. 2024 (2404.10102) with Huber's penalty, and their standard errors
    for name, value, error in (("E", 1.8172, 0.03), ("alpha", 0.3478, 0.02), ("beta", 0.3658, 0.02)):
        assert abs(result.ours.means[name] - value) < error
    check_output(bench_bayes, result, tmp_path)


@pytest.mark.tiny
def test_bench_passk(tmp_path):
    need("chinchilla-epoch")
    result = bench_passk.run(bench_passk.Config.tiny())
    passk = result.tasks[0]
    product = passk.difference["loop over the product"]
    assert product is not None and product < 1e-11
    check_output(bench_passk, result, tmp_path)


@pytest.mark.tiny
def test_bench_frontier(tmp_path):
    result = bench_frontier.run(bench_frontier.Config.tiny())
    assert [row.kind for row in result.rows] == ["separate", "total", "roofline"]
    for row in result.rows:
        assert row.problems == 80
        assert row.largest_kkt < 1e-9
        assert row.largest_difference < 1e-3
        assert abs(row.scipy_worse) < 1e-9 and abs(row.ours_worse) < 1e-9
    check_output(bench_frontier, result, tmp_path)
