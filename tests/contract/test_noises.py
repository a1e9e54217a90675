"""The contract: what every noise model does with no other edit, or says in a sentence why it does not."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.distributions import Cauchy as CauchyDistribution
from numpyro.distributions import Distribution, LogNormal

import t2jax as t2
from t2jax.fitting.law_files import save_law
from t2jax.noise.by_unit import UnitNoise
from t2jax.noise.losses import ScaledNoise
from t2jax.noise.protocol import DEVIATION
from t2jax.numerics.special import log_pass_at_k_beta
from t2jax.typing import Scalar
from t2jax.working_precision import scope

KEY = jax.random.key(0)
TRIALS = 8


@dataclass(frozen=True)
class Cauchy(t2.noise.ResidualNoise):
    """A stranger's noise model: errors of the log so heavy-tailed that they have no variance."""

    nuisance = {"width": t2.param(LogNormal(-5.0, 1.5), unit="of the log", doc="half width of an error")}
    estimated = ("width",)

    def errors(self, nuisance) -> Distribution:
        return CauchyDistribution(0.0, nuisance["width"])


@t2.law
class Sizes(t2.Law):
    """A/N^½ + B/D^½: two coefficients, and at 6ND = C an optimum at N = (A/B) √(C/6)."""

    A: Scalar = t2.param(LogNormal(9.0, 1.0), unit="nats", doc="size of what params leave")
    B: Scalar = t2.param(LogNormal(11.0, 1.0), unit="nats", doc="size of what tokens leave")

    response = ("loss",)

    def __call__(self, N, D):
        return self.A * N**-0.5 + self.B * D**-0.5


@t2.law
class Chances(t2.Law):
    """Questions of Beta(a, b), a + b = 3, whose mean is e^-loss."""

    loss: t2.Law = t2.part(Sizes)

    response = ("pass_at_k",)

    def __call__(self, N, D, k):
        return jnp.exp(log_pass_at_k_beta(*self.questions(N, D), k))

    def questions(self, N, D):
        loss = self.loss(N, D)
        return 3 * jnp.exp(-loss), -3 * jnp.expm1(-loss)


TRUE = {"A": 5e3, "B": 1e5}
HUBER, CAUCHY, BINOMIAL = t2.noise.Huber(), Cauchy(), t2.noise.Binomial()
DISCREPANCY = t2.noise.Discrepancy(df=None)
RESIDUAL = (HUBER, t2.noise.Gaussian("log"), t2.noise.StudentT(), CAUCHY)
COUNTS = (BINOMIAL, t2.noise.BetaBinomial(), t2.noise.Joint(t2.noise.BetaBinomial()))
SHARES = (t2.noise.Joint(t2.noise.Gaussian(scale=0.01)),)
UNITS = (t2.noise.RunScatter(), t2.noise.CrossedEffects())
FITTED = (*RESIDUAL, DISCREPANCY, *COUNTS, *SHARES)
QUICK = (HUBER, CAUCHY, BINOMIAL, DISCREPANCY)
"""A penalty, a density, counts and a whole table; the others take minutes to compile and are marked `long`."""
OF_LOSSES = (*RESIDUAL, DISCREPANCY)


def named(noise: t2.noise.Noise) -> str:
    return type(noise).__name__ + (type(noise.samples).__name__ if isinstance(noise, t2.noise.Joint) else "")


def of(*noises: t2.noise.Noise, quick: tuple[t2.noise.Noise, ...] = ()):
    """Each noise; where some are named as quick, the others take long to compile."""
    slow = [pytest.mark.long] if quick else []
    cases = [pytest.param(noise, marks=[] if noise in quick else slow, id=named(noise)) for noise in noises]
    return pytest.mark.parametrize("noise", cases)


def law_of(noise: t2.noise.Noise) -> Any:
    return Sizes if noise in OF_LOSSES else Chances


def truth(noise: t2.noise.Noise) -> Any:
    return Sizes(**TRUE) if noise in OF_LOSSES else Chances(loss=Sizes(**TRUE))


@cache
def table_of(noise: t2.noise.Noise) -> t2.Table:
    """Measurements of the true law: losses with errors of one per cent, shares of points, or 8 samples of questions."""
    rng = np.random.default_rng(1)
    params, tokens = (x.ravel() for x in np.meshgrid(np.geomspace(1e8, 1e10, 5), np.geomspace(2e10, 1e12, 4)))
    loss = np.asarray(Sizes(**TRUE)(params, tokens), float)
    measured = loss * np.exp(0.01 * rng.normal(size=loss.size))
    columns: Any = {"params": params, "tokens": tokens, "loss": measured}
    if noise in OF_LOSSES:
        return t2.Table.from_columns(**columns)
    if noise in SHARES:
        share = np.exp(-loss) + 0.01 * rng.normal(size=loss.size)
        return t2.Table.from_columns(**columns, samples=np.ones(loss.size), pass_at_k=share)
    run, question = (x.ravel() for x in np.indices((loss.size, 10)))
    alike = noise == t2.noise.Binomial()
    mean = np.exp(-loss)[run]
    chance = mean if alike else rng.beta(3 * mean, 3 * (1 - mean))
    columns = {name: column[run] for name, column in columns.items() if name != "loss" or noise in COUNTS[2:]}
    columns |= {"model": [f"m{i}" for i in run], "question": [f"q{i}" for i in question]}
    trials = np.full(run.size, float(TRIALS))
    return t2.Table.from_columns(**columns, trials=trials, correct=rng.binomial(TRIALS, chance).astype(float))


@cache
def fit_of(noise: t2.noise.Noise) -> t2.Fit:
    return t2.fit(law_of(noise), table_of(noise), noise=noise, key=KEY, starts=2)


@cache
def post_of(noise: t2.noise.Noise) -> t2.Posterior:
    return t2.sample(law_of(noise), table_of(noise), noise, key=KEY, draws=150, warmup=150, chains=2)


def test_every_noise_is_under_contract():
    """Those that t2jax defines, but for the two that others are made of."""

    def below(kind: type) -> set[type]:
        return {kind}.union(*(below(subclass) for subclass in kind.__subclasses__()))

    ours = {subclass for subclass in below(t2.noise.Noise) if subclass.__module__.startswith("t2jax.")}
    bases = {t2.noise.Noise, t2.noise.ResidualNoise, ScaledNoise, UnitNoise}
    assert ours - bases == {type(noise) for noise in (*FITTED, *UNITS)} - {Cauchy}


@of(*FITTED, quick=QUICK)
def test_fits_find_the_law_again(noise):
    """Errors are one per cent in 20 rows, or those of 8 samples of 200 questions."""
    fit = fit_of(noise)
    assert fit.converged, fit.status
    for name, value in TRUE.items():
        assert fit.law.values()[name] == pytest.approx(value, rel=0.03 if noise in (*OF_LOSSES, *SHARES) else 0.25)
    assert set(fit.noise_values) == {*noise.estimated, *noise.settled}


@of(*FITTED, quick=QUICK)
def test_resampled_tables_are_fitted_again(noise):
    # of counts, each run with eight answers to ten questions, A is known to a quarter
    low, high = (0.5, 1.7) if noise in COUNTS else (0.7, 1.4)
    boots = [t2.parametric_bootstrap(fit_of(noise), table_of(noise), draws=20, key=KEY)]
    if noise.not_resampled:
        with pytest.raises(ValueError, match=r"take t2.parametric_bootstrap"):
            t2.bootstrap(fit_of(noise), table_of(noise), draws=20, key=KEY)
    else:
        boots.append(t2.bootstrap(fit_of(noise), table_of(noise), draws=20, key=KEY))
    for boot in boots:
        band = boot.band(lambda law: law.values()["A"])
        assert boot.failed == 0 and low * TRUE["A"] < band.low < band.high < high * TRUE["A"]


@of(*FITTED, quick=QUICK)
def test_fitted_laws_are_saved_and_read(noise, tmp_path):
    save_law(tmp_path / "law.json", fit_of(noise), table_of(noise))
    assert t2.load_law(tmp_path / "law.json", law_of(noise)).values() == fit_of(noise).law.values()


@of(*UNITS)
def test_units_are_not_fitted(noise):
    with pytest.raises(TypeError, match=r"is for sampling \(t2.sample\); fit points with noise.BetaBinomial"):
        fit_of(noise)


def row(noise: t2.noise.Noise, count: int, **columns: Any) -> dict[str, Any]:
    """Columns of `count` measurements of one run."""
    table = table_of(noise)
    names = [name for name in noise.columns(law_of(noise), table) if name not in columns]
    return {name: np.full(count, table[name][0]) for name in names} | columns


def log_density(noise: t2.noise.Noise, columns: Any, scales: dict[str, float]) -> np.ndarray:
    with scope() as dtype:
        given, nuisance = jax.tree.map(lambda value: jnp.asarray(value, dtype), (columns, scales))
        return np.asarray(noise.log_density(truth(noise), given, nuisance))


@of(*RESIDUAL[1:], *SHARES)
def test_densities_of_measurements_integrate_to_one(noise):
    """Over errors of σ sinh(t), out to where Cauchy's tails hold 1e-5."""
    t = np.linspace(-11.0, 11.0, 4001)
    scales = dict.fromkeys(noise.nuisance, 0.02)
    log = noise in RESIDUAL
    with scope():
        rows = {name: jnp.asarray(column) for name, column in row(noise, len(t)).items()}
        middle = np.asarray(truth(noise).predict({"samples": jnp.ones(len(t)), **rows}))
    error = 0.02 * np.sinh(t)
    value = middle * np.exp(error) if log else middle + error
    columns = row(noise, len(t), **{"loss" if log else "pass_at_k": value})
    width = 0.02 * np.cosh(t) * (value if log else 1.0) * (t[1] - t[0])
    total = np.sum(np.exp(log_density(noise, columns, scales)) * width)
    if noise in SHARES:  # the density of the loss that was measured with it is there too
        loss_row = {name: columns[name] for name in ("params", "tokens", "loss")}
        with scope():
            given = {name: jnp.asarray(column) for name, column in loss_row.items()}
            loss = noise.loss.log_density(Sizes(**TRUE), given, {"sigma": jnp.asarray(0.02)})
        total = total / np.exp(np.asarray(loss)[0])
    assert total == pytest.approx(1.0, abs=1e-4)


@of(*COUNTS[:2], *UNITS, quick=(*COUNTS[:2], UNITS[0]))
def test_densities_of_counts_sum_to_one(noise):
    """Over 0 to 8 correct samples of one question of one run."""
    counts = np.arange(TRIALS + 1.0)
    if noise in UNITS:
        scales, table, total = dict.fromkeys(noise.nuisance, 0.05), table_of(noise), 0.0
        for count in counts:
            single = t2.Table(table.to_frame().iloc[[0]].assign(correct=count))
            columns = dict(noise.units(Chances, single).columns)
            if noise.deviations:
                columns[DEVIATION] = np.zeros(1)
            with scope() as dtype:
                given = {
                    name: jnp.asarray(x, dtype if np.asarray(x).dtype.kind == "f" else None)
                    for name, x in columns.items()
                }
                nuisance = {name: jnp.asarray(value, dtype) for name, value in scales.items()}
                total += np.exp(np.asarray(noise.log_density(truth(noise), given, nuisance))).sum()
        assert total == pytest.approx(1.0, abs=2e-3)
    else:
        assert np.exp(log_density(noise, row(noise, len(counts), correct=counts), {})).sum() == pytest.approx(1.0)


@of(*RESIDUAL[1:], DISCREPANCY, *COUNTS, *SHARES, quick=(HUBER, CAUCHY, BINOMIAL))
def test_posteriors_are_sampled_and_checked(noise):
    """Chains of 150 draws agree on the law, and rows of its own noise model look as new ones would."""
    post = post_of(noise)
    assert set(post.summary().index) == {*TRUE, *noise.nuisance}
    assert 0.75 * TRUE["A"] < float(np.mean(post.laws.values()["A"])) < 1.3 * TRUE["A"]
    # so few draws cannot meet the limit of effective draws, which is no matter of the noise model
    believed = replace(post, diagnosis=replace(post.diagnosis, failures=()))
    check = t2.posterior.posterior_predictive(believed, table_of(noise), key=KEY, draws=100)
    assert check.covered > 0.75 and check.predicted.low.shape == (len(table_of(noise)),)


def test_a_penalty_is_not_sampled():
    with pytest.raises(TypeError, match=r"has no likelihood; sample with noise.StudentT"):
        post_of(t2.noise.Huber())


@of(*FITTED, quick=QUICK)
def test_laws_are_compared_where_there_is_a_likelihood(noise):
    fit, table = fit_of(noise), table_of(noise)
    if noise.no_likelihood:
        with pytest.raises(ValueError, match="likelihood"):
            t2.evaluation.criteria(fit, table)
    else:
        result = t2.evaluation.criteria(fit, table)
        expected = 2 + (0 if noise in COUNTS else 1)
        assert result.parameters == expected and np.isfinite(result.bic)
        assert result.log_likelihood == pytest.approx(t2.evaluation.log_scores(fit, table).sum())
    cross = t2.evaluation.cross_validate(law_of(noise), table, key=KEY, folds=2, noise=noise, starts=2)
    assert cross.failed == 0 and (cross.log_score is None) == bool(noise.no_likelihood)
    assert (cross.errors is None) == (noise in COUNTS)


@of(*FITTED, quick=QUICK)
def test_cuts_are_audited(noise):
    table = table_of(noise)
    audit = t2.evaluation.extrapolate(
        law_of(noise), table, t2.evaluation.Cut.middle(table), key=KEY, noise=noise, starts=2, draws=20
    )
    out = audit.held_out
    assert np.all(audit.low[out] < audit.high[out]) and (audit.log_score is None) == bool(noise.no_likelihood)
    assert np.mean((audit.low <= audit.observed) & (audit.observed <= audit.high)) > 0.5


@of(*FITTED, quick=QUICK)
def test_runs_are_chosen_where_errors_have_one_scale(noise):
    budget = t2.Budget(train=1e23)
    if noise not in RESIDUAL:
        with pytest.raises(ValueError, match="no single scale of errors"):
            t2.next_runs(fit_of(noise), table_of(noise), budget)
        return
    candidates = t2.Table.from_columns(params=[1e8, 1e10], tokens=[1e12, 2e10])
    plan = t2.next_runs(fit_of(noise), table_of(noise), budget, candidates=candidates)
    assert plan.params.shape == (1,) and plan.after[0] < plan.before
