"""Questions and runs that both deviate: the likelihood against those of either alone, and deviations found again."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.distributions import LogNormal, Normal
from scipy import stats
from scipy.special import expit, ndtr

import t2jax as t2
from t2jax.noise.crossed_effects import DEVIATION, CrossedEffects
from t2jax.noise.joint import Joint
from t2jax.noise.run_scatter import RunScatter, deviated
from t2jax.numerics.special import log_pass_at_k_beta
from t2jax.posterior.density import density
from t2jax.posterior.diagnosis import diagnose, left_together
from t2jax.posterior.files import load_posterior, save_posterior
from t2jax.posterior.latent_density import LatentDensity
from t2jax.typing import Scalar
from t2jax.working_precision import scope

KEY = jax.random.key(0)


@t2.law
class Betas(t2.Law):
    """Questions of Beta(a, b) whose mean has the logit shift + log10(N / 1e9), and a + b = size."""

    shift: Scalar = t2.param(Normal(-1.0, 1.0), unit="nats", doc="logit of the mean at N = 1e9")
    size: Scalar = t2.param(LogNormal(1.0, 0.5), unit="1", doc="a + b")

    response = ("pass_at_k",)

    def __call__(self, N, k):
        return jnp.exp(log_pass_at_k_beta(*self.questions(N), k))

    def questions(self, N):
        logit = self.shift + jnp.log10(N / 1e9)
        return self.size * jax.nn.sigmoid(logit), self.size * jax.nn.sigmoid(-logit)


LAW = Betas(shift=-1.0, size=3.0)


def counts(runs: int, questions: int, tau: float, rho: float, trials: int = 8) -> tuple[t2.Table, np.ndarray]:
    """A table drawn from the model by SciPy, and the deviation of each run: normal quantiles in random order."""
    rng = np.random.default_rng(0)
    params = np.geomspace(1e8, 1e10, runs)
    z = rng.permutation(stats.norm.ppf((np.arange(runs) + 0.5) / runs))
    mean = expit(-1.0 + np.log10(params / 1e9))
    mean = np.sin(np.clip(np.arcsin(np.sqrt(mean)) + tau * z, 0.01, 1.56)) ** 2  # far from its ends it is not made soft
    rank = np.sqrt(rho) * rng.normal(size=questions) + np.sqrt(1 - rho) * rng.normal(size=(runs, questions))
    chance = stats.beta.ppf(ndtr(rank), 3 * mean[:, None], 3 * (1 - mean)[:, None])
    run, question = (x.ravel() for x in np.indices(chance.shape))
    table = t2.Table.from_columns(
        model=[f"m{i}" for i in run],
        question=[f"q{i}" for i in question],
        params=params[run],
        tokens=np.full(len(run), 1e10),
        trials=np.full(len(run), float(trials)),
        correct=rng.binomial(trials, chance).ravel().astype(float),
    )
    return table, z


def likelihood(noise, table: t2.Table, scales: dict[str, float], z: np.ndarray | None = None) -> np.ndarray:
    """Of each question, or run."""
    with scope():
        rows = {name: jnp.asarray(column) for name, column in noise.units(Betas, table).columns.items()}
        rows |= {} if z is None else {DEVIATION: jnp.asarray(z)}
        return np.asarray(DENSITY(noise, LAW, rows, {name: jnp.asarray(value) for name, value in scales.items()}))


DENSITY = jax.jit(lambda noise, law, rows, scales: noise.log_density(law, rows, scales), static_argnums=0)


def test_ranks_anew_leave_counts_of_the_runs_own_betas():
    """Given z and without correlation every count is SciPy's beta-binomial of the Beta that is off the law."""
    table, z = counts(4, 12, 0.1, 0.0)
    with scope():
        a, b = LAW.questions(jnp.geomspace(1e8, 1e10, 4))
        a, b = (np.asarray(x)[:, None] for x in deviated(a, b, 0.1, z))
    by_question = stats.betabinom.logpmf(table["correct"].reshape(4, 12), 8, a, b)
    both = likelihood(CrossedEffects(), table, {"tau": 0.1, "rho": 1e-7}, z)
    np.testing.assert_allclose(both, by_question.sum(axis=0), atol=2e-3)


@pytest.mark.parametrize("rho", [0.2, 0.8])
def test_of_one_run_the_integral_over_its_deviation_is_that_of_run_scatter(rho):
    """Its questions are independent given z, whatever their ranks elsewhere."""
    table, _ = counts(1, 12, 0.2, 0.0)
    z = np.linspace(-8.0, 8.0, 161)
    given = [
        likelihood(CrossedEffects(), table, {"tau": 0.2, "rho": rho}, np.array([deviation])).sum() for deviation in z
    ]
    total = np.logaddexp.reduce(given + stats.norm.logpdf(z)) + np.log(z[1] - z[0])
    assert total == pytest.approx(likelihood(RunScatter(), table, {"tau": 0.2})[0], abs=2e-3)


def test_deviations_are_standard_normal_coordinates():
    """The potential is less log-likelihood and priors; without deviations it is that of zeros."""
    table, z = counts(3, 10, 0.1, 0.5)
    noise = CrossedEffects()
    with scope():
        of_law, _ = density(Betas, table, noise, {}, {})
        target = LatentDensity(**vars(of_law), deviations=3)
        data = jax.tree.map(jnp.asarray, noise.units(Betas, table))
        rows = target.rows(data)
        u = jnp.array([0.3, -0.2, 0.1, 0.4])
        assert target.names == ("shift", "size", "rho", "tau") and target.latent == 3
        whole = jnp.concatenate([u, jnp.asarray(z)])
        law, scales = target.split(whole)
        given = noise.log_density(law, {**rows, DEVIATION: jnp.asarray(z)}, scales)
        expected = -float(given.sum()) - float(of_law.log_prior(u)) + 0.5 * float(np.sum(z**2))
        assert float(target.potential(whole, rows)) == pytest.approx(expected, rel=1e-12)
        np.testing.assert_allclose(target.row_log_likelihood(whole, data), given, rtol=1e-12)
        np.testing.assert_allclose(target.values(whole)[DEVIATION], z)
        none = jnp.concatenate([u, jnp.zeros(3)])
        assert float(target.potential(u, rows)) == pytest.approx(float(target.potential(none, rows)), rel=1e-12)


@pytest.mark.long
def test_sampled_deviations_lie_where_the_runs_do(tmp_path):
    """Of 60 questions each run is known to about a third of τ; law and τ cover what made the table."""
    table, z = counts(6, 60, 0.15, 0.5)
    post = t2.sample(Betas, table, CrossedEffects(), key=KEY, draws=300, warmup=300, chains=2)
    deviations = post.idata["posterior"]["deviation"]
    assert deviations.dims == ("chain", "draw", "run") and list(deviations["run"].values) == [f"m{i}" for i in range(6)]
    assert max(post.diagnosis.r_hat.values()) < 1.05 and "deviation" not in post.summary().index
    draws = np.asarray(deviations).reshape(-1, 6)
    assert np.corrcoef(draws.mean(axis=0), z)[0, 1] > 0.8
    for name, true in {"shift": -1.0, "size": 3.0, "tau": 0.15, "rho": 0.5}.items():
        low, high = np.quantile(np.asarray(post.idata["posterior"][name]), [0.005, 0.995])
        assert low < true < high, name
    assert post.idata["log_likelihood"]["pass_at_k"].dims == ("chain", "draw", "question")
    save_posterior(tmp_path / "post.nc", post)
    again = load_posterior(tmp_path / "post.nc", Betas)
    assert again.status == post.status and post.converged == ("not" not in post.status)
    np.testing.assert_allclose(again.idata["posterior"]["deviation"].values, deviations.values)


def test_deviations_that_do_not_mix_are_told_of():
    """One run's chains stand apart, where those of all parameters are independent draws."""
    rng = np.random.default_rng(0)
    agreeing, prior, z = rng.normal(size=(4, 1000)), {"p": rng.normal(size=1000)}, rng.normal(size=(4, 1000))
    latent = {"deviation[m0]": z, "deviation[m1]": z + np.array([0.0, 0.0, 3.0, 0.0])[:, None]}
    none = np.zeros((4, 1000), bool)
    diagnosis = diagnose({"p": agreeing}, prior, none, agreeing, left_together, latent)
    assert not diagnosis.converged and list(diagnosis.r_hat) == ["p"]
    assert "the chains do not agree on deviation[m1] (R-hat" in diagnosis.sentence
    assert diagnose({"p": agreeing}, prior, none, agreeing, left_together, {"deviation[m0]": z}).converged


@t2.law
class Named(t2.Law):
    """A law with a parameter of the name under which deviations are told."""

    deviation: Scalar = t2.param(LogNormal(0.0, 1.0), unit="1", doc="a of Beta(a, 1)")

    response = ("pass_at_k",)

    def __call__(self, N, k):
        return jnp.exp(log_pass_at_k_beta(*self.questions(N), k))

    def questions(self, N):
        return self.deviation + 0.0 * N, jnp.ones_like(N)


def test_what_it_refuses():
    table, _ = counts(2, 4, 0.1, 0.5)
    with pytest.raises(ValueError, match="Named has a parameter deviation, as CrossedEffects has; rename the law's"):
        t2.sample(Named, table, CrossedEffects(), key=KEY)
    with pytest.raises(ValueError, match="unit='run', but CrossedEffects has a likelihood of each question only"):
        t2.sample(Betas, table, CrossedEffects(), key=KEY, unit="run")
    with pytest.raises(TypeError, match="not inside Joint"):
        joint = Joint(CrossedEffects())  # pyright: ignore[reportArgumentType]
        t2.sample(t2.laws.T2PassK, table.with_columns(loss=1.0), joint, key=KEY)
    with pytest.raises(TypeError, match=r"CrossedEffects is for sampling \(t2.sample\); fit points with"):
        CrossedEffects().penalty(LAW, {}, {})
    with pytest.raises(t2.TableError, match="question"):
        CrossedEffects().columns(Betas, t2.Table(table.to_frame().drop(columns="question").iloc[[0]]))
