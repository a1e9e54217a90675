"""Tables of `pooled_tasks`: the testbed's tasks, tasks simulated from known laws, and rows to fit and to judge."""

from collections.abc import Mapping

import numpy as np

import t2jax as t2
from t2jax.laws.pass_at_k.t2_loss import T2Loss

LEAST = 1e-3
"""Nats: where -log pass@k is less all but every question is solved, and its logarithm means nothing."""
DF = 4.0
"""Degrees of freedom of the errors, as in the default noise of losses."""
POPULATION = {"alpha": (np.log(0.85), 0.15), "beta": (np.log(1.05), 0.1), "gamma": (np.log(0.3), 0.15)}
"""Simulated tasks: mean and deviation of the logarithm of each exponent, about the testbed's tasks."""
STIFFNESS = 1.0
"""Of the ridge, in standardised columns."""


def load_testbed(samples: tuple[float, ...], tokens_min: float, tasks: tuple[str, ...] | None) -> dict[str, t2.Table]:
    """The table of each task, averaged over seeds; all tasks by default."""
    rows = t2.datasets.load("testbed", samples=samples, seeds=False, tasks=tasks)
    frame = rows.where(rows["tokens"] >= tokens_min).to_frame().drop(columns="weight")
    table = t2.Table(frame, rows.source)
    return {str(name): table.where(task=name) for name in dict.fromkeys(table["task"].tolist())}


def simulate(
    real: Mapping[str, t2.Table], fits: Mapping[str, t2.Law], sigma: float, rng: np.random.Generator
) -> dict[str, t2.Table]:
    """The same cells as measured by laws whose exponents come from one population, each term as large as it is."""
    tables = {}
    for name, table in real.items():
        values, exponents = fits[name].values(), {}
        for exponent, (location, spread) in POPULATION.items():
            exponents[exponent] = float(np.exp(location + spread * rng.normal()))
        for size, exponent, column in (("A", "alpha", "params"), ("B", "beta", "tokens"), ("G", "gamma", "samples")):
            middle = np.mean(np.log(table[column]))
            values[size] *= np.exp((exponents[exponent] - values[exponent]) * middle)
        truth = t2.predict(T2Loss(**(values | exponents)), table)
        off = sigma * rng.standard_t(DF, len(table))
        tables[name] = table.with_columns(neg_log_pass=truth * np.exp(off))
    return tables


def choose(
    held_out: str, third: str, table: t2.Table, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three masks (rows,): rows of the cells left out, all other rows to fit, and a third of these."""
    cell, heard = table.runs(), table["neg_log_pass"] >= LEAST
    cells = cell.max() + 1
    cost = np.array([(table["params"] * table["tokens"])[cell == i][0] for i in range(cells)])
    order = np.argsort(-cost, kind="stable") if held_out == "dearest" else rng.permutation(cells)
    cells_out, rest = order[: cells // 3], order[cells // 3 :]
    judged, every = np.isin(cell, cells_out), np.isin(cell, rest) & heard
    some = every & np.isin(cell, rng.permutation(rest)[: len(rest) // 3])
    if third == "rows":
        some = np.zeros(len(table), bool)
        some[rng.permutation(np.flatnonzero(every))[: every.sum() // 3]] = True
    return judged, every, some


def ridge(tables: Mapping[str, t2.Table], task: str, seen: np.ndarray) -> np.ndarray:
    """A line through the other tasks at the same cell and k predicts log(-log pass@k), without a law: (rows,).

    seen (rows,): of the task, to be fitted. Its columns are those of the other tasks, and log k.
    """
    others = [np.log(np.maximum(table["neg_log_pass"], LEAST)) for name, table in tables.items() if name != task]
    columns = np.stack([*others, np.log(tables[task]["samples"])], axis=1)
    columns = (columns - columns[seen].mean(axis=0)) / columns[seen].std(axis=0)
    target = np.log(tables[task]["neg_log_pass"][seen])
    bend = columns[seen].T @ columns[seen] + STIFFNESS * np.eye(columns.shape[1])
    return target.mean() + columns @ np.linalg.solve(bend, columns[seen].T @ (target - target.mean()))
