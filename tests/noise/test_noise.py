"""Noise models: densities and penalties against SciPy, simulated tables against their moments, and the defaults."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special as sp
from scipy import stats

import t2jax as t2
from t2jax.fitting.problem import prepare
from t2jax.laws.loss.chinchilla import Chinchilla
from t2jax.laws.pass_at_k.post_trained import PostTrained
from t2jax.laws.pass_at_k.t2_loss import T2Loss
from t2jax.laws.pass_at_k.t2_pass_k import T2PassK
from t2jax.laws.pass_at_k.t2_pass_k_naive import T2PassKNaive
from t2jax.noise.counts import BetaBinomial, Binomial
from t2jax.noise.default import default_noise
from t2jax.noise.joint import Joint
from t2jax.noise.losses import Gaussian, Huber, StudentT

RNG = np.random.default_rng(0)
ROWS: dict[str, Any] = {"params": 10 ** RNG.uniform(7, 10, 50), "tokens": 10 ** RNG.uniform(8, 12, 50)}
LOSS = Chinchilla(E=1.7, A=480.0, B=2000.0, alpha=0.35, beta=0.37)
PASS = T2PassK(**LOSS.values(), theta0=2.5, theta1=2.0, theta2=0.9, theta3=1.0, theta4=-0.3)
NAIVE = T2PassKNaive(**LOSS.values(), theta0=2.5, theta1=2.0, theta2=0.9)
PREDICTED = 1.7 + 480.0 * ROWS["params"] ** -0.35 + 2000.0 * ROWS["tokens"] ** -0.37
MEAN = 0.9 / (1 + np.exp(2.0 * (PREDICTED - 2.5)))
SIZE = np.exp(1.0 - 0.3 * PREDICTED)
ROWS["loss"] = PREDICTED * np.exp(RNG.standard_t(3, 50) * 0.01)
ROWS["trials"] = np.floor(10 ** RNG.uniform(0, 5, 50))
ROWS["correct"] = np.floor(ROWS["trials"] * RNG.uniform(size=50))
RESIDUAL = np.log(PREDICTED / ROWS["loss"])


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def table(**columns) -> t2.Table:
    return t2.Table.from_columns(**{"params": ROWS["params"], "tokens": ROWS["tokens"]} | columns)


@pytest.mark.parametrize("delta", [1e-3, 0.01, 1.0])
def test_huber(delta):
    np.testing.assert_allclose(Huber(delta).penalty(LOSS, ROWS, {}), sp.huber(delta, RESIDUAL), rtol=1e-11, atol=1e-18)
    with pytest.raises(TypeError, match=r"no likelihood; sample with noise\.StudentT"):
        Huber(delta).log_density(LOSS, ROWS, {})


@pytest.mark.parametrize("sigma", [0.003, 0.2])
def test_gaussian_and_student(sigma):
    scale = {"sigma": jnp.asarray(sigma)}
    plain = Gaussian().log_density(LOSS, ROWS, scale)
    np.testing.assert_allclose(plain, stats.norm.logpdf(ROWS["loss"], PREDICTED, sigma), rtol=1e-10)
    logs = Gaussian("log").log_density(LOSS, ROWS, scale)
    np.testing.assert_allclose(logs, stats.lognorm.logpdf(ROWS["loss"], sigma, scale=PREDICTED), rtol=1e-10)
    for df in (2.5, 4.0, 30.0):
        student = StudentT(df).log_density(LOSS, ROWS, scale)
        of_log = stats.t.logpdf(RESIDUAL, df, scale=sigma)
        np.testing.assert_allclose(student, of_log - np.log(ROWS["loss"]), rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(StudentT(df).penalty(LOSS, ROWS, scale), -of_log, rtol=1e-10, atol=1e-12)
    plain = StudentT(transform="identity").log_density(LOSS, ROWS, scale)
    np.testing.assert_allclose(plain, stats.t.logpdf(PREDICTED - ROWS["loss"], 4, scale=sigma), rtol=1e-10, atol=1e-12)
    for noise, residual in ((Gaussian(scale=0.3), PREDICTED - ROWS["loss"]), (Gaussian("log", 0.3), RESIDUAL)):
        np.testing.assert_allclose(noise.penalty(LOSS, ROWS, {}), 0.5 * (residual / 0.3) ** 2, rtol=1e-10)


def test_counts():
    """Binomial and beta-binomial log-likelihoods; SciPy's own of the latter loses digits at many trials."""
    expected = stats.binom.logpmf(ROWS["correct"], ROWS["trials"], MEAN)
    np.testing.assert_allclose(Binomial().log_density(NAIVE, ROWS, {}), expected, rtol=1e-10)
    np.testing.assert_array_equal(Binomial().penalty(NAIVE, ROWS, {}), -Binomial().log_density(NAIVE, ROWS, {}))
    expected = stats.betabinom.logpmf(ROWS["correct"], ROWS["trials"], MEAN * SIZE, (1 - MEAN) * SIZE)
    result = BetaBinomial().log_density(PASS, ROWS, {})
    np.testing.assert_allclose(result, expected, rtol=1e-8, atol=1e-8)
    np.testing.assert_array_equal(BetaBinomial().penalty(PASS, ROWS, {}), -np.asarray(result))
    # a T2PassK read as one chance for all is the naive law
    np.testing.assert_allclose(
        Binomial().log_density(PASS, ROWS, {}), Binomial().log_density(NAIVE, ROWS, {}), rtol=1e-9
    )
    with pytest.raises(TypeError, match=r"T2PassKNaive does not say how questions differ; .*noise\.Binomial"):
        BetaBinomial().log_density(NAIVE, ROWS, {})


def test_joint_adds_two_measurements_of_a_row():
    joint = Joint(BetaBinomial(), Gaussian("log", scale=0.02))
    counts = np.asarray(BetaBinomial().log_density(PASS, ROWS, {}))
    np.testing.assert_allclose(joint.penalty(PASS, ROWS, {}), 0.5 * (RESIDUAL / 0.02) ** 2 - counts, rtol=1e-10)
    density = stats.lognorm.logpdf(ROWS["loss"], 0.02, scale=PREDICTED) + counts
    np.testing.assert_allclose(joint.log_density(PASS, ROWS, {}), density, rtol=1e-10)
    both = table(loss=ROWS["loss"], trials=ROWS["trials"], correct=ROWS["correct"])
    assert sorted(joint.columns(T2PassK, both)) == ["correct", "loss", "params", "tokens", "trials"]


def test_defaults():
    loss, counts = {"loss": ROWS["loss"]}, {"trials": ROWS["trials"], "correct": ROWS["correct"]}
    rates = {"samples": np.full(50, 8.0), "pass_at_k": MEAN}
    assert default_noise(Chinchilla, table(**loss)) == Huber(1e-3) == default_noise(T2Loss, table(**loss))
    assert default_noise(T2PassK, table(**counts)) == BetaBinomial()
    assert default_noise(T2PassKNaive, table(**counts)) == Binomial()
    assert default_noise(T2PassK, table(**counts, **loss)) == Joint(BetaBinomial())
    assert isinstance(default_noise(T2PassK, table(**rates)), Gaussian)
    assert default_noise(PostTrained, table(**loss)) == Gaussian("log", scale=0.01)  # as the law states
    joint = default_noise(T2PassKNaive, table(**rates, **loss))
    assert isinstance(joint, Joint) and isinstance(joint.samples, Gaussian) and joint.loss == Gaussian("log", 0.01)


def test_columns_read():
    loss, counts = table(loss=ROWS["loss"]), table(trials=ROWS["trials"], correct=ROWS["correct"])
    for noise in (Huber(), Gaussian(), StudentT()):
        assert noise.columns(Chinchilla, loss) == ("params", "tokens", "loss")
    # a loss is measured on one sample; -log pass@k needs to say on how many
    assert Huber().columns(T2Loss, loss) == ("params", "tokens", "loss")
    measured = loss.with_columns(neg_log_pass=ROWS["loss"], samples=2.0)
    assert Huber().columns(T2Loss, measured) == ("params", "tokens", "samples", "neg_log_pass")
    for noise in (Binomial(), BetaBinomial()):
        assert noise.columns(T2PassK, counts) == ("params", "tokens", "trials", "correct")


def repeated(noise, law, draws=4000, **rows) -> np.ndarray:
    """Simulations (draws, rows) of the one column that a noise model measures again, on the first five rows."""
    few = {name: jnp.asarray(column[:5]) for name, column in (ROWS | rows).items()}
    keys = jax.random.split(jax.random.key(0), draws)
    (column,) = jax.jit(jax.vmap(lambda key: noise.simulate(law, few, {}, key)))(keys).values()
    return np.asarray(column)


@pytest.mark.parametrize(("noise", "law"), [(Binomial(), NAIVE), (BetaBinomial(), PASS)])
def test_simulated_counts_have_the_moments_of_their_law(noise, law):
    """Mean nμ; variance nμ(1-μ), times (ν+n)/(ν+1) where questions differ; within 5 standard errors."""
    n, mean, size = 40.0, MEAN[:5], SIZE[:5]
    drawn = repeated(noise, law, trials=np.full(50, n))
    assert np.all(drawn == np.floor(drawn)) and drawn.min() >= 0 and drawn.max() <= n
    variance = n * mean * (1 - mean) * ((size + n) / (size + 1) if law is PASS else 1.0)
    centred = drawn - n * mean
    assert np.all(np.abs(centred.mean(0)) < 5 * np.sqrt(variance / len(drawn)))
    error = np.std(centred**2, axis=0) / np.sqrt(len(drawn))
    assert np.all(np.abs((centred**2).mean(0) - variance) < 5 * error)


@pytest.mark.parametrize("noise", [Huber(), Gaussian(), Gaussian("log"), StudentT(), StudentT(transform="identity")])
def test_simulated_losses_are_predictions_with_residuals_drawn_again(noise):
    transform = getattr(noise, "transform", "log")
    drawn = repeated(noise, LOSS)
    forward = (lambda x: x) if transform == "identity" else np.log
    residuals = forward(ROWS["loss"][:5]) - forward(PREDICTED[:5])
    seen = forward(drawn) - forward(PREDICTED[:5])[None]
    distance = np.abs(seen[:, :, None] - residuals[None, None])
    assert distance.min(axis=2).max() < 1e-12  # each is one of the residuals
    share = np.stack([(distance.argmin(axis=2) == i).mean(axis=0) for i in range(5)])
    assert np.all(np.abs(share - 0.2) < 5 * np.sqrt(0.2 * 0.8 / len(drawn)))  # and each as often at every row


def test_joint_simulates_both_columns():
    rows = {name: jnp.asarray(column[:5]) for name, column in ROWS.items()}
    simulated = Joint(BetaBinomial()).simulate(PASS, rows, {}, jax.random.key(0))
    assert sorted(simulated) == ["correct", "loss"] and all(column.shape == (5,) for column in simulated.values())


def test_a_loss_is_one_measurement_however_many_questions_its_run_has():
    """The density of questions is that of their counts and of one loss a run, by SciPy."""
    at = np.repeat([3, 7], [4, 2])
    columns = {name: ROWS[name][at] for name in ("params", "tokens", "loss", "trials", "correct")}
    questions = t2.Table.from_columns(**columns, question=[str(i) for i in range(6)])  # pyright: ignore[reportArgumentType]
    problem, data = prepare(T2PassKNaive, questions, Joint(Binomial(), Gaussian("log", scale=0.02)), {})
    rows = {name: jnp.asarray(values) for name, values in data.every_row().items()}
    result = np.sum(problem.noise.log_density(NAIVE, rows, {}))
    counts = stats.binom.logpmf(columns["correct"], columns["trials"], MEAN[at]).sum()
    losses = stats.lognorm.logpdf(ROWS["loss"][[3, 7]], 0.02, scale=PREDICTED[[3, 7]])
    assert result == pytest.approx(counts + losses.sum(), rel=1e-10)
    penalty = np.sum(problem.noise.penalty(NAIVE, rows, {}))
    assert penalty == pytest.approx(0.5 * np.sum(np.square(RESIDUAL[[3, 7]] / 0.02)) - counts, rel=1e-10)


def test_joint_estimates_what_its_samples_estimate():
    joint = Joint(t2.noise.StudentT(transform="identity"))
    assert joint.estimated == ("sigma",) and set(joint.nuisance) == {"sigma", "sigma_loss"}
