"""Table 1 on made questions, whose pass@k has a closed form; and its tiny run."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from experiments.paper import table1
from experiments.shared.seeds import interval_over_seeds
from experiments.shared.shards import Shards
from tests.helpers.experiments import check_output


def test_interval_over_seeds():
    half = student.ppf(0.95, 2) / np.sqrt(3)  # the standard deviation of 1, 2, 3 is one
    assert interval_over_seeds((1.0, 2.0, 3.0)) == pytest.approx((2 - half, 2 + half))
    assert np.isnan(interval_over_seeds((5.0,))).all()


def made_questions():
    """Two budgets of three sizes; every question alike, so that pass@k is 1 - (1 - p)^k without any average."""
    chances = {"small": 0.02, "middle": 0.05, "large": 0.08}
    sizes = {"small": 100.0, "middle": 400.0, "large": 1600.0}
    runs, questions = [], []
    for budget in (9.6e6, 1.92e7):
        for name, size in sizes.items():
            for seed in (0, 1, 2):
                runs.append((f"{name}-{budget:g}-{seed}", seed, size, 2 * size, budget / (6 * size), budget))
                questions.append([chances[name]] * 20)
    columns = ["model", "seed", "params", "params_with_embeddings", "tokens", "budget"]
    return Shards(pd.DataFrame(runs, columns=columns), {("base", "facts"): np.array(questions)})


def test_table1_picks_the_best_of_either_kind(tmp_path):
    # D/N at 9.6e6: 160, 10, 0.6; at 1.92e7: 320, 20, 1.25
    result = table1.compare_all(made_questions(), table1.Config(inference=8000.0, draws=20))
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
    shards = made_questions()
    result = table1.compare_all(shards, table1.Config(inference=900.0, draws=20))
    assert {row.chinchilla.params for row in result.every} == {400.0}
    with pytest.raises(ValueError, match="no training budget"):
        table1.compare_all(shards, table1.Config(inference=700.0, draws=20))


@pytest.mark.tiny
def test_tiny_table1(tmp_path):
    result = table1.run(table1.Config.tiny())
    low, high = result.ratios
    for row in result.every:
        assert low <= row.chinchilla.tokens_per_param <= high < row.overtrained.tokens_per_param
        assert row.low <= row.high
    check_output(table1, result, tmp_path)
