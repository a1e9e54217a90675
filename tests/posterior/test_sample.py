"""Posteriors: closed forms, priors that come back where rows say nothing, and chains that are not to be believed."""

import dataclasses
import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.distributions import Normal, Uniform
from scipy import stats

import t2jax as t2
from t2jax.cli import command
from t2jax.datasets.files import DatasetError
from t2jax.laws.loss.chinchilla import Chinchilla
from t2jax.laws.pass_at_k.t2_loss import T2Loss
from t2jax.laws.pass_at_k.t2_pass_k import T2PassK
from t2jax.posterior.arviz_groups import arviz
from t2jax.posterior.density import density
from t2jax.posterior.diagnosis import diagnose, left_alone, left_together
from t2jax.typing import Scalar
from t2jax.working_precision import scope
from tests.helpers.json_answers import checked_answer
from tests.helpers.linear_law import LOSSES, SIGMA, Line, X, closed_form, line_table

KEY = jax.random.key(0)
PYMC = {
    "E": (1.8118, 0.0149),
    "A": (487.31, 74),
    "B": (1978.2, 409),
    "alpha": (0.34778, 0.00882),
    "beta": (0.36225, 0.0101),
    "sigma": (0.0044662, 0.000278),
}
"""Mean and standard deviation of each parameter of chinchilla-epoch by PyMC (experiments/results/bench_bayes)."""


@t2.law
class Fold(t2.Law):
    """L(N) = 2 + (a² + 0·log N): a and -a fit equally well."""

    a: Scalar = t2.param(Normal(0.0, 2.0), unit="1", doc="of either sign")

    def __call__(self, N):
        return 2.0 + self.a**2 + 0.0 * N


def line_posterior(x: np.ndarray, priors: Any = None) -> t2.Posterior:
    noise = t2.noise.Gaussian()
    return t2.sample(Line, line_table(x), noise, key=KEY, fixed={"sigma": SIGMA}, priors=priors)


def agrees(post: t2.Posterior, mean: np.ndarray, covariance: np.ndarray) -> None:
    """4000 draws of about that ESS: means within 5/√2000 deviations, covariance within 5·√(2/2000) of each scale."""
    drawn = np.stack([post.laws.a, post.laws.b])
    deviation = np.sqrt(np.diag(covariance))
    assert np.all(np.abs(drawn.mean(axis=1) - mean) < 0.11 * deviation)
    np.testing.assert_allclose(
        np.cov(drawn) / np.outer(deviation, deviation), covariance / np.outer(deviation, deviation), atol=0.16
    )


@pytest.fixture(scope="module")
def line() -> t2.Posterior:
    return line_posterior(X)


def test_a_linear_law_has_its_closed_form(line):
    post = line
    assert post.converged and post.status.startswith("converged: R-hat at most 1.0"), post.status
    agrees(post, *closed_form(X, (1.0, 1.0)))
    table = post.summary()
    assert list(table.index) == ["a", "b"] and table.attrs["status"] == post.status
    mean, covariance = closed_form(X, (1.0, 1.0))
    low, high = stats.norm.ppf([0.05, 0.95], mean[0], np.sqrt(covariance[0, 0]))
    assert table.loc["a", "5 %"] == pytest.approx(low, abs=0.15 * np.sqrt(covariance[0, 0]))
    assert table.loc["a", "95 %"] == pytest.approx(high, abs=0.15 * np.sqrt(covariance[0, 0]))
    # the prior is standard normal in its own scores, so contraction is 1 - variance ratio
    np.testing.assert_allclose(table["contraction"], 1 - np.diag(covariance), atol=0.02)
    # highest density of a normal posterior: its mean
    np.testing.assert_allclose([post.point.a, post.point.b], mean, rtol=1e-8)


def test_a_prior_by_keyword_replaces_the_declared_one():
    post = line_posterior(X, {"b": Normal(0.0, 0.03)})
    agrees(post, *closed_form(X, (1.0, 0.03)))


def test_one_size_leaves_a_direction_to_the_prior():
    """With one N, at log(N/10⁸) = 1, only a + b is measured; across, the prior of a - b stays: Normal(2, √2)."""
    x = np.ones(12)
    table = t2.Table.from_columns(params=1e8 * np.e, tokens=np.geomspace(1e9, 1e10, 12), loss=LOSSES)
    post = t2.sample(Line, table, t2.noise.Gaussian(), key=KEY, fixed={"sigma": SIGMA})
    agrees(post, *closed_form(x, (1.0, 1.0)))
    assert post.converged
    assert post.diagnosis.directions == 1 and post.diagnosis.left == ("a", "b")
    assert post.status.endswith("the rows do not inform 1 of 2 directions (a, b), where the posterior is the prior")


def test_two_optima_are_reported_and_not_summarised():
    table = t2.Table.from_columns(params=np.geomspace(1e7, 1e9, 4), tokens=1e9, loss=[3.01, 2.99, 3.0, 3.02])
    post = t2.sample(Fold, table, key=KEY, warmup=100, draws=200, fixed={"sigma": 0.01})
    assert not post.converged
    assert post.status.startswith("not converged: the chains do not agree on a (R-hat ")
    assert "there are several optima" in post.status
    assert {-1, 1} == set(np.sign(post.laws.a))
    row = post.summary().loc["a"]
    assert row[["mean", "sd", "5 %", "median", "95 %"]].isna().all() and row["r_hat"] > 1.5


def test_three_runs_of_one_length_and_one_sample():
    """Rows at k = 1 say nothing of γ, whose prior is independent of the rest: LogNormal(-1, 0.7) comes back."""
    table = t2.Table.from_columns(params=[1e7, 1e8, 1e9], tokens=1e10, loss=[3.4, 2.9, 2.6])
    post = t2.sample(T2Loss, table, key=KEY, fixed={"sigma": 0.05}, draws=2000, accept=0.95)
    scores = (np.log(post.laws.gamma) + 1.0) / 0.7
    assert abs(scores.mean()) < 0.12 and scores.std() == pytest.approx(1.0, abs=0.08)
    assert "gamma" in post.diagnosis.left and "the rows do not inform" in post.status
    assert post.diagnosis.contraction["gamma"] == pytest.approx(0.0, abs=0.15)
    assert post.diagnosis.contraction["alpha"] > 0.05


@pytest.mark.long
def test_one_sample_of_each_question_does_not_say_how_they_differ():
    """A count of one try is a coin of the mean success: θ3 and θ4 keep their priors, Normal(0, 3) and Normal(0, 1)."""
    true = T2PassK(
        E=0.0, A=80.0, B=2e3, alpha=0.35, beta=0.5, theta0=1.4, theta1=1.0, theta2=0.9, theta3=-0.5, theta4=0.5
    )
    n, d = (np.repeat(x, 30) for x in np.meshgrid(np.geomspace(1e7, 3e9, 5), np.geomspace(1e9, 1e11, 5)))
    n, d, rng = n.ravel(), d.ravel(), np.random.default_rng(0)
    with jax.enable_x64(True):
        a, b = (np.asarray(x) for x in true.questions(n, d))
    correct = rng.binomial(1, a / (a + b)).astype(float)
    question = [str(i % 30) for i in range(len(n))]
    table = t2.Table.from_columns(params=n, tokens=d, trials=1.0, correct=correct, question=question)
    post = t2.sample(T2PassK, table, key=KEY, accept=0.99)
    for name, scale in (("theta3", 3.0), ("theta4", 1.0)):
        drawn = post.laws.values()[name] / scale
        assert abs(drawn.mean()) < 0.12 and drawn.std() == pytest.approx(1.0, abs=0.08)
        assert post.diagnosis.contraction[name] == pytest.approx(0.0, abs=0.1) and name in post.diagnosis.left
    assert "the rows do not inform" in post.status and "where the posterior is the prior" in post.status
    assert post.diagnosis.contraction["theta2"] > 0.5


def judged(drawn: Any, **others: Any) -> Any:
    """Diagnosis of draws (chains, draws) of x beside normal y, both of standard normal priors."""
    rng = np.random.default_rng(9)
    shape = drawn.shape
    usual = {"diverging": np.zeros(shape, bool), "energy": rng.normal(size=shape)} | others
    prior = {name: rng.normal(size=4000) for name in ("x", "y")}
    return diagnose({"x": drawn, "y": 0.1 * rng.normal(size=shape)}, prior, **usual, left=left_together)


def test_each_limit_names_what_fails_and_what_to_do():
    rng = np.random.default_rng(8)
    good = 0.1 * rng.normal(size=(4, 1000))
    result = judged(good)
    assert result.converged and result.left == () and result.sentence.startswith("converged: ")
    # the mean square of differences of white noise is twice its variance
    np.testing.assert_allclose(result.bfmi, 2.0, rtol=0.15)
    assert result.contraction["x"] == pytest.approx(0.99, abs=0.005)
    result = judged(good + np.array([0.0, 0.0, 0.0, 0.3])[:, None])
    assert result.failures[0].startswith("the chains do not agree on x (R-hat 1.")
    slow = np.zeros((4, 1000))
    for i in range(1, 1000):
        slow[:, i] = 0.98 * slow[:, i - 1] + rng.normal(size=4)
    result = judged(slow)  # an ESS of 4000·(1 - 0.98)/(1 + 0.98) = 40
    assert any(
        failure.startswith("x has ") and "expected more than 400: take draws=" in failure for failure in result.failures
    )
    assert 15 < result.ess_bulk["x"] < 120
    result = judged(good, diverging=good > 0.25)
    assert f"{np.sum(good > 0.25)} of 4000 draws diverged, most at one end of x: take accept=0.95" in result.sentence
    result = judged(good, energy=np.cumsum(good, axis=1))
    assert "the energy of chain 0 moves too little (E-BFMI 0.0" in result.sentence
    assert not judged(np.full((4, 1000), np.nan)).converged
    as_prior = judged(rng.normal(size=(4, 1000)))
    assert as_prior.left == ("x",) and as_prior.directions == 1 and as_prior.converged


def test_what_tasks_of_one_population_leave_to_their_priors():
    """Eight tasks that go together in the prior: each is as before, or none is, whatever axes their draws have."""
    rng = np.random.default_rng(0)
    together = rng.normal(size=(4000, 1)) * np.sqrt(0.6) + rng.normal(size=(4000, 8)) * np.sqrt(0.4)
    count, share = left_alone(together)
    assert count == 8 and np.all(share == 1)
    narrowed = 0.5 * together  # a quarter of the variance: the sum of eight still has more than one draw of the prior
    assert left_together(narrowed)[0] == 1
    assert left_alone(narrowed)[0] == 0


def test_no_band_of_chains_that_do_not_agree(chinchilla):
    post = chinchilla[2]
    apart = dataclasses.replace(post.diagnosis, r_hat=post.diagnosis.r_hat | {"alpha": 1.3})
    with pytest.raises(ValueError, match="there is no posterior to take a band of"):
        dataclasses.replace(post, diagnosis=apart).band(lambda law: law.E)


def test_the_density_is_that_of_the_priors_in_other_coordinates():
    """log p(u) = log p(values) + log |∂values/∂u|, the determinant by autodiff; for priors of other support too."""
    table = t2.Table.from_columns(params=[1e7, 1e8, 1e9], tokens=[1e10, 2e10, 1e11], loss=[3.4, 2.9, 2.6])
    for priors in ({}, {"A": Uniform(10.0, 1000.0), "alpha": Uniform(0.1, 0.9)}):
        with scope():
            target, _ = density(Chinchilla, table, None, {"E": 1.7}, priors)
            u = jnp.linspace(-0.5, 0.7, 5)
            matrix = jax.jit(jax.jacfwd(target.coordinates.values))(u)
            volume = np.linalg.slogdet(np.stack([matrix[name] for name in target.names]))[1]
            values = target.coordinates.values(u)
            expected = volume + sum(target.priors[name].log_prob(values[name]) for name in target.names)
            np.testing.assert_allclose(target.log_prior(u), expected, rtol=1e-12)


def test_bad_arguments_are_named():
    table = line_table(X)
    for priors, message in (
        ({"c": Normal(0.0, 1.0)}, "priors: 'c' is no parameter; those with a prior are a, b, sigma"),
        ({"a": 3.0}, "priors: a has 3.0, expected a NumPyro distribution of one number"),
        (
            {"sigma": Normal(0.0, 1.0)},
            "priors: the prior of sigma has support -inf to inf, expected one inside its domain",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            t2.sample(Line, table, key=KEY, priors=priors)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"priors: 'b' is fixed"):
        t2.sample(Line, table, key=KEY, fixed={"b": 0.0}, priors={"b": Normal(0.0, 1.0)})
    with pytest.raises(ValueError, match=r"StudentT: sigma cannot be fixed at -1, its domain is 0 to inf"):
        t2.sample(Line, table, key=KEY, fixed={"sigma": -1})
    with pytest.raises(ValueError, match="every parameter is fixed"):
        t2.sample(Line, table, key=KEY, fixed={"a": 1.0, "b": 0.0, "sigma": 0.1})
    with pytest.raises(ValueError, match="found chains=1, draws=1000"):
        t2.sample(Line, table, key=KEY, chains=1)
    with pytest.raises(TypeError, match="Huber is a penalty"):
        t2.sample(Line, table, t2.noise.Huber(), key=KEY)


def test_an_interrupt_keeps_the_draws_so_far(line):
    steps_done = []

    def stop(steps: int) -> None:
        steps_done.append(steps)
        if sum(steps_done) == 700:
            raise KeyboardInterrupt

    arguments: Any = {"noise": t2.noise.Gaussian(), "key": KEY, "fixed": {"sigma": SIGMA}}
    post = t2.sample(Line, line_table(X), progress=stop, **arguments)
    assert (post.draws_made, post.draws_requested, post.laws.a.shape) == (200, 1000, (800,))
    assert post.status.endswith("; interrupted: 200 of 1000 draws of each chain")
    whole = line.laws.a.reshape(4, 1000)
    np.testing.assert_array_equal(post.laws.a.reshape(4, 200), whole[:, :200])

    def at_once(steps: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        t2.sample(Line, line_table(X), progress=at_once, **arguments)


def test_files_hold_the_whole_posterior(line, tmp_path):
    post = line
    t2.posterior.save_posterior(tmp_path / "posterior.nc", post)
    again = t2.posterior.load_posterior(tmp_path / "posterior.nc", Line)
    for name in ("a", "b"):
        np.testing.assert_array_equal(again.laws.values()[name], post.laws.values()[name])
    assert again.point.values() == post.point.values() and again.status == post.status
    assert again.summary().equals(post.summary())
    read = arviz().from_netcdf(tmp_path / "posterior.nc")
    np.testing.assert_array_equal(np.ravel(read["posterior"]["b"]), post.laws.b)
    assert read["sample_stats"]["diverging"].shape == (4, 1000)
    # normal errors of known scale: log densities of SciPy, a run a row
    expected = stats.norm.logpdf(LOSSES, post.laws.a[7] + post.laws.b[7] * X, SIGMA)
    np.testing.assert_allclose(np.asarray(read["log_likelihood"]["loss"])[0, 7], expected, rtol=1e-9)
    with pytest.raises(ValueError, match=r"posterior\.nc: a posterior of one table; read it with load_posterior"):
        t2.posterior.load_task_posterior(tmp_path / "posterior.nc", Line)
    (tmp_path / "other.nc").write_text("not NetCDF")
    with pytest.raises(ValueError, match=r"other\.nc: not a posterior that t2jax wrote"):
        t2.posterior.load_posterior(tmp_path / "other.nc")


@pytest.fixture(scope="module")
def chinchilla(tmp_path_factory):
    """240 runs of a known law with Student-t errors of one per cent: the table, its file and the posterior."""
    rng = np.random.default_rng(4)
    n, d = 10 ** rng.uniform([[7.0], [9.0]], [[10.0], [12.0]], (2, 240))
    loss = (1.8 + 480.0 * n**-0.35 + 2100.0 * d**-0.37) * np.exp(0.01 * rng.standard_t(4, 240))
    table = t2.Table.from_columns(params=n, tokens=d, loss=loss)
    path = tmp_path_factory.mktemp("runs") / "runs.csv"
    table.to_csv(path)
    return table, path, t2.sample(Chinchilla, table, key=KEY)


def test_a_known_law_lies_inside_its_posterior(chinchilla):
    """Mean within four deviations of the truth, and the deviations of the Gaussian approximation at the optimum."""
    _, _, post = chinchilla
    assert post.converged and post.diagnosis.divergences == 0, post.status
    truth = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37, "sigma": 0.01}
    table = post.summary()
    for name, value in truth.items():
        assert abs(table.loc[name, "mean"] - value) < 4 * table.loc[name, "sd"], name
    band = post.band(lambda law: law(1e9, 2e10))
    assert band.low < 1.8 + 480.0 * 1e9**-0.35 + 2100.0 * 2e10**-0.37 < band.high


def test_command(chinchilla, tmp_path, capsys):
    _, path, post = chinchilla
    arguments = ["sample", str(path), "--law", "chinchilla", "--json", "-o", str(tmp_path / "out")]
    assert command(arguments) == 0
    answer = checked_answer(capsys.readouterr().out)
    assert (
        answer["converged"] and answer["draws"] == 4000 and set(answer["parameters"]) == {*post.laws.values(), "sigma"}
    )
    assert answer["parameters"]["alpha"]["mean"] == pytest.approx(float(np.mean(post.laws.alpha)), abs=0.002)
    for name in ("posterior.nc", "law.json", "marginals.png", "predictive.png", "prior.png"):
        assert name in answer["files"] and (tmp_path / "out" / name).stat().st_size > 500
    # its law and draws go into the frontier as those of a fit do
    law = str(tmp_path / "out" / "law.json")
    assert command(["frontier", "--law-file", law, "--train", "1e22", "--json", "-o", str(tmp_path / "plan")]) == 0
    result = json.loads(capsys.readouterr().out)["frontier"]
    optimum, _ = Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37).optimum(1e22)
    assert result["params_low"][0] < float(optimum) < result["params_high"][0]
    assert command([*arguments[:4], "--priors", "alpha=Cauchy(0,1)", "-o", str(tmp_path / "bad")]) == 1
    assert "--priors: found alpha='Cauchy(0,1)', expected one of Beta, Gamma" in capsys.readouterr().err


def test_prior_predictive_of_a_linear_law():
    """At log(N/10⁸) = x the prior predicts Normal(2, √(1 + x²)): its 5 and 95 % points, each row."""
    result = t2.posterior.prior_predictive(Line, line_table(X), key=KEY, draws=4000)
    spread = np.sqrt(1 + X**2)
    np.testing.assert_allclose(result.predicted.low, 2.0 - 1.645 * spread, atol=0.15 * spread.max())
    np.testing.assert_allclose(result.predicted.high, 2.0 + 1.645 * spread, atol=0.15 * spread.max())
    assert result.covered == 1.0 and result.status.startswith("12 of 12 rows lie inside the prior's 90 % interval")
    narrow = t2.posterior.prior_predictive(Line, line_table(X), key=KEY, draws=100, priors={"a": Normal(9.0, 0.1)})
    assert "the priors contradict the rows" in narrow.status


def test_chinchilla_table_as_pymc_samples_it():
    """Means within 0.1 deviations of those of PyMC's NUTS for the same model."""
    try:
        runs = t2.datasets.load("chinchilla-epoch")
    except DatasetError as error:
        pytest.skip(f"needs public data: {error}")
    post = t2.sample(Chinchilla, runs, key=KEY)
    assert post.converged and post.diagnosis.divergences == 0 and max(post.diagnosis.r_hat.values()) < 1.005
    table = post.summary()
    for name, (mean, deviation) in PYMC.items():
        assert abs(table.loc[name, "mean"] - mean) < 0.1 * deviation, name
        assert table.loc[name, "sd"] == pytest.approx(deviation, rel=0.1), name
