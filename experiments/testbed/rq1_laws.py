"""Do T² laws put the best size where it is measured? Fits to the testbed, beside its measured optima.

A law of the loss gives the size that is best for one sample, and T²'s Approach 1 on top of it the size that is best for
k = C_inf/(2N) samples. Both minimise the mean of -log pass@k, and so do the measured optima here: parabolas in log N
through the cells of a training budget. `rq1` has those of the mean of pass@k too. The shift is log2 of the ratio of the
two sizes, a mean over the training budgets at which both measured optima lie inside the sizes trained.

A law that misses its own cells by more than seeds differ does not describe the task: its shift is not a finding.
Intervals are by a bootstrap over checkpoints.

    python -m experiments.testbed.rq1_laws [tiny] [-o FOLDER]
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

import t2jax as t2
from experiments.shared.pictures import common_legend, law_name, stacked, task_name
from experiments.shared.record import command, stage
from experiments.shared.seeds import LEAST_TOKENS, seed_spread
from experiments.shared.shards import AVERAGE, INFERENCE, LEVEL, best_size, over_sizes
from t2jax.plot.style import BLACK, BLUE, GREY, VERMILLION
from t2jax.tables.source import Source
from t2jax.working_precision import scope

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZES = np.geomspace(24, 1e8, 600)
"""Where laws are searched for optima: a hundredth of the smallest to a hundred times the largest size trained."""
BASES: tuple[type[t2.Law], ...] = (t2.laws.Chinchilla, t2.laws.Kaplan)


@dataclass(frozen=True)
class Config:
    """What serving costs, which rows are fitted, and how often checkpoints are drawn."""

    inference: float = INFERENCE
    """C_inf, FLOPs per token served."""
    samples: tuple[float, ...] = (1.0, 4.0, 16.0, 64.0, 256.0)
    """The k that laws are fitted to."""
    tasks: tuple[str, ...] = ("sentence_end", "headword", "hypernym", "verse_end", "facts", AVERAGE)
    """Tasks, and the average over those on which seeds agree."""
    draws: int = 100
    """Bootstrap resamples of the checkpoints."""
    starts: int = 4
    """Starts of each fit."""
    least_sizes: int = 4
    """Sizes that a budget needs to count."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(samples=(1.0, 16.0, 256.0), tasks=("sentence_end",), draws=20, starts=2)


@dataclass(frozen=True)
class Rule:
    """A pair of laws, for one sample and for k.

    Attributes:
        law: Name of the law for samples.
        status: Status of its fit.
        error: Root mean square of the logarithm of predicted over measured -log pass@k, at k = 1 and at all k.
        shift: Mean shift of log2 N* with its interval over checkpoints.
    """

    law: str
    status: str
    error: tuple[float, float]
    shift: tuple[float, float, float]


@dataclass(frozen=True)
class Study:
    """One task.

    Attributes:
        task: Name of the task.
        train: Budgets at which both measured optima lie inside the sizes trained.
        measured: Mean measured shift of log2 N* at these budgets.
        spread: Coefficient of variation of the loss over seeds, the median over cells.
        rules: The pairs of laws.
    """

    task: str
    train: np.ndarray
    measured: float
    spread: float | None
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Result:
    """studies: one for each task."""

    seeds: int
    inference: float
    studies: tuple[Study, ...]


def run(config: Config) -> Result:
    """The study of the table that ships."""
    with stage("pass@k of every checkpoint"):
        sizes = np.unique(t2.datasets.load("testbed", samples=(1.0,), average=True)["params"])
        samples = sorted({*config.samples, *(max(1.0, config.inference / (2 * size)) for size in sizes)})
        tasks = [task for task in config.tasks if task != AVERAGE]
        parts = [t2.datasets.load("testbed", samples=samples, tasks=tasks).to_frame()]
        if AVERAGE in config.tasks:
            parts.append(t2.datasets.load("testbed", samples=samples, average=True).to_frame())
    return study_all(pd.concat(parts, ignore_index=True), config)


def study_all(rows: pd.DataFrame, config: Config) -> Result:
    """The study of a table with the columns of the testbed, at the k of `Config.samples` and k = C_inf/(2N)."""
    judged: Any = rows[rows["tokens"] >= LEAST_TOKENS]
    studies = []
    for task in config.tasks:
        with stage(task):
            studies.append(study(task, judged[judged["task"] == task].reset_index(drop=True), config))
    return Result(len(set(judged["seed"])), config.inference, tuple(studies))


def study(task: str, rows: pd.DataFrame, config: Config) -> Study:
    """One task: its measured optima, and those of every pair of laws."""
    train, shifts = measured_shifts(rows, config)
    fitted: Any = rows[rows["samples"].isin(config.samples)]
    mean = mean_over_seeds(fitted)
    key = jax.random.key(config.seed)
    rules = []
    for base in BASES:
        law = t2.laws.T2Loss if base is t2.laws.Chinchilla else t2.laws.T2Loss.on(base)
        once, _ = fitted_sizes(base, mean.where(samples=1.0), train, None, config, key)
        served, fit = fitted_sizes(law, mean, train, config.inference, config, key)
        drawn = min(len(once), len(served))
        shift = np.log2(served[:drawn] / once[:drawn]).mean(axis=1)
        band = t2.band(shift[1:], LEVEL)
        ends = float(shift[0]), float(band.low), float(band.high)
        rules.append(
            Rule(law.__name__, fit.status, (misfit(fit.law, mean.where(samples=1.0)), misfit(fit.law, mean)), ends)
        )
    single: Any = rows[rows["samples"] == 1.0]
    return Study(task, train, float(shifts.mean()), seed_spread(single, single["loss"].to_numpy()), tuple(rules))


def measured_shifts(rows: pd.DataFrame, config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Budgets at which both optima lie inside the sizes trained, and log2 of their ratio there."""
    wanted = np.maximum(1.0, config.inference / (2 * rows["params"].to_numpy(float)))
    served: Any = rows[np.isclose(rows["samples"], wanted, rtol=1e-9)]
    once: Any = rows[rows["samples"] == 1.0]
    train, shifts = [], []
    for budget, cells in once.groupby("budget"):
        sizes, place = np.unique(cells["params"].to_numpy(float), return_inverse=True)
        if len(sizes) < config.least_sizes:
            continue
        others = served[served["budget"] == budget]
        place_of = np.searchsorted(sizes, others["params"].to_numpy(float))
        costs = over_sizes(cells["neg_log_pass"].to_numpy()[None], place)
        dearer = over_sizes(others["neg_log_pass"].to_numpy()[None], place_of)
        (one_size, inside), (many_size, both) = best_size(costs, sizes), best_size(dearer, sizes)
        if inside[0] and both[0]:
            train.append(budget)
            shifts.append(np.log2(many_size[0] / one_size[0]))
    if not train:
        raise ValueError(f"at no training budget with {config.least_sizes} sizes lie both optima inside them")
    return np.array(train), np.array(shifts)


def mean_over_seeds(rows: pd.DataFrame) -> t2.Table:
    """The mean over the seeds of every cell and k; without names of models, a table takes each cell for one run."""
    mean: Any = rows.groupby(["params", "tokens", "samples"], as_index=False)[["loss", "neg_log_pass"]].mean()
    return t2.Table(mean, Source(units={"loss": 1.0}))  # losses are of whole answers


def fitted_sizes(
    law: type[t2.Law], table: t2.Table, train: np.ndarray, inference: float | None, config: Config, key: jax.Array
) -> tuple[np.ndarray, t2.Fit]:
    """Best sizes at every budget, of the fit and then of its resamples, (1 + draws, budgets), and the fit."""
    fit = t2.fit(law, table, key=key, starts=config.starts)
    resampled = t2.bootstrap(fit, table, draws=config.draws, key=key, over="runs")
    return np.concatenate([optimum(fit.law, train, inference), optimum(resampled.laws, train, inference)]), fit


def misfit(law: t2.Law, table: t2.Table) -> float:
    """Root mean square of the logarithm of predicted over measured."""
    response = next(name for name in law.response if name in table)
    return float(np.sqrt(np.mean(np.log(t2.predict(law, table) / table[response]) ** 2)))


def optimum(laws: t2.Law, train: np.ndarray, inference: float | None) -> np.ndarray:
    """N of least cost with both budgets spent, (laws, budgets), by parabolas through the best of SIZES with k >= 1."""
    sizes = SIZES[inference / 2 >= SIZES] if inference else SIZES
    grid = np.broadcast_to(sizes, (1, len(train), len(sizes)))
    inputs = [grid, train[:, None] / (6 * grid)] + ([inference / (2 * grid)] if inference else [])
    with scope():
        batch = jax.tree.map(lambda leaf: jnp.atleast_1d(leaf)[:, None, None], laws)
        cost = np.nan_to_num(np.asarray(batch.cost(*inputs)), nan=1e30, posinf=1e30)
    at = np.clip(cost.argmin(axis=-1), 1, len(sizes) - 2)
    left, mid, right = (np.take_along_axis(cost, (at + i)[..., None], -1)[..., 0] for i in (-1, 0, 1))
    bend = np.maximum(left - 2 * mid + right, 1e-300)
    return sizes[at] * (SIZES[1] / SIZES[0]) ** np.clip(0.5 * (left - right) / bend, -1.0, 1.0)


def words(result: Result) -> list[str]:
    """The result in sentences."""
    lines = [
        f"{result.seeds} seed(s), C_inf = {result.inference:.3g} FLOPs per token served. Shifts are log2 of the best "
        "size with samples over that for one, by the mean of -log pass@k."
    ]
    for study in result.studies:
        spread = "" if study.spread is None else f", seeds differ by {study.spread:.1%}"
        lines.append(f"{study.task}: measured {study.measured:+.2f} over {len(study.train)} budgets{spread}.")
        for rule in study.rules:
            value, low, high = rule.shift
            lines.append(
                f"  {rule.law}: {value:+.2f} ({low:+.2f} to {high:+.2f}); misses its cells by {rule.error[0]:.1%} at "
                f"k = 1, {rule.error[1]:.1%} at all k."
            )
    return lines


def figures(result: Result) -> dict[str, "Figure"]:
    """Shifts of every task: measured, and by each pair of laws."""
    figure, (ax,) = stacked(1, 2.4)
    rows = np.arange(len(result.studies))[::-1]
    ax.plot([study.measured for study in result.studies], rows, "D", color=BLACK, markersize=4, label="measured")
    for i, colour in enumerate((BLUE, VERMILLION)):
        shifts = np.array([study.rules[i].shift for study in result.studies])
        ends = np.maximum([shifts[:, 0] - shifts[:, 1], shifts[:, 2] - shifts[:, 0]], 0.0)
        label = law_name(result.studies[0].rules[i].law)
        y = rows - 0.18 * (i + 1)
        ax.errorbar(shifts[:, 0], y, xerr=ends, fmt="o", markersize=3, color=colour, label=label)
    ax.axvline(0, color=GREY, linewidth=0.6)
    ax.set_yticks(rows, [task_name(study.task) for study in result.studies])
    ax.set_xlabel("log₂ (best N with samples / best N for one)\nbars: 90 % over checkpoints")
    common_legend(figure, columns=1)
    return {"shifts": figure}


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
