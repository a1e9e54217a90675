"""Do tasks inform each other? A task with a third of its rows beside others, against all of its rows alone.

Every task of the testbed in turn is the held-out one. A third of its checkpoints (cells of N and D, averaged over
seeds) is kept for the judgement: the dearest ones, or a random third. T2Loss is then sampled from all the rest alone
(`t2.sample`), from a random third of the rest alone (of its checkpoints, or of its rows), and from that third together
with the other tasks, which are whole, at the checkpoints kept too (`t2.sample_tasks`: exponents pooled; and with
`t2.SharedScatter`, which also knows that a checkpoint off the law for one task is off for the others). The error is the
mean size of log(median prediction / measured) of -log pass@k of the task at the checkpoints kept, which were measured
on it for the judgement alone; coverage is of the 90 % interval for a new measurement.

The same on simulated tasks, for which the law and the population hold and checkpoints have nothing in common: the
exponents of eight tasks drawn from one population, the rest as fitted to the testbed, errors of a known size.

    python -m experiments.pooled_tasks [tiny] [-o FOLDER]
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import jax
import numpy as np

import t2jax as t2
from experiments.record import command, stage
from t2jax.heldout import left_out
from t2jax.plot import BLACK, BLUE, GREY, VERMILLION, log_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LAW = t2.laws.T2Loss
LEVEL = 0.9
LEAST = 1e-3
"""Nats: where -log pass@k is less all but every question is solved, and its logarithm says nothing."""
WAYS = ("alone, all rows", "alone, a third", "pooled, a third", "pooled, a third, shared scatter")
LIMIT = 1.01
"""Of `t2.sample`."""
R_HAT = 1.1
"""For medians and intervals of predictions, which a few hundred draws give."""
DF = 4.0
"""Degrees of freedom of the errors, those of the default noise of losses."""
POPULATION = {"alpha": (np.log(0.85), 0.15), "beta": (np.log(1.05), 0.1), "gamma": (np.log(0.3), 0.15)}
"""Simulated tasks: mean and deviation of the logarithm of each exponent, about those of the testbed's tasks."""


@dataclass(frozen=True)
class Config:
    """Which rows, how often, and how many draws."""

    samples: tuple[float, ...] = (1.0, 16.0, 256.0)
    """The k of the rows."""
    tokens_min: float = 2.0**18
    """Cells of fewer tokens are left out."""
    tasks: tuple[str, ...] = ()
    """Held-out tasks, all by default."""
    held_out: tuple[str, ...] = ("dearest", "random")
    """Which third of a task's cells is predicted."""
    thirds: tuple[str, ...] = ("checkpoints", "rows")
    """Of what a random third is taken: whole cells with every k, or single rows."""
    worlds: int = 1
    """Simulated sets of eight tasks, of which the dearest third is held out."""
    sigma: float = 0.1
    """Scale of the errors of the log in simulated tasks."""
    draws: int = 800
    """Draws of each of two chains, after as many steps of warm-up."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls((1.0, 256.0), tasks=("verse_end",), held_out=("dearest",), thirds=("rows",), worlds=0, draws=30)


@dataclass(frozen=True)
class Judged:
    """One task and choice of rows; by way (WAYS): error, coverage, the largest R-hat, and how many draws diverged.

    source: "testbed" or "simulated". held_out: which third was kept; third: of what a third was fitted.
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
    """The mean over tasks by way; ratio: of each way's error to that alone with all rows; no_worse: for
    how many tasks it is at most 1 % larger."""

    source: str
    held_out: str
    third: str
    error: tuple[float, ...]
    covered: tuple[float, ...]
    ratio: tuple[float, ...]
    tasks: int
    no_worse: tuple[int, ...]


@dataclass(frozen=True)
class Result:
    judged: tuple[Judged, ...]
    means: tuple[Mean, ...]


def run(config: Config) -> Result:
    found: list[Judged] = []
    real = testbed(config)
    for held_out in config.held_out:
        for third in config.thirds:
            found += judge_all("testbed", held_out, third, real, config, 0)
    if config.worlds:
        with stage("laws of the testbed's tasks"):
            fits = {name: t2.fit(LAW, table, key=jax.random.key(config.seed)).law for name, table in real.items()}
    for world in range(config.worlds):
        made = simulated(real, fits, config, np.random.default_rng([config.seed, 100 + world]))
        for third in config.thirds:
            found += judge_all("simulated", "dearest", third, made, config, world)
    return Result(tuple(found), tuple(mean(some) for some in alike(found)))


def testbed(config: Config) -> dict[str, t2.Table]:
    """The table of each task, averaged over seeds."""
    rows = t2.datasets.load("testbed", samples=config.samples, seeds=False)
    frame = rows.where(rows["tokens"] >= config.tokens_min).to_frame().drop(columns="weight")
    table = t2.Table(frame, rows.source)
    return {str(name): table.where(task=name) for name in dict.fromkeys(table["task"].tolist())}


def simulated(
    real: Mapping[str, t2.Table], fits: Mapping[str, t2.Law], config: Config, rng: np.random.Generator
) -> dict[str, t2.Table]:
    """The same cells as measured by laws whose exponents come from one population, each term as large as it is."""
    made = {}
    for name, table in real.items():
        values, exponents = fits[name].values(), {}
        for exponent, (location, spread) in POPULATION.items():
            exponents[exponent] = float(np.exp(location + spread * rng.normal()))
        for size, exponent, column in (("A", "alpha", "params"), ("B", "beta", "tokens"), ("G", "gamma", "samples")):
            middle = np.mean(np.log(table[column]))
            values[size] *= np.exp((exponents[exponent] - values[exponent]) * middle)
        truth = t2.predict(LAW(**(values | exponents)), table)
        off = config.sigma * rng.standard_t(DF, len(table))
        made[name] = table.with_columns(neg_log_pass=truth * np.exp(off))
    return made


def judge_all(
    source: str, held_out: str, third: str, tables: dict[str, t2.Table], config: Config, world: int
) -> list[Judged]:
    """Every task in turn."""
    found = []
    for task in config.tasks or tuple(tables):
        with stage(f"{source} {world}, {held_out} held out, a third of the {third}: {task}"):
            found.append(judge(source, held_out, third, tables, task, config, world))
    return found


def choose(
    held_out: str, third: str, table: t2.Table, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which rows (rows,) are judged, which are there to be fitted, and which of these are a third."""
    cell, heard = table.runs(), table["neg_log_pass"] >= LEAST
    cells = cell.max() + 1
    cost = np.array([(table["params"] * table["tokens"])[cell == i][0] for i in range(cells)])
    order = np.argsort(-cost, kind="stable") if held_out == "dearest" else rng.permutation(cells)
    kept, rest = order[: cells // 3], order[cells // 3 :]
    judged, every = np.isin(cell, kept) & heard, np.isin(cell, rest) & heard
    some = every & np.isin(cell, rng.permutation(rest)[: len(rest) // 3])
    if third == "rows":
        some = np.zeros(len(table), bool)
        some[rng.permutation(np.flatnonzero(every))[: every.sum() // 3]] = True
    return judged, every, some


def judge(
    source: str,
    held_out: str,
    third: str,
    tables: dict[str, t2.Table],
    task: str,
    config: Config,
    world: int,
) -> Judged:
    """One task, three ways. Rows that are not fitted keep their place at negligible weight: one compilation for all."""
    table = tables[task]
    rng = np.random.default_rng([config.seed, world, list(tables).index(task), 0])
    judged, every, some = choose(held_out, third, table, rng)
    arguments: Any = {"draws": config.draws, "warmup": config.draws, "chains": 2}
    key = jax.random.key(int(rng.integers(2**31)))
    error, covered, r_hat, divergences = [], [], [], []
    measured = np.log(table["neg_log_pass"][judged])
    together = {name: left_out(one, one["neg_log_pass"] < LEAST) for name, one in tables.items()}
    for i, seen in enumerate((every, some, some, some)):
        own, off = left_out(table, ~seen), 0.0
        if i < 2:
            post = t2.sample(LAW, own, key=key, **arguments)
            laws, scale = post.laws, np.asarray(post.idata["posterior"]["sigma"].values).ravel()
        else:
            given = together | {task: own}
            post = t2.sample_tasks(LAW, given, t2.SharedScatter() if i == 3 else None, key=key, **arguments)
            laws, at = post.task(task), post.tasks.index(task)
            scale = np.asarray(post.idata["posterior"]["sigma"].values)[:, :, at].ravel()
            off = t2.shared_offsets(post, given, key=key)[task][:, judged] if i == 3 else 0.0
        line = np.log(t2.predict(laws, table)[:, judged]) + off
        errors = rng.standard_normal(line.shape) if i == 3 else rng.standard_t(DF, line.shape)
        band = t2.band(line + scale[:, None] * errors, LEVEL)
        error.append(float(np.mean(np.abs(np.median(line, axis=0) - measured))))
        covered.append(float(np.mean((band.low <= measured) & (measured <= band.high))))
        r_hat.append(max(post.diagnosis.r_hat.values()))
        divergences.append(post.diagnosis.divergences)
    counts = int(judged.sum()), int(every.sum()), int(some.sum())
    told = (tuple(one) for one in (error, covered, r_hat, divergences))
    return Judged(source, held_out, third, task, counts, *told)


def alike(found: list[Judged] | tuple[Judged, ...]) -> list[list[Judged]]:
    """Those of one source, one choice of what is held out, and one of what is fitted."""

    def kind(one: Judged) -> tuple[str, str, str]:
        return one.source, one.held_out, one.third

    return [[one for one in found if kind(one) == of] for of in dict.fromkeys(map(kind, found))]


def mean(some: list[Judged]) -> Mean:
    """Means over tasks, in which a simulated one may be there several times."""
    errors = np.array([one.error for one in some])
    covered = np.array([one.covered for one in some])
    tasks = list(dict.fromkeys(one.task for one in some))
    each = [errors[[one.task == task for one in some]].mean(axis=0) for task in tasks]
    total = errors.mean(axis=0).tolist()
    return Mean(
        source=some[0].source,
        held_out=some[0].held_out,
        third=some[0].third,
        error=tuple(total),
        covered=tuple(covered.mean(axis=0).tolist()),
        ratio=tuple(error / total[0] for error in total),
        tasks=len(tasks),
        no_worse=tuple(np.sum([one <= 1.01 * one[0] for one in each], axis=0).tolist()),
    )


def words(result: Result) -> list[str]:
    lines = [
        f"{LAW.__name__}; mean size of log(predicted / measured) of -log pass@k at held-out cells, in per cent, and the"
        f" share of measurements inside the {LEVEL:.0%} interval:"
    ]
    for one, some in zip(result.means, alike(result.judged), strict=True):
        kept, rest, third = some[0].rows
        lines.append(
            f"{one.source}, {one.held_out} third of the checkpoints held out ({kept} rows); {rest} rows to fit alone, "
            f"or {third}, a third of the {one.third}:"
        )
        for task in dict.fromkeys(each.task for each in some):
            own = [each for each in some if each.task == task]
            error, covered = (np.mean([getattr(each, name) for each in own], axis=0) for name in ("error", "covered"))
            lines.append(f"  {task:10s} {_told(error, covered)}")
        lines.append(f"  {'mean':10s} {_told(one.error, one.covered)}")
        for way, ratio, count in zip(WAYS[1:], one.ratio[1:], one.no_worse[1:], strict=True):
            lines.append(f"  {way}: {ratio:.3f} times the error; no more than 1 % worse on {count} of {one.tasks}")
    for i, way in enumerate(WAYS):
        largest, lost = np.array([(one.r_hat[i], one.divergences[i]) for one in result.judged]).T
        agree = " and ".join(f"below {limit:g} in {np.sum(largest < limit)}" for limit in (R_HAT, LIMIT))
        lines.append(f"{way}: largest R-hat {agree} of {largest.size} posteriors, median {np.median(largest):.3f};")
        lines.append(f"  {np.sum(lost):.0f} divergent draws in all")
    return lines


def _told(error: Any, covered: Any) -> str:
    return "; ".join(f"{w} {100 * e:5.1f} % ({share:.0%})" for w, e, share in zip(WAYS, error, covered, strict=True))


def figures(result: Result) -> dict[str, "Figure"]:
    """Error of each task by way, a panel for each choice of what is held out."""
    from matplotlib.figure import Figure

    columns = min(len(result.means), 2)
    rows = -(-len(result.means) // columns)
    figure = Figure(figsize=(5.0 * columns, 3.6 * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes[len(result.means) :]:
        ax.set_axis_off()
    for ax, one, some in zip(axes, result.means, alike(result.judged), strict=False):
        names = list(dict.fromkeys(each.task for each in some))
        marks = zip(WAYS, (BLACK, GREY, BLUE, VERMILLION), "svoD", (-0.3, -0.1, 0.1, 0.3), strict=True)
        for i, (way, colour, marker, aside) in enumerate(marks):
            y = np.array([names.index(each.task) for each in some]) + aside
            x = [100 * each.error[i] for each in some]
            ax.plot(x, y, marker, color=colour, markersize=4, alpha=0.7, markeredgewidth=0, label=way)
        ax.set(
            xscale="log",
            yticks=range(len(names)),
            yticklabels=names,
            title=f"{one.source}, {one.held_out} held out,\na third of the {one.third}",
        )
        ax.set_xlabel("mean size of log(predicted / measured) (%)")
        log_ticks(ax)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    return {"errors": figure}


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
