"""Checks of a table before a fit: nothing was solved, several tasks, or too few rows for errors."""

import numpy as np

from t2jax.fitting.problem import FitProblem
from t2jax.noise.residuals import response
from t2jax.tables.place import TableError
from t2jax.tables.table import Table

SHOWN = 5  # names of tasks in a sentence
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


def few_rows(table: Table, parameters: int) -> str:
    """Writes a sentence if the rows leave too little to estimate errors from. It is empty for enough rows."""
    if len(table) >= parameters + SPARE_ROWS:
        return ""
    return (
        f"{len(table)} rows for {parameters} parameters leave too little to estimate errors from: "
        "measure more runs, or sample the posterior, where the priors speak too"
    )


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
