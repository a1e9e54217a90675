"""The pictures of a plan: other sizes at the same cost, and how its sizes move with each limit."""

import numpy as np
from matplotlib.axes import Axes

from t2jax.cli.figures import figure_of, save_panels
from t2jax.cli.fitting import LEVEL
from t2jax.cli.output import Output
from t2jax.cli.plan.planned import Planned
from t2jax.laws.predict import evaluate
from t2jax.numerics.bands import band
from t2jax.planning.sensitivity import Elasticities
from t2jax.plot.measured import response_name
from t2jax.plot.style import AXIS_LABELS, BLACK, BLUE, GREY, VERMILLION, legend_outside, log_ticks

SIZES = 121
REACH = 30.0
"""Sizes are drawn from a thirtieth of the plan's to thirty times it, and as far as its rivals."""
MARKS = ("*", "s", "D")


def picture_plan(found: Planned, out: Output) -> None:
    """plan: the prediction at every size, for the plan's costs. moves: its elasticities in the limits and prices."""
    figure, (ax,) = figure_of(1, legend=2.2)
    _sizes(ax, found)
    save_panels(figure, "plan", out)
    if found.moves is not None:
        figure, (ax,) = figure_of(1, legend=1.0)
        if _moves(ax, found, found.moves):
            save_panels(figure, "moves", out)


def _sizes(ax: Axes, found: Planned) -> None:
    listed, sizes = found.budget.sizes is not None, sizes_to_draw(found)
    low, high = sizes[[0, -1]]
    models = other_sizes(found, sizes)
    params = models["params"]
    if found.laws is not None and len(params):
        spread = band(evaluate(found.laws, **models), LEVEL)
        said = f"{LEVEL:.0%} of draws"
        if listed:
            ax.vlines(params, spread.low, spread.high, color=BLUE, alpha=0.5, label=said)
        else:
            ax.fill_between(params, spread.low, spread.high, color=BLUE, alpha=0.25, linewidth=0, label=said)
    values = evaluate(found.law, **models)
    shared = found.budget.goal == "quality" and found.budget.total is not None
    kind = "listed sizes" if listed else "other sizes"
    said = f"{kind}, each at its best" if shared else f"{kind} at its costs"
    ax.plot(params, values, "o" if listed else "-", color=BLUE, label=said)
    least, most = (getattr(found.budget, name) for name in ("params_min", "params_max"))
    for end, side in ((least, low), (most, high)):
        if end is not None:
            ends = sorted((float(end), side))
            ax.axvspan(*ends, color=GREY, alpha=0.2, linewidth=0, label="not allowed")
    for one, mark, colour in zip(found.choices, MARKS, (BLACK, VERMILLION, GREY), strict=False):
        if np.isfinite(one.value):
            size, beyond = (11 if mark == "*" else 6), f"\n(beyond {', '.join(one.beyond)})" if one.beyond else ""
            ax.plot(one.params, one.value, mark, color=colour, markersize=size, label=one.name + beyond)
    ax.set(xscale="log")
    if "pass_at_k" not in type(found.law).response and len(values) and values.max() / values.min() > 3:
        ax.set_yscale("log")
    log_ticks(ax)
    name = response_name(found.law, None)
    ax.set_xlabel(AXIS_LABELS["params"])
    ax.set_ylabel(AXIS_LABELS.get(name, name))
    ax.set_title("under the plan's budget", fontsize="medium")
    legend_outside(ax)


def sizes_to_draw(found: Planned) -> np.ndarray:
    """N of the models to draw, ascending: many around the plan and its rivals, or the listed sizes where one is chosen
    from a list."""
    if found.budget.sizes is not None:
        return np.sort(found.budget.sizes)
    sizes = [float(found.plan.params), *(one.params for one in found.choices if np.isfinite(one.params))]
    return np.geomspace(min(*sizes, sizes[0] / REACH) / 1.2, max(*sizes, sizes[0] * REACH) * 1.2, SIZES)


def other_sizes(found: Planned, params: np.ndarray) -> dict[str, np.ndarray]:
    """Columns of the models to draw, (models,): of those sizes that the plan's costs pay for, what suits each best."""
    tokens, samples = found.with_size(params)
    there = np.isfinite(tokens) & np.isfinite(samples) & (tokens >= 1)
    models = {"params": params[there], "tokens": tokens[there], "samples": samples[there]}
    if found.budget.unique_tokens is not None:
        models["unique_tokens"] = np.full(there.sum(), np.asarray(found.budget.unique_tokens, float))
    return models


def _moves(ax: Axes, found: Planned, moves: Elasticities) -> bool:
    """Bars of the elasticities; whether there are any."""
    kept = [
        name
        for name in moves.params
        if name not in found.law.values() and max(abs(getattr(moves, one)[name]) for one in found.answers) > 1e-3
    ]
    if not kept:
        return False
    place = np.arange(len(kept))
    for i, ((answer, label), colour) in enumerate(zip(found.answers.items(), (BLUE, VERMILLION, GREY), strict=False)):
        heights = [getattr(moves, answer)[name] for name in kept]
        ax.barh(place + 0.25 * (i - 1), heights, 0.22, color=colour, label=label)
    ax.set_yticks(place, kept)
    ax.invert_yaxis()
    ax.axvline(0.0, color=BLACK, linewidth=1)
    ax.set_xlabel("change for one per cent more (%)")
    legend_outside(ax)
    return True
