"""The contract: what every law can do with no other edit, once it is one of t2jax."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure

import t2jax as t2
from t2jax.laws.check import check_any_law
from t2jax.laws.loss.broken_power import BrokenPower
from t2jax.laws.pass_at_k.beta_tail import BetaTail
from t2jax.laws.pass_at_k.compute_pass_k import ComputePassK
from t2jax.laws.pass_at_k.t2_pass_k_naive import T2PassKNaive
from t2jax.planning.problem import inputs_at
from t2jax.plot.fit import predicted_observed
from t2jax.working_precision import scope
from tests.helpers.laws import LAWS, LOSS, budget_for, draw, measured, one_of

KEY = jax.random.key(0)


def _compositions_apart(laws: tuple[type[t2.Law], ...]) -> list[Any]:
    """The laws as parameters of a test; a law on another than its usual one compiles as long as both."""
    return [pytest.param(law, marks=pytest.mark.long) if "On" in law.__name__ else law for law in laws]


@pytest.mark.parametrize("law", [*_compositions_apart(LOSS), T2PassKNaive, BetaTail], ids=lambda law: law.__name__)
def test_fits_and_allocates_with_no_other_edit(law):
    """A fit to its own measurements predicts them, and no random feasible point beats the allocation of the fit.

    The laws of pass@k with a Beta link take long to compile: they are fitted below and allocated in `test_frontier`.
    """
    with jax.enable_x64(True):
        table = measured(law, one_of(draw(law, 5, seed=3), 4))
        fit = t2.fit(law, table, key=jax.random.key(0))
        assert fit.converged, fit.status
        rows: Any = {name: table[name] for name in table.columns}
        np.testing.assert_allclose(fit.law.predict(rows), rows[law.response[0]], rtol=1e-8)
        budget = t2.Budget(train=1e20, inference=1e6)
        if "N" not in law.inputs():
            with pytest.raises(ValueError, match=rf"{law.__name__} does not read N and D, so it has no optimum"):
                t2.allocate(fit.law, budget)
            return
        if law is BrokenPower:  # of compute alone
            plans = t2.frontier(fit.law, t2.Budget(train=np.geomspace(1e18, 1e25, 30)))
            assert not plans.ok.any() and "without optimum: the law is flat here" in plans.status
            return
        if more := set(law.inputs()) - {"N", "D", "k", "served_bits"}:
            with pytest.raises(ValueError, match=rf"reads .*{min(more)}.* too.*: .*give (its value|(Budget\()?\w+=)"):
                t2.allocate(fit.law, budget)
        budget = budget_for(law, train=1e20, inference=1e6)
        plan = t2.allocate(fit.law, budget)
        if law is ComputePassK:
            assert not plan.ok
            return
        assert plan.ok, plan.status
        assert 6 * plan.params * plan.tokens <= 1e20 * (1 + 1e-9) and 2 * plan.params * plan.samples <= 1e6 * (1 + 1e-9)
        rng = np.random.default_rng(6)
        n = np.exp(rng.uniform(0, np.log(4.9e5), 4000))
        d = np.exp(rng.uniform(0.5, 1, 4000) * np.log(1e20 / 6 / n))
        k = np.exp(rng.uniform(0, 1, 4000) * np.log(1e6 / 2 / n))

        def cost(n, d, k):
            return fit.law.cost(**inputs_at(fit.law, budget, n, d, k))

        assert cost(plan.params, plan.tokens, plan.samples) <= np.min(cost(n, d, k)) * (1 + 1e-12)


@pytest.mark.parametrize(
    "law", dict.fromkeys([*LAWS, BrokenPower, ComputePassK, T2PassKNaive, BetaTail]), ids=lambda law: law.__name__
)
def test_laws_pass_the_check_of_laws(law):
    """Fits check only the laws of users, so those of t2jax are checked here."""
    check_any_law(law)


@pytest.mark.long
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_laws_are_sampled_with_no_other_edit(law):
    """A short run on its own measurements, 1 % off: finite draws under the law's own names, predictions, a plan."""
    with jax.enable_x64(True):
        exact = measured(law, one_of(draw(law, 5, seed=3), 4))
    name = law.response[0]
    off = np.exp(0.01 * np.random.default_rng(8).standard_normal(len(exact)))
    table = exact.with_columns(**{name: np.minimum(exact[name] * off, 1.0 if name == "pass_at_k" else np.inf)})
    post = t2.sample(law, table, key=KEY, draws=20, warmup=50, chains=2)
    assert post.density is not None and set(post.density.names) == set(post.idata["posterior"].data_vars)
    for leaf in jax.tree.leaves(post.laws):
        assert leaf.shape == (40,) and np.all(np.isfinite(leaf))
    assert not post.converged and "effective" in post.status  # forty draws are too few, and it says so
    with scope():
        rows: Any = {column: jnp.asarray(table[column]) for column in table.columns}
        predicted = np.asarray(jax.jit(jax.vmap(lambda drawn: drawn.predict(rows)))(post.laws))
    assert np.median(np.abs(predicted / exact[name] - 1)) < 0.05
    fit = t2.fit(law, table, key=KEY, starts=32)  # eight do not find every ceiling at its edge
    assert fit.converged, fit.status
    boot = t2.bootstrap(fit, table, draws=4, key=KEY)
    assert all(leaf.shape == (4 - boot.failed,) for leaf in jax.tree.leaves(boot.laws))
    predicted_observed(Figure().subplots(), table[name], np.median(predicted, axis=0), quantity=name)
    if {"N", "D"} <= set(law.inputs()):
        assert t2.frontier(post.laws, budget_for(law, train=1e20, inference=1e10)).params.shape == (40,)
