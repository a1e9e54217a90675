"""One model for several tasks: against a search over sizes and samples, and against the plan of one task."""

import numpy as np
import pytest

import t2jax as t2

EASY = t2.laws.T2Loss(E=0.5, A=200.0, B=900.0, alpha=0.34, beta=0.35, G=0.4, gamma=0.5)
HARD = t2.laws.T2Loss(E=1.0, A=500.0, B=2100.0, alpha=0.34, beta=0.35, G=2.0, gamma=0.3)


def random_law(rng):
    """A law of one task, whose loss falls by up to 2 nats from samples."""
    values = {"E": rng.uniform(0.2, 1.5), "A": 10 ** rng.uniform(2, 3), "B": 10 ** rng.uniform(2.5, 3.5)}
    values |= {"alpha": rng.uniform(0.25, 0.4), "beta": rng.uniform(0.25, 0.4)}
    return t2.laws.T2Loss(**values, G=rng.uniform(0.3, 2.0), gamma=rng.uniform(0.2, 0.8))


def search(laws, weights, train, inference):
    """The least weighted loss over sizes and the first task's share of the purse, zoomed in three times."""
    ends, best = [(16.0, np.log(inference / 2)), (0.0, 1.0)], np.inf
    for _ in range(6):
        axes = [np.linspace(low, high, 121) for low, high in ends]
        log_size, share = (axis.ravel() for axis in np.meshgrid(*axes, indexing="ij"))
        size = np.exp(log_size)
        tokens, spare = train / (6 * size), inference / (2 * size) - 1  # every task draws one sample at least
        samples = [1 + spare * share / weights[0], 1 + spare * (1 - share) / weights[1]]
        total = np.zeros_like(size)
        for law, weight, k in zip(laws, weights, samples, strict=True):
            v = law.values()
            total += weight * (v["E"] + v["A"] * size ** -v["alpha"] + v["B"] * tokens ** -v["beta"])
            total += weight * v["G"] * np.maximum(k, 1.0) ** -v["gamma"]
        at = int(np.argmin(total))
        best = min(best, float(total[at]))
        places = (log_size[at], share[at])
        steps = [3 * (high - low) / 120 for low, high in ends]
        lowest, highest = (16.0, 0.0), (np.log(inference / 2), 1.0)
        ends = [
            (max(place - step, least), min(place + step, most))
            for place, step, least, most in zip(places, steps, lowest, highest, strict=True)
        ]
    return best


def test_ten_random_problems_against_a_search():
    rng, uneven = np.random.default_rng(0), 0
    for _ in range(10):
        laws = [random_law(rng), random_law(rng)]
        weights = np.array([share := rng.uniform(0.1, 0.9), 1 - share])
        train, inference = 10 ** rng.uniform(20, 25), 10 ** rng.uniform(10.5, 13)
        budget = t2.Budget(train=train, inference=inference)
        named = dict(zip("ab", laws, strict=True))
        plan = t2.planning.plan_portfolio(named, dict(zip("ab", weights, strict=True)), budget)
        assert plan.ok and plan.convex and plan.kkt < 1e-10
        assert plan.value == pytest.approx(search(laws, weights, train, inference), rel=1e-7)
        assert 6 * plan.params * plan.tokens == pytest.approx(train, rel=1e-9)
        mean_samples = float(weights @ np.array(list(plan.samples.values())))
        assert 2 * plan.params * mean_samples == pytest.approx(inference, rel=1e-9)
        assert plan.training_cost == pytest.approx(train, rel=1e-6)
        assert plan.query_cost == pytest.approx(inference, rel=1e-6)
        uneven += max(plan.samples.values()) > 1.3 * min(plan.samples.values())
    assert uneven > 2  # else one k would do


def test_tasks_that_are_alike_have_the_plan_of_one():
    """Two tasks of one law under one purse for all, whatever their weights and shares."""
    budget = t2.Budget(train=1e22, inference=2e11)
    alone = t2.allocate(EASY, budget)
    plan = t2.planning.plan_portfolio({"a": EASY, "b": EASY}, {"a": 3.0, "b": 1.0}, budget)
    assert plan.params == pytest.approx(alone.params, rel=1e-7) and plan.value == pytest.approx(alone.value, rel=1e-9)
    for samples in plan.samples.values():
        assert samples == pytest.approx(alone.samples, rel=1e-6)
    # three quarters of the value from half of the queries: G_a w_a/s_a k_a^-γ = G_b w_b/s_b k_b^-γ
    uneven = t2.planning.plan_portfolio(
        {"a": EASY, "b": EASY}, {"a": 3.0, "b": 1.0}, budget, shares={"a": 0.5, "b": 0.5}
    )
    assert uneven.samples["a"] / uneven.samples["b"] == pytest.approx(3 ** (1 / 1.5), rel=1e-6)


@pytest.mark.parametrize(
    ("weights", "budget", "message"),
    [
        ({"a": 1.0}, {"train": 1e22}, "weights are of a, laws of a, b"),
        ({"a": 1.0, "b": 0.0}, {"train": 1e22}, "weights of b must be positive and finite, not 0"),
        ({"a": 1.0, "b": 1.0}, {"target": 2.0, "queries": 1e9}, "target is for one task"),
        ({"a": 1.0, "b": 1.0}, {"train": 1e22}, "plan_portfolio chooses samples: give inference"),
        ({"a": 1.0, "b": 1.0}, {"train": np.array([1e22, 1e23])}, "one budget, of single numbers"),
    ],
)
def test_portfolios_that_are_refused(weights, budget, message):
    with pytest.raises(ValueError, match=message):
        t2.planning.plan_portfolio({"a": EASY, "b": HARD}, weights, t2.Budget(**budget))


def test_losses_and_pass_at_k_have_no_common_mean():
    loss = t2.laws.Chinchilla(E=0.5, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
    passes = t2.laws.T2PassK(loss=loss, theta0=1.0, theta1=2.0, theta2=0.9, theta3=1.0, theta4=0.0)
    with pytest.raises(ValueError, match="T2PassK predicts pass_at_k, T2Loss neg_log_pass"):
        t2.planning.plan_portfolio(
            {"a": EASY, "b": passes}, {"a": 1.0, "b": 1.0}, t2.Budget(train=1e22, inference=1e11)
        )
