"""Levers of plans with a selection, limits on durations, columns of a law's own and ranges of prices."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpyro.distributions import LogNormal
from scipy.optimize import minimize_scalar

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


def loss_in_three_bits(n: float, d: float) -> float:
    """Chinchilla's law and what rounding to 3 bits costs (Kumar et al. 2024)."""
    return 1.8 + A * n**-ALPHA + B * d**-BETA + 20.0 * (d / 1e9) ** 0.5 / (n / 1e9) ** 0.4 * np.exp(-3.0 / 0.6)


def loss_of_experts(n: float, d: float) -> float:
    """Abnar et al. 2025 with their coefficients, N active parameters of 16 times as many."""
    share, total = 1 / 16, 16 * n
    sparse = 0.4598 / share**-0.1666 + 17.26 / (share**0.1603 * total**0.1595)
    return 0.94 + 16612.5 / total**0.5962 + 5455.67 / d**0.3954 + sparse


QUANTISED = t2.laws.Quantised(E=1.8, A=A, B=B, alpha=ALPHA, beta=BETA, C=20.0, gamma_D=0.5, gamma_N=0.4, gamma=0.6)
EXPERTS = t2.laws.MixtureOfExperts(
    E=0.94, A=16612.5, B=5455.67, C=0.4598, G=17.26, alpha=0.5962, beta=0.3954, lam=-0.1666, delta=0.1603, gamma=0.1595
)


@pytest.mark.parametrize(
    ("law", "budget", "loss"),
    [
        (QUANTISED, t2.Budget(train=1e22, inputs={"served_bits": 3.0}), loss_in_three_bits),
        (EXPERTS, t2.Budget(train=1e22, total_per_active=16.0), loss_of_experts),
    ],
    ids=["bits", "experts"],
)
def test_bits_and_experts_hold_as_the_budget_moves(law, budget, loss):
    """SciPy minimises the loss, written out, along N·D = C/6."""
    trains = 10 ** np.random.default_rng(1).uniform(21.2, 22.8, 12)
    moved = solved(law, budget, [{"train": train} for train in trains.tolist()])
    for train, (answer, _) in zip(trains, moved, strict=True):

        def along(log_n: float, train: float = train) -> float:
            return loss(np.exp(log_n), train / 6 / np.exp(log_n))

        best: Any = minimize_scalar(
            along, bounds=(np.log(1e7), np.log(1e12)), method="bounded", options={"xatol": 1e-9}
        )
        assert answer["params"] == pytest.approx(float(np.exp(best.x)), rel=5e-3)
        assert answer["value"] == pytest.approx(float(best.fun), rel=1e-6)
