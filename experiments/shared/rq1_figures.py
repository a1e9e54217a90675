"""The pictures of rq1_overtrain: isoFLOP curves, frontiers and shifts, laws beside measurements."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

import t2jax as t2
from experiments.shared.isoflops import LEVEL, Measured
from t2jax.plot import frontier as plot_frontier
from t2jax.plot.frontier import Optima
from t2jax.plot.style import AXIS_LABELS, BLACK, BLUE, GREEN, GREY, VERMILLION, log_ticks, number, shared_legend
from t2jax.working_precision import scope

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


SHOWN = slice(None, None, 4)
"""Every fourth budget, a factor of four in compute, where all would be too many to see."""
BARS = f"{100 * LEVEL:g} % over seeds"

Quantity = Callable[[np.ndarray, np.ndarray], np.ndarray]


def ratio_of(params: np.ndarray, train: np.ndarray) -> np.ndarray:
    """D/N of a size that spends the training budget 6ND."""
    return train / (6 * params**2)


def params_of(params: np.ndarray, train: np.ndarray) -> np.ndarray:
    """The size itself."""
    return params


def tokens_of(params: np.ndarray, train: np.ndarray) -> np.ndarray:
    """D of a size that spends the training budget 6ND."""
    return train / (6 * params)


QUANTITIES: dict[str, tuple[str, Quantity]] = {
    "ratios": ("optimal tokens per parameter D/N", ratio_of),
    "sizes": ("optimal parameters N", params_of),
    "tokens": ("optimal training tokens D", tokens_of),
}
"""The panels of the paper's Fig. 2, by the file that shows them for every task."""


def figures(result: Any) -> dict[str, "Figure"]:
    """Every figure of a Result of rq1_overtrain, by file name."""
    average = result.studies[-1]
    return {
        "isoflops": isoflops(average, result.inference),
        "frontier": frontier(average),
        **{
            name: small_panels(result.studies, partial(draw_optima, quantity=quantity), label)
            for name, (label, quantity) in QUANTITIES.items()
        },
        "shifts": small_panels(result.studies, draw_shifts, "shift log2 N*(T²)/N*(k = 1)"),
        "isoflops-tasks": isoflops_of_tasks(result.studies[:-1], result.inference),
    }


def isoflops(study: Any, inference: float) -> "Figure":
    """Cost at one sample and at k = C/2N, and pass@k there: measured cells, Approach 1's and 2's curves, frontiers."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(17, 6), layout="constrained")
    rules = [study.once[study.base], study.rules[study.base], *study.rules[2:3]]
    axes = drawn.subplots(1, len(rules), squeeze=False)[0]
    for ax, rule in zip(axes, rules, strict=True):
        served = None if rule is rules[0] else inference
        draw_isoflops(ax, study, rule, rules[0], rules[-1] if rule is rules[-1] else rules[1], served)
        k = "one sample" if served is None else f"k = C/2N, C = {number(inference)}"
        ax.set_title(f"{study.task}, {k}: {rule.law}")
    shared_legend(axes)
    return drawn


def isoflops_of_tasks(studies: Any, inference: float) -> "Figure":
    """Each task's cost at one sample and, right of it, at k = C/2N."""
    from matplotlib.figure import Figure

    rows = -(-len(studies) // 2)
    drawn = Figure(figsize=(17, 4 * rows), layout="constrained")
    axes = drawn.subplots(rows, 4, squeeze=False).flat
    for i, study in enumerate(studies):
        once = study.once[study.base]
        for ax, rule, served in ((axes[2 * i], once, None), (axes[2 * i + 1], study.rules[study.base], inference)):
            draw_isoflops(ax, study, rule, once, study.rules[study.base], served)
            k = "one sample" if served is None else "k = C/2N"
            ax.set_title(f"{study.task}, {k}: {rule.law}", fontsize="medium")
    panels = [axes[i] for i in range(2 * len(studies))]
    for ax in list(axes)[len(panels) :]:
        ax.remove()
    handles, labels = panels[1].get_legend_handles_labels()
    for ax in panels:
        if legend := ax.get_legend():
            legend.remove()
    drawn.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False, title=AXIS_LABELS["train"])
    return drawn


def draw_isoflops(ax: "Axes", study: Any, rule: Any, once: Any, served: Any, inference: float | None) -> None:
    """A law's curves at every fourth budget with the cells they describe, and both frontiers through all budgets."""
    train, rows = study.train[SHOWN], study.rows
    passing = "PassK" in rule.law
    column = "pass_at_k" if passing else "neg_log_pass"
    k = 1.0 if inference is None else inference / (2 * rows["params"])
    cells = rows[np.isclose(rows["samples"], k, rtol=1e-9) & rows["budget"].isin(train)]
    cells = cells.groupby(["params", "budget"], as_index=False)[column].mean()
    least, most = rows["params"].min() / 2, rows["params"].max() * 2
    sizes = np.broadcast_to(np.geomspace(least, most, 120), (len(train), 120))
    here = rows.groupby("budget")["params"].agg(["min", "max"]).loc[train].to_numpy()
    near = (sizes >= here[:, :1] / 2) & (sizes <= here[:, 1:] * 2)
    values = predicted(rule.fitted, sizes, train[:, None], inference)
    plot_frontier.isoflop_curves(ax, sizes, np.where(near, values, np.nan), train, quantity=column)
    plot_frontier.isoflop_points(ax, cells["params"], cells[column], cells["budget"], train)
    paths = ((served, "T² optimum"), (once, "optimum for one sample"))
    inside = [np.where((one.params >= least) & (one.params <= most), one.params, np.nan) for one, _ in paths]
    optima = [Optima(label, at, study.train / (6 * at)) for (_, label), at in zip(paths, inside, strict=True)]
    at_optima = [predicted(rule.fitted, at, study.train, inference) for at in inside]
    plot_frontier.optima_on_isoflops(ax, optima, at_optima, LEVEL)


def predicted(law: Any, params: np.ndarray, train: np.ndarray, inference: float | None) -> np.ndarray:
    """What the law says of models that spend the training budget, and the inference budget if there is one."""
    inputs = [params, train / (6 * params)] + ([] if inference is None else [inference / (2 * params)])
    with scope():
        return np.asarray(law(*inputs))


def frontier(study: Any) -> "Figure":
    """Optimal D/N, N and D against training compute, a row for each approach."""
    from matplotlib.figure import Figure

    rules = [study.rules[study.base], *study.rules[2:3]]
    drawn = Figure(figsize=(16, 4.2 * len(rules)), layout="constrained")
    for axes, rule, measured in zip(drawn.subplots(len(rules), 3, squeeze=False), rules, study.measured, strict=False):
        named = ((f"{rule.law}, k = C/2N", rule), ("one sample", study.once[study.base]))
        pair = tuple(optima_of(label, one, study.train) for label, one in named)
        plot_frontier.frontier_panels(axes, study.train, pair, LEVEL)
        for ax, (_, quantity) in zip(axes, QUANTITIES.values(), strict=True):
            draw_measured(ax, study.train, measured, quantity)
            log_ticks(ax)
        shared_legend(axes)
    return drawn


def optima_of(label: str, rule: Any, train: np.ndarray) -> Optima:
    """A fitted law's optima, with its draws if it has any."""
    if not len(rule.draws):
        return Optima(label, rule.params, train / (6 * rule.params))
    tokens, drawn = train / (6 * rule.params), train / (6 * rule.draws)
    return Optima(label, rule.params, tokens, rule.draws, drawn, "over checkpoints")


def draw_measured(ax: "Axes", train: np.ndarray, found: Measured, quantity: Quantity) -> None:
    """A quantity of every seed's measured optima; hollow where an edge of the sizes was best, so that it is a bound."""
    for sizes, colour, marker, name in ((found.served, VERMILLION, "s", "T²"), (found.once, BLUE, "o", "one sample")):
        at = np.broadcast_to(train, sizes.shape)
        inner = (sizes > found.low) & (sizes < found.high)
        for there, label, fill in (
            (inner, f"measured, {name}", "full"),
            (~inner, "same, at an edge of the sizes", "none"),
        ):
            ax.plot(
                at[there], quantity(sizes, at)[there], marker, color=colour, markersize=4, fillstyle=fill, label=label
            )


def small_panels(studies: Any, draw: Any, ylabel: str) -> "Figure":
    """One panel for each task, with a common legend above."""
    from matplotlib.figure import Figure

    columns = min(3, len(studies))
    rows = -(-len(studies) // columns)
    drawn = Figure(figsize=(5 * columns, 3.3 * rows + 1), layout="constrained")
    axes = drawn.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for ax, study in zip(axes.flat, studies, strict=False):
        draw(ax, study)
        ax.set_title(study.task, fontsize="medium")
        log_ticks(ax)
    for ax in list(axes.flat)[len(studies) :]:
        ax.remove()
    handles, labels = axes.flat[len(studies) - 1].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False)
    drawn.supxlabel(AXIS_LABELS["train"], fontsize="medium")
    drawn.supylabel(ylabel, fontsize="medium")
    return drawn


def banded(ax: "Axes", train: np.ndarray, spread: tuple[Any, Any, Any], colour: str, label: str) -> None:
    """A line with its band, if it has one."""
    value, low, high = spread
    ax.plot(train, value, color=colour, label=label)
    if np.isfinite(low).any():
        ax.fill_between(train, low, high, color=colour, alpha=0.2, linewidth=0, label="90 % over checkpoints")


def draw_optima(ax: "Axes", study: Any, quantity: Quantity) -> None:
    """A quantity of the optima by Approach 1 and 2 and for one sample, beside the measured ones."""
    rules = [study.once[study.base], study.rules[study.base], *study.rules[2:3]]
    for rule, colour in zip(rules, (BLUE, VERMILLION, GREEN), strict=False):
        low = high = np.full(len(study.train), np.nan)
        if len(rule.draws):
            spread = t2.band(quantity(rule.draws, study.train), LEVEL)
            low, high = spread.low, spread.high
        label = rule.law + (", one sample" if rule is rules[0] else "")
        banded(ax, study.train, (quantity(rule.params, study.train), low, high), colour, label)
    draw_measured(ax, study.train, study.measured[0], quantity)
    ax.set(xscale="log", yscale="log")


def draw_shifts(ax: "Axes", study: Any) -> None:
    """The shift by every law, and as measured with its interval over seeds, by either response."""
    ax.axhline(0, color=BLACK, linewidth=1)
    for rule, spread, colour in zip(study.rules, study.shifts, (VERMILLION, BLUE, GREEN, GREY), strict=False):
        banded(ax, study.train, (spread.value, spread.low, spread.high), colour, rule.law)
    for found, colour, marker in zip(study.measured, (BLACK, GREY), ("s", "o"), strict=True):
        spread = found.shift
        error = np.nan_to_num([spread.value - spread.low, spread.high - spread.value])
        for there, fill, said in ((found.inside(), "full", BARS), (~found.inside(), "none", "at least: T² at an edge")):
            x, y, bars = study.train[there], spread.value[there], error[:, there]
            style = {"color": colour, "markersize": 3.5, "linewidth": 1, "fillstyle": fill}
            ax.errorbar(x, y, yerr=bars, fmt=marker, label=f"measured, {found.response} ({said})", **style)
    ax.set(xscale="log", ylim=(-8, 4))
