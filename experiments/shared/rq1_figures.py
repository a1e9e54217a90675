"""The pictures of rq1_overtrain: isoFLOP curves, frontiers and shifts, laws beside measurements."""

from typing import TYPE_CHECKING, Any

import numpy as np

import t2jax as t2
from experiments.shared.isoflops import LEVEL, Measured, Spread
from experiments.shared.pictures import common_legend, law_name, power, small, stacked, task_name
from t2jax.plot import frontier as plot_frontier
from t2jax.plot.frontier import Optima, optima_against_train
from t2jax.plot.style import AXIS_LABELS, BLACK, BLUE, VERMILLION, log_ticks
from t2jax.working_precision import scope

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


SHOWN = slice(None, None, 4)
"""Every fourth budget, a factor of four in compute, where all would be too many to see."""


def figures(result: Any) -> dict[str, "Figure"]:
    """Every figure of a Result of rq1_overtrain, by file name."""
    average = result.studies[-1]
    studies = {study.task: study for study in result.studies}
    contrasted = [studies[task] for task in ("final_word", "facts") if task in studies] or [average]
    return {
        "isoflops": isoflops(average, result.inference),
        "frontier": frontier(average),
        "contrast": contrast(contrasted),
        "ratios": ratios(result.studies),
        "shifts": shifts(result.studies),
    }


def isoflops(study: Any, inference: float) -> "Figure":
    """Cost at one sample and at k = C/2N: measured cells, Approach 1's curves, and the optima."""
    once, served = study.once[study.base], study.rules[study.base]
    drawn, axes = stacked(2, 2.4, sharex=True)
    for ax, rule, budget in zip(axes, (once, served), (None, inference), strict=True):
        draw_isoflops(ax, study, rule, once, served, budget)
    axes[0].set(title=f"{task_name(study.task)} of the tasks, one sample", xlabel="")
    axes[1].set_title(f"as many samples as {power(inference)} FLOPs allow")
    common_legend(drawn, columns=2, title="curves: training compute 6ND (FLOPs)")
    return drawn


def draw_isoflops(ax: "Axes", study: Any, rule: Any, once: Any, served: Any, inference: float | None) -> None:
    """A law's curves at every fourth budget with the cells they describe, and both frontiers through all budgets."""
    train, rows = study.train[SHOWN], study.rows
    column = "neg_log_pass"
    k = 1.0 if inference is None else inference / (2 * rows["params"])
    cells = rows[np.isclose(rows["samples"], k, rtol=1e-9) & rows["budget"].isin(train)]
    cells = cells.groupby(["params", "budget"], as_index=False)[column].mean()
    least, most = rows["params"].min() / 2, rows["params"].max() * 2
    sizes = np.broadcast_to(np.geomspace(least, most, 120), (len(train), 120))
    here = rows.groupby("budget")["params"].agg(["min", "max"]).loc[train].to_numpy()
    near = (sizes >= here[:, :1] / 2) & (sizes <= here[:, 1:] * 2)
    values = predict(rule.fitted, sizes, train[:, None], inference)
    plot_frontier.isoflop_curves(ax, sizes, np.where(near, values, np.nan), train, quantity=column)
    plot_frontier.isoflop_points(ax, cells["params"], cells[column], cells["budget"], train)
    paths = ((served, "optimum with samples"), (once, "optimum for one sample"))
    inside = [np.where((path.params >= least) & (path.params <= most), path.params, np.nan) for path, _ in paths]
    optima = [Optima(label, at, study.train / (6 * at)) for (_, label), at in zip(paths, inside, strict=True)]
    at_optima = [predict(rule.fitted, at, study.train, inference) for at in inside]
    plot_frontier.optima_on_isoflops(ax, optima, at_optima, LEVEL)


def predict(law: Any, params: np.ndarray, train: np.ndarray, inference: float | None) -> np.ndarray:
    """What the law predicts for models that spend the training budget, and the inference budget if there is one."""
    inputs = [params, train / (6 * params)] + ([] if inference is None else [inference / (2 * params)])
    with scope():
        return np.asarray(law(*inputs))


def frontier(study: Any) -> "Figure":
    """Optimal D/N against training compute by Approach 1 and Approach 2, with the measured optima."""
    rules = [study.rules[study.base], *study.rules[2:3]]
    drawn, axes = stacked(len(rules), 2.1, sharex=True, sharey=True)
    for ax, rule, measured in zip(axes, rules, study.measured, strict=False):
        named = (("with samples, by the law", rule), ("one sample, by the law", study.once[study.base]))
        pair = tuple(optima_of(label, optima, study.train) for label, optima in named)
        optima_against_train(ax, study.train, pair, quantity="tokens_per_param", level=LEVEL)
        draw_measured(ax, study.train, measured)
        log_ticks(ax)
        ax.set(title=law_name(rule.law), xlabel="", ylabel="tokens per parameter D/N")
    axes[-1].set_xlabel(AXIS_LABELS["train"])
    common_legend(drawn, columns=1)
    return drawn


def contrast(studies: Any) -> "Figure":
    """Cost with samples of the best size, and of the size that is best for one sample. Figure 3 of the paper."""
    drawn, axes = stacked(len(studies), 1.6, sharex=True)
    for ax, study in zip(axes, studies, strict=True):
        result = study.measured[0]
        shown = (result.low == np.nanmin(result.low)) & np.isfinite(result.once).any(axis=0)
        for values, colour, marker, label in (
            (result.chinchilla, BLUE, "o", "size that is best for one sample"),
            (result.best, VERMILLION, "s", "size that is best with samples"),
        ):
            ax.plot(study.train[shown], values, f"{marker}-", color=colour, label=label)
        ax.set(xscale="log", title=f"{task_name(study.task)}, measured", ylabel="mean of −log pass@k\n(nats)")
        ax.set_ylim(0, None)
        log_ticks(ax)
    axes[-1].set_xlabel(AXIS_LABELS["train"])
    common_legend(drawn, columns=1)
    return drawn


def optima_of(label: str, rule: Any, train: np.ndarray) -> Optima:
    """A fitted law's optima, with its draws if it has any."""
    if not len(rule.draws):
        return Optima(label, rule.params, train / (6 * rule.params))
    tokens, drawn = train / (6 * rule.params), train / (6 * rule.draws)
    return Optima(label, rule.params, tokens, rule.draws, drawn, "over checkpoints")


def draw_measured(ax: "Axes", train: np.ndarray, measured: Measured) -> None:
    """D/N of every seed's measured optima; hollow where an edge of the sizes was best, so that it is a bound."""
    for sizes, colour, marker, name in (
        (measured.served, VERMILLION, "s", "with samples"),
        (measured.once, BLUE, "o", "one sample"),
    ):
        at = np.broadcast_to(train, sizes.shape)
        inner = (sizes > measured.low) & (sizes < measured.high)
        for there, label, fill in (
            (inner, f"{name}, measured", "full"),
            (~inner, f"{name}, an edge of the sizes", "none"),
        ):
            ratio = at[there] / (6 * sizes[there] ** 2)
            ax.plot(
                at[there], ratio, marker, color=colour, markersize=2.2, markeredgewidth=0.6, fillstyle=fill, label=label
            )


def ratios(studies: Any) -> "Figure":
    """D/N of the optima against training compute, a panel for each task."""
    drawn, axes = small(len(studies), height=1.15, sharex=True, sharey=True)
    for ax, study in zip(axes, studies, strict=True):
        draw_ratios(ax, study)
        ax.set_title(task_name(study.task), fontsize=7)
        log_ticks(ax)
    drawn.supxlabel(AXIS_LABELS["train"])
    drawn.supylabel("optimal tokens per parameter D/N")
    common_legend(drawn, axes, columns=1)
    return drawn


def draw_ratios(ax: "Axes", study: Any) -> None:
    """D/N of the optima by Approach 1 and for one sample, if they could be fitted, beside the measured ones."""
    for rule, colour, name in (
        (study.once[study.base], BLUE, "one sample, law with 90 % band"),
        (study.rules[study.base], VERMILLION, "with samples, law with 90 % band"),
    ):
        if not len(rule.draws):  # of a fit that did not converge
            continue
        spread = t2.band(study.train / (6 * rule.draws**2), LEVEL)
        ax.fill_between(study.train, spread.low, spread.high, color=colour, alpha=0.2, linewidth=0)
        ax.plot(study.train, study.train / (6 * rule.params**2), color=colour, label=name)
    draw_measured(ax, study.train, study.measured[0])
    ax.set(xscale="log", yscale="log")


def shifts(studies: Any) -> "Figure":
    """How much smaller the measured optimum is with samples, over the budgets, a row for each task."""
    from matplotlib.ticker import NullLocator

    drawn, (ax,) = stacked(1, 2.4)
    rows = np.arange(len(studies))[::-1]
    for y, study in zip(rows, studies, strict=True):
        result = study.measured[0]
        draw_shift(ax, y + 0.15, result.pooled, VERMILLION, "none", "all budgets, some only a bound")
        draw_shift(ax, y - 0.15, result.inner, BLUE, "full", "budgets with both optima inside the sizes")
    ax.axvline(1, color=BLACK, linewidth=0.6)
    ax.set(xscale="log", xlabel="optimal size with samples over that for one\n(90 % over seeds)")
    ax.set_xticks([1 / 8, 1 / 4, 1 / 2, 1, 2], ["1/8", "1/4", "1/2", "1", "2"])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_yticks(rows, [task_name(study.task) for study in studies])
    common_legend(drawn, columns=1)
    return drawn


def draw_shift(ax: "Axes", y: float, spread: Spread, colour: str, fill: Any, label: str) -> None:
    """A ratio of sizes with its interval, nothing if there is none."""
    value, low, high = (2 ** float(values[0]) for values in (spread.value, spread.low, spread.high))
    reach = np.nan_to_num([[value - low], [high - value]])
    style = {"color": colour, "fillstyle": fill, "elinewidth": 1, "fmt": "o", "markersize": 4}
    ax.errorbar([value], [y], xerr=reach, label=label, **style)
