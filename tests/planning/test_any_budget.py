"""Budgets beyond the paper's: closed forms, brute force, contradictions, derivatives and prices."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import t2jax as t2
from experiments.checks import frontier_check
from t2jax.laws.loss.chinchilla import Chinchilla
from t2jax.laws.pass_at_k.t2_loss import T2Loss
from t2jax.planning.plan import CONSTRAINTS, CONTRADICTORY, UNREACHABLE

LAW = Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
SAMPLED = T2Loss(E=1.5, A=480.0, B=2100.0, alpha=0.35, beta=0.37, G=0.5, gamma=0.3)


@pytest.mark.tiny
def test_end_to_end_budgets_are_not_beaten_by_grids_or_scipy():
    result = frontier_check.run(frontier_check.Config.tiny()).kinds[0]
    assert result.kind == "total" and result.solved == result.problems == 4 and result.beaten == 0
    assert result.close == 1 and result.difference < 1e-6 and result.gain < 1e-11
    assert result.kkt < 1e-10 and result.gap < 1e-8


def test_equal_bounds_hold_a_number():
    """One sample is Chinchilla's problem; a held length or size leaves what the budgets pay for; arrays hold too."""
    train, inference = 1e22, 2e11
    limits: Any = {"train": train, "inference": inference}
    once = t2.allocate(SAMPLED, t2.Budget(**limits, samples_max=1.0))
    single = Chinchilla(E=1.5, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
    with jax.enable_x64(True):
        n, d = (float(value) for value in single.optimum(train))
    assert (once.samples, once.params, once.tokens) == pytest.approx((1.0, n, d), rel=1e-9)
    assert once.status.startswith("optimal within bounds: limited by samples_max")
    # what one more sample is worth, by how the optimum with a few more is better
    buys = t2.planning.shadow_prices(SAMPLED, t2.Budget(**limits, samples_max=1.0)).buys
    more = [t2.allocate(SAMPLED, t2.Budget(**limits, samples_max=1.0 + step)).value for step in (1e-3, 2e-3)]
    worth = (float(once.value) * 1.5 - 2 * float(more[0]) + float(more[1]) / 2) / 1e-3
    assert buys["samples_max"] == pytest.approx(worth, rel=1e-4) and buys["samples_max"] > 0.1
    tokens = np.array([1e12, 1e13])  # so many that all of the training budget goes into them
    bounded = t2.frontier(SAMPLED, t2.Budget(**limits, tokens_min=tokens, tokens_max=tokens))
    np.testing.assert_allclose(bounded.tokens, tokens, rtol=1e-12)
    np.testing.assert_allclose(bounded.params, train / 6 / tokens, rtol=1e-9)
    np.testing.assert_allclose(bounded.samples, inference / 2 / bounded.params, rtol=1e-9)
    refused: Any = (
        (
            {"samples_min": 1.2, "samples_max": 1.8, "whole_samples": True},
            "no whole number lies between samples_min=1.2",
        ),
        (
            {"samples_min": 2.5, "samples_max": 2.5, "whole_samples": True},
            "no whole number lies between samples_min=2.5",
        ),
        ({"samples_max": 0.5}, "Budget.samples_max must be one sample at least, not 0.5"),
        ({"samples_min": 4.0, "samples_max": 2.0}, "Budget.samples_min=4 must be below Budget.samples_max=2, or equal"),
        (
            {f"{what}_{end}": 10.0 for what in ("params", "tokens", "samples") for end in ("min", "max")},
            "equal bounds fix params, tokens and samples, so there is nothing to choose",
        ),
    )
    for wrong, message in refused:
        with pytest.raises(ValueError, match=message):
            t2.Budget(**limits, **wrong)


def test_a_list_of_sizes_keeps_to_bounds_on_them():
    """The best of those inside, by the closed form of D and k; where none is, the bounds are named and no plan made."""
    sizes, train, inference = np.array([1e8, 1e9, 1e10]), 1e22, 2e11
    values = t2.evaluate(SAMPLED, params=sizes, tokens=train / 6 / sizes, samples=inference / 2 / sizes)
    caps: Any = {"params_min": np.array([1.0, 1.0, 2e9]), "params_max": np.array([1e20, 5e8, 5e9])}
    plan = t2.frontier(SAMPLED, t2.Budget(train=train, inference=inference, sizes=tuple(sizes), **caps))
    np.testing.assert_allclose(plan.params[:2], [sizes[np.argmin(values)], 1e8], rtol=1e-12)
    np.testing.assert_allclose(plan.value[:2], [values.min(), values[0]], rtol=1e-9)
    assert np.isnan(plan.params[2]) and plan.code[2] == CONTRADICTORY
    assert "no N, D and k satisfy these limits together: params_m" in plan.status
    with pytest.raises(ValueError, match="samples_min asks for 4 samples, but Chinchilla does not read k"):
        t2.allocate(LAW, t2.Budget(train=1e22, inference=2e11, samples_min=4))


@pytest.mark.long
def test_what_is_left_of_a_budget_is_told():
    """30 passes of 1e9 tokens still help and a thousand change nothing; capped N and D cannot use a budget either."""
    values = {"E": 1.7, "A": 400.0, "B": 2000.0, "alpha": 0.34, "beta": 0.37}
    repeated = t2.laws.DataConstrained(**values, R_D=15.0)
    at = t2.Budget(train=np.array([6e18 * 30, 6e18 * 4000]), unique_tokens=1e9, params_max=1e9)
    plan = t2.frontier(repeated, at)
    np.testing.assert_array_equal(plan.spare[:, CONSTRAINTS.index("train")], [False, True])
    assert plan.status.endswith("; in 1 of 2 not all of train is needed")
    with t2.precision("float32"):
        assert (
            "needed" not in t2.frontier(t2.laws.Chinchilla(**values), t2.Budget(train=np.geomspace(1e18, 1e26))).status
        )
    law = t2.laws.Chinchilla(**values)
    capped = t2.frontier(law, t2.Budget(train=1e22, params_max=1e9, tokens_max=1e10))
    assert (
        capped.status.endswith("; not all of train is needed") and "limited by params_max, tokens_max" in capped.status
    )
    served = t2.frontier(law, t2.Budget(total=1e22, queries=1e3, params_max=1e9, tokens_max=1e10))
    assert served.status.endswith("; not all of total is needed")
    assert "needed" not in t2.frontier(law, t2.Budget(total=1e22, queries=1e3)).status


def test_least_compute_for_a_target_is_the_frontier_read_backwards():
    """The loss that C reaches costs C; targets below E are unreachable, and caps that keep it away are named."""
    flops = np.array([1e20, 1e23, 1e24, 1e24])
    with jax.enable_x64(True):
        n, d = (np.asarray(values) for values in LAW.optimum(flops))
        losses = np.asarray(LAW(n, d))
    target = np.where(np.arange(4) == 2, 1.79, losses)
    caps: Any = {"params_max": np.array([1e20, 1e20, 1e20, 1e7]), "tokens_max": np.array([1e20, 1e20, 1e20, 1e9])}
    plan = t2.frontier(LAW, t2.Budget(target=target, **caps))
    np.testing.assert_allclose(plan.spent[:2], flops[:2], rtol=1e-10)
    np.testing.assert_allclose(plan.params[:2], n[:2], rtol=1e-9)
    np.testing.assert_allclose(plan.tokens[:2], d[:2], rtol=1e-9)
    assert plan.code[2] == UNREACHABLE and plan.code[3] == CONTRADICTORY
    assert np.isnan(plan.params[2:]).all() and np.isnan(plan.spent[2:]).all()
    assert "1 of 4 infeasible: the target is beyond what the law reaches" in plan.status
    assert "1 of 4 infeasible: no N, D and k satisfy these limits together: params_max, tokens_max, target" in (
        plan.status
    )


@pytest.mark.long
def test_elasticities_and_prices_of_chinchilla():
    """log N* rises by β/(α+β) in log C, and by 1/(α+β) in log A; the loss falls by its multiplier over C."""
    budget = t2.Budget(train=1e24)
    result = t2.planning.elasticities(LAW, budget)
    assert list(result.params) == ["E", "A", "B", "alpha", "beta", "train"]
    assert result.params["train"] == pytest.approx(0.37 / 0.72, rel=1e-9)
    assert result.tokens["train"] == pytest.approx(0.35 / 0.72, rel=1e-9)
    assert result.params["A"] == pytest.approx(1 / 0.72, rel=1e-9)
    assert result.params["E"] == pytest.approx(0.0, abs=1e-12)
    prices = t2.planning.shadow_prices(LAW, budget)
    assert prices.buys["train"] == pytest.approx(-result.value["train"] * result.plan.value / 1e24, rel=1e-9)
    with pytest.raises(ValueError, match="inference has no price here: the binding limits of this budget are train"):
        prices.exchange("train", "inference")
    with (
        pytest.raises(ValueError, match="inference has no price"),
        pytest.warns(DeprecationWarning, match="exchange: one is now limit; the old name is removed"),
    ):
        prices.exchange(one="train", other="inference")  # pyright: ignore[reportCallIssue]


def rented(price: float, prompt: float) -> dict[str, Any]:
    chip = t2.accelerator("H100", price=price)
    shape = t2.Shape(kv_share=0.125)
    serving = t2.Serving(prompt=prompt, generated=500.0, shape=shape, batch=32.0, on=chip)
    return {"training": t2.Training(shape, 4096.0, chip), "serving": serving}


@pytest.mark.long
def test_targets_spending_and_queries_undo_each_other():
    """What total and queries reach costs that total as a target, and allows those queries; so for a roofline too."""
    for costs in ({}, rented(2.5, 1000.0)):
        total, queries = (1e22, 1e10) if not costs else (1e7, 1e9)
        best = t2.allocate(SAMPLED, t2.Budget(total=total, queries=queries, **costs))
        back = t2.allocate(SAMPLED, t2.Budget(target=best.value, queries=queries, **costs))
        most = t2.allocate(SAMPLED, t2.Budget(target=best.value, total=total, **costs))
        assert best.ok and back.ok and most.ok
        assert back.spent == pytest.approx(total, rel=1e-9) and most.queries == pytest.approx(queries, rel=1e-8)
        for name in ("params", "tokens", "samples"):
            for other in (back, most):
                assert getattr(other, name) == pytest.approx(getattr(best, name), rel=1e-7)


@pytest.mark.long
def test_explicit_costs_of_the_paper_change_nothing():
    paper = t2.Budget(train=1e22, inference=np.geomspace(1e9, 1e13, 5))
    same = t2.Budget(train=1e22, inference=np.geomspace(1e9, 1e13, 5), training=t2.Training(), serving=t2.Serving())
    ours, theirs = t2.frontier(SAMPLED, paper), t2.frontier(SAMPLED, same)
    for name in ("params", "tokens", "samples", "value", "shadow_prices"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-9, atol=1e-12)


@pytest.mark.long
def test_derivatives_through_an_end_to_end_budget():
    """Forward and reverse mode and second derivatives against central differences, of log N, D, k in law and budget."""
    x = np.array([*SAMPLED.values().values(), 1e22, 1e10])

    def log_answers(logs):
        x = jnp.exp(logs)
        law = T2Loss(**dict(zip(SAMPLED.values(), x[:7], strict=True)))
        plan = t2.allocate(law, t2.Budget(total=x[7], queries=x[8]))
        return jnp.log(jnp.stack([plan.params, plan.tokens, plan.samples]))

    with jax.enable_x64(True):
        logs = jnp.log(jnp.asarray(x))
        steps = 1e-4 * np.eye(9)
        pairs = [s * a + t * b for a in 20 * steps for b in 20 * steps for s in (1, -1) for t in (1, -1)]
        moved = np.asarray(jax.jit(jax.vmap(log_answers))(logs[None] + np.stack([*steps, *-steps, *pairs])))
        slopes = (moved[:9] - moved[9:18]).T / 2e-4
        mixed = moved[18:].reshape(9, 9, 4, 3)
        bends = (mixed[:, :, 0] - mixed[:, :, 1] - mixed[:, :, 2] + mixed[:, :, 3]) / (4 * 2e-3**2)
        for jacobian in (jax.jacfwd, jax.jacrev):
            np.testing.assert_allclose(jax.jit(jacobian(log_answers))(logs), slopes, rtol=1e-6, atol=1e-7)
        hessian = jax.jit(jax.hessian(lambda logs: log_answers(logs)[0]))(logs)
        np.testing.assert_allclose(hessian, bends[:, :, 0], rtol=1e-4, atol=1e-4)
    assert np.all(np.abs(slopes[:, 1:]) > 1e-3) and np.max(np.abs(hessian)) > 1


@pytest.mark.long
@pytest.mark.parametrize("kind", [kind for kind in frontier_check.KINDS if kind != "total"])
def test_every_kind_against_grids_and_scipy(kind):
    config = frontier_check.Config(laws=4, points=40, whole_grids=1, kinds=(kind,))
    for result in frontier_check.run(config).kinds:
        assert result.problems == 4 and result.solved >= 3 and result.beaten == 0 and result.refused_wrongly == 0
        assert result.gain < 1e-9


@pytest.mark.long
def test_delta_band_of_a_fit_to_simulated_runs():
    """As wide as the bootstrap's within a third, and about the same optimum."""
    key = jax.random.key(0)
    truth = t2.laws.Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
    rng = np.random.default_rng(0)
    n, d = np.exp(rng.uniform(np.log(1e8), np.log(1e10), 200)), np.exp(rng.uniform(np.log(1e9), np.log(1e12), 200))
    loss = np.asarray(truth(n, d)) * np.exp(0.003 * rng.normal(size=200))
    runs = t2.Table(pd.DataFrame({"params": n, "tokens": d, "loss": loss}))
    fit = t2.fit(t2.laws.Chinchilla, runs, noise=t2.noise.Gaussian(), key=key)
    budget = t2.Budget(train=1e23)
    ours = t2.planning.delta_band(fit, budget)
    boot = t2.bootstrap(fit, runs, draws=400, key=key)
    spread = np.std(np.log(t2.frontier(boot.laws, budget).params))
    assert ours.errors["params"] == pytest.approx(spread, rel=0.33)
    assert ours.params.low < ours.plan.params < ours.params.high
    assert np.log(ours.params.high / ours.params.low) == pytest.approx(2 * 1.6448536 * ours.errors["params"], rel=1e-6)
    with pytest.raises(ValueError, match="level must be between 0 and 1"):
        t2.planning.delta_band(fit, budget, level=90.0)
