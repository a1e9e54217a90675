"""`t2jax plan --tasks`: one model for several tasks, with samples of its own for each of them."""

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
from t2jax.cli.plan.tasks.portfolio_report import PortfolioReport, TaskLaw, ends
from t2jax.cli.report.add import add_portfolio_page
from t2jax.cli.tables.pairs import numbers
from t2jax.files import finite, whole
from t2jax.fitting.law_files import LAW_FILE, load_law
from t2jax.fitting.measured_range import MeasuredRange, horizon_decades, load_measured_range
from t2jax.laws import name_of
from t2jax.planning.budget import Budget
from t2jax.planning.portfolio.plan import PortfolioPlan, plan_portfolio

MOST_DRAWS = 400
"""Draws that are planned with, some milliseconds each."""


def plan_tasks(config: Any, budget: Budget) -> int:
    """Plans for the tasks of a plan's options; returns 0 if there is an optimum, else 1."""
    weights = numbers("--tasks", config.tasks)
    with Output("plan", config.output, config) as out:
        out.answer_comes_first()
        tasks = find_laws(config, tuple(weights), out)
        with out.progress("planning") as bar:
            report = solve_tasks(tasks, weights, budget)
            bar.update()
        plan, drawn, text = report.plan, report.drawn, report.text()
        out.say_answer(text)
        rows = [
            {"task": name, "weight": weights[name], "samples": plan.samples[name], "value": plan.predictions[name]}
            | ends("samples", [draw.samples[name] for draw in drawn])
            | ends("value", [draw.predictions[name] for draw in drawn])
            for name in weights
        ]
        with out.file("plan.csv") as path, whole(path) as unfinished:
            pd.DataFrame(rows).to_csv(unfinished, index=False)
        if config.report and plan.ok:
            add_portfolio_page(out, report)
        optimum = {name: finite(getattr(plan, name)) for name in ("params", "tokens", "value", "query_cost")}
        cells = [{key: finite(cell) if isinstance(cell, float) else cell for key, cell in row.items()} for row in rows]
        intervals: dict[str, Any] = {}
        for name in ("params", "tokens", "value"):
            intervals |= ends(name, [getattr(draw, name) for draw in drawn])
        answer: dict[str, Any] = {"plan": optimum, "intervals": intervals, "level": LEVEL}
        beyond = report.beyond()
        answer |= {"beyond": beyond, "horizon_decades": horizon_decades(beyond)} if plan.ok else {}
        answer |= {"no_intervals": report.no_intervals, "tasks": cells, "status": plan.status, "words": text}
        return out.finish(0 if plan.ok else 1, answer)


def solve_tasks(tasks: dict[str, TaskLaw], weights: dict[str, float], budget: Budget) -> PortfolioReport:
    """Plans for the tasks, with the laws and with their draws."""
    plan = plan_portfolio({name: task.law for name, task in tasks.items()}, weights, budget)
    drawn, reason = draw_plans(tasks, weights, budget) if plan.ok else ([], "there is no plan")
    return PortfolioReport(plan, tasks, weights, budget, drawn, reason)


def draw_plans(tasks: dict[str, TaskLaw], weights: dict[str, float], budget: Budget) -> tuple[list[PortfolioPlan], str]:
    """Plans with draws of the laws, those of one task independent of the others'.

    Returns:
        The plans, and a sentence on why there are none, which is empty if there are.
    """
    for name, task in tasks.items():
        if task.laws is None:
            return [], f"{name}: {task.no_intervals or 'the law has no draws; fit with --draws, or sample it'}"
    rng = np.random.default_rng(0)
    counts = {name: len(np.atleast_1d(jax.tree.leaves(task.laws)[0])) for name, task in tasks.items()}
    count = min(MOST_DRAWS, *counts.values())
    at = {name: rng.permutation(counts[name])[:count] for name in tasks}
    plans = []
    for i in range(count):
        laws = {name: jax.tree.map(lambda leaf, j=at[name][i]: leaf[j], task.laws) for name, task in tasks.items()}
        plans.append(plan_portfolio(laws, weights, budget))
    good = [plan for plan in plans if plan.ok]
    reason = why_no_band(len(good), count)
    return ([], reason) if reason else (good, "")


def find_laws(config: Any, tasks: tuple[str, ...], out: Output) -> dict[str, TaskLaw]:
    """Fits a law to the rows of each task, or reads FOLDER/TASK/law.json. It raises ValueError without one."""
    if (config.table is None) == (config.law_file is None):
        raise ValueError(
            "--tasks needs either a table with a column task, or --law-file FOLDER with FOLDER/TASK/law.json"
        )
    if config.law_file is not None:
        return read_laws(Path(config.law_file), tasks, out.say)
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
        path, measured = out.folder / task / LAW_FILE, MeasuredRange.of(rows)
        laws[task] = TaskLaw(fitted.law, fitted.laws, fitted.no_intervals, path, measured)
    return laws


def read_laws(folder: Path, tasks: tuple[str, ...], say: Any) -> dict[str, TaskLaw]:
    """Reads FOLDER/TASK/law.json of each task, and the draws beside it. It raises ValueError without a law."""
    read = {}
    for task in tasks:
        path = folder / task / LAW_FILE
        law = load_law(path)
        read[task] = TaskLaw(law, *draws_beside(path, law, say), path, load_measured_range(path))
    return read
