"""Levers of plans with a selection, limits on durations, columns of a law's own and ranges of prices."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpyro.distributions import LogNormal

import t2jax as t2
from tests.helpers.page_levers import solved

A, B, ALPHA, BETA, DEPTH = 480.0, 2100.0, 0.35, 0.37, 16.0
PRICES = np.geomspace(1.0, 4.0, 65)[1::2]
"""The middles of 32 equal parts, in logs, of prices from 1 to 4 dollars; that of the plan is 2."""
PER_FLOP = 2.0 / 3600 / (0.4 * 989e12)
"""Dollars of a FLOP on an H100 that reaches 40 % of its peak."""
LARGEST = 0.03 * 8 * 0.4 * 989e12 / (2 * 1000)
"""N whose first token takes 30 ms after a prompt of 1,000 tokens: 2N FLOPs each, shared by 8 devices."""


@t2.law
class Deep(t2.Law):
    """L(N, D) = E + A/(N^α·depth^0.1) + B/D^β: a column of its own makes A smaller."""

    E: float = t2.param(LogNormal(0.5, 0.5), unit="nats/token", doc="irreducible loss")

    def __call__(self, N, D, depth):
        return self.E + A * N**-ALPHA * depth**-0.1 + B * D**-BETA


def priced(price: float) -> t2.Budget:
    chip = t2.accelerator("H100", price=price)
    serving, columns = t2.Serving(prompt=1000.0, on=chip), {"depth": DEPTH}
    return t2.Budget(train=1e5, first_token=0.03, inputs=columns, training=t2.Training(on=chip), serving=serving)


@pytest.fixture(scope="module")
def answers():
    """The plan at random training budgets, without the limit on N for the first half."""
    trains = np.concatenate([10 ** np.random.default_rng(0).uniform(3.1, 4.5, 10), np.geomspace(1e6, 9e6, 10)])
    over = [priced(price) for price in PRICES.tolist()]
    return trains, solved(Deep(E=1.8), priced(2.0), [{"train": train} for train in trains.tolist()], over=over)


def best_size(flops: Any) -> np.ndarray:
    """Hoffmann et al. 2022, eq. 4, with A divided by depth^0.1."""
    g = (ALPHA * A * DEPTH**-0.1 / (BETA * B)) ** (1 / (ALPHA + BETA))
    return g * (flops / 6) ** (BETA / (ALPHA + BETA))


def test_columns_of_a_law_of_ones_own_and_first_tokens_hold(answers):
    trains, plans = answers
    n = np.minimum(best_size(trains / PER_FLOP), LARGEST)
    d = trains / PER_FLOP / (6 * n)
    exact = np.stack([n, d, 1.8 + A * n**-ALPHA * DEPTH**-0.1 + B * d**-BETA], axis=1)
    assert (n < LARGEST).sum() == 10
    np.testing.assert_allclose([[plan["params"], plan["tokens"], plan["value"]] for plan, _ in plans], exact, rtol=2e-4)


def test_bands_go_over_ranges_of_prices(answers):
    """N* falls with the power β/(α + β) of the price; 90 % of the prices lie between the ends."""
    trains, plans = answers
    for train, (_, bands) in zip(trains[:10], plans[:10], strict=True):
        sizes = best_size(train / PER_FLOP * 2.0 / PRICES)
        assert bands["params"] == pytest.approx(np.quantile(sizes, [0.05, 0.5, 0.95]), rel=2e-3)


@pytest.mark.long
@pytest.mark.parametrize("shared", [False, True])
def test_without_an_oracle_the_samples_are_those_of_allocate(shared):
    """Too many samples make a system that may abstain worse, so a larger purse buys no more of them."""
    values = {"E": 0.5, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37}
    values |= {"theta0": 1.0, "theta1": 2.0, "theta2": 0.9, "theta3": 1.0, "theta4": 0.0}
    selection = t2.laws.AbstainingVerifier(true_positive=0.9, false_positive=0.02, abstention=0.5)
    law = t2.laws.select(t2.laws.T2PassK(**values), selection)
    budget = t2.Budget(total=1e24, queries=1e12) if shared else t2.Budget(train=1e22, inference=2e11)
    rng = np.random.default_rng(3)
    limits = {
        name: float(np.asarray(value)) * 10 ** rng.uniform(-1.0, 1.0, 8) for name, value in budget.given().items()
    }
    positions = [{name: float(column[i]) for name, column in limits.items()} for i in range(8)]
    plan = t2.frontier(law, replace(budget, **limits))
    assert np.asarray(plan.ok).all()
    solved_plans = [
        [answer[name] for name in ("params", "tokens", "samples", "value")]
        for answer, _ in solved(law, budget, positions)
    ]
    np.testing.assert_allclose(
        solved_plans, np.stack([plan.params, plan.tokens, plan.samples, plan.value], axis=1), rtol=5e-3
    )
