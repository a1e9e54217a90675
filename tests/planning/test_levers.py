"""Levers: costs are those of their classes at any tokens a query, and splines are the law and its draws."""

from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest

import t2jax as t2
from t2jax.planning.levers.charges import Charges, charges_of, scale_tokens
from t2jax.planning.levers.levers import _with_budgets, levers_of
from t2jax.planning.levers.surfaces import surface_of
from t2jax.planning.prices.terms import total
from t2jax.working_precision import scope

LAW = t2.laws.Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
CHIP, SHAPE = t2.accelerator("H100", price=2.0), t2.Shape(kv_share=0.125)
DOLLARS: Any = {
    "training": t2.Training(shape=SHAPE, context=4096, on=CHIP),
    "serving": t2.Serving(prompt=500.0, generated=300.0, shape=SHAPE, batch=32.0, on=CHIP),
}


def summed(charges: Charges, factor: float, *sizes: float) -> float:
    powers = np.array([charge.powers for charge in charges])
    coefficients = np.array([charge.coefficients for charge in charges]) @ factor ** np.arange(3)
    return float(coefficients @ np.prod(np.array(sizes) ** powers, axis=1))


def test_costs_are_exact_at_any_number_of_tokens():
    budget: Any = t2.Budget(total=1e6, queries=1e8, latency=60.0, first_token=2.0, between_tokens=0.1, **DOLLARS)
    costs, factor, (n, d, k) = charges_of(budget), 3.7, (7e9, 2e11, 5.0)
    serving = scale_tokens(budget.serving, factor)
    with scope():
        query = [summed(term, factor, n, d, k) for term in costs.serving]
        assert summed(costs.training, factor, n, d, k) == pytest.approx(float(budget.training(n, d)), rel=1e-12)
        assert max(query) == pytest.approx(float(serving(n, k)), rel=1e-9)
        assert summed(costs.memory, factor, n, d, k) == pytest.approx(float(serving.memory_used(n)), rel=1e-9)
        seconds = {60.0: serving.latency(n), 2.0: serving.first_token(n), 0.1: serving.between_tokens(n)}
        for limit, longest in seconds.items():
            slowest = max(summed(term, factor, n, d, k) for term, most in costs.durations if most == limit)
            assert slowest == pytest.approx(float(longest), rel=1e-9)
        plain = total(t2.Serving(generated=4.0).terms()[0], n, 1.0, k)
    assert costs.memory_limit == pytest.approx(8 * 80e9)
    # 2Nk for each of four tokens
    free = charges_of(t2.Budget(train=1e20, inference=1e10))
    assert summed(free.serving[0], 4.0, n, d, k) == pytest.approx(8 * n * k, rel=1e-12) == float(plain)
    assert free.memory == () and free.durations == () and free.memory_limit is None


def test_a_surface_is_the_law_and_its_draws():
    law = t2.laws.T2Loss(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37, G=0.3, gamma=0.3)
    laws = jax.tree.map(lambda leaf: leaf * np.array([1.0, 1.03]), law)
    box = np.log([[1e8, 1e11], [1e9, 1e13], [1.0, 1e4]])
    surface = surface_of(law, t2.Budget(train=1e21, inference=1e10), box, laws)
    assert surface.in_logs and surface.falls_in_tokens and surface.draws is not None
    places = np.random.default_rng(0).uniform(box[:, 0], box[:, 1], (200, 3))
    heights = surface.spline(places)
    n, d, k = np.exp(places.T)
    e, a, b, alpha, beta, g, gamma = law.values().values()
    exact = np.log(e + a * n**-alpha + b * d**-beta + g * k**-gamma)
    np.testing.assert_allclose(heights, exact, atol=2e-5)
    moved = 1.03 * np.array([e, a, b, alpha, beta, g, gamma])
    e, a, b, alpha, beta, g, gamma = moved
    drawn = np.log(e + a * n**-alpha + b * d**-beta + g * k**-gamma)
    np.testing.assert_allclose(surface.draws(places), [np.zeros(200), drawn - exact], atol=2e-4)


def test_a_law_that_rises_in_tokens_says_so():
    @t2.law
    class Rising(t2.Law):
        "L(N, D) = E + 1e6/N + D/1e13."

        E: float = t2.param(t2.laws.Chinchilla.declared()["E"].prior, unit="nats", doc="floor")

        def __call__(self, N, D):
            return self.E + 1e6 / N + D / 1e13

    box = np.log([[1e8, 1e11], [1e9, 1e13]])
    assert not surface_of(Rising(E=1.0), t2.Budget(train=1e21), box).falls_in_tokens
    with pytest.raises(ValueError, match="Rising has no finite value"):
        surface_of(Rising(E=np.inf), t2.Budget(train=1e21), box)


def test_the_box_holds_the_optima_at_the_ends_of_the_levers():
    """Chinchilla's optimum in closed form (Hoffmann et al. 2022, eq. 4), two decades to either side."""
    levers = levers_of(LAW, t2.Budget(train=1e21), t2.allocate(LAW, t2.Budget(train=1e21)))
    g = (0.35 * 480.0 / (0.37 * 2100.0)) ** (1 / 0.72)
    for train in (1e19, 1e23):
        n = g * (train / 6) ** (0.37 / 0.72)
        for value, (low, high) in zip((n, train / 6 / n), levers.surface.box, strict=True):
            assert low + np.log(5) < np.log(value) < high - np.log(5)
    assert not levers.chooses_samples and set(levers.checks.levers) == {"train", "tokens_max"}
    limited = levers.checks.levers["tokens_max"]
    assert np.all(levers.checks.plan.tokens <= limited * (1 + 1e-9)) and np.any(
        levers.checks.plan.tokens > 0.99 * limited
    )


def test_a_plan_for_a_target_starts_from_what_it_spends():
    """Which is 6ND to train, and for a query 2N for each of 300 tokens."""
    plan = t2.allocate(LAW, t2.Budget(train=1e21))
    budget = t2.Budget(target=plan.value, queries=1e9, serving=t2.Serving(generated=300.0))
    assert _with_budgets(LAW, budget, plan).given() == pytest.approx({"train": 1e21, "inference": 600 * plan.params})
    with pytest.raises(ValueError, match="no plan to start from"):
        levers_of(LAW, budget, replace(plan, code=np.int32(5)))
