"""Questions as repeated units: the likelihood against SciPy's Beta quantiles, and Betas that keep their form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.distributions import Uniform
from scipy import stats
from scipy.special import logsumexp

import t2jax as t2
from t2jax.laws.pass_at_k.t2_pass_k import T2PassK
from t2jax.noise.crossed_effects import DEVIATION, CrossedEffects
from t2jax.noise.question_grid import question_names, question_rows
from t2jax.noise.question_integral import _scores, log_questions
from t2jax.numerics.special import log_pass_at_k
from t2jax.tables.place import TableError
from t2jax.typing import Scalar
from t2jax.working_precision import scope

LAW = T2PassK(
    E=0.0, A=4000.0, alpha=0.42, B=18000.0, beta=0.4, theta0=1.0, theta1=1.0, theta2=0.6, theta3=1.5, theta4=0.1
)
PARAMS, TOKENS = np.array([1e8, 1e9, 1e10]), np.array([1e11, 1e12, 1e12])
TRIALS = np.array([[10, 10, 10], [10, 200, 7], [1, 30000, 1000], [10, 10, 10], [50, 0, 128]])
CORRECT = np.array([[0, 1, 7], [3, 20, 7], [0, 900, 400], [0, 0, 0], [1, 0, 2]])


@pytest.fixture(scope="module")
def table() -> t2.Table:
    """Three checkpoints and five questions of uneven numbers of trials; one question was not put to one checkpoint."""
    asked = TRIALS.T > 0
    model, question = np.nonzero(asked)
    return t2.Table.from_columns(
        model=[f"m{i}" for i in model],
        params=PARAMS[model],
        tokens=TOKENS[model],
        question=[f"q{i}" for i in question],
        trials=TRIALS.T[asked].astype(float),
        correct=CORRECT.T[asked].astype(float),
    )


def ours(table: t2.Table, rho: float) -> np.ndarray:
    """The log-likelihood of each question of checkpoints that lie on the law."""
    data = question_rows(T2PassK, table)
    with scope():
        rows = {name: jnp.asarray(column) for name, column in data.columns.items()}
        return np.asarray(density(LAW, rows, jnp.asarray(rho)))


@jax.jit
def density(law, rows, rho):
    scales = {"rho": rho, "tau": jnp.full_like(rho, 0.05)}
    return CrossedEffects().log_density(law, {**rows, DEVIATION: jnp.zeros(3, rho.dtype)}, scales)


def betas() -> tuple[np.ndarray, np.ndarray]:
    with scope():
        a, b = LAW.questions(jnp.asarray(PARAMS), jnp.asarray(TOKENS))
        return np.asarray(a), np.asarray(b)


def test_without_correlation_it_is_the_beta_binomial(table):
    a, b = betas()
    by_question = np.where(TRIALS > 0, stats.betabinom.logpmf(CORRECT, TRIALS, a, b), 0.0)
    np.testing.assert_allclose(ours(table, 1e-7), by_question.sum(axis=1), atol=2e-3)


@pytest.mark.parametrize("rho", [0.3, 0.7, 0.9])
def test_the_likelihood_is_the_double_integral(table, rho):
    """∫ φ(s) Π ∫ φ(e) Binomial(c | n, Beta quantile of Φ(√ρ s + √(1-ρ) e)) de ds by sums over fine even grids."""
    a, b = betas()
    z = np.linspace(-8.0, 8.0, 6401)
    s = np.linspace(-7.0, 7.0, 141)
    weight = stats.norm.pdf(z[:, None], np.sqrt(rho) * s, np.sqrt(1 - rho)) * (z[1] - z[0])
    total = np.log(stats.norm.pdf(s) * (s[1] - s[0]))[None, :] + np.zeros((5, 1))
    for m in range(3):
        chance = np.where(
            z < 0, stats.beta.ppf(stats.norm.cdf(z), a[m], b[m]), stats.beta.isf(stats.norm.sf(z), a[m], b[m])
        )
        for q in np.flatnonzero(TRIALS[:, m]):
            seen = stats.binom.pmf(CORRECT[q, m], TRIALS[q, m], chance)
            total[q] += np.log(seen @ weight)
    few = [0, 3, 4]  # questions with tens of trials each time, beside those with hundreds and thousands
    got, expected = ours(table, rho), np.asarray(logsumexp(total, axis=1))
    np.testing.assert_allclose(got[few], expected[few], atol=2e-4)
    np.testing.assert_allclose(got, expected, atol=0.015 if rho < 0.9 else 0.3)


def test_a_narrow_beta_is_no_better_than_its_limit(table):
    """Beyond what the grid can tell the likelihood stays as it is: a probability, which neither rises nor is NaN."""
    with scope():
        narrow = [T2PassK(**(LAW.values() | {"theta3": shift})) for shift in (8.0, 10.0)]
        data = question_rows(T2PassK, table)
        rows = {name: jnp.asarray(column) for name, column in data.columns.items()}
        results = [np.asarray(density(law, rows, jnp.asarray(0.5))) for law in narrow]
    assert (results[0] < 0).all()
    np.testing.assert_allclose(results[0], results[1], rtol=1e-9)


@t2.law
class Share(t2.Law):
    """Every question has the chance p."""

    p: Scalar = t2.param(Uniform(0.0, 1.0), unit="1", doc="chance of a sample")

    response = ("pass_at_k",)

    def __call__(self, N, k):
        return jnp.exp(log_pass_at_k(self.p + 0.0 * N, k))


def test_a_question_is_left_out_over_all_runs(table):
    """Without effects too, where asked: the log-likelihood of a question is SciPy's, summed over its checkpoints."""
    with scope():
        np.testing.assert_allclose(Share(p=0.3).cost(1e8, 2.0), -np.log(1 - 0.7**2), rtol=1e-12)  # as no law says
    post = t2.sample(Share, table, t2.noise.Binomial(), key=jax.random.key(0), draws=100, warmup=100, unit="question")
    result = post.idata["log_likelihood"]["pass_at_k"]
    assert result.dims == ("chain", "draw", "question") and list(result["question"].values) == question_names(table)[1]
    densities = stats.binom.logpmf(CORRECT, TRIALS, np.asarray(post.idata["posterior"]["p"])[..., None, None])
    np.testing.assert_allclose(np.asarray(result), np.where(TRIALS > 0, densities, 0.0).sum(axis=-1), rtol=1e-9)
    with pytest.raises(ValueError, match="unit='task', expected 'run' or 'question'"):
        t2.sample(Share, table, key=jax.random.key(0), unit="task")  # pyright: ignore[reportArgumentType]


def test_names_and_what_it_needs(table):
    number, names = question_names(table)
    assert names == ["q0", "q1", "q2", "q3", "q4"]
    np.testing.assert_array_equal([names[i] for i in number], table["question"])
    plain = t2.Table(table.to_frame().drop(columns="question").iloc[[0]])
    with pytest.raises(TableError, match="question"):
        CrossedEffects().columns(T2PassK, plain)
    moved = table.with_columns(tokens=np.where(np.arange(len(table)) == 1, 3e11, table["tokens"]))
    with pytest.raises(TableError, match=r"row 1 has tokens = 3e\+11, another row of its run 1e\+11, expected one"):
        question_rows(T2PassK, moved)
    again = t2.Table(table.to_frame().drop(columns="model").iloc[[0, 1, 2, 3, 0]].assign(trials=[10.0, 10, 10, 10, 20]))
    with pytest.raises(TableError, match="row 4 asks question 'q0' again of the run of row 0, expected one row"):
        question_rows(T2PassK, again)


def test_questions_that_hardly_any_model_solves_have_a_finite_likelihood():
    """At ρ = 0 the counts of one checkpoint are beta-binomial, also where it solves next to nothing."""
    table = t2.Table.from_columns(
        model="m", params=1e8, tokens=1e10, question=["p", "q"], trials=360.0, correct=[0.0, 2.0]
    )
    data = question_rows(T2PassK, table)
    with scope():
        rows = {name: jnp.asarray(column) for name, column in data.columns.items()}

        @jax.jit
        @jax.jacfwd
        def slopes(logs):
            return log_questions(jnp.exp(logs[:1]), jnp.exp(logs[1:]), jnp.asarray(1e-6), rows)

        @jax.jit
        def likelihood(logs):
            return log_questions(jnp.exp(logs[:1]), jnp.exp(logs[1:]), jnp.asarray(1e-6), rows)

        for a, b in ((1.0, 1e4), (1.0, 1e5), (7.0, 1e5), (1e-8, 1e-8), (1e-20, 1.0)):
            exact = t2.special.log_beta_binomial(table["correct"], table["trials"], a, b)
            np.testing.assert_allclose(likelihood(jnp.log(jnp.array([a, b]))), exact, atol=2e-3)
        for powers in ((-160, 35), (30, 55), (116, 206), (-224, -69), (-300, 109), (3, 30), (-100, -30)):
            logs = np.log(10) * jnp.array(powers, float)
            assert np.all(np.isfinite(likelihood(logs))) and np.all(np.isfinite(slopes(logs)))


def test_a_beta_mostly_below_the_grid_keeps_its_ranks():
    """Beta(1, 1e7) has the share (1 - p)^1e7 above a chance p, most of it below the grid."""
    with scope():
        logit = jnp.linspace(-15.0, 15.0, 151)
        _, z = _scores(jnp.ones(()), jnp.full((), 1e7), logit)
        p = jax.nn.sigmoid(logit)
        expected = stats.norm.isf(np.exp(1e7 * np.log1p(-np.asarray(p))))
    shown = np.abs(expected) < 5
    assert shown.sum() > 5
    np.testing.assert_allclose(np.asarray(z)[shown], expected[shown], atol=1e-3)
