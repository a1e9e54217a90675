"""Tasks that share runs: the likelihood and what rows say of a run against SciPy's multivariate normal distribution."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.distributions import LogNormal
from scipy import stats

import t2jax as t2
from t2jax.laws.pass_at_k.t2_loss import T2Loss
from t2jax.noise.joint import Joint
from t2jax.posterior.density import density
from t2jax.posterior.tasks.pooled_density import Pooled, expand
from t2jax.posterior.tasks.sample_tasks import _stacked
from t2jax.posterior.tasks.shared_density import SharedPooled
from t2jax.tables.tasks import RUN, numbered
from t2jax.typing import Scalar
from t2jax.working_precision import scope

KEY = jax.random.key(0)
NOISE = t2.SharedScatter()
EXPONENTS, SIGMA, SHARED = (0.30, 0.36, 0.33), (0.02, 0.03, 0.05), (0.15, 0.1, 0.3)
TASKS = ("reading", "sums", "chess")


@t2.law
class Fall(t2.Law):
    """L(N) = A/N^α."""

    A: Scalar = t2.coefficient(LogNormal(6.0, 2.0), unit="nats·params^α", doc="term", of="N", exponent="alpha")
    alpha: Scalar = t2.param(LogNormal(-1.0, 0.5), unit="1", doc="exponent")

    def __call__(self, N):
        return self.A * N**-self.alpha


def tables(runs: int = 16, repeats: int = 2, seed: int = 3) -> dict[str, t2.Table]:
    """Every task measured `repeats` times on each run, whose deviation u is the same for all."""
    rng = np.random.default_rng(seed)
    params, u = np.tile(np.geomspace(1e6, 1e9, runs), repeats), np.tile(rng.normal(size=runs), repeats)
    made = {}
    for name, alpha, sigma, shared in zip(TASKS, EXPONENTS, SIGMA, SHARED, strict=True):
        off = shared * u + sigma * rng.normal(size=len(u))
        loss = 3.0 * (params / 3e7) ** -alpha * np.exp(off)
        made[name] = t2.Table.from_columns(params=params, tokens=1e10, loss=loss)
    return made


def target_of(given: dict[str, t2.Table]) -> tuple[SharedPooled, Any, dict[str, t2.Table]]:
    """What sample_tasks draws from, about a place near the truth, and the data it reads."""
    given, count = numbered(given)
    made = [density(Fall, table, NOISE, {}, {}) for table in given.values()]
    data, _ = _stacked([data for _, data in made], [table.runs() for table in given.values()])
    data = jax.tree.map(lambda leaf: jnp.asarray(leaf, float if leaf.dtype.kind == "f" else None), data)
    one = made[0][0]
    at = [[np.log(3.0), np.log(a), np.log(s), np.log(w)] for a, s, w in zip(EXPONENTS, SIGMA, SHARED, strict=True)]
    stood = jnp.asarray([at])
    assert one.names == ("A", "alpha", "sigma", "shared")
    known = {"alpha": LogNormal(-2.0, 0.5)}
    near = expand(one, ("alpha",), data, stood[0])
    return SharedPooled(one, ("alpha",), known, {}, near, stood, count), data, given


def normal(target: SharedPooled, u: np.ndarray, given: dict[str, t2.Table]) -> tuple[Any, np.ndarray, np.ndarray]:
    """Residuals of all rows (repeated as their weight says), their covariance, and the run and task of each."""
    off, run, task, spread, error = [], [], [], [], []
    for i, table in enumerate(given.values()):
        values = {name: np.asarray(one) for name, one in target.one.values(jnp.asarray(u[i])).items()}
        times = table["weight"].astype(int) if "weight" in table else np.ones(len(table), int)
        predicted = values["A"] * table["params"] ** -values["alpha"]
        off.append(np.repeat(np.log(table["loss"] / predicted), times))
        run.append(np.repeat(table[RUN], times))
        task.append(np.full(times.sum(), i))
        spread.append(np.full(times.sum(), values["shared"]))
        error.append(np.full(times.sum(), values["sigma"]))
    off, run, task, spread, error = map(np.concatenate, (off, run, task, spread, error))
    covariance = spread[:, None] * spread * (run[:, None] == run) + np.diag(error**2)
    return (off, covariance), run, task


def log_normal(off: np.ndarray, covariance: np.ndarray) -> float:
    joint: Any = stats.multivariate_normal
    return joint.logpdf(off, cov=covariance) if len(off) else 0.0


@pytest.fixture(scope="module")
def uneven() -> dict[str, t2.Table]:
    """Weights of 1 to 3, and runs that not every task was measured on."""
    rng = np.random.default_rng(4)
    given = tables(runs=5)
    weighed = {of: one.with_columns(weight=rng.integers(1, 4, len(one)).astype(float)) for of, one in given.items()}
    return weighed | {"chess": weighed["chess"].where(weighed["chess"]["params"] > 2e6)}


def test_the_likelihood_is_that_of_normal_rows_which_vary_together(uneven):
    """And of a task's rows in a run it is log p(all) - log p(the others); errors of logs, so less the logs measured."""
    with scope():
        target, data, given = target_of(uneven)
        x = target.starts(target.rows(data), 1, KEY)[0]
        u = np.asarray(target.split(x)[2])
        found = float(target.log_likelihood(jnp.asarray(u), target.rows(data)))
        by_row = np.asarray(jax.jit(SharedPooled.row_log_likelihood)(target, x, data)).reshape(3, -1)
        (off, covariance), run, task = normal(target, u, given)
    stretch = {of: table["weight"] * np.log(table["loss"]) for of, table in given.items()}
    assert found == pytest.approx(log_normal(off, covariance) - sum(map(np.sum, stretch.values())), rel=1e-11)
    for i, (of, table) in enumerate(given.items()):
        assert np.all(by_row[i, len(table) :] == 0.0)
        for one in np.unique(table[RUN]):
            together, others = run == one, (run == one) & (task != i)
            both = [log_normal(off[some], covariance[np.ix_(some, some)]) for some in (together, others)]
            mine = table[RUN] == one
            expected = both[0] - both[1] - stretch[of][mine].sum()
            assert by_row[i, : len(table)][mine].sum() == pytest.approx(expected, rel=1e-9), (of, one)


def test_without_what_tasks_share_it_is_the_plain_likelihood(uneven):
    with scope():
        target, data, _ = target_of(uneven)
        rows = target.rows(data)
        u = jnp.asarray(target.ends[0]).at[:, 3].set(np.log(1e-9))
        plain = Pooled.log_likelihood(target, u, rows)
        assert float(target.log_likelihood(u, rows)) == pytest.approx(float(plain), rel=1e-12)


def test_an_expansion_is_that_of_the_likelihood_given_the_other_tasks(uneven):
    """Precision and slope of the pooled coordinate: the Schur complement of a central difference Hessian."""
    with scope():
        target, data, _ = target_of(uneven)
        rows, u = target.rows(data), np.array(target.ends[0])
        near = target.expand(data, jnp.asarray(u))

        @jax.jit
        def potential(own):
            priors = target.one.log_priors(own)
            every = jnp.asarray(u).at[1].set(own)
            return sum((-priors[name] for name in ("A", "sigma", "shared")), -target.log_likelihood(every, rows))

        step = 1e-4 * np.eye(4)
        p = potential
        slope = np.array([float(p(u[1] + h) - p(u[1] - h)) for h in step]) / 2e-4
        bend = [[p(u[1] + h + g) - p(u[1] + h - g) - p(u[1] - h + g) + p(u[1] - h - g) for h in step] for g in step]
        bend = np.array(bend, float) / 4e-8
        precision, pull = np.asarray(near.precision[1])[0, 0], np.asarray(near.slope[1])[0]
    rest = [0, 2, 3]
    tilt = np.linalg.solve(bend[np.ix_(rest, rest)], bend[rest, 1])
    whole = bend @ u[1] - slope
    assert np.linalg.eigvalsh(bend).min() > 0
    assert precision == pytest.approx(bend[1, 1] - bend[1, rest] @ tilt, rel=1e-4)
    assert pull == pytest.approx(whole[1] - whole[rest] @ tilt, rel=1e-4)


@pytest.fixture(scope="module")
def measured() -> tuple[t2.posterior.TaskPosterior, dict[str, t2.Table], np.ndarray]:
    """Chess is measured at every third of 36 runs, all twice; its losses at the others are what is to be predicted."""
    whole = tables(runs=36)
    seen = np.arange(72) % 3 == 0
    given = whole | {"chess": t2.evaluation.left_out(whole["chess"], ~seen)}
    return t2.sample_tasks(Fall, given, NOISE, key=KEY, draws=400, accept=0.95), given, seen


def test_known_scatter_is_found_again(measured):
    post, _, _ = measured
    assert post.converged, post.status
    for name, true in (("alpha", EXPONENTS), ("sigma", SIGMA), ("shared", SHARED)):
        for task, value in zip(TASKS, true, strict=True):
            low, high = np.quantile(post.idata["posterior"][name].values[:, :, TASKS.index(task)], [0.005, 0.995])
            assert low < value < high, (name, task)
    assert post.idata["log_likelihood"]["loss"].shape == (4, 400, 3 * 36)


def test_other_tasks_tell_what_a_run_will_measure(measured):
    """Off the law by 0.3, off the law and its run by the error 0.05 of a row and what two tasks leave open of u."""
    post, given, seen = measured
    off = t2.shared_offsets(post, given, key=KEY)["chess"][:, ~seen]
    line = np.log(t2.predict(post.task("chess"), given["chess"]))[:, ~seen]
    truth = np.log(given["chess"]["loss"])[~seen]
    left = SHARED[2] / np.sqrt(1 + sum(2 * (w / s) ** 2 for w, s in zip(SHARED[:2], SIGMA[:2], strict=True)))
    alone, known = (np.sqrt(np.mean((np.mean(one, axis=0) - truth) ** 2)) for one in (line, line + off))
    assert alone == pytest.approx(SHARED[2], rel=0.5)  # the law alone leaves the run's deviation, of 24 runs
    assert known < 1.5 * np.hypot(SIGMA[2], left)
    sigma = post.idata["posterior"]["sigma"].values[:, :, 2].ravel()
    rng = np.random.default_rng(0)
    band = t2.band(line + off + sigma[:, None] * rng.normal(size=line.shape), 0.9)
    held = np.mean((band.low < truth) & (truth < band.high))
    assert 0.75 <= held < 1.0  # 48 rows: 90 % within three and a half standard errors, and not wider than it must be


def test_offsets_have_the_closed_form_of_each_draw(measured):
    """Given the law and scales of a draw u of a run is normal: mean and variance by conditioning, in 1600 draws."""
    post, given, _ = measured
    drawn = post.idata["posterior"]
    off = t2.shared_offsets(post, given, key=KEY)["sums"]
    score = []
    for run in (0, 1, 2):
        tasks = TASKS[: 2 if run % 3 else 3]  # chess is left out elsewhere
        both = [(i, given[task], j) for i, task in enumerate(tasks) for j in (run, run + 36)]
        rows = [(i, table["loss"][j], table["params"][j]) for i, table, j in both]
        laws = post.laws
        r = np.stack([np.log(y / (laws.A[i] * n ** -laws.alpha[i])) for i, y, n in rows])
        at = [i for i, _, _ in rows]
        sigma, shared = (drawn[name].values.reshape(-1, 3).T[at] for name in ("sigma", "shared"))
        precision = 1 + np.sum((shared / sigma) ** 2, axis=0)
        mean = np.sum(shared * r / sigma**2, axis=0) / precision
        score.append((off[:, run] / shared[2] - mean) * np.sqrt(precision))
    assert stats.kstest(np.concatenate(score), "norm").pvalue > 1e-3


def test_offsets_of_runs_seen_by_other_tasks_and_by_none(measured):
    """No row of chess is needed for what it would measure; one u for all tasks; unseen runs are normal of size λ."""
    post, given, _ = measured
    columns: Any = {"params": [given["sums"]["params"][4], 7e7], "tokens": 1e10}
    at = t2.Table.from_columns(**columns)
    off = t2.shared_offsets(post, given, {"chess": at, "sums": at}, key=KEY)
    assert list(off) == ["chess", "sums"] and off["chess"].shape == (1600, 2)
    shared = post.idata["posterior"]["shared"].values.reshape(-1, 3)
    np.testing.assert_allclose(off["chess"] / shared[:, [2]], off["sums"] / shared[:, [1]], rtol=1e-12)
    u = off["sums"] / shared[:, [1]]
    assert stats.kstest(u[:, 1], "norm").pvalue > 1e-3
    # the law goes through 36 deviations: what it can be off by at a run is the leverage of the run in a straight line
    left = 1 / (1 + sum(2 * (w / s) ** 2 for w, s in zip(SHARED[:2], SIGMA[:2], strict=True)))
    x = np.arange(36) - 17.5
    assert u[:, 0].std() == pytest.approx(np.sqrt(left + 1 / 36 + x[4] ** 2 / np.sum(x**2)), rel=0.25)


def test_scales_that_are_held_or_pooled():
    given = tables(runs=6)
    arguments: Any = {"key": KEY, "draws": 30, "warmup": 30, "chains": 2}
    post = t2.sample_tasks(Fall, given, NOISE, fixed={"sigma": 0.03}, pooled=("alpha", "shared"), **arguments)
    assert t2.shared_offsets(post, given, key=KEY)["sums"].shape == (60, 12)
    assert set(post.population.location) == {"alpha", "shared"}
    assert post.new_task(KEY).alpha.shape == (60,)


def test_runs_are_known_by_model_or_by_size():
    given = tables(runs=4, repeats=1)
    found, count = numbered(given | {"chess": given["chess"].where(given["chess"]["params"] > 2e6)})
    assert count == 4
    np.testing.assert_array_equal(found["chess"][RUN], [1, 2, 3])
    models = {of: one.with_columns(model=[f"{of}{i}" for i in range(4)]) for of, one in given.items()}
    assert numbered(models)[1] == 12
    with pytest.raises(t2.TableError, match="SharedScatter: no run is in two tasks"):
        t2.sample_tasks(Fall, models, NOISE, key=KEY)
    with pytest.raises(t2.TableError, match="task 'sums' has no column 'model', 'reading' has: expected it in all"):
        numbered(models | {"sums": given["sums"]})
    same = {of: one.with_columns(model=["one"] * 4) for of, one in given.items()}
    with pytest.raises(t2.TableError, match=r"model one has params = 1e\+07 in one row and 1e\+06 in another"):
        numbered(same)


def test_what_it_needs(measured):
    given, post = tables(runs=4), measured[0]
    with pytest.raises(TypeError, match=r"SharedScatter is for t2.sample_tasks"):
        t2.sample(Fall, given["sums"], NOISE, key=KEY)
    with pytest.raises(TypeError, match=r"SharedScatter is for t2.sample_tasks, .* and not in Joint"):
        t2.sample_tasks(Fall, given, Joint(NOISE), key=KEY)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match=r"SharedScatter is for t2.sample_tasks"):
        t2.fit(Fall, given["sums"], noise=NOISE, key=KEY)
    counts = t2.Table.from_columns(params=[1e8, 1e9], tokens=1e10, samples=1.0, trials=4.0, correct=[1.0, 2.0])
    with pytest.raises(t2.TableError, match="neg_log_pass"):
        t2.sample_tasks(T2Loss, {"a": counts, "b": counts}, NOISE, key=KEY)
    with pytest.raises(ValueError, match=r"the tasks are reading, sums, expected reading, sums, chess"):
        t2.shared_offsets(post, {name: given[name] for name in TASKS[:2]}, key=KEY)
    plain: Any = replace(post, idata={"posterior": {"sigma": post.idata["posterior"]["sigma"]}})
    with pytest.raises(ValueError, match=r"no draws of 'shared'; sample with t2.SharedScatter\(\)"):
        t2.shared_offsets(plain, given, key=KEY)
