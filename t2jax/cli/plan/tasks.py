"""`t2jax plan --tasks`: one model for several tasks, with samples of its own for each of them."""

from pathlib import Path
from typing import Any

import pandas as pd

from t2jax.cli.fitting import fit_and_save
from t2jax.cli.options import law_for
from t2jax.cli.output import Output
from t2jax.cli.tables.pairs import numbers
from t2jax.cli.words import columns, cost, count
from t2jax.files import finite, whole
from t2jax.fitting.law_files import LAW_FILE, load_law
from t2jax.laws import name_of
from t2jax.laws.base import Law
from t2jax.planning.budget import Budget
from t2jax.planning.portfolio.plan import PortfolioPlan, plan_portfolio


def plan_tasks(config: Any, budget: Budget) -> int:
    """Plans for the tasks of a plan's options; returns 0 if there is an optimum, else 1."""
    weights = numbers("--tasks", config.tasks)
    with Output("plan", config.output, config) as out:
        laws = find_laws(config, tuple(weights), out)
        with out.progress("planning") as bar:
            plan = plan_portfolio(laws, weights, budget)
            bar.update()
        text = words(plan, laws, weights, budget)
        out.say(text)
        rows = [
            {"task": name, "weight": weights[name], "samples": plan.samples[name], "value": plan.predictions[name]}
            for name in weights
        ]
        with out.file("plan.csv") as path, whole(path) as unfinished:
            pd.DataFrame(rows).to_csv(unfinished, index=False)
        numbers_found = {name: finite(getattr(plan, name)) for name in ("params", "tokens", "value", "query_cost")}
        tasks = [{key: finite(cell) if isinstance(cell, float) else cell for key, cell in row.items()} for row in rows]
        answer = {"plan": numbers_found, "tasks": tasks, "status": plan.status, "words": text}
        return out.finish(0 if plan.ok else 1, answer)


def find_laws(config: Any, tasks: tuple[str, ...], out: Output) -> dict[str, Law]:
    """Fits a law to the rows of each task, or reads FOLDER/TASK/law.json. It raises ValueError without one."""
    if (config.table is None) == (config.law_file is None):
        raise ValueError(
            "--tasks needs either a table with a column task, or --law-file FOLDER with FOLDER/TASK/law.json"
        )
    if config.law_file is not None:
        return {task: load_law(Path(config.law_file) / task / LAW_FILE) for task in tasks}
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
        laws[task] = fitted.law
    return laws


def words(plan: PortfolioPlan, laws: dict[str, Law], weights: dict[str, float], budget: Budget) -> str:
    """Returns the recommendation, a table of the tasks, and the status."""
    if not plan.ok:
        return f"There is no plan: {plan.status}"
    response = next(iter(laws.values())).response[0]
    name = {"pass_at_k": "pass@k", "neg_log_pass": "-log pass@k"}.get(response, response)
    total, unit = sum(weights.values()), budget.prices[0].unit
    rows = [
        (task, f"{weight / total:.3g}", f"{plan.samples[task]:.4g}", f"{plan.predictions[task]:.4g}")
        for task, weight in weights.items()
    ]
    return (
        f"Train {count(plan.params)} parameters on {count(plan.tokens)} tokens ({count(plan.tokens / plan.params)} per"
        f" parameter): a weighted {name} of {plan.value:.4g}.\n\n"
        f"{columns(('task', 'weight', 'k', name), rows)}\n\n"
        f"Training costs {cost(plan.training_cost, unit)} and a query {cost(plan.query_cost, unit)} on average over the"
        f" tasks.\n\n{plan.status}"
    )
