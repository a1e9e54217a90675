"""Counts of right samples as shares, whose logits a law with a smooth discrepancy describes."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.base import Law
from t2jax.numerics.special import pass_at_k_from_counts
from t2jax.tables.place import TableError
from t2jax.tables.table import Table
from t2jax.typing import Array, Bool, Float, Int
from t2jax.working_precision import scope


def averaged_counts(law: type[Law], table: Table) -> Table:
    """Averages counts over questions to pass@k of each run, where a law of pass@k would read counts.

    The estimates are those of Chen et al. 2021 (2107.03374) at k = 1, 10, 100, ... up to the fewest trials of a run.
    Deviations of runs lie on the logit of this mean, the latent scale of `fit_discrepancy`.

    Args:
        law: The law class.
        table: The table.

    Returns:
        One row for each run and k, or the table itself if it is not one of counts.
    """
    counts = "correct" in table and "pass_at_k" not in table and "pass_at_k" in law.response
    return cells(law, table).table if counts else table


@dataclass(frozen=True)
class Cells:
    """pass@k of every run, from counts. One question has no relative error, but the mean over questions has.

    Attributes:
        table: One row for each run and k, with the unbiased estimate in `pass_at_k`, run after run.
        samples: Values of k, shape (ks,).
        run: Run of each row of the counts, shape (rows,).
        measured: Whether all questions of a run have at least k trials, booleans of shape (runs, ks). The table has
            these.
    """

    table: Table
    samples: Float[np.ndarray, " ks"]
    run: Int[np.ndarray, " rows"]
    measured: Bool[np.ndarray, "runs ks"]


def cells(law: type[Law], counts: Table) -> Cells:
    """Estimates pass@k at k = 1, 10, 100, ... up to the smallest number of trials of each run, as weighted means.

    The estimate of each question is unbiased for any number of trials (Chen et al. 2021, 2107.03374, equation 1).

    Raises:
        TableError: The questions are of several tasks, which one law cannot describe. Also where an input of the law
            differs between questions of one run.
    """
    counts.require("trials", "correct", needed_by="pass@k of counts")
    tasks = np.unique(counts["task"]) if "task" in counts else ()
    if len(tasks) > 1:
        raise TableError(
            f"{counts.source.name}: column 'task' holds {len(tasks)} tasks (such as {tasks[0]!r} and {tasks[1]!r}), "
            "but a law describes one task's counts (for several: t2.sample_tasks): take one by table.where(task=...),"
            f" in commands --where task={tasks[0]}"
        )
    run = counts.runs()
    first = np.unique(run, return_index=True)[1]
    read = [name for name in law.columns().values() if name != "samples" and name in counts]
    for name in read:
        different = np.flatnonzero(counts[name] != counts[name][first][run])
        if different.size:
            i = different[0]
            raise TableError(
                f"{counts.source.name}: column {name!r} is {counts[name][i]:g} at row {i} and "
                f"{counts[name][first[run[i]]]:g} at row {first[run[i]]} of the same run, but pass@k is a mean "
                f"over questions at one {name}"
            )
    least = np.full(len(first), np.inf)
    np.minimum.at(least, run, counts["trials"])
    samples = 10.0 ** np.arange(int(np.log10(least.max()) + 1e-9) + 1)
    measured = samples <= least[:, None]
    with scope() as dtype:
        trials, correct = (jnp.asarray(counts[name], dtype) for name in ("trials", "correct"))
        weight = jnp.asarray(counts.weights(), dtype)
        passed = np.asarray(pass_by_run(trials, correct, weight, jnp.asarray(run), len(first), jnp.asarray(samples)))
    names = dict.fromkeys([*(name for name in ("model", "task") if name in counts), "params", "tokens", *read])
    columns = {name: np.repeat(counts[name][first], measured.sum(axis=1)) for name in names}
    columns |= {"samples": np.broadcast_to(samples, measured.shape)[measured], "pass_at_k": passed[measured]}
    return Cells(Table.from_columns(**columns, source=counts.source), samples, run, measured)


def pass_by_run(
    trials: Array, correct: Array, weight: Array, run: Array, number: int, samples: Array
) -> Float[Array, "runs ks"]:
    """Computes the weighted mean pass@k of each run at each k."""
    tries = jnp.minimum(samples[None, :], trials[:, None])  # a run with fewer trials is not measured at this k
    by_question = weight[:, None] * pass_at_k_from_counts(trials[:, None], correct[:, None], tries)
    return jax.ops.segment_sum(by_question, run, number) / jax.ops.segment_sum(weight, run, number)[:, None]
