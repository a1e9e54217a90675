"""Tasks measured on the same runs: a run that is off the law for one task is off for the others too.

Without this eight tasks of one checkpoint count as eight independent words on the law, and what seven of them say of a
checkpoint that the eighth was not measured on is lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.distributions import LogNormal

from t2jax.laws.base import Law
from t2jax.measurements import Measurements
from t2jax.noise import Gaussian, Rows, observed, residual
from t2jax.params import Param, param
from t2jax.pooled import Near, Pooled, free_log_prior, near
from t2jax.precision import scope
from t2jax.table import Table
from t2jax.task_posterior import TaskPosterior
from t2jax.task_tables import RUN, named_tables, numbered, tasks_of
from t2jax.trees import register
from t2jax.typing import Array, Float

__all__ = ["SharedPooled", "SharedScatter", "shared_offsets"]

NORMAL = Gaussian(transform="log")


@dataclass(frozen=True)
class SharedScatter:
    """Normal errors of the log of what is measured, of which a part belongs to the run, the same for all its tasks.

    log(measured / law) of a row of task t in run m is λ_t u_m + σ_t ε, with u_m and ε standard normal: u_m is one
    number for all tasks and samples k of the run, `shared` is λ_t, `sigma` σ_t. u is integrated out in closed form:
    over the rows of a run, with residuals r, A = 1 + Σ (λ/σ)² and b = Σ λ r/σ², its likelihood is that of independent
    errors times exp(b²/2A)/√A, and u is Normal(b/A, 1/A). What tasks share has one sign: a run that is better at one is
    better at all. Given u, several k of a run count as measurements of their own, although one curve goes through them,
    so bands are too narrow where the law does not follow that curve. Where runs have nothing in common the tasks are
    better sampled without it. For `t2.sample_tasks` alone. Runs are the same where their `model` is, else their params
    and tokens (also of two corpora, where the tasks are these). What the measured rows say of each run:
    `shared_offsets`.

    Prior of `shared`: 90 % between 0.3 % and 36 % of what is measured. Source: the factor model of one factor, Lawley
    1940 (Proc. Roy. Soc. Edinburgh 60:64).

    Raises TypeError where it is not for several tasks, or inside `Joint`; TableError for rows without the response of
    the law, for a `model` that only some tables have or that is more than one size, and where no run is in two tables.
    Example: `t2.sample_tasks(t2.laws.T2Loss, rows, t2.SharedScatter(), key=jax.random.key(0))`.
    """

    nuisance: ClassVar[Mapping[str, Param]] = {
        "sigma": param(LogNormal(-4.0, 1.5), unit="of the log", doc="standard deviation of a row about its run"),
        "shared": param(LogNormal(-3.5, 1.5), unit="of the log", doc="deviation of runs that their tasks share"),
    }
    estimated: ClassVar[tuple[str, ...]] = ()

    def columns(self, law: type[Law], table: Table) -> tuple[str, ...]:
        if RUN not in table:
            raise TypeError("SharedScatter is for t2.sample_tasks, which knows the runs of all tasks, and not in Joint")
        return (*NORMAL.columns(law, table), RUN)

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        """Raises TypeError: there is no point fit."""
        raise TypeError("SharedScatter is for t2.sample_tasks; fit points with noise.Gaussian(transform='log')")

    def simulate(self, law: Law, rows: Rows, nuisance: Rows, key: Array) -> dict[str, Array]:
        """Raises TypeError, as `penalty`: only point fits are simulated again."""
        raise TypeError("SharedScatter is for t2.sample_tasks; simulate with noise.Gaussian(transform='log')")

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Float[Array, " rows"]:
        """Log-likelihood of each row by itself, its run integrated out: where a search begins, each task alone."""
        return NORMAL.log_density(law, rows, {"sigma": jnp.hypot(nuisance["sigma"], nuisance["shared"])})


class Said(NamedTuple):
    """What each row says of its run: off, the log of measured / law, is `shared` times u of the run and an error.

    times: how often the row counts, over the variance of the error. rest: its log-likelihood were the error zero.
    """

    off: Array
    shared: Array
    times: Array
    rest: Array


@dataclass(frozen=True)
class SharedPooled(Pooled):
    """`Pooled` under `SharedScatter`. count: of the runs of all tasks."""

    count: int

    def log_likelihood(self, u: Float[Array, "tasks free"], rows: Rows) -> Array:
        return jnp.sum(_evidence(self._said(u, rows), rows[RUN], self.count))

    def expand(self, data: Measurements, u: Float[Array, "tasks free"]) -> Near:
        rows = self.rows(data)

        def of_task(task: Array) -> Near:
            def potential(own: Array) -> Array:
                return -free_log_prior(self.one, self.pooled, own) - self.log_likelihood(u.at[task].set(own), rows)

            return near(self.one, self.pooled, potential, u[task])

        return jax.lax.map(of_task, jnp.arange(len(u)))

    def row_log_likelihood(self, x: Float[Array, " all"], data: Measurements) -> Float[Array, " rows"]:
        """Of a task's rows in a run together, given the run's other tasks, in equal parts to these rows.

        It is log p(all) - log p(others): what leaving them out asks for.
        """
        rows: Any = jax.vmap(Measurements.every_row)(data)
        said, run, tasks = self._said(self.split(x)[2], rows), rows[RUN].astype(int), len(data.weight)
        every = _evidence(said, run, self.count)

        def without(task: Array) -> Array:
            kept = (jnp.arange(tasks) != task)[:, None]
            left = said._replace(times=kept * said.times, rest=kept * said.rest)
            return _evidence(left, run, self.count)

        known = every[None] - jax.lax.map(without, jnp.arange(tasks))
        real = (rows["weight"] > 0).astype(x.dtype)  # not those that fill up short tables
        parts = jax.vmap(partial(jax.ops.segment_sum, num_segments=self.count))(real, run)
        return (real * jnp.take_along_axis(known / jnp.maximum(parts, 1.0), run, axis=1)).ravel()

    def _said(self, u: Float[Array, "tasks free"], rows: Rows) -> Said:
        return jax.vmap(lambda u, rows: _said(*self.one.split(u), rows))(u, rows)


register(SharedPooled, ("one", "spreads", "held", "near", "ends"), ("pooled", "count"))


def shared_offsets(
    post: TaskPosterior,
    tables: Table | Mapping[str, Table],
    at: Table | Mapping[str, Table] | None = None,
    *,
    key: Array,
    by: str = "task",
) -> dict[str, Float[np.ndarray, "draws rows"]]:
    """How far off the law the run of each row is for its task, as a log: one random draw of λ_t u_m per posterior draw.

    tables, by: as given to `sample_tasks`; their rows, as often as their weight, say what u_m is, so what is to be
    predicted must not be among them. at: rows to be told of, which need no response, of any of the tasks; by default
    those of `tables`. By task, (draws, rows) in the order of its table. A row measured in a run has the mean
    (prediction)·exp(offset), and errors of `sigma`. For a run of which `tables` have no rows the offset is normal with
    standard deviation λ_t, one draw for all its tasks.

    Raises ValueError for a posterior of another noise or of other tasks, and for one read from a file of which a scale
    was held; the rest as `sample_tasks`.
    """
    seen = tasks_of(tables, by)
    asked = seen if at is None else named_tables(at, by)
    if tuple(seen) != post.tasks or not set(asked) <= set(seen):
        given = ", ".join(dict.fromkeys((*seen, *asked)))
        raise ValueError(f"shared_offsets: the tasks are {given}, expected {', '.join(post.tasks)}")
    scales = {name: _scale(post, name) for name in SharedScatter.nuisance}
    both = {"seen": seen, "at": asked}
    given, count = numbered({f"{what} {name}": one for what, each in both.items() for name, one in each.items()})
    with scope() as dtype:
        draws = scales["shared"].shape[1]
        precision, pull = np.ones((draws, count)), np.zeros((draws, count))
        for i, task in enumerate(post.tasks):
            table = given[f"seen {task}"]
            columns = SharedScatter().columns(type(post.laws), table)
            rows: dict[str, Any] = {name: jnp.asarray(table[name], dtype) for name in columns}
            rows["weight"] = jnp.asarray(table["weight"] if "weight" in table else np.ones(len(table)), dtype)
            of = post.task(task), {name: one[i] for name, one in scales.items()}
            laws, own = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), of)
            sharper, to = _sums(laws, own, rows, count)
            precision, pull = precision + np.asarray(sharper), pull + np.asarray(to)
        z = np.asarray(jax.random.normal(key, pull.shape, dtype))
    u = pull / precision + z / np.sqrt(precision)
    return {
        task: scales["shared"][post.tasks.index(task)][:, None] * u[:, given[f"at {task}"][RUN].astype(int)]
        for task in asked
    }


def _scale(post: TaskPosterior, name: str) -> Float[np.ndarray, "tasks draws"]:
    """Draws of a scale of the noise, or the value that it was held at."""
    tasks, drawn = len(post.tasks), post.idata["posterior"]
    if name in drawn:
        return np.asarray(drawn[name].values, float).reshape(-1, tasks).T
    if post.target is None:
        raise ValueError(
            f"shared_offsets: {name!r} was held, or there is none, and a file does not say; sample it again"
        )
    if name not in (held := post.target.one.coordinates.fixed):
        raise ValueError(f"shared_offsets: the posterior has no draws of {name!r}; sample with t2.SharedScatter()")
    return np.full((tasks, drawn.sizes["chain"] * drawn.sizes["draw"]), float(np.asarray(held[name])))


@partial(jax.jit, static_argnames="count")
def _sums(laws: Law, scales: Rows, rows: Rows, count: int) -> tuple[Array, Array]:
    """What the rows of a task add to the precision of u, and to that times its mean: (draws, runs) each."""

    def one(law: Law, scale: Rows) -> tuple[Array, Array]:
        said, by_run = _said(law, scale, rows), partial(_by_run, run=rows[RUN], count=count)
        return by_run(said.times * said.shared**2), by_run(said.times * said.shared * said.off)

    return jax.vmap(one)(laws, scales)


def _said(law: Law, scales: Rows, rows: Rows) -> Said:
    off, sigma = -residual(law, rows, "log"), scales["sigma"]
    rest = -jnp.log(sigma) - 0.5 * np.log(2 * np.pi) - jnp.log(observed(law, rows))
    return Said(off, scales["shared"] * jnp.ones_like(off), rows["weight"] / sigma**2, rows["weight"] * rest)


def _evidence(said: Said, run: Array, count: int) -> Float[Array, " runs"]:
    """The log-likelihood of the rows of each run, u integrated out; a sum of squares, so that nothing cancels."""
    total = _by_run(said.times * said.shared**2, run, count)
    mean = _by_run(said.times * said.shared * said.off, run, count) / jnp.where(total > 0, total, 1.0)
    apart = _by_run(said.times * jnp.square(said.off - said.shared * mean[run.astype(int)]), run, count)
    square = apart + jnp.square(mean) * total / (1.0 + total)
    return _by_run(said.rest, run, count) - 0.5 * (square + jnp.log1p(total))


def _by_run(each: Array, run: Array, count: int) -> Float[Array, " runs"]:
    return jax.ops.segment_sum(each.ravel(), run.astype(int).ravel(), num_segments=count)
