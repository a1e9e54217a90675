"""Do tasks inform each other? A task with a third of its rows beside others, against all of its rows alone.

Every task of the testbed in turn is the held-out one. A third of its checkpoints (cells of N and D, averaged over
seeds) is left out to judge the predictions: the dearest ones, or a random third. T2Loss is then sampled in three ways
(`t2.sample`, `t2.sample_tasks`): from all the rest alone; from a random third of the rest alone (of its checkpoints, or
of its rows); and from that third together with the other tasks, which are whole, with pooled exponents. The other tasks
were measured at the left-out checkpoints too. Beside these stands a line through the other tasks, fitted to the same
third without any law. The error is the mean size of log(median prediction / measured) of -log pass@k at the left-out
checkpoints. Coverage is that of the 90 % interval for a new measurement.

The same on simulated tasks, which have the fitted law and population, and whose checkpoints have nothing in common: the
exponents of eight tasks drawn from one population, the rest as fitted to the testbed, Student-t errors of a known size.

    python -m experiments.checks.pooled_tasks [tiny] [-o FOLDER]
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import jax
import numpy as np

import t2jax as t2
from experiments.shared.pictures import common_legend, stacked, task_name
from experiments.shared.pooled_tables import DF, LEAST, choose, load_testbed, ridge, simulate
from experiments.shared.record import command, stage
from t2jax.evaluation.held_out import left_out
from t2jax.plot.style import BLACK, BLUE, GREEN, GREY, log_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LAW = t2.laws.T2Loss
LEVEL = 0.9
RIDGE = "a line through the other tasks"
WAYS = ("alone, all rows", "alone, a third", "pooled, a third", RIDGE)
SHORT = ("all rows", "third", "pooled", "line")
"""The ways in columns."""
LIMIT = 1.01
"""Of `t2.sample`."""
R_HAT = 1.1
"""For medians and intervals of predictions, which a few hundred draws give."""


@dataclass(frozen=True)
class Config:
    """Which rows, how often, and how many draws."""

    samples: tuple[float, ...] = (1.0, 16.0, 256.0)
    """The k of the rows."""
    tokens_min: float = 2.0**19
    """Cells of fewer tokens are left out."""
    read: tuple[str, ...] | None = None
    """Tasks of the testbed that are read, all by default."""
    tasks: tuple[str, ...] = ()
    """Held-out tasks, all of these by default."""
    held_out: tuple[str, ...] = ("dearest", "random")
    """Which third of a task's cells is predicted."""
    thirds: tuple[str, ...] = ("checkpoints", "rows")
    """Of what a random third is taken: whole cells with every k, or single rows."""
    worlds: int = 1
    """Simulated sets of eight tasks, whose dearest third is held out."""
    sigma: float = 0.1
    """Scale of the errors of the log in simulated tasks."""
    draws: int = 600
    """Draws of each of two chains, after as many steps of warm-up."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        fewer: Any = {"held_out": ("dearest",), "thirds": ("rows",), "worlds": 0, "draws": 30}
        return cls((1.0, 256.0), read=("verse_end", "headword"), tasks=("verse_end",), **fewer)


@dataclass(frozen=True)
class Judged:
    """One task and choice of rows; by way (WAYS): error, and but for the line coverage, R-hat and divergent draws.

    source: "testbed" or "simulated". held_out: which third is left out; third: of what a third was fitted.
    rows: how many were judged, and how many of them all and of the third were fitted.
    """

    source: str
    held_out: str
    third: str
    task: str
    rows: tuple[int, int, int]
    error: tuple[float, ...]
    covered: tuple[float, ...]
    r_hat: tuple[float, ...]
    divergences: tuple[int, ...]


@dataclass(frozen=True)
class Mean:
    """The mean over tasks by way. ratio: of the mean errors, each way's to that alone with all rows; typical: the
    median of the tasks' own ratios; no_worse: for how many tasks it is at most 1 % larger."""

    source: str
    held_out: str
    third: str
    error: tuple[float, ...]
    covered: tuple[float, ...]
    ratio: tuple[float, ...]
    typical: tuple[float, ...]
    tasks: int
    no_worse: tuple[int, ...]


@dataclass(frozen=True)
class Result:
    judged: tuple[Judged, ...]
    means: tuple[Mean, ...]


def run(config: Config) -> Result:
    results: list[Judged] = []
    real = load_testbed(config.samples, config.tokens_min, config.read)
    for held_out in config.held_out:
        for third in config.thirds:
            results += judge_all("testbed", held_out, third, real, config, 0)
    if config.worlds:
        with stage("laws of the testbed's tasks"):
            fits = {name: t2.fit(LAW, table, key=jax.random.key(config.seed)).law for name, table in real.items()}
    for world in range(config.worlds):
        tables = simulate(real, fits, config.sigma, np.random.default_rng([config.seed, 100 + world]))
        for third in config.thirds:
            results += judge_all("simulated", "dearest", third, tables, config, world)
    return Result(tuple(results), tuple(mean(some) for some in group_alike(results)))


def judge_all(
    source: str, held_out: str, third: str, tables: dict[str, t2.Table], config: Config, world: int
) -> list[Judged]:
    """Every task in turn."""
    results = []
    for task in config.tasks or tuple(tables):
        with stage(f"{source} {world}, {held_out} held out, a third of the {third}: {task}"):
            results.append(judge(source, held_out, third, tables, task, config, world))
    return results


def judge(
    source: str, held_out: str, third: str, tables: dict[str, t2.Table], task: str, config: Config, world: int
) -> Judged:
    """One task, every way. Rows that are not fitted keep their place at negligible weight: one compilation for all."""
    table = tables[task]
    rng = np.random.default_rng([config.seed, world, list(tables).index(task), 0])
    held_out_rows, every, some = choose(held_out, third, table, rng)
    judged = held_out_rows & (table["neg_log_pass"] >= LEAST)
    key = jax.random.key(int(rng.integers(2**31)))
    arguments: Any = {"draws": config.draws, "warmup": config.draws, "chains": 2, "key": key}
    together = {name: left_out(table, table["neg_log_pass"] < LEAST) for name, table in tables.items()}
    third_of_task = {task: left_out(table, ~some)}
    measured = np.log(table["neg_log_pass"][judged])
    error, covered, r_hat, divergences = [], [], [], []
    for way in WAYS[:-1]:
        if way == "pooled, a third":
            post = t2.sample_tasks(LAW, together | third_of_task, **arguments)
            laws, at = post.task(task), post.tasks.index(task)
            scale = np.asarray(post.idata["posterior"]["sigma"].values)[:, :, at].ravel()
        else:
            post = t2.sample(
                LAW, left_out(table, ~every) if way == "alone, all rows" else third_of_task[task], **arguments
            )
            laws, scale = post.laws, np.asarray(post.idata["posterior"]["sigma"].values).ravel()
        line = np.log(t2.predict(laws, table)[:, judged])
        band = t2.band(line + scale[:, None] * rng.standard_t(DF, line.shape), LEVEL)
        error.append(float(np.mean(np.abs(np.median(line, axis=0) - measured))))
        covered.append(float(np.mean((band.low <= measured) & (measured <= band.high))))
        r_hat.append(max(post.diagnosis.r_hat.values()))
        divergences.append(post.diagnosis.divergences)
    error.append(float(np.mean(np.abs(ridge(tables, task, some)[judged] - measured))))
    counts = int(judged.sum()), int(every.sum()), int(some.sum())
    measures = (tuple(measure) for measure in (error, covered, r_hat, divergences))
    return Judged(source, held_out, third, task, counts, *measures)


def group_alike(judged: list[Judged] | tuple[Judged, ...]) -> list[list[Judged]]:
    """Groups the rows by source, by what is held out, and by what is fitted."""

    def kind(row: Judged) -> tuple[str, str, str]:
        return row.source, row.held_out, row.third

    return [[row for row in judged if kind(row) == of] for of in dict.fromkeys(map(kind, judged))]


def mean(some: list[Judged]) -> Mean:
    """Means over tasks, in which a simulated one may be there several times."""
    errors, covered = (np.array([getattr(row, name) for row in some]) for name in ("error", "covered"))
    ratios = errors / errors[:, :1]
    total = errors.mean(axis=0).tolist()
    return Mean(
        source=some[0].source,
        held_out=some[0].held_out,
        third=some[0].third,
        error=tuple(total),
        covered=tuple(covered.mean(axis=0).tolist()),
        ratio=tuple(error / total[0] for error in total),
        typical=tuple(np.median(ratios, axis=0).tolist()),
        tasks=len(some),
        no_worse=tuple(np.sum(ratios <= 1.01, axis=0).tolist()),
    )


def words(result: Result) -> list[str]:
    lines = [
        f"{LAW.__name__}; mean size of log(predicted / measured) of -log pass@k at held-out cells, in per cent, and the"
        f" share of measurements inside the {LEVEL:.0%} interval:"
    ]
    for means, some in zip(result.means, group_alike(result.judged), strict=True):
        held_out_rows, rest, third = some[0].rows
        lines.append(
            f"{means.source}, {means.held_out} third of the checkpoints held out ({held_out_rows} rows); {rest} rows "
            f"to fit alone, or {third}, a third of the {means.third}:"
        )
        lines.append(f"  {'':10s} " + "".join(f"{way:>16s}" for way in SHORT))
        lines += [f"  {row.task:10s} {_describe(row.error, row.covered)}" for row in some]
        lines.append(f"  {'mean':10s} {_describe(means.error, means.covered)}")
        for way, ratio, typical, count in zip(WAYS, means.ratio, means.typical, means.no_worse, strict=True):
            message = f"{ratio:.2f} times the error, by task {typical:.2f} in the median"
            lines.append(f"  {way}: {message}; no more than 1 % worse on {count} of {means.tasks}")
    for i, way in enumerate(WAYS[:-1]):
        largest, lost = np.array([(row.r_hat[i], row.divergences[i]) for row in result.judged]).T
        agree = ", ".join(f"below {limit:g} in {np.sum(largest < limit)}" for limit in (R_HAT, LIMIT))
        sound = np.sum((largest < LIMIT) & (lost == 0))
        lines.append(f"{way}: of {largest.size} posteriors largest R-hat {agree}, and no draw diverged in {sound};")
        lines.append(f"  {np.sum(lost):.0f} divergent draws in all")
    return lines


def _describe(error: Any, covered: Any) -> str:
    shares = [f" ({share:.0%})" for share in covered] + [""]
    return "".join(f"{f'{100 * e:.1f} %{share}':>16s}" for e, share in zip(error, shares, strict=True))


def figures(result: Result) -> dict[str, "Figure"]:
    """Error of each task by way, by what is held out, for the first source and the first kind of third."""
    shown = [
        (means, some)
        for means, some in zip(result.means, group_alike(result.judged), strict=True)
        if (means.source, means.third) == (result.means[0].source, result.means[0].third)
    ]
    figure, axes = stacked(len(shown), 2.4)
    for ax, (means, some) in zip(axes, shown, strict=True):
        names = list(dict.fromkeys(row.task for row in some))
        for i, (way, colour, marker) in enumerate(zip(WAYS, (BLACK, GREY, BLUE, GREEN), "svoD", strict=True)):
            y = np.array([names.index(row.task) for row in some]) + 0.2 * (i - 1.5)
            x = [100 * row.error[i] for row in some]
            ax.plot(x, y, marker, color=colour, markersize=3, label=way)
        ax.set(xscale="log", title=f"held out: {means.held_out} checkpoints")
        ax.set_yticks(range(len(names)), map(task_name, names))
        log_ticks(ax)
    axes[-1].set_xlabel("mean size of log(predicted / measured) (%)")
    common_legend(figure)
    return {"errors": figure}


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
