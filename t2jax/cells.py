"""What laws of counts are judged by: pass@k of each run and task at a few k, measured and as a law would have it."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from t2jax.bootstrap import Band, band
from t2jax.fit import Fit, prepare
from t2jax.laws.base import Law
from t2jax.noise import Noise, Rows
from t2jax.precision import scope
from t2jax.special import pass_at_k_from_counts
from t2jax.table import Table
from t2jax.typing import Array, Float, Int


@dataclass(frozen=True)
class Cells:
    """pass@k of every run of every task, from counts. One question has no relative error; their mean has.

    table: a row for each run, task and k, `pass_at_k` its unbiased estimate. samples: every k, (ks,). cell: of each row
    of the counts, its run and task, (rows,); the table has those in order, all k of one together.
    """

    table: Table
    samples: Float[np.ndarray, " ks"]
    cell: Int[np.ndarray, " rows"]


def cells(counts: Table) -> Cells:
    """pass@k at k = 1, 10, 100, ... up to the smallest number of trials, means over questions by weight.

    Each question's estimate is unbiased whatever its trials (Chen et al. 2021, 2107.03374, equation 1).
    """
    counts.require("trials", "correct", needed_by="pass@k of counts")
    samples = 10.0 ** np.arange(int(np.log10(counts["trials"].min()) + 1e-9) + 1)
    task = counts["task"] if "task" in counts else np.zeros(len(counts))
    cell = pd.Series(list(zip(counts.runs(), task, strict=True))).factorize()[0]
    with scope() as dtype:
        trials, correct = (jnp.asarray(counts[name], dtype) for name in ("trials", "correct"))
        weight = jnp.asarray(_weight(counts), dtype)
        passed = np.asarray(
            _passed(trials, correct, weight, jnp.asarray(cell), int(cell.max()) + 1, jnp.asarray(samples))
        )
    first = np.unique(cell, return_index=True)[1]
    names = [name for name in ("model", "params", "tokens", "task") if name in counts]
    columns = {name: np.repeat(counts[name][first], len(samples)) for name in names}
    columns |= {"samples": np.tile(samples, len(first)), "pass_at_k": passed.ravel()}
    return Cells(Table.from_columns(**columns, source=counts.source), samples, cell)


def simulated_band(fit: Fit, laws: Law, counts: Table, made: Cells, *, key: Array, level: float = 0.9) -> Band:
    """Where the measured pass@k of each row of `made.table` should lie: low, mid and high (rows of it,).

    laws: fitted ones drawn again, leaves (draws,). From each, counts of as many questions and samples as the table has
    are simulated by the noise model, and pass@k estimated as it was there: what the law leaves open, the choice of
    questions and the luck of samples all enter.
    """
    problem, data = prepare(fit.problem.law, counts, fit.problem.noise, fit.problem.coordinates.fixed)
    with scope() as dtype:
        rows = {name: jnp.asarray(column, dtype) for name, column in data.every_row().items()}
        laws = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), laws)
        scales = {name: jnp.asarray(value, dtype) for name, value in fit.noise_values.items()}
        keys = jax.random.split(key, len(jax.tree.leaves(laws)[0]))
        weight, number = jnp.asarray(_weight(counts), dtype), int(made.cell.max()) + 1
        drawn = _simulated(problem.noise, laws, rows, scales, weight, made.cell, keys, number, tuple(made.samples))
    return band(np.asarray(drawn).reshape(len(drawn), -1), level)


@partial(jax.jit, static_argnames=("noise", "number", "samples"))
def _simulated(
    noise: Noise,
    laws: Law,
    rows: Rows,
    scales: Rows,
    weight: Array,
    cell: Array,
    keys: Array,
    number: int,
    samples: tuple[float, ...],
) -> Array:
    def one(drawn: tuple[Law, Array]) -> Array:
        law, key = drawn
        correct = noise.simulate(law, rows, scales, key)["correct"]
        return _passed(rows["trials"], correct, weight, cell, number, jnp.array(samples))

    return jax.lax.map(one, (laws, keys))


def _passed(
    trials: Array, correct: Array, weight: Array, cell: Array, number: int, samples: Array
) -> Float[Array, "cells ks"]:
    each = weight[:, None] * pass_at_k_from_counts(trials[:, None], correct[:, None], samples[None, :])
    return jax.ops.segment_sum(each, cell, number) / jax.ops.segment_sum(weight, cell, number)[:, None]


def _weight(counts: Table) -> np.ndarray:
    return counts["weight"] if "weight" in counts else np.ones(len(counts))
