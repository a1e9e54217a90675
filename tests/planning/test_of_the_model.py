"""Experts, bits, repeated tokens and interactions in plans: brute force over grids, closed forms and derivatives."""

from typing import Any

import jax
import numpy as np
import pytest

import t2jax as t2
from experiments.shared.deployed_problems import KINDS, best_of_grid, draw, grid_of
from t2jax.planning.rivals import rivals
from t2jax.working_precision import scope

COUNT = 20
"""Random problems of each kind."""
LAW = t2.laws.Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_on_a_grid_beats_the_plan(kind):
    """N over eleven decades and D up to the budget: no feasible pair has a lower loss, and limits are kept."""
    budget: Any = KINDS[kind].budget
    laws = draw(KINDS[kind], COUNT)
    plans = t2.frontier(laws, budget)
    assert plans.ok.all() and np.max(plans.kkt) < 1e-9, plans.status
    assert np.all(6 * plans.params * plans.tokens <= budget.train * (1 + 1e-9))
    if budget.serving is not None:
        room = budget.prices[1].on.memory * budget.prices[1].on.devices
        stored = plans.params * 16 * 2  # all experts, in two bytes each
        assert np.all(stored <= room * (1 + 1e-9)) and np.mean(stored > room * (1 - 1e-9)) > 0.5
    best = best_of_grid(laws, budget, grid_of(budget, 450))
    assert np.all(plans.value <= best * (1 + 1e-12))
    assert np.median(best / plans.value - 1) < 1e-4  # the grid is fine enough to tell


def test_training_stops_where_longer_makes_it_worse():
    """Beyond the wall more compute changes nothing, and the plan is where both derivatives of the loss vanish."""
    law = t2.laws.HarmfulRepetition(**LAW.values(), P=0.05, delta=0.5, kappa=0.6)
    plans = t2.frontier(law, t2.Budget(train=np.array([1e19, 1e22, 1e24]), unique_tokens=1e9))
    assert plans.ok.all() and "in 2 of 3 not all of train is needed" in plans.status
    assert plans.params[1] == pytest.approx(plans.params[2], rel=1e-9)
    assert plans.tokens[1] == pytest.approx(plans.tokens[2], rel=1e-9)
    assert 6 * plans.params[1] * plans.tokens[1] < 1e21
    with scope():
        at = jax.numpy.log(jax.numpy.array([plans.params[1], plans.tokens[1]]))
        gradient = jax.grad(lambda x: law(*jax.numpy.exp(x), U=1e9))(at)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-12)
    assert np.all(plans.shadow_prices[1:, 0] < 1e-10) and plans.shadow_prices[0, 0] > 1e-3
    # and one of a convex law is certified as the global optimum
    few = t2.laws.Quantised(**LAW.values(), C=40.0, gamma_D=0.6, gamma_N=0.3, gamma=0.6)
    plan = t2.allocate(few, t2.Budget(train=1e26, params_max=1e10, inputs={"served_bits": 3.0}))
    assert plan.ok and plan.spare[0] and plan.gap < 1e-9


def test_fewer_bits_ask_for_fewer_tokens_per_param():
    """And the elasticity in the bits is the finite difference; at many bits the plan is that of the loss law."""
    law = t2.laws.Quantised(**LAW.values(), C=20.0, gamma_D=0.5, gamma_N=0.4, gamma=0.6)

    def plan(bits: float):
        return t2.allocate(law, t2.Budget(train=1e22, inputs={"served_bits": bits}))

    ratios = [float(plan(bits).tokens_per_param) for bits in (3.0, 4.0, 5.0, 60.0)]
    assert ratios == sorted(ratios)
    assert ratios[-1] == pytest.approx(float(t2.allocate(LAW, t2.Budget(train=1e22)).tokens_per_param), rel=1e-8)
    moves = t2.planning.elasticities(law, t2.Budget(train=1e22, inputs={"served_bits": 4.0})).params
    step = 1e-4
    difference = np.log(float(plan(4.0 * (1 + step)).params) / float(plan(4.0 * (1 - step)).params)) / 2 / step
    assert moves["inputs.served_bits"] == pytest.approx(difference, rel=1e-5)
    # without an input the bits are those in which weights are served
    served = t2.Budget(train=1e22, serving=t2.Serving(weight_bytes=0.5))
    assert float(t2.allocate(law, served).params) == pytest.approx(float(plan(4.0).params), rel=1e-9)


def test_memory_counts_all_experts_and_compute_the_active_ones():
    """Eight times as many in all: 16 GB of bf16 for 1e9 active ones, and a batch reads at most all of them."""
    chip = t2.accelerator("H100", devices=1.0, bandwidth_utilisation=1.0)

    def serving(**more: Any) -> t2.Serving:
        return t2.Serving(on=chip, **more)

    moe, dense = serving(total_per_active=8.0), serving()
    assert float(moe.memory_used(1e9)) == pytest.approx(16e9) and float(dense.memory_used(1e9)) == pytest.approx(2e9)
    assert t2.Serving(total_per_active=8.0)(1e9, 4.0) == t2.Serving()(1e9, 4.0)  # FLOPs of active ones
    for batch, read in ((1.0, 1.0), (4.0, 1.0), (8.0, 1.0), (32.0, 0.25)):  # active weights for each token, as in 8/32
        seconds = float(serving(total_per_active=8.0, batch=batch)(1e9, 1.0))
        assert seconds == pytest.approx(2e9 * read / 3.35e12, rel=1e-6)
    budget = t2.Budget(train=1e22, total_per_active=8.0, inputs={"served_bits": 4.0})
    assert float(budget.prices[1].memory_used(1e9)) == pytest.approx(4e9)  # half a byte each


@pytest.mark.parametrize(
    ("limits", "law", "message"),
    [
        ({"total_per_active": 0.5}, LAW, "Budget.total_per_active must be 1 at least, not 0.5"),
        ({"inputs": {"served_bits": -4.0}}, LAW, "Budget.inputs: served_bits must be positive and finite, not -4.0"),
        (
            {"inputs": {"params": 1e9}},
            LAW,
            "Budget.inputs gives 'params', which a budget chooses",
        ),
        ({"inputs": {"depth": 3.0}}, LAW, "Budget.inputs gives depth, which Chinchilla does not read"),
        (
            {},
            t2.laws.EffectiveParams(**LAW.values(), gamma_weight=2.0, gamma_activation=2.0, gamma_cache=1.0),
            r"reads weight_bits, activation_bits, cache_bits too: .* give inputs={'weight_bits': ...} of the budget",
        ),
    ],
)
def test_inputs_that_do_not_fit_are_named(limits, law, message):
    with pytest.raises(ValueError, match=message):
        t2.allocate(law, t2.Budget(train=1e22, **limits))


def test_laws_of_repeated_data_are_compared_with_twenty_tokens_per_parameter():
    law = t2.laws.DataConstrained(**LAW.values(), R_D=15.0)
    budget = t2.Budget(train=1e22, unique_tokens=2e9)
    (rule,) = rivals(law, budget, t2.allocate(law, budget))
    assert rule.tokens == pytest.approx(20 * rule.params) and 6 * rule.params * rule.tokens == pytest.approx(1e22)
    by_law = t2.evaluate(law, params=rule.params, tokens=rule.tokens, unique_tokens=2e9)
    assert rule.value == pytest.approx(float(by_law), rel=1e-12)
