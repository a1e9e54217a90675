"""Bootstraps: published and textbook standard errors, resampling of runs, and the bands made of draws."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import t2jax as t2
from t2jax.datasets.files import DatasetError
from t2jax.fitting.bootstrap import _collect as collect
from t2jax.laws.loss.chinchilla import Chinchilla
from t2jax.tables.measurements import bucket
from tests.helpers.tables import count_compilations

KEY = jax.random.key(0)
DRAWS = 400
EPOCH = {"E": 0.023, "A": 114.0, "B": 874.0, "alpha": 0.0144, "beta": 0.0168}
"""Standard deviations of the 4000 draws that Besiroglu et al. 2024 publish for chinchilla-epoch."""
TRUE = Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
N, D = np.repeat(10 ** np.random.default_rng(1).uniform([[7.0], [9.0]], [[10.0], [12.0]], (2, 24)), 10, axis=1)
"""24 runs of ten rows each: the same in every test, so that fits and resampling compile once."""


def spread(values: np.ndarray) -> float:
    """The interquartile range as the standard deviation of a normal distribution that has it."""
    low, high = np.quantile(values, [0.25, 0.75])
    return float(high - low) / 1.349


def simulated(errors: np.ndarray) -> t2.Table:
    """Losses of the true law times exp(errors), one for each of the 240 rows."""
    loss = (1.8 + 480.0 * N**-0.35 + 2100.0 * D**-0.37) * np.exp(errors)
    return t2.Table.from_columns(params=N, tokens=D, loss=loss)


@pytest.fixture(scope="module")
def gaussian_fit():
    table = simulated(0.01 * np.random.default_rng(2).normal(size=240))
    fit = t2.fit(Chinchilla, table, key=KEY, noise=t2.noise.Gaussian("log"))
    return table, fit


def test_chinchilla_table_as_published():
    """Spreads of 400 draws near those of 4000 published ones.

    A standard deviation of m normal draws errs by 1/√(2m): 3.5 % here, 1.1 % there. Tails are heavier (kurtosis κ gives
    √((κ-1)/4m): 7 % at κ = 9), and the published rows were resampled by another program: 5 times 7 % is allowed for E,
    α and β. A and B are nearly log-normal, where single draws rule the deviation: their logs, by A's and B's own
    derivative, and by quartiles (error 1.36/√m, 7 % again).
    """
    try:
        runs = t2.datasets.load("chinchilla-epoch")
    except DatasetError as error:
        pytest.skip(f"needs public data: {error}")
    fit = t2.fit(Chinchilla, runs, key=KEY)
    boot = t2.bootstrap(fit, runs, draws=DRAWS, key=KEY)
    assert boot.draws == DRAWS and len(boot.laws.E) == DRAWS - boot.failed and boot.failed <= DRAWS // 50
    assert boot.status.startswith(f"{DRAWS - boot.failed} of 400 draws over rows converged")
    for name in ("E", "alpha", "beta"):
        assert np.std(boot.laws.values()[name]) == pytest.approx(EPOCH[name], rel=0.35), name
    for name in ("A", "B"):
        drawn, fitted = boot.laws.values()[name], fit.law.values()[name]
        assert fitted * spread(np.log(drawn)) == pytest.approx(EPOCH[name], rel=0.35), name
    # the same draws from the same key, others from another
    assert np.array_equal(boot.laws.E, t2.bootstrap(fit, runs, draws=DRAWS, key=KEY).laws.E)
    assert not np.array_equal(boot.laws.E, t2.bootstrap(fit, runs, draws=DRAWS, key=jax.random.key(1)).laws.E)
    wide = boot.band(lambda law: law(1e9, 2e10), level=0.95)
    assert wide.low < fit.law(1e9, 2e10) < wide.high and wide.high / wide.low < 1.02


def test_least_squares_has_its_textbook_errors(gaussian_fit):
    """Rows and parametric: σ²(JᵀJ)⁻¹ in logs of parameters, within 5 errors of 400 draws; rows also for their tails."""
    table, fit = gaussian_fit
    u = np.log(list(fit.law.values().values()))

    def log_loss(u):
        value = np.exp(u)
        return np.log(value[0] + value[1] * N ** -value[3] + value[2] * D ** -value[4])

    jacobian = np.stack([(log_loss(u + h) - log_loss(u - h)) / 2e-6 for h in 1e-6 * np.eye(5)], axis=1)
    variance = np.mean((np.log(table["loss"]) - log_loss(u)) ** 2)
    textbook = np.sqrt(np.diag(variance * np.linalg.inv(jacobian.T @ jacobian)))
    simulated_draws = t2.parametric_bootstrap(fit, table, draws=DRAWS, key=KEY)
    resampled = t2.bootstrap(fit, table, draws=DRAWS, key=KEY)
    assert simulated_draws.resampled == "simulated tables" and "over simulated tables" in simulated_draws.status
    for boot, extra in ((simulated_draws, 0.0), (resampled, 0.1)):
        errors = [spread(np.log(leaf)) for leaf in boot.laws.values().values()]
        np.testing.assert_allclose(errors, textbook, rtol=5 * 1.166 / np.sqrt(DRAWS) + extra)


def test_rows_of_a_run_share_their_error():
    """Where the ten rows of a run have one error, rows look √10 too sure of themselves."""
    rng = np.random.default_rng(3)
    table = simulated(np.repeat(0.01 * rng.normal(size=24), 10) + 1e-6 * rng.normal(size=240))
    fit = t2.fit(Chinchilla, table, key=KEY, noise=t2.noise.Gaussian("log"))
    by_row, by_run = (t2.bootstrap(fit, table, draws=DRAWS, key=KEY, over=over) for over in ("rows", "runs"))
    assert (by_row.resampled, by_run.resampled) == ("rows", "runs")
    for name, drawn in by_run.laws.values().items():
        ratio = spread(np.log(drawn)) / spread(np.log(by_row.laws.values()[name]))
        assert ratio == pytest.approx(np.sqrt(10), rel=0.4), name
    with pytest.raises(ValueError, match="over 'rows' or 'runs', not 'tables'"):
        t2.bootstrap(fit, table, draws=2, key=KEY, over="tables")  # pyright: ignore[reportArgumentType]


def test_coverage(gaussian_fit):
    """Of 60 tables with fresh errors, the 90 % band holds the true α about 54 times; 45 to 59 is ± 3.9 deviations."""
    _, first = gaussian_fit
    covered = 0
    for seed in range(60):
        table = simulated(0.01 * np.random.default_rng(100 + seed).normal(size=240))
        fit = t2.fit(Chinchilla, table, key=KEY, noise=first.problem.noise)
        band = t2.band(t2.parametric_bootstrap(fit, table, draws=DRAWS, key=KEY).laws.alpha)
        covered += bool(band.low <= 0.35 <= band.high)
    assert 45 <= covered <= 59


def test_a_fit_that_failed_is_not_resampled(gaussian_fit):
    table, fit = gaussian_fit
    failed = dataclasses.replace(fit, converged=False, status="not converged: for the test")
    for resample in (t2.bootstrap, t2.parametric_bootstrap):
        with pytest.raises(ValueError, match=r"no fit to resample \(not converged: for the test\)"):
            resample(failed, table, draws=2, key=KEY)


def test_failed_draws_are_counted_and_left_out():
    drawn = Chinchilla(**{name: np.arange(5.0) + i for i, name in enumerate(Chinchilla.declared())})
    good = jnp.array([True, False, True, True, False])
    boot = collect((drawn, good), 5, "rows")
    assert [leaf.tolist() for leaf in boot.laws.values().values()] == [[i, i + 2, i + 3] for i in range(5)]
    assert (boot.draws, boot.failed) == (5, 2)
    biased = "2 of 5 draws reached no optimum, so there are no intervals: they would be biased"
    assert boot.status == f"{biased}; 3 of 5 draws over rows converged" and boot.no_band() == biased
    with pytest.raises(ValueError, match="2 of 5 draws reached no optimum, so there are no intervals"):
        boot.band(lambda law: law.E)
    assert repr(boot).splitlines()[2] == "  E                 2 (no interval)"  # the median of 0, 2 and 3
    cut_short = dataclasses.replace(boot, draws=30)
    assert cut_short.status == "28 of 30 draws over rows converged; 2 reached no optimum and were left out"
    with pytest.raises(ValueError, match="none of the 5 draws over rows reached an optimum"):
        collect((drawn, jnp.zeros(5, bool)), 5, "rows")


def test_a_tenth_of_the_draws_may_fail_and_an_interval_needs_draws_beyond_its_ends():
    """18 of 20 draws have no band at 90 %, whose ends need 2/(1 - 0.9) = 20 draws, and one at 80 %, which needs 10."""
    drawn = Chinchilla(**{name: np.linspace(0.0, 1.0, 18) for name in Chinchilla.declared()})
    boot = t2.Bootstrap(drawn, 20, 2, "rows")
    assert boot.no_band() == "18 draws are too few for the ends of a 90 % interval, which needs 20"
    with pytest.raises(ValueError, match="18 draws are too few for the ends of a 90 % interval"):
        boot.band(lambda law: law.E)
    assert boot.band(lambda law: law.E, level=0.8).mid == pytest.approx(0.5)
    assert dataclasses.replace(boot, failed=3).no_band(0.8).startswith("3 of 20 draws reached no optimum")
    with pytest.raises(ValueError, match="3 draws are too few for the ends of a 50 % interval, which needs 4"):
        t2.band(np.arange(3.0), level=0.5)


def test_an_undetermined_parameter_prints_no_interval():
    drawn = Chinchilla(**{name: np.linspace(0.0, 1.0, 21) for name in Chinchilla.declared()})
    lines = repr(t2.Bootstrap(drawn, 21, 0, "rows", undetermined=("E",))).splitlines()
    assert lines[1] == "  E                 undetermined" and lines[2] == "  A                 0.5 (0.05 to 0.95)"


def test_draws_print_their_status_and_the_band_of_each_parameter():
    drawn = Chinchilla(**{name: np.linspace(i, i + 1, 101) for i, name in enumerate(Chinchilla.declared())})
    first, *lines = repr(t2.Bootstrap(drawn, 104, 3, "rows")).splitlines()
    assert first == "Bootstrap: 101 of 104 draws over rows converged"
    assert lines[0] == "  3 reached no optimum and were left out"
    assert (
        lines[1] == "  E                 0.5 (0.05 to 0.95)" and lines[-1] == "  beta              4.5 (4.05 to 4.95)"
    )


def test_bands():
    rng = np.random.default_rng(5)
    values = rng.normal(size=(1000, 3, 2))
    for level in (0.5, 0.9, 0.99):
        band = t2.band(values, level)
        expected = np.quantile(values, [(1 - level) / 2, 0.5, (1 + level) / 2], axis=0)
        np.testing.assert_allclose([band.low, band.mid, band.high], expected, rtol=1e-12)
        assert band.level == level
    some = values.copy()
    some[:400, 1, 1] = np.nan
    np.testing.assert_allclose(t2.band(some).mid[1, 1], np.median(values[400:, 1, 1]), rtol=1e-12)
    some[:501, 0, 1] = np.nan
    with pytest.raises(ValueError, match="50% of the draws have no value here"):
        t2.band(some)
    for level in (0.0, 1.0, -0.1, 90):
        with pytest.raises(ValueError, match=f"level must be between 0 and 1, not {level}"):
            t2.band(values, level)


def test_band_of_anything_computed_from_a_law():
    """Quantiles in float64 of a value per draw, whatever the ambient precision; the value may be an array."""
    rng = np.random.default_rng(6)
    values = {"E": 1.8 + 1e-9 * rng.normal(size=200), "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37}
    laws = Chinchilla(**{name: np.broadcast_to(value, (200,)) for name, value in values.items()})
    band = t2.Bootstrap(laws, 200, 0, "rows").band(lambda law: jnp.stack([law.E, law(1e9, 1e10)]), level=0.8)
    expected = np.quantile(values["E"], [0.1, 0.5, 0.9])
    np.testing.assert_allclose([band.low[0], band.mid[0], band.high[0]], expected, rtol=1e-14)
    rest = 480.0 * 1e9**-0.35 + 2100.0 * 1e10**-0.37
    np.testing.assert_allclose([band.low[1], band.mid[1], band.high[1]], expected + rest, rtol=1e-13)


def test_another_number_of_rows_or_runs_compiles_nothing():
    """219 rows and 240 are padded to the same length, with rows of no weight."""
    table = simulated(0.01 * np.random.default_rng(3).normal(size=240))
    noise = t2.noise.Gaussian("log")

    def results(rows: t2.Table) -> t2.Fit:
        fit = t2.fit(Chinchilla, rows, key=KEY, noise=noise)
        for over in ("rows", "runs"):
            t2.bootstrap(fit, rows, draws=8, key=KEY, over=over)
        return fit

    with count_compilations() as count:
        jax.jit(lambda x: x + 1.0)(1.0)
        assert count() == 1  # so that none counted below means none made
    whole = results(table)
    fewer = table.where(np.arange(240) < 219)
    with count_compilations() as count:
        part = results(fewer)
    assert count() == 0
    assert part.objective < whole.objective and part.law.E != whole.law.E


def test_padding_with_rows_of_no_weight_changes_nothing():
    """The objective, its gradient and the resampled weights are those of the table's own rows."""
    with jax.enable_x64(True):
        table = simulated(0.01 * np.random.default_rng(4).normal(size=240)).where(np.arange(240) < 219)
        fit = t2.fit(Chinchilla, table, key=KEY, noise=t2.noise.Gaussian("log"))
        problem, data = fit.problem.read(table)
        padded = data.padded()
        assert len(padded.weight) == len(padded.columns["loss"]) == 256 and padded.weight[219:].sum() == 0
        u = problem.unconstrain(fit.law.values() | fit.noise_values)
        for times in (np.ones(219), np.arange(219.0)):
            weighted = data.weighted(jnp.asarray(times))
            more = padded.weighted(jnp.asarray(np.pad(times, (0, 37), constant_values=5.0)))
            for of in (problem.objective, jax.grad(problem.objective), jax.hessian(problem.objective)):
                np.testing.assert_allclose(of(u, more), of(u, weighted), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("length", "padded"), [(1, 16), (16, 16), (17, 20), (64, 64), (65, 77), (241, 256), (257, 305)]
)
def test_lengths_that_tables_are_padded_to(length, padded):
    """16·2^(j/4), rounded up: at most a fifth more rows than there are."""
    assert bucket(length) == padded
