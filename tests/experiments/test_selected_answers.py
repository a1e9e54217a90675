"""Selections on measured answers, and costs at equal quality, where both have closed forms."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from experiments.shared import shards
from experiments.testbed import cost_per_query, without_oracle
from tests.helpers.experiments import check_output

CONFIG = without_oracle.Config(samples=(1.0, 5.0, 25.0), draws=4000)
K = np.array(CONFIG.samples)


def test_a_vote_against_one_answer_is_a_binomial_majority():
    """All wrong samples agree, so that the right answer needs more than half of an odd k."""
    p = np.array([0.3, 0.55, 0.8])
    rng = np.random.default_rng(0)
    for k in (1, 5, 25):
        share = without_oracle.vote_success(p, (1 - p)[:, None], np.zeros(3), k, 4000, rng)
        expected = binom.sf((k - 1) // 2, k, p)
        np.testing.assert_allclose(share, expected, atol=4 * np.sqrt(0.25 / 4000))


def test_a_vote_against_answers_that_all_differ_needs_two_right_samples():
    """With one right sample of k it wins a k-th of the ties; with two it wins."""
    p, k = 0.2, 5
    share = without_oracle.vote_success(
        np.array([p]), np.zeros((1, 1)), np.array([1 - p]), k, 20000, np.random.default_rng(0)
    )
    expected = binom.sf(1, k, p) + binom.pmf(1, k, p) / k
    assert share[0] == pytest.approx(expected, abs=4 * np.sqrt(0.25 / 20000))


def test_a_verifier_that_judges_answers_once_is_better_or_worse_by_question():
    """With one wrong answer it is accepted always or never: a mixture of two verifiers, written out."""
    p, (t, h) = np.array([0.1, 0.4]), (CONFIG.true_positive, CONFIG.false_positive)
    measured = without_oracle.measured_success(p, (1 - p)[:, None], K, CONFIG, np.random.default_rng(0))
    expected = np.zeros(len(K))
    for right, a in ((True, t), (False, 1 - t)):
        for wrong, b in ((True, h), (False, 1 - h)):
            accepted_right, accepted_wrong = p * right, (1 - p) * wrong
            accepted = (accepted_right + accepted_wrong)[:, None]
            none = (1 - accepted) ** K
            share = np.divide(accepted_right[:, None], accepted, out=np.zeros_like(accepted), where=accepted > 0)
            left = np.divide(
                (p - accepted_right)[:, None], 1 - accepted, out=np.zeros_like(accepted), where=accepted < 1
            )
            expected += a * b * (share * (1 - none) + left * none).mean(axis=0)
    lasting = measured[without_oracle.KINDS.index("lasting verifier")]
    np.testing.assert_allclose(lasting, expected, atol=4 * np.sqrt(0.25 / CONFIG.draws))
    np.testing.assert_allclose(measured[0], (1 - (1 - p[:, None]) ** K).mean(axis=0), rtol=1e-12)


def test_laws_are_right_where_their_assumptions_hold():
    """Questions drawn from a Beta with equal shares of one rival: the laws' success, within the draws' error."""
    p = np.random.default_rng(1).beta(2.0, 2.0, 2000)
    cells = {("model-seed0", "task"): (p, (0.5 * (1 - p))[:, None])}
    config = without_oracle.Config(samples=(1.0, 25.0), draws=100)
    result = without_oracle.compare(cells, config)
    assert result.rival == pytest.approx([0.5])
    for kind in result.kinds[:2]:
        assert kind.worst < 0.01, kind.kind
    assert result.kinds[3].worst < 0.03  # the law's vote has no scatter in the rival's votes


def test_costs_at_equal_quality_are_those_of_equal_questions():
    """If all questions are alike, quality q needs k = log(1-q)/log(1-p) samples."""
    sizes, inference, budget = 1000.0 * 4 ** np.arange(4), 3e6, 1e12
    p = np.array([0.004, 0.009, 0.016, 0.012])
    runs = pd.DataFrame({"model": list("abcd"), "seed": 0, "params": sizes, "tokens": 2.0**20, "budget": budget})
    table = shards.Shards(runs, {("base", "facts"): np.repeat(p[:, None], 8, axis=1)})
    result = cost_per_query.study_all(table, cost_per_query.Config(inference=inference, draws=20))
    needed = inference / (2 * sizes[2]) * np.log1p(-p[2]) / np.log1p(-p)
    costs = sizes * np.maximum(needed, 1) / (inference / 2)
    task, average = result.studies
    assert task.share[0] == pytest.approx([costs.min()] * 3, rel=2e-3)
    assert task.size[0] == sizes[costs.argmin()] / sizes[2] == 1 / 16
    assert task.quality[0] == pytest.approx(1 - (1 - p[2]) ** (inference / (2 * sizes[2])), rel=2e-3)
    assert average.mean == pytest.approx(task.mean)


@pytest.mark.tiny
def test_without_oracle(tmp_path):
    check_output(without_oracle, without_oracle.run(without_oracle.Config.tiny()), tmp_path)


@pytest.mark.tiny
def test_cost_per_query(tmp_path):
    check_output(cost_per_query, cost_per_query.run(cost_per_query.Config.tiny()), tmp_path)
