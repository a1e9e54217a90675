"""Posteriors compared: leaving runs out exactly, weights by another optimiser, and optima of a mixture of laws."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.distributions import Normal
from scipy import optimize, stats

import t2jax as t2
from t2jax.laws.loss.chinchilla import Chinchilla
from t2jax.laws.loss.kaplan import Kaplan
from t2jax.typing import Scalar

KEY = jax.random.key(0)
SIGMA = 0.05
RUNS = 12
X = np.repeat(np.linspace(-1.0, 2.0, RUNS), 2)
LOSSES = 3.0 - 0.01 * X + SIGMA * np.random.default_rng(1).normal(size=2 * RUNS)


@t2.law
class Level(t2.Law):
    """L(N) = a, whatever N."""

    a: Scalar = t2.param(Normal(2.0, 1.0), unit="nats", doc="loss")

    def __call__(self, N):
        return self.a + 0.0 * N


@t2.law
class Sloped(t2.Law):
    """L(N) = a + b·log(N/10⁸)."""

    a: Scalar = t2.param(Normal(2.0, 1.0), unit="nats", doc="loss at 10⁸ parameters")
    b: Scalar = t2.param(Normal(0.0, 1.0), unit="nats", doc="slope")

    def __call__(self, N):
        return self.a + self.b * jnp.log(N / 1e8)


@pytest.fixture(scope="module")
def posteriors() -> dict[str, t2.Posterior]:
    """Both laws on twelve runs of two rows each."""
    models = [f"run {i}" for i in np.repeat(range(RUNS), 2)]
    table = t2.Table.from_columns(model=models, params=1e8 * np.exp(X), tokens=[1e9, 2e9] * RUNS, loss=LOSSES)
    return {
        law.__name__: t2.sample(law, table, t2.noise.Gaussian(), key=KEY, fixed={"sigma": SIGMA})
        for law in (Level, Sloped)
    }


def exact(columns: int) -> np.ndarray:
    """Log density of each run given the others, by the normal distribution of all losses."""
    design = np.stack([np.ones_like(X), X], axis=1)[:, :columns]
    mean, covariance = design[:, 0] * 2.0, design @ design.T + SIGMA**2 * np.eye(2 * RUNS)
    results = []
    for run in range(RUNS):
        of_run, rest = np.arange(2 * RUNS) // 2 == run, np.arange(2 * RUNS) // 2 != run
        gain = covariance[np.ix_(of_run, rest)] @ np.linalg.inv(covariance[np.ix_(rest, rest)])
        conditional = covariance[np.ix_(of_run, of_run)] - gain @ covariance[np.ix_(rest, of_run)]
        centre = mean[of_run] + gain @ (LOSSES - mean)[rest]
        normal: Any = stats.multivariate_normal
        results.append(normal.logpdf(LOSSES[of_run], centre, conditional))
    return np.array(results)


def test_a_run_is_left_out_whole(posteriors):
    """Within 0.1 nats a run: 4000 draws of these weights have standard errors of 0.02 and less."""
    for columns, post in enumerate(posteriors.values(), start=1):
        result = t2.loo(post)
        assert result.names == tuple(f"run {i}" for i in range(RUNS)) and result.unit == "run"
        assert result.unsure == () and "the sum is reliable" in result.status
        np.testing.assert_allclose(result.log_densities, exact(columns), atol=0.1)
        assert result.elpd == pytest.approx(result.log_densities.sum())
        # one and two parameters under wide priors: what each run's own rows gain, here about as many
        assert 0.5 * columns < result.effective < 3 * columns + 1


def test_weights_are_those_of_another_optimiser(posteriors):
    result = t2.posterior.stack(posteriors)
    densities = np.stack([loo.log_densities for loo in result.loos.values()], axis=1)

    def loss(share: float) -> float:
        return -float(np.sum(np.logaddexp(densities[:, 0] + np.log(share), densities[:, 1] + np.log1p(-share))))

    best: Any = optimize.minimize_scalar(loss, bounds=(1e-9, 1 - 1e-9), method="bounded", options={"xatol": 1e-9})
    assert result.weights["Level"] == pytest.approx(best.x, abs=2e-3)
    assert sum(result.weights.values()) == pytest.approx(1.0)
    apart = densities[:, 0] - densities[:, 1]
    worse = "Level" if apart.sum() < 0 else "Sloped"
    np.testing.assert_allclose(result.differences[worse], (-abs(apart.sum()), np.sqrt(RUNS) * apart.std()), rtol=1e-9)
    assert result.status.startswith("weights: ") and list(result.table.index)[1] == worse
    shifted = {name: moved(post, -2000.0) for name, post in posteriors.items()}
    for name, weight in t2.posterior.stack(shifted).weights.items():  # exp(-2000) is zero in float64
        assert weight == pytest.approx(result.weights[name], abs=1e-3)


def moved(post: t2.Posterior, nats: float) -> t2.Posterior:
    """The same posterior with every run less likely."""
    from t2jax.posterior.arviz_groups import inference_data

    groups = {name: post.idata[name] for name in ("posterior", "log_likelihood")}
    groups = {name: group.to_dataset() if hasattr(group, "to_dataset") else group for name, group in groups.items()}
    groups["log_likelihood"] = groups["log_likelihood"] + nats
    return dataclasses.replace(post, idata=inference_data(groups))


def test_what_cannot_be_judged_is_named(posteriors):
    post = posteriors["Level"]
    with pytest.raises(ValueError, match="found 1 posterior, expected at least two"):
        t2.posterior.stack({"Level": post})
    unmixed = dataclasses.replace(post, diagnosis=dataclasses.replace(post.diagnosis, failures=("for the test",)))
    with pytest.raises(ValueError, match=r"no posterior to judge \(not converged: for the test\)"):
        t2.loo(unmixed)
    result = dataclasses.replace(t2.loo(post), pareto_k=np.r_[0.1, 0.9, 0.2, 0.8, np.zeros(8)], good=0.7)
    assert result.unsure == ("run 1", "run 3")
    assert "unreliable: the Pareto k of run run 1 and of 1 more (run 3) is above 0.70 (0.90)" in result.status


def of(post: t2.Posterior, law: t2.Law) -> t2.Posterior:
    """A posterior all of whose 500 draws are one law."""
    return dataclasses.replace(post, laws=jax.tree.map(lambda leaf: np.full(500, leaf), law), point=law)


@pytest.mark.long
def test_a_mixture_has_the_optima_of_its_laws(posteriors):
    """Kaplan's form with κ = 1 is Chinchilla's, whose optimum has a closed form: a fifth there, the rest here."""
    values = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37}
    first, second = Chinchilla(**values), Chinchilla(**{**values, "A": 900.0})
    mixed = {
        "chinchilla": of(posteriors["Level"], first),
        "kaplan": of(posteriors["Level"], Kaplan(**second.values(), kappa=1.0)),
    }
    train = np.array([1e20, 1e22])
    budgets = t2.Budget(train=train)
    result = t2.evaluation.averaged_frontier(mixed, {"chinchilla": 0.8, "kaplan": 0.2}, budgets, KEY, draws=200)
    (low, tokens), (high, _) = first.optimum(train), second.optimum(train)
    assert result.drawn == {"chinchilla": 160, "kaplan": 40}
    first, *lines = repr(result).splitlines()
    assert first == "AveragedFrontier: 200 draws: 160 of chinchilla, 40 of kaplan"
    assert lines[1].startswith("  params            ") and "(within " in lines[1]
    for got, expected in (
        (result.params.low, low),
        (result.params.mid, low),
        (result.params.high, high),
        (result.tokens.mid, tokens),
        (result.tokens_per_param.mid, tokens / low),
        (result.band(0.5).params.high, low),
        (result.samples.mid, np.ones(2)),
    ):
        np.testing.assert_allclose(got, expected, rtol=1e-5)
    with pytest.raises(ValueError, match="expected shares from 0 that sum to 1"):
        t2.evaluation.averaged_frontier(mixed, {"chinchilla": 0.8, "kaplan": 0.5}, budgets, KEY)
    with pytest.raises(ValueError, match="found weights of chinchilla for posteriors chinchilla, kaplan"):
        t2.evaluation.averaged_frontier(mixed, {"chinchilla": 1.0}, budgets, KEY)
