"""What laws of counts are judged by: pass@k of each run at a few k, measured and as a law would have it."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.fitting.fit import Fit
from t2jax.laws.base import Law
from t2jax.noise.protocol import Noise, Rows
from t2jax.numerics.bands import Band, band
from t2jax.numerics.special import pass_at_k_from_counts
from t2jax.tables.place import TableError
from t2jax.tables.table import Table
from t2jax.typing import Array, Bool, Float, Int
from t2jax.working_precision import scope


@dataclass(frozen=True)
class Cells:
    """pass@k of every run, from counts. One question has no relative error; the mean over questions has.

    table: a row for each run and k, `pass_at_k` its unbiased estimate. samples: every k, (ks,). run: of each row of the
    counts, (rows,). measured: at which k each run's questions were all sampled often enough, booleans (runs, ks); the
    table has those, run after run.
    """

    table: Table
    samples: Float[np.ndarray, " ks"]
    run: Int[np.ndarray, " rows"]
    measured: Bool[np.ndarray, "runs ks"]


def cells(law: type[Law], counts: Table) -> Cells:
    """pass@k at k = 1, 10, 100, ... up to the smallest number of trials of each run, means over questions by weight.

    Each question's estimate is unbiased whatever its trials (Chen et al. 2021, 2107.03374, equation 1).

    Raises TableError for questions of several tasks, which no one law describes, and where something that the law reads
    differs between questions of one run.
    """
    counts.require("trials", "correct", needed_by="pass@k of counts")
    tasks = np.unique(counts["task"]) if "task" in counts else ()
    if len(tasks) > 1:
        raise TableError(
            f"{counts.source.name}: column 'task' holds {len(tasks)} tasks (such as {tasks[0]!r} and {tasks[1]!r}), "
            "but a law describes one task's counts: take one with table.where(task=...), or all with t2.sample_tasks"
        )
    run = counts.runs()
    first = np.unique(run, return_index=True)[1]
    read = [name for name in law.columns().values() if name != "samples" and name in counts]
    for name in read:
        other = np.flatnonzero(counts[name] != counts[name][first][run])
        if other.size:
            one = other[0]
            raise TableError(
                f"{counts.source.name}: column {name!r} is {counts[name][one]:g} at row {one} and "
                f"{counts[name][first[run[one]]]:g} at row {first[run[one]]} of the same run, but pass@k is a mean "
                f"over questions at one {name}"
            )
    least = np.full(len(first), np.inf)
    np.minimum.at(least, run, counts["trials"])
    samples = 10.0 ** np.arange(int(np.log10(least.max()) + 1e-9) + 1)
    measured = samples <= least[:, None]
    with scope() as dtype:
        trials, correct = (jnp.asarray(counts[name], dtype) for name in ("trials", "correct"))
        weight = jnp.asarray(_weight(counts), dtype)
        passed = np.asarray(_passed(trials, correct, weight, jnp.asarray(run), len(first), jnp.asarray(samples)))
    names = dict.fromkeys([*(name for name in ("model", "task") if name in counts), "params", "tokens", *read])
    columns = {name: np.repeat(counts[name][first], measured.sum(axis=1)) for name in names}
    columns |= {"samples": np.broadcast_to(samples, measured.shape)[measured], "pass_at_k": passed[measured]}
    return Cells(Table.from_columns(**columns, source=counts.source), samples, run, measured)


def simulated_band(fit: Fit, laws: Law, counts: Table, made: Cells, *, key: Array, level: float = 0.9) -> Band:
    """Where the measured pass@k of each row of `made.table` should lie: low, mid and high (rows of it,).

    laws: fitted ones drawn again, leaves (draws,). From each, counts of as many questions and samples as the table has
    are simulated by the noise model, and pass@k estimated as it was there: what the law leaves open, the choice of
    questions and the luck of samples all enter.
    """
    problem, data = fit.problem.read(counts)
    with scope() as dtype:
        rows = {name: jnp.asarray(column, dtype) for name, column in data.every_row().items()}
        laws = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), laws)
        scales = {name: jnp.asarray(value, dtype) for name, value in fit.noise_values.items()}
        keys = jax.random.split(key, len(jax.tree.leaves(laws)[0]))
        weight, number = jnp.asarray(_weight(counts), dtype), len(made.measured)
        drawn = _simulated(problem.noise, laws, rows, scales, weight, made.run, keys, number, tuple(made.samples))
    return band(np.asarray(drawn)[:, made.measured], level)


@partial(jax.jit, static_argnames=("noise", "number", "samples"))
def _simulated(
    noise: Noise,
    laws: Law,
    rows: Rows,
    scales: Rows,
    weight: Array,
    run: Array,
    keys: Array,
    number: int,
    samples: tuple[float, ...],
) -> Array:
    def one(drawn: tuple[Law, Array]) -> Array:
        law, key = drawn
        correct = noise.simulate(law, rows, scales, key)["correct"]
        return _passed(rows["trials"], correct, weight, run, number, jnp.array(samples))

    return jax.lax.map(one, (laws, keys))


def _passed(
    trials: Array, correct: Array, weight: Array, run: Array, number: int, samples: Array
) -> Float[Array, "runs ks"]:
    tries = jnp.minimum(samples[None, :], trials[:, None])  # beyond the trials the run is not measured, nor read
    each = weight[:, None] * pass_at_k_from_counts(trials[:, None], correct[:, None], tries)
    return jax.ops.segment_sum(each, run, number) / jax.ops.segment_sum(weight, run, number)[:, None]


def _weight(counts: Table) -> np.ndarray:
    return counts.weights()
