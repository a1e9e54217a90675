"""Which run next: updates against brute force, closed-form designs, gradients, and what is told about bad input."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import t2jax as t2
from experiments.benchmarks import next_run
from t2jax.fitting.identification import Identification
from t2jax.fitting.problem import prepare
from t2jax.planning.next_runs.choice import covariance_with, greedy, log_variance, reductions
from t2jax.planning.next_runs.information import inform
from t2jax.planning.next_runs.next_runs import final_log_variance

LAW = t2.laws.Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
BUDGET = t2.Budget(train=1e23)
SCALE = 0.005
PARAMS = np.tile(np.geomspace(2e7, 1e9, 4), 2)
TOKENS = np.geomspace(2e9, 2e10, 8)
PRIORS = np.array([1.0, 2.0, 2.0, 0.5, 0.5])  # of the logs of E, A, B, alpha, beta: the law's own


def losses(params, tokens):
    return LAW.E + LAW.A * params**-LAW.alpha + LAW.B * tokens**-LAW.beta


def table_of(params, tokens) -> t2.Table:
    wiggle = np.exp(SCALE * np.random.default_rng(3).standard_normal(len(params)))
    return t2.Table.from_columns(params=params, tokens=tokens, loss=losses(params, tokens) * wiggle)


TABLE = table_of(PARAMS, TOKENS)


@pytest.fixture(scope="module")
def fit() -> t2.Fit:
    """A fit as if it had found the law itself, so that the numbers are known."""
    problem, _ = prepare(t2.laws.Chinchilla, TABLE, t2.noise.Gaussian("log"), {})
    identified = Identification(5, {}, (), (), {})
    return t2.Fit(LAW, 0.0, 0.0, True, "converged", 1, 1.0, identified, {}, problem, TABLE)


def slopes_by_hand(params, tokens) -> np.ndarray:
    """Of the log of the loss in the logs of E, A, B, alpha, beta, over the scale: (runs, 5)."""
    size, data, total = LAW.A * params**-LAW.alpha, LAW.B * tokens**-LAW.beta, losses(params, tokens)
    terms = [0 * size + LAW.E, size, data, -size * LAW.alpha * np.log(params), -data * LAW.beta * np.log(tokens)]
    return np.stack(terms, axis=1) / total[:, None] / SCALE


def variance_by_hand(params, tokens) -> float:
    """Of log N*: N* = G·(C/6)^(β/(α+β)), G = (αA/(βB))^(1/(α+β)) (Hoffmann et al. 2022, eq. 4)."""
    a, b, x = LAW.alpha, LAW.beta, np.log(1e23 / 6)
    log_g = np.log(a * LAW.A / (b * LAW.B))
    by_alpha = (1 / a - (log_g + b * x) / (a + b)) / (a + b) * a
    by_beta = (-1 / b + x - (log_g + b * x) / (a + b)) / (a + b) * b
    g = np.array([0.0, 1 / (a + b), -1 / (a + b), by_alpha, by_beta])
    rows = slopes_by_hand(params, tokens)
    return float(g @ np.linalg.solve(np.diag(PRIORS**-2.0) + rows.T @ rows, g))


def random_problem(seed: int = 0):
    random = np.random.default_rng(seed)
    half = random.standard_normal((3, 4, 6))
    return half @ half.transpose(0, 2, 1), random.standard_normal((3, 4)), random.standard_normal((3, 5, 4))


def test_update_of_rank_one_is_the_inverse_computed_anew():
    information, slopes, rows = random_problem()

    def brute(information):
        return np.mean(np.log([g @ np.linalg.solve(m, g) for m, g in zip(information, slopes, strict=True)]))

    after = [information + row[:, :, None] * row[:, None, :] for row in rows.transpose(1, 0, 2)]
    with jax.enable_x64(True):
        covariance, g, j = (jnp.asarray(matrix) for matrix in (np.linalg.inv(information), slopes, rows))
        assert float(log_variance(covariance, g)) == pytest.approx(brute(information), rel=1e-10)
        result = np.asarray(reductions(covariance, g, j))
        moved = np.asarray(covariance_with(covariance, j[:, 2]))
    np.testing.assert_allclose(result, [brute(information) - brute(updated) for updated in after], rtol=1e-9)
    np.testing.assert_allclose(moved, np.linalg.inv(after[2]), rtol=1e-8)


def test_a_straight_line_is_extrapolated_from_its_ends():
    """Hoel & Levine 1964: to predict at x0 > 1 from [-1, 1] weigh the ends (x0 + 1) to (x0 - 1); n·variance = x0²."""
    x, target, count = np.linspace(-1, 1, 21), 2.0, 200
    with jax.enable_x64(True):
        rows = jnp.asarray(np.stack([np.ones(21), x], axis=1)[None])
        slopes = jnp.asarray([[1.0, target]])
        start = 1e4 * jnp.eye(2)[None]
        cost = jnp.zeros(21)
        picks, end = greedy(start, slopes, rows, cost, jnp.asarray(np.inf), jnp.asarray(1.0), count)
        # the upper half at three times the price: for what is paid, weights are |l|/√c of Elfving's vector l
        dear = jnp.asarray(np.where(x > 0, 3.0, 1.0))
        priced, _ = greedy(start, slopes, rows, dear, jnp.asarray(300.0), jnp.asarray(0.0), count)
    assert set(np.asarray(picks)) == {0, 20}
    assert np.mean(np.asarray(picks) == 20) == pytest.approx((target + 1) / (2 * target), abs=0.01)
    assert count * np.exp(float(end)) == pytest.approx(target**2, rel=2e-3)
    chosen = np.asarray(priced)[np.asarray(priced) >= 0]
    assert np.sum(np.asarray(dear)[chosen]) <= 300 and set(chosen) == {0, 20}
    ratio = np.sum(chosen == 20) / np.sum(chosen == 0)
    assert ratio == pytest.approx((target + 1) / (target - 1) / np.sqrt(3), rel=0.05)


@pytest.fixture(scope="module")
def listed(fit) -> t2.planning.NextRuns:
    candidates = t2.Table.from_columns(params=CANDIDATES[0], tokens=CANDIDATES[1])
    return t2.next_runs(fit, TABLE, BUDGET, candidates=candidates, count=3, compute=2.1e21, scale=SCALE, laws=LAWS)


CANDIDATES = np.array([1e8, 1e9, 1e10, 3e8, 5e9]), np.array([1e12, 1e11, 1e10, 5e11, 2e10])
LAWS = jax.tree.map(np.atleast_1d, LAW)


def test_variances_of_listed_runs_are_those_computed_by_hand(listed):
    params, tokens = CANDIDATES
    assert listed.before == pytest.approx(variance_by_hand(PARAMS, TOKENS), rel=1e-7)
    after = [variance_by_hand(np.append(PARAMS, n), np.append(TOKENS, d)) for n, d in zip(params, tokens, strict=True)]
    np.testing.assert_allclose(listed.gain, np.log(listed.before / np.array(after)), rtol=1e-6)
    np.testing.assert_allclose(listed.candidate_cost, 6 * params * tokens, rtol=1e-12)
    for i, after in enumerate(listed.after, start=1):
        places = np.append(PARAMS, listed.params[:i]), np.append(TOKENS, listed.tokens[:i])
        assert after == pytest.approx(variance_by_hand(*places), rel=1e-6)
    assert listed.cost.sum() <= 2.1e21 and len(listed.cost) == 3 and np.all(np.diff(listed.after) < 0)
    # no three of the list that are paid for are better by much: greedy is no search
    triples = [(i, j, k) for i in range(5) for j in range(i, 5) for k in range(j, 5)]
    paid = [np.array(t) for t in triples if 6 * (params * tokens)[list(t)].sum() <= 2.1e21]
    best = min(variance_by_hand(np.append(PARAMS, params[t]), np.append(TOKENS, tokens[t])) for t in paid)
    assert listed.after[-1] <= 1.1 * best
    assert (
        f"N* at the target falls from {np.sqrt(listed.before):.1%} to {np.sqrt(listed.after[-1]):.1%}" in listed.status
    )


@pytest.mark.long
def test_compute_that_is_left_is_told(fit):
    runs = t2.Table.from_columns(params=[1e8, 1e9], tokens=[1e10, 1e10])  # 6e18 and 6e19 FLOPs
    budget = {"candidates": runs, "scale": SCALE, "laws": LAWS}
    single = t2.next_runs(fit, TABLE, BUDGET, count=1, compute=1e20, **budget)
    assert single.status.endswith(f"; {1e20 - single.cost[0]:.3g} FLOPs are left: 1 run was asked for at most")
    many = t2.next_runs(fit, TABLE, BUDGET, count=9, compute=6.4e19, **budget)
    left = 6.4e19 - many.cost.sum()
    assert 0.01 * 6.4e19 < left < 6e18
    assert many.status.endswith(f"; {left:.3g} FLOPs are left: the cheapest candidate costs 6e+18")


def test_gradient_of_the_criterion_is_its_difference(fit):
    places = {"params": CANDIDATES[0][:2], "tokens": CANDIDATES[1][:2]}
    information, _, _ = inform(fit, TABLE, BUDGET, "params", SCALE, LAWS)

    @jax.jit
    def criterion(x):
        return final_log_variance(information, {"params": jnp.exp(x[:2]), "tokens": jnp.exp(x[2:])})

    with jax.enable_x64(True):
        x = jnp.log(jnp.concatenate([places["params"], places["tokens"]]))
        slope = np.asarray(jax.grad(criterion)(x))
        ends = [(float(criterion(x + h)), float(criterion(x - h))) for h in 1e-4 * np.eye(4)]
        reached = float(np.exp(criterion(x)))
    np.testing.assert_allclose(slope, [(up - down) / 2e-4 for up, down in ends], rtol=1e-6, atol=1e-8)
    added = [np.append(old, new) for old, new in zip((PARAMS, TOKENS), places.values(), strict=True)]
    assert reached == pytest.approx(variance_by_hand(*added), rel=1e-6)


def test_bad_input_gets_one_sentence(fit):
    def refused(match: str, **options: Any) -> None:
        given: dict[str, Any] = {"fit": fit, "table": TABLE, "budget": BUDGET} | options
        with pytest.raises(ValueError, match=match) as caught:
            t2.next_runs(given.pop("fit"), given.pop("table"), given.pop("budget"), **given)
        assert "\n" not in str(caught.value)

    refused(r"compute of 1e\+15 does not pay for the cheapest candidate, which costs 2\.\d+e\+17 FLOPs", compute=1e15)
    refused("count must be at least one run, not 0", count=0)
    refused("scale must be positive, not -1", scale=-1.0)
    refused("one budget", scale=SCALE, budget=t2.Budget(train=np.array([1e22, 1e23])), laws=LAWS)
    with pytest.raises(ValueError, match=r"cost_min=1e\+21 must not be above Region.cost_max=1e\+19"):
        t2.planning.Region(1e21, 1e19)
    with pytest.raises(t2.TableError, match=r"no rows below the column names"):
        t2.Table.from_columns(params=[], tokens=[])


@pytest.mark.long
def test_no_optimum_at_the_target_and_no_scale_are_told(fit):
    with pytest.raises(ValueError, match="5 rows cannot determine the scatter of measurements"):
        t2.next_runs(fit, TABLE.where(np.arange(8) < 5), BUDGET)
    with pytest.raises(ValueError, match=r"no optimum at the target to plan for .*does not pay for one token"):
        t2.next_runs(fit, TABLE, t2.Budget(train=1.0), scale=SCALE, laws=LAWS)


def test_an_answer_that_no_run_can_move_is_told():
    """Without a price of samples k* is one, whatever is measured."""
    grid = np.meshgrid(np.geomspace(1e7, 1e9, 4), np.geomspace(1e9, 5e10, 4), [1.0, 8.0])
    params, tokens, samples = (axis.ravel() for axis in grid)
    law = t2.laws.T2Loss(E=0.6, A=300.0, B=1500.0, alpha=0.34, beta=0.35, G=0.8, gamma=0.35)
    cost = t2.evaluate(law, params=params, tokens=tokens, samples=samples)
    cost = cost * np.exp(0.005 * np.random.default_rng(0).normal(size=len(params)))
    rows = t2.Table.from_columns(params=params, tokens=tokens, samples=samples, neg_log_pass=cost)
    fit = t2.fit(t2.laws.T2Loss, rows, key=jax.random.key(0))
    with pytest.raises(ValueError, match="'samples' at the target does not depend on the law's parameters, so no run"):
        t2.next_runs(fit, rows, t2.Budget(train=1e22), of="samples", count=1)


@pytest.mark.long
def test_runs_in_a_region_beat_the_list_and_stay_inside(fit, listed):
    region = t2.planning.Region(1e18, 1e21, 0.5, 2e4)
    result = t2.next_runs(fit, TABLE, BUDGET, candidates=region, count=3, compute=2.1e21, scale=SCALE, laws=LAWS)
    assert result.after[-1] < listed.after[-1] and result.cost.sum() <= 2.1e21 * (1 + 1e-9)
    ratio = result.tokens / result.params
    assert np.all((ratio > 0.499999) & (ratio < 20001)) and np.all(result.cost < 1.0001e21)
    places = np.append(PARAMS, result.params), np.append(TOKENS, result.tokens)
    assert result.after[-1] == pytest.approx(variance_by_hand(*places), rel=1e-6)
    # no run can be moved along its cost to where it is worth more
    for i in range(len(result.params)):
        for factor in (0.97, 1.03):
            n, d = result.params.copy(), result.tokens.copy()
            n[i], d[i] = n[i] * factor, d[i] / factor
            if 0.5 <= d[i] / n[i] <= 2e4:
                assert variance_by_hand(np.append(PARAMS, n), np.append(TOKENS, d)) >= result.after[-1] * (1 - 1e-4)


@pytest.mark.long
def test_laws_side_by_side_are_averaged_in_log_variance(fit):
    other = t2.laws.Chinchilla(E=1.7, A=400.0, B=1500.0, alpha=0.34, beta=0.35)
    candidates = t2.Table.from_columns(params=CANDIDATES[0], tokens=CANDIDATES[1])

    def chosen_for(*laws: t2.laws.Chinchilla) -> t2.planning.NextRuns:
        batch = jax.tree.map(lambda *leaves: np.stack(leaves), *laws)
        return t2.next_runs(fit, TABLE, BUDGET, candidates=candidates, scale=SCALE, laws=batch)

    both, first, second = chosen_for(LAW, other), chosen_for(LAW), chosen_for(other)
    assert both.before == pytest.approx(np.sqrt(first.before * second.before), rel=1e-10)
    np.testing.assert_allclose(both.gain, (first.gain + second.gain) / 2, rtol=1e-10)


@pytest.mark.long
def test_rows_of_one_data_size_are_opened_by_another():
    """With one D nothing tells B from E, nor β: the variance is the prior's, and only other D lower it."""
    table = table_of(np.geomspace(2e7, 1e9, 8), np.full(8, 2e9))
    candidates = t2.Table.from_columns(params=[1e9, 5e9, 1e8], tokens=[2e9, 2e9, 1e11])
    fit = t2.fit(t2.laws.Chinchilla, table, noise=t2.noise.Gaussian("log"), key=jax.random.key(0), starts=2)
    result = t2.next_runs(fit, table, BUDGET, candidates=candidates, scale=SCALE)
    assert "the priors are stronger than the rows in 2 of 5 directions (E, B, beta)" in result.status
    assert result.status.endswith("without the priors the variance would be infinite")
    assert result.tokens == [1e11] and result.after[0] < 0.8 * result.before
    assert np.isfinite(result.before) and result.gain[2] > 10 * result.gain[0]


@pytest.mark.tiny
def test_experiment(tmp_path):
    result = next_run.run(next_run.Config.tiny())
    by = {way.name: way for way in result.ways}
    for name, (params, tokens) in result.examples.items():
        flops = 6 * params * tokens
        assert flops.sum() <= result.compute * 1.002 and flops.sum() > 0.9 * result.compute, name
        assert flops.min() > 0.999e18 and flops.max() < 1.001e21 and np.all(tokens / params < 1000.01), name
    assert len(result.examples[next_run.OURS][0]) == len(result.examples[next_run.GRID][0]) == 36
    assert by[next_run.OURS_MANY].error < 0.3
    assert any("of the grid's median" in line for line in next_run.words(result))
    next_run.figures(result)["errors"].savefig(tmp_path / "errors.png")
