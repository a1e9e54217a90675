"""The experiments on the testbed's losses, extrapolation and naive pass@k: on tables with known answers, and tiny."""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

import t2jax as t2
from experiments.checks import testbed_losses
from experiments.paper import naive_overestimates
from experiments.shared import overtrained
from t2jax.working_precision import scope
from tests.helpers.experiments import check_output

SIZES = (3e3, 1e4, 3e4, 1e5, 3e5)
LENGTHS = tuple(2.0**j for j in range(15, 24))
AUDITED = overtrained.Config(
    laws=("T2Loss on Chinchilla", "T2PassK on Chinchilla"),
    samples=(1, 16, 256),
    every=1,
    least_tokens=(1.0,),
    starts=4,
    draws=20,
)
CHINCHILLA = t2.laws.Chinchilla(E=1.5, A=30.0, B=60.0, alpha=0.4, beta=0.35)
KAPLAN = t2.laws.Kaplan(E=1e-6, A=9.0, B=30.0, alpha=0.3, beta=0.4, kappa=0.6)


def grid(seeds: int = 1) -> dict[str, Any]:
    """Every size at every length, once a seed."""
    seed, params, tokens = (axis.ravel() for axis in np.meshgrid(range(seeds), SIZES, LENGTHS, indexing="ij"))
    models = [f"{n:g}-{d:g}-{s}" for n, d, s in zip(params, tokens, seed, strict=True)]
    return {"model": np.array(models), "params": params, "tokens": tokens, "seed": seed}


def valued(law: t2.Law, *inputs: np.ndarray) -> np.ndarray:
    with scope():
        return np.asarray(law(*inputs))


def losses(law: t2.Law, seeds: int = 1, shift: float = 0.0) -> t2.Table:
    """Exact losses of a law, those of seed s times exp(shift) or exp(-shift)."""
    runs = grid(seeds)
    loss = valued(law, runs["params"], runs["tokens"]) * np.exp(shift * (1 - 2 * runs["seed"]))
    return t2.Table.from_columns(**runs, loss=loss)


def test_losses_of_a_known_law_are_predicted_where_they_are_held_out():
    config = testbed_losses.Config(laws=("chinchilla", "kaplan"), draws=20)
    result = testbed_losses.describe(losses(KAPLAN), config)
    _, kaplan = result.laws
    assert result.best is kaplan
    assert kaplan.r2 == pytest.approx(1, abs=1e-9)
    assert (kaplan.longest.checkpoints, kaplan.largest.checkpoints) == (2 * len(SIZES), 5)
    assert max(kaplan.longest.largest, kaplan.largest.largest, kaplan.rmse) < 1e-6
    assert result.seed_spread is None


def test_spread_over_seeds():
    # two seeds at exp(±s) have variance 2 s² with one degree of freedom
    assert testbed_losses.seed_spread(losses(KAPLAN, seeds=2, shift=0.01)) == pytest.approx(0.01 * np.sqrt(2))


def test_longest_runs_are_the_same_of_every_seed():
    runs = losses(KAPLAN, seeds=2)
    np.testing.assert_array_equal(testbed_losses.longest(runs, 2), runs["tokens"] >= LENGTHS[-2])


def task_table(samples: tuple[int, ...]) -> t2.Table:
    """Exact measurements of one task by T²'s two laws on Chinchilla's."""
    runs: dict[str, Any] = {name: np.repeat(column, len(samples)) for name, column in grid().items()}
    k = np.tile(np.array(samples, float), len(SIZES) * len(LENGTHS))
    values = CHINCHILLA.values()
    once = t2.laws.T2PassK(**values, theta0=2.0, theta1=1.5, theta2=0.8, theta3=1.0, theta4=-0.2)
    cost = t2.laws.T2Loss(**values, G=2.0, gamma=0.3)
    inputs = runs["params"], runs["tokens"]
    return t2.Table.from_columns(
        **runs,
        samples=k,
        task="made-up",
        loss=valued(CHINCHILLA, *inputs),
        neg_log_pass=valued(cost, *inputs, k),
        pass_at_k=valued(once, *inputs, k),
    )


@pytest.mark.long
def test_overtrained_models_of_a_known_law_are_predicted():
    result = overtrained.audit([task_table(AUDITED.samples)] * 2, AUDITED)
    for extrapolation in result.extrapolations:
        assert extrapolation.inner_error < 1e-6
        assert extrapolation.audits[0].error < 1e-6
        assert extrapolation.audits[0].converged
    over = np.divide.outer(LENGTHS, SIZES) >= AUDITED.split
    assert (result.fitted, result.predicted) == (np.sum(~over), np.sum(over))


def test_predictions_do_not_see_the_checkpoints_beyond_the_split():
    config = dataclasses.replace(AUDITED, laws=AUDITED.laws[:1])
    table = task_table(config.samples)
    beyond = table["tokens"] / table["params"] >= config.split
    other = table.with_columns(neg_log_pass=np.where(beyond, 2.0, 1.0) * table["neg_log_pass"])
    honest, disturbed = (overtrained.audit([rows] * 2, config).extrapolations[0].audits[0] for rows in (table, other))
    inside = honest.ratio < config.split
    np.testing.assert_allclose(disturbed.errors[inside], honest.errors[inside], atol=1e-6)
    assert disturbed.error == pytest.approx(0.5, abs=1e-6)
    assert disturbed.bias == pytest.approx(-0.5, abs=1e-6)


def test_threshold_is_the_loss_without_spread_and_never_negative():
    law = overtrained.Threshold(loss=KAPLAN, c=1.0, s0=1e-3, s1=1e-6)
    size, length = np.array(1e4), np.array(1e6)
    loss = float(valued(KAPLAN, size, length))
    # a spread of zero leaves max(0, loss - log k)
    results = [float(valued(law, size, length, np.array(k))) for k in (1.0, 2.0, np.exp(2 * loss))]
    assert results == pytest.approx([loss, loss - np.log(2), 0.0], abs=1e-9)


def test_naive_pass_at_k_of_two_kinds_of_questions():
    samples = (1, 4, 64)
    k = np.array(samples, float)
    hard, easy = 0.01, 0.4
    true, naive = naive_overestimates.both(np.array([[hard, easy], [easy, easy]]), samples)
    np.testing.assert_allclose(true[0], 1 - ((1 - hard) ** k + (1 - easy) ** k) / 2, rtol=1e-12)
    np.testing.assert_allclose(naive[0], 1 - (1 - (hard + easy) / 2) ** k, rtol=1e-12)
    np.testing.assert_allclose(naive[1], true[1], rtol=1e-12)
    runs = pd.DataFrame({"model": ["mixed", "equal"], "params": 1e6, "tokens": 1e7})
    result = naive_overestimates.overestimate("made-up", runs, samples, true, naive)
    assert result.largest_points.model == "mixed"
    assert result.largest_points.samples == samples[int(np.argmax((naive - true)[0]))]
    assert result.largest_points.points == pytest.approx(100 * (naive - true).max())


@pytest.mark.tiny
def test_testbed_losses(tmp_path):
    check_output(testbed_losses, testbed_losses.run(testbed_losses.Config.tiny()), tmp_path)


@pytest.mark.tiny
def test_naive_is_never_below_the_truth(tmp_path):
    result = naive_overestimates.run(naive_overestimates.Config.tiny())
    assert result.least > -1e-12
    for task in result.tasks:
        np.testing.assert_allclose(task.naive[0], task.true[0], rtol=1e-9)
    check_output(naive_overestimates, result, tmp_path)
