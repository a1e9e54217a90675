"""`t2jax plan --tasks`: one model for several tasks, with samples of its own for each of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd

from t2jax.cli.fitting import LEVEL, fit_and_save
from t2jax.cli.frontier.allocations import why_no_band
from t2jax.cli.law_source import draws_beside
from t2jax.cli.options import law_for
from t2jax.cli.output import Output
from t2jax.cli.tables.pairs import numbers
from t2jax.cli.words import columns, cost, count, interval
from t2jax.files import finite, whole
from t2jax.fitting.law_files import LAW_FILE, load_law
from t2jax.laws import name_of
from t2jax.laws.base import Law
from t2jax.numerics.bands import band
from t2jax.planning.budget import Budget
from t2jax.planning.portfolio.plan import PortfolioPlan, plan_portfolio

MOST_DRAWS = 400
"""Draws that are planned with, some milliseconds each."""


def plan_tasks(config: Any, budget: Budget) -> int:
    """Plans for the tasks of a plan's options; returns 0 if there is an optimum, else 1."""
    weights = numbers("--tasks", config.tasks)
    with Output("plan", config.output, config) as out:
        task_laws = find_laws(config, tuple(weights), out)
        laws = {task: source.law for task, source in task_laws.items()}
        with out.progress("planning", total=2) as bar:
            plan = plan_portfolio(laws, weights, budget)
            bar.update()
            drawn, none = draw_plans(task_laws, weights, budget) if plan.ok else ([], "there is no plan")
            bar.update()
        text = words(plan, laws, weights, budget, drawn, none)
        out.say(text)
        rows = [
            {"task": name, "weight": weights[name], "samples": plan.samples[name], "value": plan.predictions[name]}
            | _ends("samples", [draw.samples[name] for draw in drawn])
            | _ends("value", [draw.predictions[name] for draw in drawn])
            for name in weights
        ]
        with out.file("plan.csv") as path, whole(path) as unfinished:
            pd.DataFrame(rows).to_csv(unfinished, index=False)
        recommendation = {name: finite(getattr(plan, name)) for name in ("params", "tokens", "value", "query_cost")}
        tasks = [{key: finite(cell) if isinstance(cell, float) else cell for key, cell in row.items()} for row in rows]
        intervals: dict[str, Any] = {}
        for name in ("params", "tokens", "value"):
            intervals |= _ends(name, [getattr(draw, name) for draw in drawn])
        answer: dict[str, Any] = {"plan": recommendation, "intervals": intervals, "no_intervals": none, "level": LEVEL}
        answer |= {"tasks": tasks, "status": plan.status, "words": text}
        return out.finish(0 if plan.ok else 1, answer)


@dataclass(frozen=True)
class TaskLaw:
    """The law of a task, its draws if there are any, and why there are none."""

    law: Law
    laws: Law | None
    no_intervals: str = ""


def draw_plans(
    task_laws: dict[str, TaskLaw], weights: dict[str, float], budget: Budget
) -> tuple[list[PortfolioPlan], str]:
    """Plans with draws of the laws, those of one task independent of the others'.

    Returns:
        The plans, and a sentence on why there are none, which is empty if there are.
    """
    for task, source in task_laws.items():
        if source.laws is None:
            return [], f"{task}: {source.no_intervals or 'the law has no draws; fit with --draws, or sample it'}"
    rng = np.random.default_rng(0)
    counts = {task: len(np.atleast_1d(jax.tree.leaves(source.laws)[0])) for task, source in task_laws.items()}
    count = min(MOST_DRAWS, *counts.values())
    at = {task: rng.permutation(counts[task])[:count] for task in task_laws}
    plans = []
    for i in range(count):
        laws = {
            task: jax.tree.map(lambda leaf, j=at[task][i]: leaf[j], source.laws) for task, source in task_laws.items()
        }
        plans.append(plan_portfolio(laws, weights, budget))
    good = [plan for plan in plans if plan.ok]
    reason = why_no_band(len(good), count)
    return ([], reason) if reason else (good, "")


def _ends(name: str, values: list[float]) -> dict[str, float | None]:
    """Returns the ends of an interval by name, None without draws."""
    if not values:
        return {f"{name}_low": None, f"{name}_high": None}
    spread = band(np.array(values), LEVEL)
    return {f"{name}_low": float(spread.low), f"{name}_high": float(spread.high)}


def find_laws(config: Any, tasks: tuple[str, ...], out: Output) -> dict[str, TaskLaw]:
    """Fits a law to the rows of each task, or reads FOLDER/TASK/law.json. It raises ValueError without one."""
    if (config.table is None) == (config.law_file is None):
        raise ValueError(
            "--tasks needs either a table with a column task, or --law-file FOLDER with FOLDER/TASK/law.json"
        )
    if config.law_file is not None:
        return {task: _read(Path(config.law_file) / task / LAW_FILE, out) for task in tasks}
    table = config.fitting.reading.read(config.table)
    table.require("task", needed_by="--tasks")
    names, laws = sorted(set(map(str, table["task"]))), {}
    if unknown := [task for task in tasks if task not in names]:
        raise ValueError(f"--tasks: there is no task {unknown[0]!r} in {table.source.name}; it has {', '.join(names)}")
    for task in tasks:
        rows = table.where(task=task)
        rows = rows.keep_lowest("loss") if config.fitting.keep_best else rows
        config.fitting.reading.ask(rows, config.fitting.law)
        fitted = fit_and_save(law_for(rows, config.fitting.law), rows, config.fitting, out, below=f"{task}/")
        out.say(f"{task}: {name_of(type(fitted.law))}: {fitted.fit.status}", "")
        if not fitted.fit.converged or fitted.fit.undetermined:
            raise ValueError(f"--tasks: the law of {task} cannot be planned with ({fitted.fit.status})")
        laws[task] = TaskLaw(fitted.law, fitted.laws, fitted.no_intervals)
    return laws


def _read(path: Path, out: Output) -> TaskLaw:
    """Reads a law, and its draws beside it."""
    law = load_law(path)
    return TaskLaw(law, *draws_beside(path, law, out.say))


def words(
    plan: PortfolioPlan,
    laws: dict[str, Law],
    weights: dict[str, float],
    budget: Budget,
    drawn: list[PortfolioPlan],
    no_intervals: str,
) -> str:
    """Returns the recommendation, its intervals, a table of the tasks, and the status."""
    if not plan.ok:
        return f"There is no plan: {plan.status}"
    response = next(iter(laws.values())).response[0]
    name = {"pass_at_k": "pass@k", "neg_log_pass": "-log pass@k"}.get(response, response)
    total, unit = sum(weights.values()), budget.prices[0].unit
    rows = [
        (
            task,
            f"{weight / total:.3g}",
            *_cells(plan.samples[task], [draw.samples[task] for draw in drawn]),
            *_cells(plan.predictions[task], [draw.predictions[task] for draw in drawn]),
        )
        for task, weight in weights.items()
    ]
    ends = (f"{LEVEL:.0%} interval",) if drawn else ()
    header = ("task", "weight", "k", *ends, name, *ends)
    intervals = f"No interval: {no_intervals}."
    if drawn:
        quantities = {"N": "params", "D": "tokens", name: "value"}
        spread = {short: _interval([getattr(draw, of) for draw in drawn]) for short, of in quantities.items()}
        intervals = f"{LEVEL:.0%} intervals: {'; '.join(f'{short} {ends}' for short, ends in spread.items())}."
    return (
        f"Train {count(plan.params)} parameters on {count(plan.tokens)} tokens ({count(plan.tokens / plan.params)} per"
        f" parameter): a weighted {name} of {plan.value:.4g}.\n\n{intervals}\n\n"
        f"{columns(header, rows)}\n\n"
        f"Training costs {cost(plan.training_cost, unit)} and a query {cost(plan.query_cost, unit)} on average over the"
        f" tasks.\n\n{plan.status}"
    )


def _cells(value: float, drawn: list[float]) -> tuple[str, ...]:
    """Returns cells of a number and, if there are draws, of its interval."""
    return (f"{value:.4g}", _interval(drawn)) if drawn else (f"{value:.4g}",)


def _interval(drawn: list[float]) -> str:
    """Returns the interval of draws in words."""
    spread = band(np.array(drawn), LEVEL)
    return interval(float(spread.low), float(spread.high))
