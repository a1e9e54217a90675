"""Tasks sampled together: the normal-normal model in closed form, both ends of pooling, and known populations."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.distributions import HalfNormal, LogNormal, Normal
from scipy import stats

import t2jax as t2
from t2jax.laws.pass_at_k.t2_loss import T2Loss
from t2jax.laws.pass_at_k.t2_pass_k import T2PassK
from t2jax.posterior.density import density
from t2jax.posterior.tasks.pooled_density import LocalExpansion, Pooled, expand, prior_draws
from t2jax.tables.place import TableError
from t2jax.tables.tasks import tasks_of
from t2jax.typing import Scalar
from t2jax.working_precision import scope

KEY = jax.random.key(0)
SIGMA = 0.5
ROWS = (40, 40, 12, 2, 40)
"""Unbalanced: the mean of two rows has a standard error of 0.35, about the spread of the tasks; of forty, 0.08."""
MEANS = np.array([2.9, 3.2, 2.7, 4.2, 3.0])
SPREAD = LogNormal(np.log(0.3), 0.7)


@t2.law
class Level(t2.Law):
    """L(N) = a + 0·N: one number a task."""

    a: Scalar = t2.param(Normal(2.0, 1.0), unit="1", doc="level")

    def __call__(self, N):
        return self.a + 0.0 * N


@t2.law
class Power(t2.Law):
    """L(N) = E + A/N^α."""

    E: Scalar = t2.param(LogNormal(0.5, 0.5), unit="nats", doc="floor")
    A: Scalar = t2.coefficient(LogNormal(6.0, 2.0), unit="nats·params^α", doc="term", of="N", exponent="alpha")
    alpha: Scalar = t2.param(LogNormal(-1.0, 0.5), unit="1", doc="exponent")

    def __call__(self, N):
        return self.E + self.A * N**-self.alpha


def level_tables(values: list[np.ndarray]) -> dict[str, t2.Table]:
    return {
        f"task {i}": t2.Table.from_columns(params=np.geomspace(1e7, 1e9, len(value)), tokens=1e10, loss=value)
        for i, value in enumerate(values)
    }


def exact_means() -> list[np.ndarray]:
    """Rows of each task whose mean is exactly that of MEANS."""
    rng = np.random.default_rng(3)
    drawn = [SIGMA * rng.normal(size=count) for count in ROWS]
    return [mean + errors - errors.mean() for mean, errors in zip(MEANS, drawn, strict=True)]


def levels(values: list[np.ndarray], spread: Any = SPREAD, **others: Any) -> t2.posterior.TaskPosterior:
    arguments = {"key": KEY, "fixed": {"sigma": SIGMA}, "spreads": {"a": spread}} | others
    return t2.sample_tasks(Level, level_tables(values), t2.noise.Gaussian(), **arguments)


def closed_form() -> tuple[np.ndarray, np.ndarray, float]:
    """Means and deviations of (a of each task, location) and the mean of the spread s, by quadrature over s.

    Given s the means of the rows and what is sought are jointly normal: m ~ N(2, 1), a ~ N(m, s²), mean ~ N(a, σ²/n).
    """
    count = len(ROWS)
    grid = np.exp(np.linspace(np.log(1e-3), np.log(30.0), 4000))
    log_weight, means, squares = [], [], []
    joint: Any = stats.multivariate_normal
    for s in grid:
        sought = np.ones((count + 1, count + 1)) + np.diag([s**2] * count + [0.0])
        observed = sought[:count, :count] + np.diag(SIGMA**2 / np.array(ROWS))
        log_weight.append(joint.logpdf(MEANS, np.full(count, 2.0), observed))
        gain = np.linalg.solve(observed, sought[:count]).T
        mean = 2.0 + gain @ (MEANS - 2.0)
        means.append(mean)
        squares.append(np.diag(sought - gain @ sought[:count]) + mean**2)
    # log-spaced, so ds = s·d(log s)
    log_weight = np.array(log_weight) + stats.lognorm.logpdf(grid, 0.7, scale=0.3) + np.log(grid)
    weight = np.exp(log_weight - np.max(log_weight))
    weight /= weight.sum()
    mean = weight @ np.array(means)
    return mean, np.sqrt(weight @ np.array(squares) - mean**2), float(weight @ grid)


@pytest.fixture(scope="module")
def together() -> t2.posterior.TaskPosterior:
    return levels(exact_means())


def test_the_normal_model_has_its_closed_form(together):
    """4000 draws of an ESS above 1000: means within 0.15 deviations, deviations within 15 %."""
    assert together.converged and together.diagnosis.divergences == 0, together.status
    mean, deviation, spread = closed_form()
    drawn = np.vstack([together.laws.a, together.population.location["a"]])
    np.testing.assert_array_less(np.abs(drawn.mean(axis=1) - mean), 0.15 * deviation)
    np.testing.assert_allclose(drawn.std(axis=1), deviation, rtol=0.15)
    assert together.population.spread["a"].mean() == pytest.approx(spread, rel=0.1)
    assert (together.tasks, together.pooled) == (tuple(f"task {i}" for i in range(5)), ("a",))
    np.testing.assert_array_equal(together.task("task 3").a, together.laws.a[3])
    table = together.summary()
    assert list(table.index) == [*(f"a[task {i}]" for i in range(5)), "a_population", "a_spread"]
    assert table.loc["a[task 3]", "mean"] == pytest.approx(drawn[3].mean())
    assert table.attrs["status"] == together.status and together.status.startswith("converged: ")


@pytest.mark.long
def test_few_rows_hang_on_the_population_and_many_stand_alone(together):
    drawn = together.laws.a.mean(axis=1)
    # the task of two rows has gone about half of the way from its own mean to the others, those of forty hardly any
    others = MEANS[[0, 1, 2, 4]].mean()
    assert 0.25 < (MEANS[3] - drawn[3]) / (MEANS[3] - others) < 0.75
    assert np.all(np.abs(drawn - MEANS)[[0, 1, 4]] < 0.06)


@pytest.mark.long
def test_a_huge_spread_is_a_fit_of_each(together):
    """Then a of each task is Normal(its mean, σ²/n), whatever the others say."""
    post = levels(exact_means(), LogNormal(np.log(1e3), 0.01))
    errors = SIGMA / np.sqrt(ROWS)
    np.testing.assert_array_less(np.abs(post.laws.a.mean(axis=1) - MEANS), 0.15 * errors)
    np.testing.assert_allclose(post.laws.a.std(axis=1), errors, rtol=0.1)


@pytest.mark.long
def test_no_spread_is_one_value_for_all(together):
    """The mean of all rows, with the prior Normal(2, 1) of the location."""
    post = levels(exact_means(), LogNormal(np.log(1e-4), 0.01))
    precision = sum(ROWS) / SIGMA**2
    expected = (precision * np.average(MEANS, weights=ROWS) + 2.0) / (precision + 1.0)
    deviation = (precision + 1.0) ** -0.5
    np.testing.assert_array_less(np.abs(post.laws.a.mean(axis=1) - expected), 0.15 * deviation)
    assert np.ptp(post.laws.a, axis=0).max() < 1e-2


@pytest.mark.long
def test_a_new_task_is_drawn_from_the_population(together):
    """Var(a) = Var(m) + E(s²), mean E(m)."""
    result, drawn = together.population, together.new_task(KEY).a
    variance = result.location["a"].var() + np.mean(result.spread["a"] ** 2)
    assert drawn.shape == (4000,)
    assert drawn.mean() == pytest.approx(result.location["a"].mean(), abs=5 * np.sqrt(variance / 4000))
    assert stats.iqr(drawn) < 1.349 * np.sqrt(variance) * 1.05  # tails are heavier than a normal's
    assert drawn.var() == pytest.approx(variance, rel=0.25)


@pytest.mark.long
def test_files_hold_every_task(together, tmp_path):
    path = tmp_path / "tasks.nc"
    t2.posterior.save_posterior(path, together)
    again = t2.posterior.load_task_posterior(path, Level)
    assert (again.tasks, again.pooled, again.status) == (together.tasks, together.pooled, together.status)
    np.testing.assert_array_equal(again.laws.a, together.laws.a)
    np.testing.assert_array_equal(again.point.a, together.point.a)
    np.testing.assert_array_equal(again.population.location["a"], together.population.location["a"])
    assert again.summary().equals(together.summary())
    with pytest.raises(ValueError, match="a posterior read from a file has no priors"):
        again.new_task(KEY)
    with pytest.raises(ValueError, match=r"tasks\.nc: a posterior of several tasks; read it with load_task_posterior"):
        t2.posterior.load_posterior(path, Level)


@pytest.mark.long
def test_an_interrupt_keeps_the_draws_so_far(together):
    steps_done = []

    def stop(steps: int) -> None:
        steps_done.append(steps)
        if sum(steps_done) == 700:
            raise KeyboardInterrupt

    post = levels(exact_means(), progress=stop)
    assert (post.draws_made, post.draws_requested, post.laws.a.shape) == (200, 1000, (5, 800))
    assert post.status.endswith("; interrupted: 200 of 1000 draws of each chain")
    np.testing.assert_array_equal(post.laws.a.reshape(5, 4, 200), together.laws.a.reshape(5, 4, 1000)[:, :, :200])


def test_coordinates_change_variables_exactly():
    """p(x) = p(rows, priors, population) · |∂(m, s, u)/∂x| by autodiff, about whatever place they were expanded."""
    rng = np.random.default_rng(6)
    with scope():
        table = t2.Table.from_columns(params=[1e7, 1e8, 1e9], tokens=1e10, loss=[3.4, 2.9, 2.6])
        single, data = density(Power, table, None, {}, {})
        data = jax.tree.map(lambda leaf: jnp.stack([jnp.asarray(leaf)] * 2), data)
        stood = jnp.asarray([0.7, -0.1, -1.0, -2.0] + 0.1 * rng.normal(size=(1, 2, 4)))
        expansion = expand(single, ("alpha",), data, stood[0])
        target = Pooled(single, ("alpha",), {"alpha": HalfNormal(0.5)}, {}, expansion, stood)

        @jax.jit
        def everything(shift):
            rows = target.rows(data)
            start = target.starts(rows, 1, KEY)[0]
            x = start + shift

            def parts(x):
                location, spread, u, _ = target.split(x)
                return jnp.concatenate([location, spread, u.ravel()])

            u = target.split(x)[2]
            likelihoods = jax.vmap(lambda u, rows: jnp.sum(single.log_likelihood(u, rows)))(u, rows)
            priors = jax.vmap(single.log_priors)(u)
            log_density = likelihoods + priors["E"] + priors["A"] + priors["sigma"]
            return target.split(start)[2], parts(x), jax.jacfwd(parts)(x), log_density, target.potential(x, rows)

        results = jax.tree.map(np.asarray, (*everything(0.2 * rng.normal(size=10)), stood[0], expansion.root))
    stands, result, matrix, log_density, potential, stood, root = results
    np.testing.assert_allclose(stands, stood, rtol=1e-9)
    location, spread, u = result[0], result[1], result[2:].reshape(2, 4)
    expected = np.linalg.slogdet(matrix)[1] + np.sum(log_density) + stats.norm.logpdf(u[:, 2], location, spread).sum()
    expected += stats.halfnorm.logpdf(spread, scale=0.5) + stats.norm.logpdf(location, -1.0, 0.5)
    # but for the constant of a normal density, and the volume of the free coordinates, which is the same everywhere
    constant = np.log(2 * np.pi) - np.linalg.slogdet(root)[1].sum()
    assert -float(potential) - expected == pytest.approx(constant, abs=1e-9)


def test_bad_arguments_are_named():
    tables = level_tables(exact_means())
    noise: Any = t2.noise.Gaussian()
    given: Any = {"key": KEY}
    for changed, message in (
        ({"pooled": ("b",)}, "pooled: 'b' is no parameter; those that can be pooled are a, sigma"),
        ({"pooled": ()}, "pooled is empty"),
        ({"fixed": {"a": 1.0}}, "Level has no free parameter of unit 1 or 1/nats to pool; name some in pooled, out of"),
        ({"fixed": {"a": 1.0}, "pooled": ("a",)}, "pooled: 'a' is fixed"),
        ({"spreads": {"sigma": 0.1}}, "spreads: 'sigma' is not pooled; pooled are a"),
        ({"spreads": {"a": -1.0}}, "spreads: a cannot be fixed at -1, expected a number of at least 0"),
        ({"spreads": {"a": Normal(0.0, 1.0)}}, "expected a distribution of one number above zero"),
        ({"chains": 1}, "found chains=1"),
    ):
        with pytest.raises(ValueError, match=message):
            t2.sample_tasks(Level, tables, noise, **(given | changed))
    powers: Any = {name: tables[name] for name in ("task 0", "task 1")}
    with pytest.raises(ValueError, match="pooled: 'A' is pooled at the middle of the data, so pool 'alpha' as well"):
        t2.sample_tasks(Power, powers, noise, key=KEY, pooled=("A",))
    with pytest.raises(TypeError, match=r"reads rows, which RunScatter does not; take noise.BetaBinomial\(\)"):
        t2.sample_tasks(T2PassK, {}, t2.noise.RunScatter(), key=KEY)
    with pytest.raises(ValueError, match=r"found 1 task \(task 0\), expected at least 2; sample takes one alone"):
        t2.sample_tasks(Level, {"task 0": tables["task 0"]}, noise, key=KEY)
    with pytest.raises(TableError, match="task"):
        t2.sample_tasks(Level, tables["task 0"], noise, key=KEY)
    with pytest.raises(ValueError, match="task 'new': found 'NoneType', expected a Table with rows"):
        t2.sample_tasks(Level, tables | {"new": None}, noise, key=KEY)  # pyright: ignore[reportArgumentType]
    other = t2.Table.from_columns(params=[1e7, 1e8], tokens=1e10, pass_at_k=[0.1, 0.2])
    with pytest.raises(TableError, match="loss"):
        t2.sample_tasks(Level, tables | {"other": other}, noise, key=KEY)


def test_tasks_are_read_from_any_column():
    table = t2.Table.from_columns(
        params=[1e7, 1e8, 1e7, 1e8], tokens=1e10, loss=3.0, corpus=["c4", "pile", "pile", "c4"]
    )
    result = tasks_of(table, "corpus")
    assert {name: len(rows) for name, rows in result.items()} == {"c4": 2, "pile": 2}
    np.testing.assert_array_equal(result["pile"]["params"], [1e8, 1e7])


def test_priors_of_a_task_are_those_of_location_and_spread():
    """log α of a task is Normal(-1, √(0.5² + E s²)) in its first two moments, and E keeps its own prior."""
    with scope():
        table = t2.Table.from_columns(params=[1e7, 1e8, 1e9], tokens=1e10, loss=[3.4, 2.9, 2.6])
        single, _ = density(Power, table, None, {}, {})
        nothing = jnp.zeros((2, 1, 1))
        identity = jnp.stack([jnp.eye(3)] * 2)
        expansion = LocalExpansion(nothing, nothing[..., 0], jnp.zeros((2, 3)), jnp.zeros((2, 3, 1)), identity)
        target = Pooled(single, ("alpha",), {"alpha": HalfNormal(0.5)}, {}, expansion, jnp.zeros((1, 2, 4)))
        drawn = jax.tree.map(np.asarray, prior_draws(target, 4000, KEY))
    assert np.log(drawn["alpha"]).mean() == pytest.approx(-1.0, abs=0.06)
    assert np.log(drawn["alpha"]).var() == pytest.approx(0.25 + 0.25, rel=0.1)
    assert np.log(drawn["alpha_population"]).var() == pytest.approx(0.25, rel=0.1)
    assert np.log(drawn["E"]).std() == pytest.approx(0.5, rel=0.06)


@pytest.mark.long
def test_intervals_cover_tasks_drawn_from_the_priors():
    """Simulation-based: worlds of the prior, 5 tasks each. 90 % intervals hold 90 %, within four standard errors."""
    rng = np.random.default_rng(11)
    inside = []
    for world in range(70):
        location, spread = rng.normal(2.0, 1.0), float(np.exp(np.log(0.3) + 0.7 * rng.normal()))
        true = rng.normal(location, spread, len(ROWS))
        values = [level + SIGMA * rng.normal(size=count) for level, count in zip(true, ROWS, strict=True)]
        if min(value.min() for value in values) <= 0:  # a loss of zero is no loss
            continue
        post = levels(values, key=jax.random.key(world), draws=250)
        drawn = np.vstack([post.laws.a, post.population.location["a"], post.population.spread["a"]])
        low, high = np.quantile(drawn, [0.05, 0.95], axis=1)
        truth = np.append(true, [location, spread])
        inside.append((low < truth) & (truth < high))
    shares, worlds = np.mean(inside, axis=0), len(inside)
    assert worlds >= 30
    assert np.all(np.abs(shares - 0.9) < 4 * np.sqrt(0.09 / worlds)), shares
    assert abs(shares.mean() - 0.9) < 0.05


TRUTH: dict[str, tuple[float, float]] = {"alpha": (0.4, 0.15), "beta": (0.4, 0.15), "gamma": (0.35, 0.2)}


@pytest.fixture(scope="module")
def samples_of_tasks():
    """Six tasks of T2Loss, exponents from TRUTH (median, deviation of the log), 3 % errors; the last has 24 rows."""
    rng = np.random.default_rng(12)
    laws, tables = {}, {}
    for i in range(6):
        exponents = {name: float(mid * np.exp(wide * rng.normal())) for name, (mid, wide) in TRUTH.items()}
        laws[f"t{i}"] = T2Loss(
            E=0.3, A=1.5 * 1e8 ** exponents["alpha"], B=1.5 * 1e10 ** exponents["beta"], G=2.0, **exponents
        )
        grid = np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e9, 1e11, 5), [1, 8, 64])
        size, data, k = (axis.ravel() for axis in grid)
        if i == 5:
            chosen = rng.permutation(75)[:24]
            size, data, k = size[chosen], data[chosen], k[chosen]
        with scope():
            exact = np.asarray(laws[f"t{i}"](size, data, k.astype(float)))
        off = np.exp(0.03 * rng.standard_t(4, len(exact)))
        tables[f"t{i}"] = t2.Table.from_columns(params=size, tokens=data, samples=k, neg_log_pass=exact * off)
    return laws, tables


@pytest.mark.long
def test_known_exponents_lie_inside_and_a_new_task_bends_as_they_do(samples_of_tasks):
    laws, tables = samples_of_tasks
    post = t2.sample_tasks(T2Loss, tables, key=KEY, draws=1000, warmup=600)
    assert post.converged, post.status
    assert post.pooled == ("alpha", "beta", "gamma")
    table = post.summary()
    inside = [
        abs(np.log(table.loc[f"{name}[{task}]", "median"] / law.values()[name]))
        < 4 * table.loc[f"{name}[{task}]", "sd"] / table.loc[f"{name}[{task}]", "mean"]
        for task, law in laws.items()
        for name in TRUTH
    ]
    assert np.all(inside)
    for name in TRUTH:  # six tasks know their own middle, and that of the population less well
        low, high = np.quantile(post.population.location[name], [0.005, 0.995])
        middle = np.exp(np.mean([np.log(law.values()[name]) for law in laws.values()]))
        assert low < middle < high, name
    # the task of 24 rows knows its exponents better than alone
    alone = t2.sample(T2Loss, tables["t5"], key=KEY).summary()
    assert table.loc["alpha[t5]", "sd"] < 0.95 * alone.loc["alpha", "sd"]
    new = post.new_task(KEY).values()
    assert np.log(new["alpha"]).mean() == pytest.approx(np.log(post.population.location["alpha"]).mean(), abs=0.05)
    assert np.log(new["E"]).std() == pytest.approx(0.5, rel=0.1)  # its prior's
    # laws go where laws go
    plan = t2.frontier(post.task("t5"), t2.Budget(train=1e20, inference=1e10))
    assert plan.params.shape == (4000,)
    typical = t2.frontier(post.population.law, t2.Budget(train=1e20, inference=1e10))
    assert np.all(np.isfinite(typical.params))


@pytest.mark.long
def test_pass_at_k_of_tasks(samples_of_tasks):
    """T2PassK, whose links are pooled: draws predict the rows; theta1, held by the gauge, is not pooled."""
    _, tables = samples_of_tasks
    law = T2PassK(
        E=0.0,
        A=1.5e8**0.4,
        B=1.5e10**0.4,
        alpha=0.4,
        beta=0.4,
        theta0=2.0,
        theta1=1.0,
        theta2=0.9,
        theta3=1.0,
        theta4=0.1,
    )
    tables_of_pass = {}
    for name in ("t0", "t1", "t5"):
        table = tables[name]
        with scope():
            exact = np.asarray(law(table["params"], table["tokens"], table["samples"]))
        columns: Any = {column: table[column] for column in ("params", "tokens", "samples")}
        tables_of_pass[name] = t2.Table.from_columns(
            **columns, pass_at_k=np.clip(exact + 0.005 * np.sin(np.arange(len(table))), 0, 1)
        )
    post = t2.sample_tasks(T2PassK, tables_of_pass, key=KEY, draws=50, warmup=100, chains=2)
    assert post.pooled == ("alpha", "beta", "theta2", "theta3", "theta4")
    laws = post.task("t5")
    with scope():
        rows = [jnp.asarray(tables_of_pass["t5"][name]) for name in ("params", "tokens", "samples")]
        predicted = np.median(jax.vmap(lambda law: law(*rows))(jax.tree.map(jnp.asarray, laws)), axis=0)
    assert np.max(np.abs(predicted - tables_of_pass["t5"]["pass_at_k"])) < 0.03
