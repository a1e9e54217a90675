"""Contents of the page of a plan for several tasks, without levers: what moves is in tables and figures."""

from dataclasses import replace
from typing import Any

import numpy as np

from t2jax.cli.fitting import LEVEL
from t2jax.cli.plan.tasks.portfolio_report import PortfolioReport, ends
from t2jax.cli.report.page_parts import FigurePart, Page, Section, show, table
from t2jax.cli.report.provenance import hashes_section, provenance_section
from t2jax.cli.words import count
from t2jax.fitting.law_files import read_law_file
from t2jax.laws import name_of
from t2jax.planning.budget import Budget
from t2jax.planning.portfolio.plan import PortfolioPlan, plan_portfolio

FACTORS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 10.0)
"""Changes of a purse that the page shows."""
PURSES = {"inference": "the serving budget", "total": "the total budget", "train": "the training budget"}
COLOURS = ("c1", "c2", "c3", "soft", "ink")


def page_of_portfolio(run: dict[str, Any], report: PortfolioReport) -> Page:
    """Returns the page of a plan for several tasks."""
    purses = [name for name in PURSES if getattr(report.budget, name) is not None]
    moved = {name: moved_plans(report, name) for name in purses}
    return Page(
        title=f"A plan for {' and '.join(report.tasks)}",
        lead=(report.recommendation(), report.costs()),
        sections=(
            _tasks(report),
            Section("sure", "How sure", (report.intervals(), f"{report.plan.status}.")),
            _changes(report, moved),
            _laws(report),
            _blind(report),
            hashes_section(provenance_section(run, None, {}), [task.path for task in report.tasks.values()]),
        ),
        printed=report.text(),
    )


def moved_plans(report: PortfolioReport, purse: str) -> dict[float, PortfolioPlan]:
    """Solves the plan with a purse times each factor; the plan itself is at one."""
    budget = report.budget
    plans = {}
    for factor in FACTORS:
        limits: Any = {purse: float(np.asarray(getattr(budget, purse))) * factor}
        plans[factor] = report.plan if factor == 1 else _solved(report, replace(budget, **limits))
    return {factor: plan for factor, plan in plans.items() if plan.ok}


def _solved(report: PortfolioReport, budget: Budget, weights: dict[str, float] | None = None) -> PortfolioPlan:
    return plan_portfolio(report.laws, report.weights if weights is None else weights, budget)


def _tasks(report: PortfolioReport) -> Section:
    """Returns the tasks with their samples and predictions, as a table and as a figure."""
    names = list(report.tasks)
    figures = tuple(
        FigurePart(
            name,
            title,
            f"{title}, with {100 * LEVEL:g} % intervals where there are draws.",
            [_points(names, values, drawn, label)],
            {
                "xaxis": {"type": scale, "title": {"text": label}},
                "yaxis": {"autorange": "reversed", "automargin": True, "type": "category"},
                "height": 150 + 45 * len(names),
            },
        )
        for name, title, label, scale, values, drawn in (
            (
                *("samples", "Samples for each task", "samples k", "log"),
                report.plan.samples,
                {task: [draw.samples[task] for draw in report.drawn] for task in names},
            ),
            (
                *("values", "What each task gets", report.response, "linear"),
                report.plan.predictions,
                {task: [draw.predictions[task] for draw in report.drawn] for task in names},
            ),
        )
    )
    caption = f"Samples and {report.response} of each task. Weights are shares of the mean and of all queries."
    return Section("tasks", "The tasks", (), table(caption, report.header(), report.rows()), figures)


def _points(names: list[str], values: dict[str, float], drawn: dict[str, list[float]], label: str) -> dict[str, Any]:
    """Returns one point for each task, with a bar from the low to the high end of its interval."""
    above, below = [], []
    for name in names:
        spread = ends("x", drawn[name])
        low, high = spread["x_low"], spread["x_high"]
        above.append(0.0 if high is None else max(high - values[name], 0.0))
        below.append(0.0 if low is None else max(values[name] - low, 0.0))
    return {
        "type": "scatter",
        "mode": "markers",
        "name": label,
        "x": [values[name] for name in names],
        "y": names,
        "error_x": {"type": "data", "symmetric": False, "array": above, "arrayminus": below, "color": "c1"},
        "hovertemplate": f"%{{y}}: {label} %{{x:.4g}}<extra></extra>",
        "marker": {"color": "c1", "size": 9},
    }


def _changes(report: PortfolioReport, moved: dict[str, dict[float, PortfolioPlan]]) -> Section:
    """Returns plans with other purses and weights."""
    names = list(report.tasks)
    rows = [_cells("as planned", report.plan, names)]
    for purse, plans in moved.items():
        for factor, times in ((0.5, "half"), (2.0, "twice")):
            if factor in plans:
                rows.append(_cells(f"{times} {PURSES[purse]}", plans[factor], names))
    changed = {f"twice the weight of {name}": report.weights | {name: 2 * report.weights[name]} for name in names}
    for text, weights in {**changed, "equal weights": dict.fromkeys(names, 1.0)}.items():
        plan = _solved(report, report.budget, weights)
        if plan.ok:
            rows.append(_cells(text, plan, names))
    header = (
        "",
        "N",
        "D",
        "mean",
        *(f"k, {name}" for name in names),
        *(f"{report.response}, {name}" for name in names),
    )
    caption = f"Other plans. Means of {report.response} are by the weights of their row."
    figures = tuple(_along(report, purse, plans) for purse, plans in moved.items() if len(plans) > 1)
    sentences = (
        "Every row and every point of a figure is a plan of its own: N, D and all k are chosen anew.",
        "This page has no levers, since several tasks share a purse, which it cannot divide anew.",
    )
    return Section("changes", "What would change it", sentences, table(caption, header, rows), figures)


def _cells(text: str, plan: PortfolioPlan, names: list[str]) -> tuple[str, ...]:
    samples = (show(plan.samples[name], 3) for name in names)
    return (
        *(text, count(plan.params), count(plan.tokens), show(plan.value), *samples),
        *(show(plan.predictions[name]) for name in names),
    )


def _along(report: PortfolioReport, purse: str, plans: dict[float, PortfolioPlan]) -> FigurePart:
    """Returns what each task gets as a purse grows."""
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": name,
            "x": list(plans),
            "y": [plan.predictions[name] for plan in plans.values()],
            "text": [f"N {count(plan.params)}, k {show(plan.samples[name], 3)}" for plan in plans.values()],
            "hovertemplate": "%{y:.4g} at %{x:.3g} times<br>%{text}<extra></extra>",
            "line": {"color": colour},
            "marker": {"color": colour},
        }
        for name, colour in zip(report.tasks, COLOURS, strict=False)
    ]
    return FigurePart(
        f"along-{purse}",
        f"As {PURSES[purse]} changes",
        f"{report.response} of each task, with {PURSES[purse]} times the factor below. The plan is at 1.",
        traces,
        {
            "xaxis": {"type": "log", "title": {"text": f"{PURSES[purse]}, times"}},
            "yaxis": {"title": {"text": report.response}},
        },
    )


def _laws(report: PortfolioReport) -> Section:
    """Returns the law of each task with its parameters."""
    tables = []
    for name, task in report.tasks.items():
        values, units = task.law.values(), type(task.law).declared()
        rows = [(parameter, show(float(value), 6), units[parameter].unit) for parameter, value in values.items()]
        caption = f"{name}: {name_of(type(task.law))}. {str(read_law_file(task.path)['status']).rstrip('.')}."
        tables += table(caption, ("parameter", "value", "unit"), rows)
    return Section("law", "The laws", (), tuple(tables))


def _blind(report: PortfolioReport) -> Section:
    """Returns what the tables cannot say."""
    sentences = [
        "Tasks are independent: draws of their laws are combined at random, though the same checkpoints made them.",
        "Weights are yours. They count in the mean and as shares of all queries.",
        "Each law is of its task alone; another mix of data, architecture or recipe may have another.",
    ]
    if report.response != "loss":
        sentences.append("A right answer among k is taken to be recognised. Whoever serves it must know which it is.")
    if report.no_intervals:
        sentences.insert(0, f"There are no intervals: {report.no_intervals}.")
    return Section("blind", "What the tables cannot say", tuple(sentences), listed=True)
