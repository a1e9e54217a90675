"""Plans that hold D/N: closed forms, SciPy on the one size that is left to choose, derivatives, and refusals."""

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import t2jax as t2
from t2jax.laws.pass_at_k.t2_loss import T2Loss
from t2jax.laws.pass_at_k.t2_pass_k import T2PassK

LAW = t2.laws.Chinchilla(E=1.5, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
SAMPLED = T2Loss(E=0.6, A=300.0, B=1500.0, alpha=0.34, beta=0.35, G=0.8, gamma=0.35)


def best_size(worth: Any, low: float, high: float) -> float:
    """The N between two at which worth(N) is least, to nine digits, by SciPy from the best of a grid."""
    logs = np.linspace(np.log(low), np.log(high), 4001)
    values = np.array([worth(n) for n in np.exp(logs)])
    at = int(np.nanargmin(values))
    ends = logs[max(at - 1, 0)], logs[min(at + 1, len(logs) - 1)]
    result: Any = minimize_scalar(lambda x: worth(np.exp(x)), bounds=ends, method="bounded", options={"xatol": 1e-10})
    return float(np.exp(result.x if result.fun <= values[at] else logs[at]))


def loss(n: Any, d: Any) -> Any:
    return SAMPLED.E + SAMPLED.A * n**-SAMPLED.alpha + SAMPLED.B * d**-SAMPLED.beta


def test_size_is_the_square_root_of_compute_and_its_derivatives_are_halves():
    """6 r N^2 = C; and over C and r, both with the other held, N moves by a half."""
    for ratio in (5.0, 20.0, 300.0):
        plan = t2.allocate(LAW, t2.Budget(train=1e22, tokens_per_param=ratio))
        assert plan.params == pytest.approx(np.sqrt(1e22 / 6 / ratio), rel=1e-9)
        assert plan.tokens_per_param == pytest.approx(ratio, rel=1e-12) and plan.ok
        assert plan.value == pytest.approx(1.5 + 480 * plan.params**-0.35 + 2100 * plan.tokens**-0.37, rel=1e-12)
    moves = t2.planning.elasticities(LAW, t2.Budget(train=1e22, tokens_per_param=20.0))
    assert moves.params["train"] == pytest.approx(0.5) and moves.params["tokens_per_param"] == pytest.approx(-0.5)
    assert moves.tokens["train"] == pytest.approx(0.5) and moves.tokens["tokens_per_param"] == pytest.approx(0.5)
    worth = t2.planning.shadow_prices(LAW, t2.Budget(train=1e22, tokens_per_param=20.0))
    plan = worth.plan
    falls = (0.35 * 480 * plan.params**-0.35 + 0.37 * 2100 * plan.tokens**-0.37) / 2
    assert worth.buys == {"train": pytest.approx(falls / 1e22)}  # the ratio is no limit, so it has no price


def test_frontier_keeps_every_ratio():
    ratios, train = np.array([10.0, 20.0, 40.0]), np.array([[1e20], [1e23]])
    plan = t2.frontier(LAW, t2.Budget(train=train, tokens_per_param=ratios))
    np.testing.assert_allclose(plan.params, np.sqrt(train / 6 / ratios), rtol=1e-9)
    np.testing.assert_allclose(plan.tokens_per_param, ratios + 0 * train, rtol=1e-12)


def test_bounds_on_tokens_keep():
    plan = t2.allocate(LAW, t2.Budget(train=1e22, tokens_per_param=20.0, tokens_max=1e10))
    assert plan.tokens == pytest.approx(1e10, rel=1e-9) and plan.params == pytest.approx(5e8, rel=1e-9)
    assert "limited by tokens_max" in plan.status


def test_one_purse_is_split_as_scipy_splits_it():
    """Twenty tokens per parameter with samples: what training leaves pays for them."""
    total, queries, ratio = 1e22, 1e12, 20.0

    def worth(n: float) -> float:
        samples = (total - 6 * ratio * n**2) / queries / 2 / n
        return loss(n, ratio * n) + SAMPLED.G * samples**-SAMPLED.gamma if samples >= 1 else np.inf

    plan = t2.allocate(SAMPLED, t2.Budget(total=total, queries=queries, tokens_per_param=ratio))
    assert plan.params == pytest.approx(best_size(worth, 1e7, 1e10), rel=1e-5)
    assert plan.value == pytest.approx(worth(plan.params), rel=1e-9)


@pytest.mark.long
def test_least_spending_that_reaches_a_target_is_scipys():
    target, queries, ratio = 1.9, 1e12, 20.0

    def worth(n: float) -> float:
        left = target - loss(n, ratio * n)
        if left <= 0:
            return np.inf
        samples = max((SAMPLED.G / left) ** (1 / SAMPLED.gamma), 1.0)
        return np.log(6 * ratio * n**2 + queries * 2 * n * samples)

    plan = t2.allocate(SAMPLED, t2.Budget(target=target, queries=queries, tokens_per_param=ratio))
    assert plan.params == pytest.approx(best_size(worth, 1e7, 1e11), rel=1e-5)
    assert np.log(plan.spent) == pytest.approx(worth(plan.params), rel=1e-9)


@pytest.mark.long
def test_pass_at_k_within_two_budgets_is_best_on_a_grid():
    law = T2PassK(
        E=1.5, A=480.0, B=2100.0, alpha=0.35, beta=0.37, theta0=2.0, theta1=3.0, theta2=0.9, theta3=0.5, theta4=-0.3
    )
    train, inference, ratio = 1e22, 1e11, 20.0
    n = np.geomspace(1e7, np.sqrt(train / 6 / ratio), 4001)
    values = t2.evaluate(law, params=n, tokens=ratio * n, samples=inference / 2 / n)
    plan = t2.allocate(law, t2.Budget(train=train, inference=inference, tokens_per_param=ratio))
    assert plan.ok and plan.value >= values.max() - 1e-9
    assert 6 * ratio * plan.params**2 <= train * (1 + 1e-9)
    assert 2 * plan.params * plan.samples <= inference * (1 + 1e-9)


@pytest.mark.parametrize(
    "other", [{"sizes": (1e9, 2e9)}, {"params_min": 1e9, "params_max": 1e9}, {"tokens_min": 1e9, "tokens_max": 1e9}]
)
def test_a_ratio_leaves_only_the_size_to_choose(other):
    with pytest.raises(ValueError, match="computes D from N, which must be free"):
        t2.Budget(train=1e22, tokens_per_param=20.0, **other)


def test_ratios_must_be_positive():
    with pytest.raises(ValueError, match="tokens_per_param must be positive and finite, not -20"):
        t2.Budget(train=1e22, tokens_per_param=-20.0)
