"""Does sampling at test time ask for smaller models, trained longer? The testbed, without any law.

At every training budget the size is chosen for one sample and for k = C_inf/(2N) samples. Both choices are by parabolas
in log N through the measured cells. The optimum with samples is that of the mean of pass@k, as data/testbed/DESIGN.md
demands; that of the mean of -log pass@k stands beside it. Intervals are over questions (bootstrap), and over seeds
where there are several. The pass@k of both choices over the budgets is Fig. 3 of Roberts et al. 2026 (2604.01411).

    python -m experiments.testbed.rq1 [tiny] [-o FOLDER]
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

import t2jax as t2
from experiments.shared.pictures import common_legend, small, stacked, task_name
from experiments.shared.record import command, stage
from experiments.shared.resampled_costs import resampled_costs
from experiments.shared.seeds import by_seed, interval_over_seeds, seed_spread, steady_tasks
from experiments.shared.shards import AVERAGE, BESIDE, INFERENCE, LEVEL, Shards, best_size, over_sizes, read
from t2jax.plot.style import AXIS_LABELS, BLACK, BLUE, VERMILLION, log_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEAST_LEVEL = 0.003
"""A smaller mean of pass@k does not count."""
ALL = "all tasks"
"""The average over tasks that differ much between seeds too."""
BREAK_EVEN = np.log(2.0)
"""Nats by which a doubling of N has to lower an answer's loss at equal compute, since it halves the samples."""


@dataclass(frozen=True)
class Config:
    """Budgets of serving, and how often questions are resampled."""

    inference: float = INFERENCE
    """C_inf, FLOPs per token served, that claims use."""
    beside: tuple[float, ...] = BESIDE
    """Other budgets, for which is said how many optima lie inside the sizes trained."""
    draws: int = 300
    """Bootstrap resamples of the questions."""
    least_sizes: int = 4
    """Sizes that a budget needs to count."""
    seed: int = 0
    """Seed of the resamples."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(draws=20, beside=())


@dataclass(frozen=True)
class Choice:
    """One way to choose sizes at every budget: params and whether it lies inside, (budgets,); low, high: of params."""

    params: np.ndarray
    inside: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class Study:
    """One task. level, questions: mean pass@k at the T² optimum, and the effective number of questions behind it.

    counted: budgets at which the T² optimum lies inside the sizes trained, at a level that counts.
    shift: log2 of the T² optimum over that for one sample, where neither is an edge, with its interval over questions;
    mean_shift: its mean over those budgets. served, once_served: pass@k of both choices where the smallest size was
    trained too, each with an interval. slope: nats that a doubling of N lowers the loss at equal compute, around the
    T² optimum. others: for other C_inf, at how many budgets the optimum lies inside. spread: coefficient of variation
    of the loss over seeds, the median over cells. seed_shifts: mean_shift of each seed by itself, if there are several,
    and seed_band: Student's 90 % interval of their mean.
    """

    task: str
    once: Choice
    best: Choice
    by_log: Choice
    level: np.ndarray
    questions: np.ndarray
    counted: int
    shift: np.ndarray
    shift_low: np.ndarray
    shift_high: np.ndarray
    mean_shift: tuple[float, float, float]
    contrast: np.ndarray
    served: np.ndarray
    once_served: np.ndarray
    slope: float
    others: dict[str, int]
    spread: float | None = None
    seed_shifts: tuple[float, ...] = ()
    seed_band: tuple[float, float] = (np.nan, np.nan)


@dataclass(frozen=True)
class Result:
    """train: the training budgets. studies: every task, then their average over those on which seeds agree."""

    seeds: int
    checkpoints: int
    inference: float
    train: np.ndarray
    sizes: np.ndarray
    studies: tuple[Study, ...]


def run(config: Config) -> Result:
    """The study of the shards that are there."""
    with stage("reading"):
        return study_all(read(), config)


def study_all(shards: Shards, config: Config) -> Result:
    """Every task and their average. With several seeds, chances of pass@k and losses are averaged over them."""
    runs: Any = shards.runs
    counts = runs.groupby("budget")["params"].nunique()
    train = counts.index[counts >= config.least_sizes].to_numpy(float)
    if not len(train):
        raise ValueError(f"no training budget has {config.least_sizes} sizes")
    values = {}
    for task in shards.tasks():
        with stage(f"resampling the questions of {task}"):
            values[task] = resampled_costs(runs, shards.p["base", task], config)
    steady = steady_tasks(runs, {task: task_values["once"][0] for task, task_values in values.items()})
    averages = {ALL: list(values), AVERAGE: steady} if len(steady) < len(values) else {AVERAGE: steady}
    for name, tasks in averages.items():
        values[name] = {key: np.mean([values[task][key] for task in tasks], axis=0) for key in values[tasks[0]]}
    studies = tuple(with_seeds(task, runs, task_values, train, config) for task, task_values in values.items())
    return Result(
        len(set(runs["seed"])), len(runs), config.inference, train, np.unique(runs["params"]).astype(float), studies
    )


def with_seeds(task: str, runs, values: dict[str, np.ndarray], train: np.ndarray, config: Config) -> Study:
    """One task over all seeds, and how these differ."""
    parts = by_seed(runs, values)
    shifts = tuple(study(task, *part, train, config).mean_shift[0] for part in parts if len(parts) > 1)
    together = study(task, runs, values, train, config)
    spread = seed_spread(runs, values["once"][0])
    return replace(together, spread=spread, seed_shifts=shifts, seed_band=interval_over_seeds(shifts))


def study(task: str, runs, values: dict[str, np.ndarray], train: np.ndarray, config: Config) -> Study:
    """Optima of one task at every budget, with the resamples'."""
    sizes, smallest = runs["params"].to_numpy(float), runs["params"].min()
    of = values[f"passed {config.inference:g}"]
    kinds = {"once": values["once"], "best": -np.log(of), "by_log": values["by log"]}
    kinds |= {f"{inference:g}": -np.log(values[f"passed {inference:g}"]) for inference in config.beside}
    optima_by_kind: dict[str, list] = {kind: [] for kind in kinds}
    level, questions, slopes, contrast, curves = [], [], [], [], []
    for budget in train:
        rows = np.flatnonzero(runs["budget"] == budget)
        here, place = np.unique(sizes[rows], return_inverse=True)
        budget_costs = {kind: over_sizes(cost[:, rows], place) for kind, cost in kinds.items()}
        for kind, cost in budget_costs.items():
            optima_by_kind[kind].append(best_size(cost, here))
        at = budget_costs["best"][0].argmin()
        level.append(np.exp(-budget_costs["best"][0, at]))
        questions.append(over_sizes(values["effective"][:, rows], place)[0, at])
        near = slice(max(at - 1, 0), at + 2)
        slopes.append(-np.polyfit(np.log2(here[near]), budget_costs["once"][0, near], 1)[0])
        contrast.append(here[0] == smallest)
        chances = np.exp(-budget_costs["best"])
        chosen = np.abs(np.log(here) - np.log(optima_by_kind["once"][-1][0])[:, None]).argmin(axis=1)
        curves.append((chances.max(axis=1), np.take_along_axis(chances, chosen[:, None], 1)[:, 0]))
    optima = {
        kind: tuple(np.stack(part) for part in zip(*pairs, strict=True)) for kind, pairs in optima_by_kind.items()
    }
    shifts = np.log2(optima["best"][0] / optima["once"][0])
    both = optima["best"][1][:, 0] & optima["once"][1][:, 0]
    band = t2.band(shifts[:, 1:].T, LEVEL)
    inner = shifts[both].mean(axis=0) if both.any() else np.full(shifts.shape[1], np.nan)
    pooled = t2.band(inner[1:], LEVEL)
    picked = np.array(curves)[contrast] if any(contrast) else np.empty((0, 2, shifts.shape[1]))
    return Study(
        task=task,
        once=choice(*optima["once"]),
        best=choice(*optima["best"]),
        by_log=choice(*optima["by_log"]),
        level=np.array(level),
        questions=np.array(questions),
        counted=int((optima["best"][1][:, 0] & (np.array(level) >= LEAST_LEVEL)).sum()),
        shift=np.where(both, shifts[:, 0], np.nan),
        shift_low=np.where(both, band.low, np.nan),
        shift_high=np.where(both, band.high, np.nan),
        mean_shift=(float(inner[0]), float(pooled.low), float(pooled.high)),
        contrast=train[np.array(contrast)],
        served=add_band(picked[:, 0]),
        once_served=add_band(picked[:, 1]),
        slope=float(np.median(slopes)),
        others={f"{inference:g}": int(optima[f"{inference:g}"][1][:, 0].sum()) for inference in config.beside},
    )


def choice(params: np.ndarray, inside: np.ndarray) -> Choice:
    """The optima of the table itself, with an interval over the resamples. params, inside: (budgets, 1 + draws)."""
    band = t2.band(params[:, 1:].T, LEVEL)
    return Choice(params[:, 0], inside[:, 0], band.low, band.high)


def add_band(values: np.ndarray) -> np.ndarray:
    """A value and its interval, (budgets, 3), of (budgets, 1 + draws)."""
    band = t2.band(values[:, 1:].T, LEVEL)
    return np.stack([values[:, 0], band.low, band.high], axis=1)


def words(result: Result) -> list[str]:
    """The result in sentences."""
    return [
        f"{result.checkpoints} checkpoints, {result.seeds} seed(s), {len(result.train)} training budgets, C_inf = "
        f"{result.inference:.3g} FLOPs per token served. An optimum is inside if it is neither the smallest nor the "
        "largest size trained at its budget. Intervals of 90 % are over questions.",
        *(line for study in result.studies for line in words_of(study, len(result.train))),
    ]


def words_of(study: Study, count: int) -> list[str]:
    """One task in two sentences. count: of all budgets."""
    mean, low, high = study.mean_shift
    others = "".join(f", {inside} for C_inf = {name}" for name, inside in study.others.items())
    lines = [
        f"{study.task}: T² optimum inside at {study.best.inside.sum()} of {count} budgets{others}; at "
        f"{study.counted} with a level of {LEAST_LEVEL:g} or more (levels {study.level.min():.2g} to "
        f"{study.level.max():.2g}, effective questions {study.questions.min():.0f} to {study.questions.max():.0f}); by "
        f"mean -log pass@k at {study.by_log.inside.sum()}; for one sample at {study.once.inside.sum()}. A doubling of "
        f"N lowers the loss around the optimum by {study.slope:.2f} nats (break-even {BREAK_EVEN:.2f})."
    ]
    if inner := np.isfinite(study.shift).sum():
        interval = f"{mean:+.2f} ({low:+.2f} to {high:+.2f})"
        alone, ends = (", ".join(f"{shift:+.2f}" for shift in part) for part in (study.seed_shifts, study.seed_band))
        seeds = f"; each seed {alone}, of which the mean is in {ends}" if study.seed_shifts else ""
        lines.append(f"  Shift of log2 N* where both lie inside, mean over {inner} budgets: {interval}{seeds}.")
    if study.spread is not None:
        lines.append(f"  Seeds at equal N and D differ by {study.spread:.1%} in the loss (median over cells).")
    if len(study.served):
        steps = len(study.served) - 1
        lines.append(
            f"  pass@k from {study.contrast[0]:.2g} to {study.contrast[-1]:.2g} FLOPs: with the size chosen for "
            f"samples {percent(study.served[0])} to {percent(study.served[-1])}, rising at {rises(study.served)} of "
            f"{steps} steps; with that for one sample {percent(study.once_served[0])} to "
            f"{percent(study.once_served[-1])}, rising at {rises(study.once_served)}."
        )
    return lines


def rises(values: np.ndarray) -> int:
    """Steps at which a curve (budgets, 3) rises."""
    return int((np.diff(values[:, 0]) > 0).sum())


def percent(values: np.ndarray) -> str:
    """A share with its interval."""
    value, low, high = 100 * values
    return f"{value:.3g} % ({low:.3g} to {high:.3g})"


def figures(result: Result) -> dict[str, "Figure"]:
    """Optimal sizes of the average, and every task's pass@k of both choices."""
    average = result.studies[-1]
    sizes, (ax,) = stacked(1, 2.4)
    kinds = (("one sample", average.once, BLUE, "o"), ("with samples", average.best, VERMILLION, "s"))
    for label, optima, colour, marker in kinds:
        ax.fill_between(result.train, optima.low, optima.high, color=colour, alpha=0.2, linewidth=0)
        for which, fill, name in (
            (optima.inside, "full", label),
            (~optima.inside, "none", f"{label}, an edge of the sizes"),
        ):
            at = result.train[which], optima.params[which]
            ax.plot(*at, marker, color=colour, fillstyle=fill, markersize=3, linestyle="none", label=name)
    ax.set(xscale="log", yscale="log", xlabel=AXIS_LABELS["train"], ylabel="best size N")
    log_ticks(ax)
    common_legend(sizes, columns=1)
    shown = [study for study in result.studies if len(study.served)]
    contrast, axes = small(len(shown), height=1.1, sharex=True)
    for ax, study in zip(axes, shown, strict=True):
        for values, colour, label in (
            (study.once_served, BLUE, "size that is best for one sample"),
            (study.served, VERMILLION, "size that is best with samples"),
        ):
            ax.fill_between(
                study.contrast, 100 * values[:, 1], 100 * values[:, 2], color=colour, alpha=0.2, linewidth=0
            )
            ax.plot(study.contrast, 100 * values[:, 0], color=colour, label=label)
        ax.set(xscale="log", xlim=(study.contrast[0] / 1.3, study.contrast[-1] * 1.3))
        ax.set_title(task_name(study.task), fontsize=7)
        log_ticks(ax)
    contrast.supylabel("pass@k (per cent of questions)")
    contrast.supxlabel(AXIS_LABELS["train"])
    common_legend(contrast, axes, columns=1)
    shifts, (ax,) = stacked(1, 2.0)
    rows = np.arange(len(result.studies))[::-1]
    for y, study in zip(rows, result.studies, strict=True):
        value, low, high = study.mean_shift
        if np.isfinite(value):
            ax.errorbar([value], [y], xerr=[[max(value - low, 0)], [max(high - value, 0)]], fmt="o", color=BLUE)
            seeds = np.array(study.seed_shifts)
            ax.plot(seeds, np.full(len(seeds), y), "x", color=VERMILLION, markersize=4)
    ax.axvline(0, color=BLACK, linewidth=0.6)
    ax.set_yticks(rows, [task_name(study.task) for study in result.studies])
    ax.set_xlabel("log₂ (best N with samples / best N for one)\n90 % over questions; crosses: each seed")
    return {"sizes": sizes, "contrast": contrast, "shifts": shifts}


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
