"""What does post-training change? The testbed's checkpoints after fine-tuning, beside the base ones.

Stage "ft" learnt every token of 512 exercises, "sft" the scored ones. A stage's cost is -log of the mean pass@k at k =
C_inf/(2N). The model of it is a + b·cost + c·log2(D/N), with the cost of the same base checkpoint: three parameters,
shared over checkpoints. From ten checkpoints it predicts the others, and with all of them the optimal sizes at every
training budget. The last coefficient shows whether models that were trained longer gain less: "harder to fine-tune".

    python -m experiments.testbed.rq3 [tiny] [-o FOLDER]
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd

import t2jax as t2
from experiments.shared.pictures import common_legend, small, task_name
from experiments.shared.record import UNSAVED, command, stage
from experiments.shared.shards import INFERENCE, LEVEL, Shards, best_size, over_sizes, passed, read, weights
from t2jax.plot.style import AXIS_LABELS, BLUE, VERMILLION, log_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STAGES = ("ft", "sft")


@dataclass(frozen=True)
class Config:
    """What serving costs, and how often checkpoints and questions are drawn."""

    inference: float = INFERENCE
    """C_inf, FLOPs per token served."""
    fitted: int = 10
    """Fine-tuned checkpoints that predict the others."""
    choices: int = 200
    """Random choices of those."""
    draws: int = 300
    """Bootstrap resamples of the questions."""
    least_sizes: int = 4
    """Sizes that a budget needs to count."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(draws=20, choices=5)


@dataclass(frozen=True)
class Study:
    """One task at one stage. Costs are -log of the mean pass@k, (checkpoints,).

    gain: nats of cost gained, mean over checkpoints. shift: a, b and c with intervals over questions, (3, 3).
    error: root mean square of what the shift misses with all checkpoints.
    error_of_others: the same of the other checkpoints if only `Config.fitted` are fitted, mean over choices.
    times: their ratio.
    per_size: change of the gain per doubling of D at fixed N, by size.
    before, after: log2 of the optimal size with samples over that for one sample at the base stage. Mean over the
    budgets at which both lie inside, with intervals over questions.
    """

    task: str
    stage: str
    checkpoints: int
    gain: float
    shift: np.ndarray
    error: float
    error_of_others: float
    times: float
    per_size: dict[str, float]
    before: tuple[float, float, float]
    after: tuple[float, float, float]
    budgets: int
    ratio: np.ndarray = field(repr=False, metadata=UNSAVED)
    gains: np.ndarray = field(repr=False, metadata=UNSAVED)
    params: np.ndarray = field(repr=False, metadata=UNSAVED)


@dataclass(frozen=True)
class Result:
    """studies: every task that was fine-tuned, at each stage."""

    seeds: int
    inference: float
    fitted: int
    studies: tuple[Study, ...]


def run(config: Config) -> Result:
    """The study of the shards that are there."""
    with stage("reading"):
        return study_all(read(), config)


def study_all(shards: Shards, config: Config) -> Result:
    """Every task at each stage."""
    pairs = [(name, task) for name in STAGES for task in shards.tasks(name)]
    pairs = [pair for pair in pairs if np.isfinite(shards.p[pair][:, 0]).sum() > config.fitted]
    if not pairs:
        raise ValueError(f"no task has more than {config.fitted} checkpoints after post-training")
    studies = tuple(study(shards, task, name, config) for name, task in pairs)
    return Result(len(set(shards.runs["seed"])), config.inference, config.fitted, studies)


def study(shards: Shards, task: str, name: str, config: Config) -> Study:
    """One task at one stage: the shift, its predictions and the optima that follow."""
    runs = shards.runs
    base, tuned = shards.p["base", task], shards.p[name, task]
    rows = np.flatnonzero(np.isfinite(tuned[:, 0]))
    params, tokens = runs["params"].to_numpy(float), runs["tokens"].to_numpy(float)
    k = np.maximum(1.0, config.inference / (2 * params))
    share = weights(base.shape[1], config.draws, config.seed)
    before = -np.log(passed(base, k) @ share.T).T
    after = -np.log(passed(tuned[rows], k[rows]) @ share.T).T
    longer = np.log2(tokens / params)
    inputs = np.stack([np.ones_like(before), before, np.broadcast_to(longer, before.shape)], axis=-1)
    shift = np.stack([np.linalg.lstsq(x[rows], y, rcond=None)[0] for x, y in zip(inputs, after, strict=True)])
    there = np.einsum("dcp,dp->dc", inputs, shift)
    rng = np.random.default_rng(config.seed)
    errors = []
    for _ in range(config.choices):
        chosen = np.isin(np.arange(len(rows)), rng.permutation(len(rows))[: config.fitted])
        fitted = np.linalg.lstsq(inputs[0, rows[chosen]], after[0, chosen], rcond=None)[0]
        errors.append(rms(inputs[0, rows[~chosen]] @ fitted - after[0, ~chosen]))
    gains = before[0, rows] - after[0]
    once = (-np.log(base) @ share.T).T
    base_shift, tuned_shift, budgets = shifts(runs, once, before, there, config)
    band = t2.band(shift[1:], LEVEL)
    return Study(
        task=task,
        stage=name,
        checkpoints=len(rows),
        gain=float(gains.mean()),
        shift=np.stack([shift[0], band.low, band.high], axis=1),
        error=rms(there[0, rows] - after[0]),
        error_of_others=float(np.mean(errors)),
        times=float(np.mean(errors)) / rms(there[0, rows] - after[0]),
        per_size=slopes(params[rows], tokens[rows], gains),
        before=base_shift,
        after=tuned_shift,
        budgets=budgets,
        ratio=2 ** longer[rows],
        gains=gains,
        params=params[rows],
    )


def rms(values: np.ndarray) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(values**2)))


def slopes(params: np.ndarray, tokens: np.ndarray, gains: np.ndarray) -> dict[str, float]:
    """Change of the gain per doubling of D at each size with three checkpoints or more."""
    results = {}
    for size in np.unique(params):
        rows = params == size
        if rows.sum() >= 3:
            results[f"{size:.0f}"] = float(np.polyfit(np.log2(tokens[rows]), gains[rows], 1)[0])
    return results


Interval = tuple[float, float, float]


def shifts(
    runs: pd.DataFrame, once: np.ndarray, base: np.ndarray, tuned: np.ndarray, config: Config
) -> tuple[Interval, Interval, int]:
    """log2 of the optimal sizes of base and tuned models with samples against that for one base sample.

    Means over the budgets at which all three lie inside the sizes trained, with intervals over questions.
    """
    budget_shifts = []
    for budget in np.unique(runs["budget"]):
        rows = np.flatnonzero(runs["budget"] == budget)
        sizes, place = np.unique(runs["params"].to_numpy(float)[rows], return_inverse=True)
        if len(sizes) < config.least_sizes:
            continue
        best = [best_size(over_sizes(cost[:, rows], place), sizes) for cost in (once, base, tuned)]
        if all(inside[0] for _, inside in best):
            budget_shifts.append([np.log2(size / best[0][0]) for size, _ in best[1:]])
    if not budget_shifts:
        missing = (np.nan, np.nan, np.nan)
        return missing, missing, 0
    means = np.mean(budget_shifts, axis=0)
    bands = [t2.band(shift[1:], LEVEL) for shift in means]
    both = [(float(shift[0]), float(at.low), float(at.high)) for shift, at in zip(means, bands, strict=True)]
    return both[0], both[1], len(budget_shifts)


def words(result: Result) -> list[str]:
    """The result in sentences."""
    lines = [
        f"{result.seeds} seed(s), C_inf = {result.inference:.3g} FLOPs per token served. Costs are -log of the mean "
        "pass@k in nats; intervals of 90 % are over questions."
    ]
    for study in result.studies:
        a, b, c = (f"{value:+.2f} ({low:+.2f} to {high:+.2f})" for value, low, high in study.shift)
        met = "met" if study.times <= 1.5 else "missed"
        sizes = ", ".join(f"{slope:+.2f} at N = {size}" for size, slope in study.per_size.items())
        lines.append(
            f"{study.task}, {study.stage}, {study.checkpoints} checkpoints: gains {study.gain:+.2f} nats on average. "
            f"cost = {a} + {b}·base + {c}·log2(D/N). It misses {study.error:.2f} nats; fitted to {result.fitted} "
            f"checkpoints it misses the others by {study.error_of_others:.2f}, {study.times:.2f} times as much "
            f"({met}: 1.5)."
        )
        lines.append(f"  Gain per doubling of D at fixed size: {sizes}.")
        if study.budgets:
            base, tuned = (
                f"{value:+.2f} ({low:+.2f} to {high:+.2f})" for value, low, high in (study.before, study.after)
            )
            lines.append(
                f"  log2 of N* with samples over that for one, {study.budgets} budgets: base {base}, after {tuned}."
            )
    return lines


def figures(result: Result) -> dict[str, "Figure"]:
    """The gain of every fine-tuned checkpoint against its tokens per parameter."""
    tasks = list(dict.fromkeys(study.task for study in result.studies))
    drawn, axes = small(len(tasks), height=1.4, sharex=True)
    for ax, task in zip(axes, tasks, strict=True):
        for name, colour in zip(STAGES, (BLUE, VERMILLION), strict=True):
            for study in (study for study in result.studies if (study.task, study.stage) == (task, name)):
                ax.plot(study.ratio, study.gains, ".", color=colour, markersize=3, label=name)
        ax.set_xscale("log")
        ax.set_title(task_name(task), fontsize=7)
        log_ticks(ax)
    drawn.supxlabel(AXIS_LABELS["tokens_per_param"])
    drawn.supylabel("gain by post-training (nats)")
    common_legend(drawn, axes, columns=2)
    return {"gains": drawn}


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
