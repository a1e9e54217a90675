"""How far runs lie off the law for all tasks."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.noise.protocol import Rows
from t2jax.noise.shared_scatter import SharedScatter
from t2jax.posterior.tasks.shared_density import _by_run, _said
from t2jax.posterior.tasks.task_posterior import TaskPosterior
from t2jax.tables.table import Table
from t2jax.tables.tasks import RUN, named_tables, numbered, tasks_of
from t2jax.typing import Array, Float
from t2jax.working_precision import scope


@check_arguments
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
            rows["weight"] = jnp.asarray(table.weights(), dtype)
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
