"""Figures of a plan: other sizes at the same cost, and its elasticities."""

import numpy as np
from matplotlib.axes import Axes

from t2jax.cli.figures import figure_of, save_panels
from t2jax.cli.fitting import LEVEL
from t2jax.cli.output import Output
from t2jax.cli.plan.report import PlanReport, moving_options
from t2jax.laws.predict import evaluate
from t2jax.numerics.bands import band
from t2jax.planning.problem import inputs_at
from t2jax.planning.sensitivity import Elasticities
from t2jax.plot.measured import response_name
from t2jax.plot.style import AXIS_LABELS, BLACK, BLUE, GREY, VERMILLION, legend_outside, log_ticks

SIZES = 121
REACH = 30.0
"""The figure has sizes from a thirtieth to thirty times the plan's, and those of all alternatives."""
MARKS = ("*", "s", "D")


def picture_plan(report: PlanReport, out: Output) -> None:
    """Draws `plan`, the prediction at every size for the plan's costs, and `moves`, its elasticities."""
    figure, (ax,) = figure_of(1, legend=2.2)
    _draw_sizes(ax, report)
    save_panels(figure, "plan", out)
    if report.moves is not None:
        figure, (ax,) = figure_of(1, legend=1.0)
        if _draw_elasticities(ax, report, report.moves):
            save_panels(figure, "moves", out)


def _draw_sizes(ax: Axes, report: PlanReport) -> None:
    """Draws predictions of other sizes, and marks the plan and its alternatives."""
    listed, sizes = report.budget.sizes is not None, sizes_to_draw(report)
    low, high = sizes[[0, -1]]
    models = other_sizes(report, sizes)
    params = models["params"]
    if report.laws is not None and not report.why_no_intervals and len(params):
        spread = band(evaluate(report.laws, **models), LEVEL)
        label = f"{LEVEL:.0%} of draws"
        if listed:
            ax.vlines(params, spread.low, spread.high, color=BLUE, alpha=0.5, label=label)
        else:
            ax.fill_between(params, spread.low, spread.high, color=BLUE, alpha=0.25, linewidth=0, label=label)
    values = evaluate(report.law, **models)
    shared = report.budget.goal == "quality" and report.budget.total is not None
    kind = "listed sizes" if listed else "other sizes"
    label = f"{kind}, each at its best" if shared else f"{kind} at its costs"
    ax.plot(params, values, "o" if listed else "-", color=BLUE, label=label)
    least, most = (getattr(report.budget, name) for name in ("params_min", "params_max"))
    for end, side in ((least, low), (most, high)):
        if end is not None:
            ends = sorted((float(end), side))
            ax.axvspan(*ends, color=GREY, alpha=0.2, linewidth=0, label="not allowed")
    for choice, mark, colour in zip(report.choices, MARKS, (BLACK, VERMILLION, GREY), strict=False):
        if np.isfinite(choice.value):
            size, beyond = (11 if mark == "*" else 6), f"\n(beyond {', '.join(choice.beyond)})" if choice.beyond else ""
            ax.plot(choice.params, choice.value, mark, color=colour, markersize=size, label=choice.name + beyond)
    ax.set(xscale="log")
    if "pass_at_k" not in type(report.law).response and len(values) and values.max() / values.min() > 3:
        ax.set_yscale("log")
    log_ticks(ax)
    name = response_name(report.law, None)
    ax.set_xlabel(AXIS_LABELS["params"])
    ax.set_ylabel(AXIS_LABELS.get(name, name))
    ax.set_title("under the plan's budget", fontsize="medium")
    legend_outside(ax)


def sizes_to_draw(report: PlanReport) -> np.ndarray:
    """Returns N of the models to draw, ascending: many around the plan and its alternatives, or the listed sizes."""
    if report.budget.sizes is not None:
        return np.sort(report.budget.sizes)
    sizes = [float(report.plan.params), *(choice.params for choice in report.choices if np.isfinite(choice.params))]
    return np.geomspace(min(*sizes, sizes[0] / REACH) / 1.2, max(*sizes, sizes[0] * REACH) * 1.2, SIZES)


def other_sizes(report: PlanReport, params: np.ndarray) -> dict[str, np.ndarray]:
    """Returns columns of the models to draw, (models,): the best model of each size that the plan's costs afford."""
    tokens, samples = report.with_size(params)
    affordable = np.isfinite(tokens) & np.isfinite(samples) & (tokens >= 1)
    sizes = (params[affordable], tokens[affordable], samples[affordable])
    columns = type(report.law).columns()
    inputs = {columns[name]: value for name, value in inputs_at(report.law, report.budget, *sizes).items()}
    models = dict(zip(("params", "tokens", "samples"), sizes, strict=True)) | inputs
    return {name: np.broadcast_to(np.asarray(value, float), sizes[0].shape) for name, value in models.items()}


def _draw_elasticities(ax: Axes, report: PlanReport, moves: Elasticities) -> bool:
    """Draws bars of the elasticities, and returns whether there are any."""
    names = moving_options(moves, report.law, report.answers)
    if not names:
        return False
    place = np.arange(len(names))
    for i, ((answer, label), colour) in enumerate(zip(report.answers.items(), (BLUE, VERMILLION, GREY), strict=False)):
        heights = [getattr(moves, answer)[name] for name in names]
        ax.barh(place + 0.25 * (i - 1), heights, 0.22, color=colour, label=label)
    ax.set_yticks(place, names)
    ax.invert_yaxis()
    ax.axvline(0.0, color=BLACK, linewidth=1)
    ax.set_xlabel("change for 1 % more (%)")
    legend_outside(ax)
    return True
