"""How much cheaper is a query of equal quality? Smaller models that draw more samples, on the testbed.

At every training budget the size that is best for one sample draws k = C_inf/(2N) samples of a query. Its pass@k is the
quality. Every other size of that budget reaches the same quality with some other k, at 2Nk FLOPs per token served. The
cheapest size's share of C_inf is the result, 1 if no other size is cheaper. No law is used. Intervals are over
questions (bootstrap), and pass@k is a mean over seeds. Tasks of knowledge, of language and of reasoning stand apart.

    python -m experiments.testbed.cost_per_query [tiny] [-o FOLDER]
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

import t2jax as t2
from experiments.shared.pictures import common_legend, small, task_name
from experiments.shared.record import command, stage
from experiments.shared.seeds import LEAST_TOKENS, steady_tasks
from experiments.shared.shards import AVERAGE, INFERENCE, LEVEL, Shards, passed, read, weights
from t2jax.plot.style import AXIS_LABELS, BLACK, BLUE, log_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = {
    **dict.fromkeys(("sentence_end", "verse_end"), "language"),
    **dict.fromkeys(("headword", "hypernym", "facts"), "knowledge"),
    **dict.fromkeys(("chains", "walks", "sums"), "reasoning"),
}
"""Kinds of tasks, as in data/testbed/DESIGN.md."""
GRID = np.geomspace(1.0, 1e6, 121)
"""Numbers of samples between which pass@k is interpolated, in log k."""


@dataclass(frozen=True)
class Config:
    """What serving costs, and how often questions are resampled."""

    inference: float = INFERENCE
    """C_inf, FLOPs per token served."""
    draws: int = 100
    """Bootstrap resamples of the questions."""
    least_sizes: int = 4
    """Sizes that a budget needs to count."""
    tasks: int = 1000
    """Tasks, at most."""
    seed: int = 0
    """Seed of the resamples."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(draws=20, tasks=1, least_sizes=6)


@dataclass(frozen=True)
class Study:
    """One task, or the average.

    Attributes:
        task: Name of the task.
        kind: Language, knowledge or reasoning.
        train: Training budgets, (budgets,).
        quality: pass@k of the size that is best for one sample, (budgets,).
        share: Cost of the cheapest size over C_inf, with its interval over questions, (budgets, 3).
        size: Cheapest size over the size that is best for one sample, (budgets,).
        mean: Geometric mean of `share` over the budgets, with its interval.
    """

    task: str
    kind: str
    train: np.ndarray
    quality: np.ndarray
    share: np.ndarray
    size: np.ndarray
    mean: tuple[float, float, float]


@dataclass(frozen=True)
class Result:
    """studies: every task, then their average over those on which seeds agree."""

    seeds: int
    inference: float
    studies: tuple[Study, ...]


@dataclass(frozen=True)
class Curves:
    """Loss and pass@k of the sizes of one budget, means over seeds.

    params: (sizes,). loss: (sizes,). passed: at every k of GRID, of the table and its resamples, (sizes, k, 1 + draws).
    """

    params: np.ndarray
    loss: np.ndarray
    passed: np.ndarray


def run(config: Config) -> Result:
    """The study of the shards that are there."""
    with stage("reading"):
        shards = read()
    return study_all(shards, config)


def study_all(shards: Shards, config: Config) -> Result:
    """Every task and their average."""
    runs: Any = shards.runs[shards.runs["tokens"] >= LEAST_TOKENS]
    counts = runs.groupby("budget")["params"].nunique()
    train = counts.index[counts >= config.least_sizes].to_numpy(float)
    if not len(train):
        raise ValueError(f"no training budget has {config.least_sizes} sizes")
    tasks = shards.tasks()[: config.tasks]
    steady = steady_tasks(shards.runs, {task: -np.log(shards.p["base", task]).mean(axis=1) for task in tasks})
    studies, averaged = [], []
    for task in tasks:
        with stage(task):
            share = weights(shards.p["base", task].shape[1], config.draws, config.seed)
            curves = [read_curves(shards, task, budget, share) for budget in train]
        studies.append(study(task, KINDS.get(task, ""), train, curves, config))
        if task in steady:
            averaged.append(curves)
    if averaged:
        means = [mean_over_tasks(of_budget) for of_budget in zip(*averaged, strict=True)]
        studies.append(study(AVERAGE, "", train, means, config))
    return Result(len(set(shards.runs["seed"])), config.inference, tuple(studies))


def read_curves(shards: Shards, task: str, budget: float, share: np.ndarray) -> Curves:
    """Loss and pass@k of one task at one budget. share: of each question, (1 + draws, questions)."""
    p, runs = shards.p["base", task], shards.runs
    here = np.flatnonzero((runs["budget"] == budget) & (runs["tokens"] >= LEAST_TOKENS))
    sizes = runs["params"].to_numpy(float)[here]
    params = np.unique(sizes)
    loss, curves = [], []
    for size in params:
        chances = p[here[sizes == size]]
        loss.append(-np.log(chances).mean())
        repeated = [passed(np.repeat(row[None], len(GRID), axis=0), GRID) @ share.T for row in chances]
        curves.append(np.mean(repeated, axis=0))
    return Curves(params, np.array(loss), np.stack(curves))


def mean_over_tasks(curves: Sequence[Curves]) -> Curves:
    """The mean of several tasks at one budget, which have the same sizes."""
    loss, passed_at_k = (np.mean([getattr(task, name) for task in curves], axis=0) for name in ("loss", "passed"))
    return Curves(curves[0].params, loss, passed_at_k)


def study(task: str, kind: str, train: np.ndarray, curves: list[Curves], config: Config) -> Study:
    """Costs of one task at every budget."""
    share, size, quality = (np.stack(column) for column in zip(*(cheapest(at, config) for at in curves), strict=True))
    band = t2.band(share[:, 1:].T, LEVEL)
    pooled = np.exp(np.log(share).mean(axis=0))
    ends = t2.band(pooled[1:], LEVEL)
    return Study(
        task=task,
        kind=kind,
        train=train,
        quality=quality,
        share=np.stack([share[:, 0], band.low, band.high], axis=1),
        size=size,
        mean=(float(pooled[0]), float(ends.low), float(ends.high)),
    )


def cheapest(curves: Curves, config: Config) -> tuple[np.ndarray, float, float]:
    """Least cost over C_inf at equal quality, (1 + draws,), the cheapest size over the other, and the quality.

    The size that is best for one sample is that of the whole table in every resample, so that it does not jump.
    """
    best = curves.loss.argmin()
    draws = curves.passed.shape[2]
    wanted = np.empty(draws)
    samples = np.log(max(1.0, config.inference / (2 * curves.params[best])))
    costs = np.full((len(curves.params), draws), np.inf)
    for draw in range(draws):
        wanted[draw] = np.interp(samples, np.log(GRID), curves.passed[best, :, draw])
        for i, params in enumerate(curves.params):
            curve = curves.passed[i, :, draw]
            if curve[-1] >= wanted[draw]:
                costs[i, draw] = 2 * params * np.exp(np.interp(wanted[draw], curve, np.log(GRID)))
    costs[best] = np.minimum(costs[best], 2 * curves.params[best] * np.exp(samples))
    at = costs[:, 0].argmin()
    share = costs.min(axis=0) / (2 * curves.params[best] * np.exp(samples))
    return share, curves.params[at] / curves.params[best], float(wanted[0])


def words(result: Result) -> list[str]:
    """The result in sentences."""
    lines = [
        f"{result.seeds} seed(s), C_inf = {result.inference:.3g} FLOPs per token served; 90 % intervals over questions."
    ]
    for study in result.studies:
        mean, low, high = study.mean
        kind = f" ({study.kind})" if study.kind else ""
        lines.append(
            f"{study.task}{kind}: a query of equal pass@k ({study.quality.min():.2g} to {study.quality.max():.2g})"
            f" costs {mean:.2f} ({low:.2f} to {high:.2f}) of that of the size that is best for one sample, a mean over"
            f" {len(study.train)} training budgets; {study.share[0, 0]:.2f} at the first and {study.share[-1, 0]:.2f}"
            f" at the last. The cheapest size is {study.size.min():.2f} to {study.size.max():.2f} times as large."
        )
    return lines


def figures(result: Result) -> dict[str, "Figure"]:
    """Cost of a query at equal quality over the training budgets, a panel for each task."""
    figure, axes = small(len(result.studies), height=1.1, sharex=True, sharey=True)
    for ax, study in zip(axes, result.studies, strict=True):
        ax.fill_between(
            study.train,
            study.share[:, 1],
            study.share[:, 2],
            color=BLUE,
            alpha=0.2,
            linewidth=0,
            label="90 % over questions",
        )
        ax.plot(study.train, study.share[:, 0], "o-", color=BLUE, markersize=2, label="cheapest size")
        ax.axhline(1.0, color=BLACK, linewidth=0.6)
        ax.set(xscale="log", yscale="log")
        ax.set_title(f"{task_name(study.task)}{f', {study.kind}' if study.kind else ''}", fontsize=7)
        log_ticks(ax)
    figure.supylabel("cost of a query at equal pass@k, share")
    figure.supxlabel(AXIS_LABELS["train"])
    common_legend(figure, axes, columns=2)
    return {"costs": figure}


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
