"""How far is the naive pass@k, 1 - (1 - mean p)^k, above the true one, the mean over questions of 1 - (1 - p)^k?

Both are computed from the measured chance p of every question of every checkpoint, so nothing is fitted. By Jensen's
inequality the naive formula is never below; it is exact at k = 1 and where all questions are equally hard.

    python -m experiments.paper.naive_overestimates [tiny] [-o FOLDER]
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd

from experiments.shared.pictures import common_legend, stacked, task_name
from experiments.shared.record import command
from experiments.shared.shards import read
from t2jax.datasets.pass_curves import pass_curves
from t2jax.plot.style import AXIS_LABELS, BLUE, VERMILLION, log_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MIDDLE = 0.9


@dataclass(frozen=True)
class Config:
    """Which k, and how many checkpoints."""

    samples: tuple[int, ...] = tuple(2**j for j in range(13))
    """The k of pass@k."""
    every: int = 1
    """Take one checkpoint in this many."""
    seed: int = 0
    """Nothing is drawn here; every experiment has a seed."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(samples=(1, 16, 256), every=5)


@dataclass(frozen=True)
class Largest:
    """The checkpoint and k of a task at which the naive formula is furthest above, and both values there."""

    model: str
    params: float
    tokens: float
    samples: int
    naive: float
    true: float

    @property
    def points(self) -> float:
        """Naive minus true, in points of a hundred."""
        return 100 * (self.naive - self.true)


@dataclass(frozen=True)
class Overestimate:
    """Of one task, at each k over checkpoints: the mean true and naive pass@k, and quantiles of naive minus true.

    points: (3, samples), the 5 %, 50 % and 95 % quantile in points of a hundred. factor: median of naive over true.
    """

    task: str
    true: np.ndarray
    naive: np.ndarray
    points: np.ndarray
    factor: np.ndarray
    largest_points: Largest
    largest_factor: Largest


@dataclass(frozen=True)
class Result:
    """least: the smallest naive minus true anywhere, which Jensen's inequality puts at zero or above."""

    checkpoints: int
    samples: tuple[int, ...]
    tasks: tuple[Overestimate, ...]
    least: float


def run(config: Config) -> Result:
    shards = read()
    runs = shards.runs.iloc[:: config.every]
    tasks, least = [], np.inf
    for task in shards.tasks():
        true, naive = both(shards.p["base", task][:: config.every], config.samples)
        tasks.append(overestimate(task, runs, config.samples, true, naive))
        least = min(least, float((naive - true).min()))
    return Result(len(runs), config.samples, tuple(tasks), least)


def both(p: np.ndarray, samples: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The true and the naive pass@k from the chances p (checkpoints, questions): each (checkpoints, samples)."""
    _, true = pass_curves(p, samples)
    _, naive = pass_curves(p.mean(axis=1, keepdims=True), samples)
    return true, naive


def overestimate(
    task: str, runs: pd.DataFrame, samples: tuple[int, ...], true: np.ndarray, naive: np.ndarray
) -> Overestimate:
    def largest(excess: np.ndarray) -> Largest:
        i, j = np.unravel_index(np.argmax(excess), excess.shape)
        checkpoint = runs.iloc[int(i)]
        return Largest(
            checkpoint["model"],
            checkpoint["params"],
            checkpoint["tokens"],
            samples[j],
            float(naive[i, j]),
            float(true[i, j]),
        )

    # quantiles of all models, which are no draws and may be few
    ends = (0.5 - MIDDLE / 2, 0.5, 0.5 + MIDDLE / 2)
    low, mid, high = np.quantile(100 * (naive - true), ends, axis=0)
    return Overestimate(
        task=task,
        true=true.mean(axis=0),
        naive=naive.mean(axis=0),
        points=np.stack([low, mid, high]),
        factor=np.median(naive / true, axis=0),
        largest_points=largest(naive - true),
        largest_factor=largest(naive / true),
    )


def words(result: Result) -> list[str]:
    lines = [
        f"{result.checkpoints} checkpoints, {len(result.tasks)} tasks. By Jensen's inequality naive minus true is "
        f"never negative; the least anywhere is {result.least:.1e}, which is zero within rounding."
    ]
    for task in result.tasks:
        worst = int(np.argmax(task.points[1]))
        lines.append(
            f"{task.task}: the median checkpoint is worst at k = {result.samples[worst]}, {task.points[1, worst]:.1f} "
            f"points too high (middle {MIDDLE:.0%} of checkpoints: {task.points[0, worst]:.1f} to "
            f"{task.points[2, worst]:.1f}). Most points: {describe(task.largest_points)}. Largest factor: "
            f"{describe(task.largest_factor)}, "
            f"{task.largest_factor.naive / task.largest_factor.true:.1f} times the truth."
        )
    worst_task = max(result.tasks, key=lambda task: task.largest_points.points)
    lines.append(f"Largest overestimate of all: {worst_task.task}, {describe(worst_task.largest_points)}.")
    return lines


def describe(largest: Largest) -> str:
    return (
        f"+{largest.points:.1f} points at k = {largest.samples} (naive {100 * largest.naive:.3g} %, "
        f"true {100 * largest.true:.3g} %) for N = {largest.params:.3g}, D = {largest.tokens:.3g}"
    )


def figures(result: Result) -> dict[str, "Figure"]:
    """The tasks at which the mean over checkpoints is furthest from the truth and nearest to it."""
    by_points = sorted(result.tasks, key=lambda task: float(np.max(task.naive - task.true)))
    chosen = [by_points[-1], by_points[0]][: len(by_points)]
    figure, axes = stacked(len(chosen), 1.7, sharex=True, sharey=True)
    for ax, task in zip(axes, chosen, strict=True):
        draw_curves(ax, result.samples, task)
    axes[-1].set_xlabel(AXIS_LABELS["samples"])
    common_legend(figure, columns=1)
    return {"curves": figure}


def draw_curves(ax: "Axes", samples: tuple[int, ...], task: Overestimate) -> None:
    """True and naive pass@k over k, means over checkpoints."""
    ax.plot(samples, task.true, "o-", color=BLUE, label="true: mean over questions of 1 − (1 − p)ᵏ")
    ax.plot(samples, task.naive, "s--", color=VERMILLION, label="naive: 1 − (1 − mean p)ᵏ")
    ax.set(xscale="log", yscale="log", ylabel="pass@k, mean of\ncheckpoints")
    most = 100 * float(np.max(task.naive - task.true))
    ax.set_title(f"{task_name(task.task)}: at most {most:.0f} points too high")
    log_ticks(ax)


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
