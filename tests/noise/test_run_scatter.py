"""Runs that scatter about the law: the likelihood against SciPy's quadrature, and a scatter that is found again."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln, logsumexp

import t2jax as t2
from t2jax.laws.pass_at_k.t2_pass_k import T2PassK
from t2jax.noise.counts import BetaBinomial
from t2jax.noise.joint import Joint
from t2jax.noise.run_scatter import RunScatter, deviated, run_rows
from t2jax.posterior.deviations_of_runs import run_deviations
from t2jax.tables.place import TableError
from t2jax.working_precision import scope

LAW = T2PassK(
    E=0.0, A=4000.0, alpha=0.42, B=18000.0, beta=0.4, theta0=1.0, theta1=1.0, theta2=0.9, theta3=1.5, theta4=0.1
)
GRID = [x.ravel() for x in np.meshgrid(np.geomspace(1e8, 1e10, 5), np.geomspace(1e10, 1e12, 4))]


def counts(tau: float, questions: int, trials: int, seed: int = 0) -> tuple[t2.Table, np.ndarray]:
    """Twenty runs with `questions` questions each, and how far off the law each run is, in τ."""
    rng = np.random.default_rng(seed)
    with scope():
        a, b = (np.asarray(x) for x in LAW.questions(*map(jnp.asarray, GRID)))
    off, size = rng.standard_normal(len(a)), a + b
    mean, _ = moved(a / size, tau, off)
    chance = rng.beta((mean * size)[:, None], ((1 - mean) * size)[:, None], (len(a), questions))
    params, tokens = (np.repeat(x, questions) for x in GRID)
    correct = rng.binomial(trials, chance).ravel().astype(float)
    model = np.repeat([f"m{i:02d}" for i in range(len(a))], questions)
    question = np.tile(np.arange(questions).astype(str), len(a))
    table = t2.Table.from_columns(
        model=model,
        question=question,
        params=params,
        tokens=tokens,
        trials=np.full(len(correct), float(trials)),
        correct=correct,
    )
    return table, off


def moved(mean, tau, z):
    """Of a run z standard deviations off, the mean and the rest: the angle whose place on the line of z is z further.

    The place of an angle is where τ (ln(1 + e^x) - ln(1 + e^(x - π/2τ))) is it, found by halving.
    """
    end = np.pi / 2 / tau

    def angle(x):
        return tau * (np.logaddexp(0.0, x) - np.logaddexp(0.0, x - end))

    low, high = np.full(np.shape(mean), -700.0), np.full(np.shape(mean), 700.0 + end)
    for _ in range(80):
        middle = 0.5 * (low + high)
        below = angle(middle) < np.arcsin(np.sqrt(mean))
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    x = low + z
    left = tau * (np.logaddexp(0.0, end - x) - np.logaddexp(0.0, -x))
    return np.sin(angle(x)) ** 2, np.sin(left) ** 2


def ours(table: t2.Table, tau: float) -> np.ndarray:
    """The log-likelihood of each run."""
    data = run_rows(T2PassK, table)
    with scope():
        rows = {name: jnp.asarray(column) for name, column in data.columns.items()}
        return np.asarray(DENSITY(LAW, rows, {"tau": jnp.asarray(tau)}))


DENSITY = jax.jit(RunScatter().log_density)


def log_betabinom(c, n, a, b):
    """Products of (a+i)(b+i)/(a+b+i): SciPy's, through differences of betaln, gives up on parameters of 1e-20."""
    total = gammaln(n + 1) - gammaln(c + 1) - gammaln(n - c + 1)
    for i in range(int(n.max())):
        total = total + (i < c) * np.log(a + i) + (i < n - c) * np.log(b + i) - (i < n) * np.log(a + b + i)
    return total


def by_quadrature(table: t2.Table, tau: float) -> np.ndarray:
    """The same by an even sum over z: the integrand is smooth and ends at nothing."""
    results = []
    with scope():
        a, b = (np.asarray(x) for x in LAW.questions(jnp.asarray(table["params"]), jnp.asarray(table["tokens"])))
    weight = table.weights()
    z = np.linspace(-60.0, 60.0, 24001)[:, None]
    for m in range(table.runs().max() + 1):
        mine = table.runs() == m
        counts = np.stack([table["trials"][mine], table["correct"][mine]])
        (n, c), which = np.unique(counts, axis=1, return_inverse=True)
        middle, size = a[mine][0] / (a + b)[mine][0], (a + b)[mine][0]
        mean, rest = moved(middle, tau, z)
        log_likelihoods = log_betabinom(c, n, mean * size, rest * size) @ np.bincount(which.ravel(), weight[mine])
        results.append(logsumexp(log_likelihoods + stats.norm.logpdf(z[:, 0])) + np.log(120.0 / 24000))
    return np.array(results)


@pytest.mark.parametrize(("tau", "questions", "trials"), [(0.02, 60, 10), (0.2, 60, 10), (0.05, 200, 20), (0.1, 3, 1)])
def test_the_likelihood_is_the_integral_over_the_deviation(tau, questions, trials):
    table, _ = counts(tau, questions, trials)
    few = table.where(np.isin(table["model"], ["m00", "m07", "m19"]))
    np.testing.assert_allclose(ours(few, tau), by_quadrature(few, tau), atol=2e-5)


@pytest.mark.parametrize("tau", [0.005, 0.05, 0.2])
@pytest.mark.parametrize("kind", ["none", "all", "half"])
def test_runs_far_off_the_law(tau, kind):
    """As a sampler meets them on its way: nothing solved, everything, or half of the questions always."""
    table, _ = counts(tau, 40, 10)
    solved = {"none": 0.0, "all": 10.0, "half": 10.0 * (np.arange(len(table)) % 2)}[kind]
    off = table.with_columns(correct=np.full(len(table), 0.0) + solved)
    few = off.where(np.isin(off["model"], ["m00", "m07", "m19"]))
    np.testing.assert_allclose(ours(few, tau), by_quadrature(few, tau), atol=1e-4)


def test_weights_count_questions():
    table, _ = counts(0.05, 6, 4)
    few = table.where(table["model"] <= "m02")
    twice = t2.Table(few.to_frame().assign(weight=2.0))
    np.testing.assert_allclose(ours(twice, 0.05), by_quadrature(twice, 0.05), atol=1e-5)


def test_without_scatter_it_is_the_beta_binomial():
    table, _ = counts(0.5, 20, 10)
    with scope():
        rows = {name: jnp.asarray(table[name]) for name in ("params", "tokens", "trials", "correct")}
        by_row = np.asarray(BetaBinomial().log_density(LAW, rows, {}))
    np.testing.assert_allclose(ours(table, 1e-6), np.bincount(table.runs(), by_row), atol=1e-6)


@pytest.mark.long
def test_scatter_is_found_again_and_so_are_the_runs():
    """Of 20 runs τ is known within a factor of about 1.4; each run's deviation within its own questions' error."""
    table, off = counts(0.1, 100, 10)
    fixed = {name: value for name, value in LAW.values().items() if name != "theta0"}
    post = t2.sample(
        T2PassK, table, RunScatter(), key=jax.random.key(0), fixed=fixed, draws=300, warmup=200, chains=2, accept=0.8
    )
    assert max(post.diagnosis.r_hat.values()) < 1.02
    assert np.asarray(post.idata["posterior"]["theta0"]).mean() == pytest.approx(1.0, abs=0.4)  # 0.5 / √20 and more
    tau = np.asarray(post.idata["posterior"]["tau"]).ravel()
    assert 0.07 < np.median(tau) < 0.15
    assert post.idata["log_likelihood"]["pass_at_k"].dims == ("chain", "draw", "run")
    few = jax.tree.map(lambda leaf: np.repeat(leaf, 400), LAW)
    result = run_deviations(few, np.full(400, 0.1), table, key=jax.random.key(1))
    away = (result.mean(axis=0) - off) / result.std(axis=0)
    assert result.shape == (400, 20) and np.abs(away).max() < 4 and 0.6 < np.std(away) < 1.5
    assert np.corrcoef(result.mean(axis=0), off)[0, 1] > 0.95


def test_deviations_have_the_distribution_that_quadrature_gives():
    """At two answers of one trial the deviation is far from normal: its distribution function, point by point."""
    table, _ = counts(0.5, 2, 1)
    run = table.where(model="m19")
    draws = 20000
    laws = jax.tree.map(lambda leaf: np.repeat(leaf, draws), LAW)
    result = run_deviations(laws, np.full(draws, 0.3), run, key=jax.random.key(0))[:, 0]
    with scope():
        a, b = (np.asarray(x) for x in LAW.questions(jnp.asarray(run["params"]), jnp.asarray(run["tokens"])))
    z = np.linspace(-8.0, 8.0, 4001)
    mean, _ = moved((a / (a + b))[:, None], 0.3, z)
    density = np.prod(np.where(run["correct"][:, None] > 0, mean, 1 - mean), axis=0) * stats.norm.pdf(z)
    exact = np.cumsum(density) / density.sum()
    for at in (-1.0, 0.0, 0.5, 1.0, 2.0):
        assert np.mean(result < at) == pytest.approx(np.interp(at, z, exact), abs=0.02)


def test_a_deviation_has_the_variance_of_a_share():
    """To first order sd(p) = 2τ √(p (1 - p)), and half as much for each √ of a share; sums of the Beta stay."""
    for a, b in ((2.0, 6.0), (30.0, 3.0), (1.0, 1.0)):
        with scope():
            a_there, b_there = (np.asarray(x) for x in deviated(a, b, 1e-4, np.array([-1.0, 0.0, 1.0])))
        np.testing.assert_allclose(a_there + b_there, a + b, rtol=1e-14)
        mean = a_there / (a + b)
        p = a / (a + b)
        assert mean[1] == pytest.approx(p, rel=1e-12)
        np.testing.assert_allclose(mean[[0, 2]] - p, 2e-4 * np.sqrt(p * (1 - p)) * np.array([-1, 1]), rtol=1e-3)


@pytest.mark.parametrize("tau", [1e-6, 0.003, 0.1, 1.0])
@pytest.mark.parametrize("mean", [1e-10, 1e-4, 0.5, 0.999])
def test_a_run_is_on_the_law_at_zero_and_solves_more_the_further_it_is_off(tau, mean):
    z = np.linspace(-12.0, 12.0, 97)
    with scope():
        a_there, b_there = (np.asarray(x) for x in deviated(3 * mean, 3 * (1 - mean), tau, z))
    assert a_there[48] == pytest.approx(3 * mean, rel=1e-9) and b_there[48] == pytest.approx(3 * (1 - mean), rel=1e-9)
    assert (np.diff(a_there) > 0).all() and (a_there > 0).all() and (b_there > 0).all()
    np.testing.assert_allclose(a_there + b_there, 3.0, rtol=1e-12)


def test_where_next_to_nothing_is_solved_deviations_are_factors():
    """Near an angle of 0 it is multiplied by e^z, and the mean by e^2z; the other end alike."""
    z = np.array([-5.0, -1.0, 0.0, 2.0])
    with scope():
        none = np.asarray(deviated(1e-20, 1.0, 0.01, z)[0])
        all_ = np.asarray(deviated(1.0, 1e-20, 0.01, -z)[1])
    np.testing.assert_allclose(none, 1e-20 * np.exp(2 * z), rtol=1e-6)
    np.testing.assert_allclose(all_, none, rtol=1e-6)


def test_what_it_needs():
    table, _ = counts(0.5, 2, 4)
    moved = table.with_columns(tokens=np.where(np.arange(len(table)) == 1, 3e11, table["tokens"]))
    with pytest.raises(TableError, match=r"row 1 has tokens = 3e\+11, another row of its run 1e\+10, expected one"):
        run_rows(T2PassK, moved)
    with pytest.raises(TypeError, match="for sampling"):
        RunScatter().penalty(LAW, {}, {})
    with pytest.raises(ValueError, match="unit='question', but RunScatter has a likelihood of each run only"):
        t2.sample(T2PassK, table, RunScatter(), key=jax.random.key(0), unit="question")
    with pytest.raises(TypeError, match="not inside Joint"):
        t2.sample(T2PassK, table.with_columns(loss=1.0), Joint(RunScatter()), key=jax.random.key(0))  # pyright: ignore[reportArgumentType]
