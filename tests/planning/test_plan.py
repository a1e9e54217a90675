"""What a plan prints: its status first, then each answer and the prices by name."""

import jax
import numpy as np

import t2jax as t2

LAW = t2.laws.Chinchilla(E=1.7, A=400.0, B=400.0, alpha=0.34, beta=0.28)


def test_one_plan():
    plan = t2.allocate(LAW, t2.Budget(train=1e21))
    first, *lines = repr(plan).splitlines()
    assert first == f"Plan: {plan.status}"
    shown = dict(line.split(maxsplit=1) for line in lines if "prices" not in line)
    assert list(shown) == ["params", "tokens", "tokens_per_param", "samples", "value"]
    for name, text in shown.items():
        np.testing.assert_allclose(float(text), getattr(plan, name), rtol=1e-5)
    assert lines[-1].strip().startswith("shadow prices     train 0.")


def test_many_plans():
    plan = t2.frontier(LAW, t2.Budget(train=np.array([1e20, 1e21])))
    assert f"tokens_per_param  {plan.tokens_per_param[0]:.6g} to {plan.tokens_per_param[1]:.6g}" in repr(plan)


def test_a_plan_inside_a_program():
    def params(train):
        plan = t2.allocate(LAW, t2.Budget(train=train))
        assert repr(plan) == "Plan of numbers that JAX traces"
        return plan.params

    assert jax.jit(params)(1e21) > 0
