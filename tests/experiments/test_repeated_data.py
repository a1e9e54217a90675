"""The experiment on repeated tokens in its tiny mode, and its own definition of a group that gets worse."""

import numpy as np
import pytest

import t2jax as t2
from experiments.checks import repeated_data
from tests.helpers.experiments import check_output, need


@pytest.mark.tiny
def test_repeated_data(tmp_path):
    need("scalebench-repetition")
    result = repeated_data.run(repeated_data.Config.tiny())
    assert (result.fitted, result.held_out, result.groups, result.getting_worse) == (161, 21, 26, 8)
    chinchilla, harmful = result.laws
    assert chinchilla.worse == chinchilla.false_alarms == 0 and chinchilla.rise == 0.0  # it falls in D
    assert harmful.worse > 0 and harmful.error < chinchilla.error
    check_output(repeated_data, result, tmp_path)


def test_the_rise_is_from_the_least_loss_to_that_of_most_tokens():
    loss, tokens = np.array([3.0, 2.5, 2.8, 2.6]), np.array([1.0, 2.0, 8.0, 4.0])
    assert repeated_data.rise_of(loss, tokens) == pytest.approx(0.3)
    assert repeated_data.rise_of(loss[:2], tokens[:2]) == 0.0


def test_r2_is_that_of_sldbench():
    """A law of its leaderboard with all coefficients, whose R² is published as 0.942963 (mini-swe-agent, GPT-5)."""
    need("scalebench-repetition")
    rows = t2.datasets.load("scalebench-repetition").where(held_out=1)
    predicted = 1.567348010743855 + 4786.152701939445 * rows["params"] ** -0.5
    predicted += 33007.3360235617 * rows["tokens"] ** -0.5 + 9.427421564925798 * rows["unique_tokens"] ** -0.1
    assert repeated_data.r2_of(predicted, rows["loss"]) == pytest.approx(0.942963, abs=5e-7)
