"""Counts as arrays of questions by checkpoints, and the weights that integrate a chance against each count."""

from typing import Any

import numpy as np
import pandas as pd

from t2jax.laws.base import Law
from t2jax.noise.counts import BetaBinomial
from t2jax.tables.measurements import Units, inputs_of_runs
from t2jax.tables.place import TableError
from t2jax.tables.table import Table

STEP = 0.2  # of the grid of logits of a chance, on which densities are as smooth as a Beta is
ENDS = (3 / 8, 7 / 6, 23 / 24)
"""Weights at the ends of an even grid: the trapezoid rule with its end corrected to fourth order (Gregory)."""
NEGLIGIBLE = 1e-4  # a chance of this over the number of trials solves nothing
FINE = 257  # points of a narrow chance's own grid
SPREAD = 8.0  # standard errors


def question_rows(law: type[Law], table: Table) -> Units:
    """Reads a table by question, in the order of `question_names`.

    Beside the law's inputs at each checkpoint, shape (checkpoints,), the columns are these:

    - kernel, (checkpoints, counts, 1 + points + 1): weights that integrate a density of the logit against each count.
      The first and last are for the mass beyond the grid.
    - logit, (points,): the grid.
    - seen, (questions, checkpoints, counts): total weight of the rows with each count.

    Raises:
        TableError: The inputs of a run differ between rows, or a run has two rows of one question.
    """
    names = [name for name in BetaBinomial().columns(law, table) if name not in ("trials", "correct")]
    question, _ = question_names(table)
    run, inputs = inputs_of_runs(table, names)
    _refuse_repeats(table, question, run)
    n, c = table["trials"], table["correct"]
    end = float(np.log(n.max() / NEGLIGIBLE))
    count = int(np.ceil(2 * end / STEP)) + 1
    logit = np.linspace(-end, end, count)
    runs = int(run.max()) + 1
    kinds = [np.unique(np.stack([n[run == m], c[run == m]]), axis=1, return_inverse=True) for m in range(runs)]
    kernel = np.zeros((runs, max(pairs.shape[1] for pairs, _ in kinds), count + 2))
    seen = np.zeros((int(question.max()) + 1, *kernel.shape[:2]))
    weight = table.weights()
    for m, (pairs, which) in enumerate(kinds):
        kernel[m, : pairs.shape[1]] = _kernel(pairs[0], pairs[1], logit)
        kernel[m, pairs.shape[1] :, 0] = 1.0  # no question has these counts
        seen[question[run == m], m, np.ravel(which)] = weight[run == m]
    columns: dict[str, Any] = {**inputs, "kernel": kernel, "seen": seen, "logit": logit}
    whole: Any = np.ones(len(seen)), np.arange(len(seen))
    return Units(columns, *whole)


def question_names(table: Table) -> tuple[np.ndarray, list[str]]:
    """Numbers the questions from 0 by first appearance, and names them with their task if there is one.

    Returns:
        The number of each row, shape (rows,), and the names.
    """
    table.require("question", needed_by="questions as repeated units")
    names = table["question"].astype(str)
    if "task" in table:
        names = np.char.add(np.char.add(table["task"].astype(str), ": "), names.astype(str))
    number, unique_names = pd.factorize(np.asarray(names, object))
    return number, [str(name) for name in unique_names]


def _refuse_repeats(table: Table, question: np.ndarray, run: np.ndarray) -> None:
    """Raises TableError for two rows of one question in one run."""
    pair = question * (int(run.max()) + 1) + run
    _, first, place = np.unique(pair, return_index=True, return_inverse=True)
    if np.any(repeated := first[place] != np.arange(len(pair))):
        i = int(repeated.argmax())
        raise TableError(
            f"{table.source.name}: row {i} asks question {table['question'][i]!r} again of the run of row "
            f"{first[place[i]]}, expected one row of trials: give each seed its own `model`, and each task its `task`"
        )


def _kernel(n: np.ndarray, c: np.ndarray, logit: np.ndarray) -> np.ndarray:
    """Computes weights (counts, 1 + points + 1) that integrate a gridded density against the chance of c correct of n.

    A wide chance is evaluated at the grid points. For a narrow one, as with many trials, the density is interpolated by
    cubics, and each cubic is integrated with it on a fine grid.
    """
    step = logit[1] - logit[0]
    weights = np.full(len(logit), step)
    weights[: len(ENDS)] *= ENDS
    weights[len(logit) - len(ENDS) :] *= ENDS[::-1]
    kernel = np.zeros((len(n), len(logit) + 2))
    kernel[:, 1:-1] = weights * _chance(n[:, None], c[:, None], logit)
    kernel[:, 0], kernel[:, -1] = c == 0, c == n
    size = np.sqrt(1 / np.maximum(c, 0.5) + 1 / np.maximum(n - c, 0.5))  # of the logit's standard error
    for i in np.flatnonzero((size < 1.2 * step) & (c > 0) & (c < n)):
        x = np.log(c[i] / (n[i] - c[i])) + np.linspace(-SPREAD, SPREAD, FINE) * size[i]
        kernel[i, 1:-1] = (x[1] - x[0]) * _chance(n[i], c[i], x) @ _cubic(x, logit)
    return kernel


def _chance(n: Any, c: Any, x: np.ndarray) -> np.ndarray:
    """Computes the binomial probability of c correct of n at logits x."""
    from scipy.special import gammaln  # comes with JAX; slow to load

    log_choose = gammaln(n + 1) - gammaln(c + 1) - gammaln(n - c + 1)
    return np.exp(log_choose - c * np.logaddexp(0.0, -x) - (n - c) * np.logaddexp(0.0, x))


def _cubic(x: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Returns the matrix from grid values to values at x, by the cubic through the four nearest points."""
    step = grid[1] - grid[0]
    first = np.clip(np.floor((x - grid[0]) / step).astype(int) - 1, 0, len(grid) - 4)
    t = (x - grid[first]) / step
    matrix = np.zeros((len(x), len(grid)))
    for j in range(4):
        others = [i for i in range(4) if i != j]
        matrix[np.arange(len(x)), first + j] = np.prod([(t - i) / (j - i) for i in others], axis=0)
    return matrix
