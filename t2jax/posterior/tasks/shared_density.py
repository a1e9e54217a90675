"""The density of tasks whose runs deviate together."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.base import Law
from t2jax.noise.protocol import Rows
from t2jax.noise.residuals import observed, residual
from t2jax.posterior.tasks.pooled_density import Near, Pooled, expand_around_mode, free_log_prior
from t2jax.pytrees import register
from t2jax.tables.measurements import Measurements
from t2jax.tables.tasks import RUN
from t2jax.typing import Array, Float


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

            return expand_around_mode(self.one, self.pooled, potential, u[task])

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
