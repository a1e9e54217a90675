"""Sentences on a table that is fitted: nothing was solved, several tasks, too few rows or runs, or a swept setting."""

from typing import Any

import numpy as np
import pandas as pd

from t2jax.fitting.problem import FitProblem
from t2jax.laws.base import Law
from t2jax.noise.losses import Gaussian
from t2jax.noise.protocol import Noise
from t2jax.noise.residuals import ROW_ERROR, response
from t2jax.tables.columns import NUMBERS, SIZE, with_compute
from t2jax.tables.place import TableError
from t2jax.tables.table import Table
from t2jax.typing import Float

SHOWN = 5  # names of tasks in a sentence
FEWEST_RUNS = 5  # with fewer, resamples differ too little to show a spread
LEAST_SCATTER = 0.005  # of the log: less moves a law little
CHANCE = 1e-3
LARGE_SCALE = 10.0  # a scale that is so many times the largest standard error outweighs all of them
SPARE_ROWS = 3
"""Fewest rows beyond the parameters for a bootstrap interval. A law with a parameter for each row meets every row, so
its residuals do not show the errors. That three are enough is a rule of thumb."""


def refuse_unsolved(problem: FitProblem, table: Table) -> None:
    """Raises TableError where a law of pass@k has no data to fit, because no sample of any model is right.

    The message bounds each model's pass@1 at 95 %: it solves (1 - p)^questions = 0.05. Tables with losses pass, because
    the losses are data too.
    """
    columns = problem.noise.columns(problem.law, table)
    counts = "correct" in columns
    name = "correct" if counts else response(problem.law, table)
    if (
        "loss" in problem.noise.columns(problem.law, table)
        or name not in ("correct", "pass_at_k")
        or np.any(table[name] > 0)
    ):
        return
    message = f"{table.source.name}: no sample of any model is right, so pass@k is 0 at every k that was measured"
    if counts:
        questions = np.bincount(table.runs())
        highest = (f"{1 - 0.05 ** (1 / count):.3g}" for count in (questions.max(), questions.min()))
        bound = " to ".join(dict.fromkeys(highest))
        asked = " to ".join(dict.fromkeys((f"{questions.min()}", f"{questions.max()}")))
        message += f" (a model's pass@1 is below {bound} at 95 %, from {asked} questions each)"
    raise TableError(f"{message}; no law can be fitted to that")


def several_tasks(table: Table) -> str:
    """Writes a sentence that names the tasks of the rows. It is empty for one task or none."""
    names = list(dict.fromkeys(str(name) for name in table["task"])) if "task" in table else []
    if len(names) < 2:
        return ""
    shown = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
    return (
        f"the rows are of {len(names)} tasks ({shown}) and one law was fitted to all of them: "
        "keep the rows of one task, or give each its own law with sample_tasks"
    )


def no_errors(law: type[Law], table: Table, parameters: int) -> str:
    """Writes a sentence if the rows cannot show how large the errors are. It is empty if they can.

    That is so for few rows beyond the parameters, and for a measurement that is the same in all rows.
    """
    name = response(law, table)
    if name in table and len(table) > 1 and np.ptp(table[name]) == 0:
        return (
            f"{name} is {table[name][0]:g} in all {len(table)} rows, so these show neither effects of N or D nor errors"
        )
    if len(table) >= parameters + SPARE_ROWS:
        return ""
    return (
        f"{len(table)} rows for {parameters} parameters leave too little to estimate errors from: "
        "measure more runs, or sample the posterior, where the priors speak too"
    )


def own_errors(noise: Noise, law: type[Law], table: Table) -> str:
    """Writes whether a fit reads the standard errors of the rows' losses. It is empty for a table without them.

    Args:
        noise: The noise model.
        law: The law class.
        table: The table.

    Returns:
        The sentence.
    """
    columns = noise.columns(law, table)
    if ROW_ERROR not in table or "loss" not in columns:
        return ""
    if ROW_ERROR not in columns:
        name = type(noise).__name__
        return (
            f"column {ROW_ERROR} is not read, because {name} has one scale for all rows: noise.StudentT() adds it to"
            " the scale of each row (--noise student-t)"
        )
    errors = table[ROW_ERROR]
    share = 100 * float(np.median(errors / table["loss"]))
    added = f"each row's {ROW_ERROR} (median {share:.2g} % of the loss) adds in squares to the scale of all rows"
    if isinstance(noise, Gaussian) and noise.scale > LARGE_SCALE * np.max(errors):
        scale = f"which is {noise.scale:g} in a point fit, so that it hardly counts"
        return f"{added}, {scale}: noise.StudentT() estimates the scale (--noise student-t)"
    return added


def shared_errors(table: Table, resampled: str) -> str:
    """Writes a sentence if a bootstrap cannot see the errors that rows of one run share. Else it is empty.

    Args:
        table: The table.
        resampled: What is resampled: "rows", "runs" or "simulated tables".

    Returns:
        The sentence. Questions of a single run are different measurements, so they get none.
    """
    runs = len(set(table["model"].tolist())) if "model" in table else len(table)
    if runs == len(table) or (runs == 1 and "question" in table):
        return ""
    if runs < FEWEST_RUNS:
        return (
            f"{len(table)} rows are of {runs} run{'s' * (runs > 1)}: rows of one run share errors, and fewer than "
            f"{FEWEST_RUNS} runs do not show them, so intervals are too narrow"
        )
    if resampled == "runs":
        return ""
    return (
        f"{len(table)} rows are of {runs} runs: rows of one run share errors, so intervals over {resampled} are too "
        "narrow (resample runs: over='runs', --over runs)"
    )


def swept_setting(
    law: type[Law], table: Table, measured: Float[np.ndarray, " rows"], predicted: Float[np.ndarray, " rows"]
) -> str:
    """Writes a sentence if rows of equal (N, D) differ by a setting and not by chance. Else it is empty.

    Chance would move the means of such rows too, by their scatter over the root of their number. A sweep moves every
    mean alike. So the sentence is written where the means are nearer to the law than chance allows (an F test). It is
    also written where one more column explains most of the scatter (analysis of variance). Both tests are at 0.1 %, and
    a scatter below half a per cent is not told.

    Args:
        law: The law class.
        table: The table that was fitted.
        measured: Measurements where less is better, shape (rows,).
        predicted: Predictions of the fitted law, shape (rows,).

    Returns:
        The sentence.
    """
    read = {*law.columns().values(), *with_compute(SIZE, table.columns)}
    codes = [pd.factorize(table[name], use_na_sentinel=False)[0] for name in table.columns if name in read]
    group = np.unique(np.stack(codes), axis=1, return_inverse=True)[1].ravel()
    size = np.bincount(group)
    inside, between = len(table) - len(size), len(size) - len(law.declared())
    if inside < len(table) / 2 or not np.all((measured > 0) & (predicted > 0)):
        return ""
    residual = np.log(measured / predicted)
    deviation = residual - (np.bincount(group, residual) / size)[group]
    variance = float(np.sum(deviation**2)) / inside
    if variance < LEAST_SCATTER**2:
        return ""
    from scipy.special import fdtr  # slow to load, and most tables do not come here

    frame: Any = pd.DataFrame({"residual": residual, "measured": measured}).groupby(group)
    centres = (frame["residual"].mean(), frame["residual"].median())  # a fit goes through either, by its noise
    misses = min(float(np.sum(size * centre.to_numpy() ** 2)) for centre in centres)
    alike = between > 0 and fdtr(between, inside, misses / between / variance) < CHANCE
    others = [name for name in table.columns if name not in {*read, *NUMBERS, "model"}]
    rows: Any = table.to_frame().groupby(group)
    varying = [name for name in others if np.mean(rows[name].nunique() >= 2) > 0.5]
    if not alike and not any(_explains(table[name], deviation, inside) for name in varying):
        return ""
    ends = frame["measured"].agg(["min", "max"])[size > 1]
    spread = 100 * float(np.median(ends["max"] / ends["min"] - 1))
    cause = f"{', '.join(varying[:SHOWN])} varies inside a pair" if varying else "no other column tells them apart"
    return (
        f"{np.sum(size > 1)} pairs of (params, tokens) have several rows, which differ by {spread:.2g} % as in a sweep "
        f"and not by chance ({cause}): keep the best row of each (table.keep_lowest('loss'), --keep-best)"
    )


def _explains(values: np.ndarray, deviation: Float[np.ndarray, " rows"], inside: int) -> bool:
    """Tells whether the levels of a column explain most of the scatter of rows of equal (N, D)."""
    from scipy.special import fdtr

    level = pd.factorize(values)[0]
    size = np.bincount(level)
    levels, left = len(size) - 1, inside - len(size) + 1
    if (
        len(size) > len(values) / 3 or left < 1
    ):  # levels that do not repeat are another measurement, or a number of runs
        return False
    total = float(np.sum(deviation**2))
    explained = float(np.sum(np.bincount(level, deviation) ** 2 / size))
    unexplained = max(total - explained, 1e-12 * total)
    return explained > 0.5 * total and 1 - fdtr(levels, left, explained / levels / (unexplained / left)) < CHANCE


def few_solved(table: Table, parameters: int) -> str:
    """Writes a sentence if fewer runs have a right sample than a law has parameters. It is empty otherwise.

    Runs that solve nothing only bound pass@k from above. A law that fits the others exactly then may have no best fit:
    the steeper it falls to the runs that solve nothing, the better.
    """
    if "correct" not in table:
        return ""
    run, right = table.runs(), table["correct"]
    runs, solved = int(run.max()) + 1, len(np.unique(run[right > 0]))
    if solved == runs or solved >= parameters:
        return ""
    return (
        f"{right.sum():g} of {table['trials'].sum():g} samples are right, of {solved} of {runs} runs, for {parameters}"
        " parameters: such counts need not have a best fit, so measure larger models or more samples,"
        " or sample the posterior, where the priors speak too"
    )
