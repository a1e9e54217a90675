"""Plans without an oracle, beside a grid over the whole feasible box; every problem is random."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import t2jax as t2
from t2jax.laws import AbstainingVerifier, Oracle, T2PassK, Verifier

COUNT = 20
TRAIN, INFERENCE = 1e22, 2e12


def random_values() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)

    def spread(low: float, high: float) -> np.ndarray:
        return np.exp(random.uniform(np.log(low), np.log(high), COUNT))

    values = {"E": spread(0.5, 2.0), "A": spread(100.0, 2000.0), "B": spread(100.0, 5000.0)}
    values |= {"alpha": spread(0.25, 0.5), "beta": spread(0.25, 0.5), "theta0": random.uniform(1, 3, COUNT)}
    values |= {"theta1": random.uniform(1, 2.5, COUNT), "theta2": random.uniform(0.3, 0.9, COUNT)}
    values |= {"theta3": random.uniform(-1, 1, COUNT), "theta4": random.uniform(-0.6, 0.3, COUNT)}
    return values | {"true_positive": spread(0.6, 0.99), "false_positive": spread(3e-3, 0.3)}


@jax.jit
def on_grid(law: t2.Law, n: jax.Array, d: jax.Array, k: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The success of a law, and the samples that it draws if it stops, at places."""
    return jnp.exp(-law.cost(n, d, k)), law.expected_samples(n, d, k)


@pytest.mark.parametrize("stops", [False, pytest.param(True, marks=pytest.mark.long)], ids=["all k", "stops"])
def test_no_place_of_a_grid_is_better(stops):
    """Without an answer a system may be better off with fewer samples; one that stops pays for those it draws."""
    values = random_values()
    silent = {} if stops else {"abstention": np.random.default_rng(1).uniform(0, 0.8, COUNT)}
    laws = T2PassK.on(Verifier if stops else AbstainingVerifier)(**values, **silent)
    caps: Any = {"samples_max": 1e5} if stops else {}
    plan = t2.frontier(laws, t2.Budget(train=TRAIN, inference=INFERENCE, stops=stops, **caps))
    assert plan.ok.sum() >= COUNT - 1, plan.status  # one model is best alone at no size: the law is flat there
    axes = np.geomspace(3e6, 1e12, 24), np.geomspace(0.05, 1, 4), np.linspace(0, 1, 24)
    n, part, depth = (axis.ravel() for axis in np.meshgrid(*axes))
    d, most = part * TRAIN / (6 * n), np.maximum(INFERENCE / (2 * n), 1.0)
    k = (np.full_like(most, 1e5) if stops else most) ** depth
    with jax.enable_x64(True):
        for i in np.flatnonzero(plan.ok):
            law = jax.tree.map(lambda leaf, i=i: jnp.asarray(leaf[i], float), laws)
            success, drawn = (np.asarray(column) for column in on_grid(law, n, d, k))
            allowed = 2 * n * (drawn if stops else k) <= INFERENCE
            assert success[allowed].max() <= plan.value[i] * (1 + 1e-9)
            at_plan, paid = on_grid(law, *(jnp.asarray([x[i]]) for x in (plan.params, plan.tokens, plan.samples)))
            assert float(at_plan[0]) == pytest.approx(float(plan.value[i]), rel=1e-9)
            assert 2 * plan.params[i] * float(paid[0] if stops else plan.samples[i]) <= INFERENCE * (1 + 1e-9)


def test_stopping_needs_a_selection_that_accepts_single_samples():
    loss = t2.laws.Chinchilla(E=0.5, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
    with pytest.raises(ValueError, match=r"Budget\.stops needs a law with a selection, .*; T2Loss has none"):
        t2.allocate(t2.laws.T2Loss(loss=loss, G=0.8, gamma=0.5), t2.Budget(train=1e21, inference=1e11, stops=True))


def test_samples_until_an_oracle_accepts_are_a_ratio_of_beta_functions():
    """E[(1 - (1-p)^k)/p] is the sum of E[(1-p)^j] over j < k, of which each is B(a, b+j)/B(a, b)."""
    with jax.enable_x64(True):
        fails = [1.0, *(float(jnp.exp(t2.special.log_fail_at_k_beta(0.4, 3.0, float(j)))) for j in range(1, 12))]
        assert float(Oracle().expected_samples(0.4, 3.0, 12.0)) == pytest.approx(sum(fails), rel=1e-11)
