"""Derivatives through budgets with prices, targets and latency limits, beside central differences."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import t2jax as t2
from t2jax.laws.pass_at_k.t2_loss import T2Loss
from t2jax.laws.pass_at_k.t2_pass_k import T2PassK
from t2jax.planning.plan import CONSTRAINTS, Plan

LOSS = T2Loss(E=1.5, A=480.0, B=2100.0, alpha=0.35, beta=0.37, G=0.5, gamma=0.3)
PASS_AT_K = T2PassK(
    E=1.2, A=480.0, B=2100.0, alpha=0.35, beta=0.37, theta0=2.0, theta1=1.5, theta2=0.6, theta3=0.3, theta4=-0.2
)
LIMITS = ("total", "queries", "target", "latency", "unique_tokens")
PRICES = {"price": 2.5, "batch": 32.0, "prompt": 1000.0}


def plan_at(law: type[t2.Law], at: dict[str, Any]) -> Plan:
    """The plan of a law and a budget on H100s, of inputs by name."""
    chip, shape = t2.accelerator("H100", price=at["price"]), t2.Shape(kv_share=0.125)
    serving = t2.Serving(prompt=at["prompt"], generated=500.0, shape=shape, batch=at["batch"], on=chip)
    given = {name: at[name] for name in LIMITS if name in at}
    budget = t2.Budget(**given, training=t2.Training(shape, 4096.0, chip), serving=serving)
    return t2.allocate(law(**{name: at[name] for name in law.declared()}), budget)


def slopes(law: t2.Law, **limits: float) -> dict[str, dict[str, float]]:
    """Slopes of log answers in log inputs; they and the second derivatives are checked, and which limits hold."""
    inputs = law.values() | limits | PRICES
    signs, logs = np.sign([*inputs.values()]), np.log(np.abs([*inputs.values()]))

    def log_answers(logs: Any) -> Any:
        plan = plan_at(type(law), dict(zip(inputs, signs * jnp.exp(logs), strict=True)))
        result = jnp.log(jnp.stack([plan.params, plan.tokens, plan.samples, plan.value, plan.spent]))
        return result, (result, plan.active, plan.kkt)

    def reverse(logs: Any) -> Any:
        slopes, more = jax.jacrev(log_answers, has_aux=True)(logs)
        return slopes, (slopes, *more)

    size, step = len(inputs), 1e-4
    moved = logs + step * np.stack([*np.eye(size), *-np.eye(size), np.zeros(size)])
    with jax.enable_x64(True):
        result = jax.jit(jax.vmap(jax.jacfwd(reverse, has_aux=True)))(moved)
    bends, (first, values, active, kkt) = jax.tree.map(np.asarray, result)
    assert np.all(active == active[0]) and np.max(kkt) < 1e-9
    names = {name for i, name in enumerate(CONSTRAINTS) if active[0, i]}
    assert names == {name for name in limits if name not in ("queries", "unique_tokens")}
    differences = [(outputs[:size] - outputs[size:-1]) / (2 * step) for outputs in (values, first)]
    np.testing.assert_allclose(first[-1], differences[0].T, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(bends[-1], np.moveaxis(differences[1], 0, -1), rtol=1e-4, atol=1e-4)
    assert np.max(np.abs(bends[-1])) > 1
    answers = ("params", "tokens", "samples", "value", "spent")
    return {name: dict(zip(inputs, row.tolist(), strict=True)) for name, row in zip(answers, first[-1], strict=True)}


def check_target_and_latency(law: t2.Law, target: float, latency: float) -> None:
    """A held latency decides N, dearer hours only what is spent, and a better target takes more tokens and samples."""
    result = slopes(law, target=target, queries=1e9, latency=latency)
    better = -1 if "loss" in law.response else 1
    assert 0.9 < result["params"]["latency"] < 1.2
    assert result["params"]["batch"] < -0.1 and result["params"]["prompt"] < -0.01
    assert all(abs(result["params"][name]) < 1e-9 for name in (*law.values(), "target", "queries", "price"))
    assert result["spent"]["price"] == pytest.approx(1.0, rel=1e-9)
    assert result["value"]["target"] == pytest.approx(1.0, rel=1e-9)
    for name in ("tokens", "samples", "spent"):
        assert better * result[name]["target"] > 0.5 and abs(result[name]["price"] - (name == "spent")) < 1e-9
        assert abs(result[name]["latency"]) > 0.01 and abs(result[name]["alpha"]) > 0.1
    assert all(result["spent"][name] > 0.01 for name in ("queries", "prompt"))


@pytest.mark.long
def test_a_target_under_a_latency_limit_at_prices():
    check_target_and_latency(LOSS, target=2.0, latency=0.1)


@pytest.mark.long
def test_a_target_of_pass_at_k_under_a_latency_limit_at_prices():
    check_target_and_latency(PASS_AT_K, target=0.8, latency=0.008)


@pytest.mark.long
def test_prices_of_an_end_to_end_budget():
    """What hours cost and what there is to spend are one: log N moves by as much in one as against the other."""
    result = slopes(LOSS, total=1e7, queries=1e9)
    for name in ("params", "tokens", "samples"):
        assert result[name]["price"] == pytest.approx(-result[name]["total"], rel=1e-8)
        assert all(abs(result[name][limit]) > 1e-3 for limit in ("total", "queries", "batch", "prompt"))


@pytest.mark.long
def test_a_target_at_prices():
    result = slopes(LOSS, target=2.0, queries=1e9)
    assert all(abs(result[name]["target"]) > 0.5 for name in ("params", "tokens", "spent"))
    assert result["spent"]["price"] == pytest.approx(1.0, rel=1e-9)
    assert all(abs(result[name]["price"]) < 1e-8 for name in ("params", "tokens", "samples"))


@pytest.mark.long
def test_most_queries_for_a_target():
    """What is spent is all of the total, and a better target takes samples from fewer queries."""
    result = slopes(LOSS, total=1e7, target=2.0)
    assert result["spent"]["total"] == pytest.approx(1.0, rel=1e-9)
    assert result["value"]["target"] == pytest.approx(1.0, rel=1e-9)
    assert result["samples"]["target"] < -0.5 and result["tokens"]["total"] > 0.1


@pytest.mark.long
def test_few_unique_tokens():
    """Where data repeat, more different tokens are worth more training on them, and lower the loss."""
    law = t2.laws.T2Loss.on(t2.laws.DataConstrained)(**LOSS.values(), R_D=15.4)
    result = slopes(law, total=1e7, queries=1e9, unique_tokens=5e12)
    assert result["tokens"]["unique_tokens"] > 0.01
    assert result["value"]["unique_tokens"] < -1e-4


def test_a_constant_plan_inside_a_derivative():
    """Nothing of the plan is traced there: its params are a constant factor."""
    law = t2.laws.Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
    params = t2.allocate(law, t2.Budget(train=1e21)).params
    slope = jax.grad(lambda price: price * t2.allocate(law, t2.Budget(train=1e21)).params)(2.0)
    assert float(slope) == pytest.approx(float(params), rel=1e-6)
