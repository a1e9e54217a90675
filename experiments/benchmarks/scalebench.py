"""How well do runs that are chosen from a pool, for a part of its cost, predict dear ones? Scored as in ScaleBench.

Two tasks of ScaleBench (Li et al. 2026, 2604.22753): a pool of runs and a few test runs, most of them dearer. A way
chooses runs for 1, 5 and 10 % of the cost of the pool (6ND). A law fitted to these runs predicts the test losses. The
score is R² of the losses over all test runs, clipped to -1 and 1. `t2.planning.choose_from_pool` chooses in rounds,
with a fit of the law and its smooth discrepancy between. It sees the sizes of the test runs and never their losses.

    python -m experiments.benchmarks.scalebench [tiny] [-o FOLDER]
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import jax
import numpy as np

import t2jax as t2
from experiments.shared.pictures import common_legend, stacked
from experiments.shared.record import command, stage
from t2jax.extrapolation.discrepancy import DiscrepancyFit, fit_from
from t2jax.extrapolation.law_choice import LawChoice, choose_from
from t2jax.noise.smooth.response_curve import ResponseCurve
from t2jax.plot.style import BLACK, BLUE, GREY, VERMILLION

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STARTS, LATER_STARTS = 8, 3
"""Starts of the first fit, and of each later one, which goes on from the one before."""
SHARES = (0.01, 0.05, 0.1)
"""Shares of the pool's cost at which a fit is scored."""
ROUNDS = ((0.002, 0.005, 0.01), (0.02, 0.035, 0.05), (0.07, 0.1))
"""Shares of the cost that are spent before each further fit."""
FIRST, CHEAP = 12, 0.25
"""The first runs are drawn from this cheapest part of the pool."""
LAWS = {
    "farseer": (t2.laws.Farseer, t2.laws.Kaplan),
    "repetition": (
        t2.laws.DataConstrained,
        t2.laws.ExcessParams,
        t2.laws.HarmfulRepetition,
        t2.laws.OverfittedRepetition,
    ),
}
"""Laws by task, each alone: ScaleBench's own and one more for Farseer's grid, the library's for tokens that repeat."""
MIXTURE = (t2.laws.Farseer, t2.laws.Kaplan, t2.laws.Chinchilla)
"""Laws that `t2.choose_law` averages on Farseer's grid."""
PUBLISHED = {
    "farseer": {
        "random": (-0.77, 0.78, 0.79),
        "cheapest": (-0.89, 0.41, 0.68),
        "D-optimal": (-0.11, 0.49, 0.87),
        "V-optimal": (0.67, 0.87, 0.92),
        "MSPE": (0.60, 0.88, 0.93),
    },
    "repetition": {
        "random": (-0.74, -0.36, 0.12),
        "cheapest": (-0.58, -0.56, -0.40),
        "D-optimal": (0.71, 0.80, 0.77),
        "V-optimal": (0.58, 0.83, 0.85),
        "MSPE": (0.73, 0.85, 0.86),
    },
}
"""Table 2 of 2604.22753: means over 10 repeats, and for tokens that repeat over ten laws too."""
PUBLISHED_ALL = {"farseer": 0.91, "repetition": 0.79}
AIMS = {"farseer": (0.75, 0.90, 0.94), "repetition": (0.80, 0.88, 0.90)}


@dataclass(frozen=True)
class Config:
    """How many repeats, and of what."""

    tasks: tuple[str, ...] = ("farseer", "repetition")
    """Names of the tasks."""
    repeats: int = 10
    """Repeats of each law, from other first runs."""
    mixture_repeats: int = 2
    """Repeats of the average over laws, which takes longest."""
    laws: int = 4
    """Largest number of laws."""
    rounds: int = 3
    """Number of the shares that are reached."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(tasks=("repetition",), repeats=1, mixture_repeats=0, laws=1, rounds=1)


@dataclass(frozen=True)
class Way:
    """One way to choose runs, with one law.

    Attributes:
        law: Name of the law, or `choose_law`.
        choice: How the runs are chosen.
        r2: R² at each share of the cost, shape (repeats, shares).
        mean: Mean over repeats, shape (shares,).
        spread: Standard deviation over repeats, shape (shares,).
        runs: Mean number of runs, shape (shares,).
        spent: Largest share of the cost that was spent, shape (shares,).
    """

    law: str
    choice: str
    r2: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    runs: np.ndarray
    spent: np.ndarray


@dataclass(frozen=True)
class Task:
    """All ways on one task.

    Attributes:
        name: Name of the task.
        pool: Number of runs of the pool.
        test: Number of runs to predict.
        all_data: R² of each law fitted to the whole pool.
        ways: The ways.
        chosen: Mean over the laws of R² with chosen runs, shape (shares,).
        all_mean: Mean over the laws with the whole pool.
        published: R² at each share by published way.
        published_all: Published R² with the whole pool.
        aims: R² to reach at each share.
    """

    name: str
    pool: int
    test: int
    all_data: dict[str, float]
    ways: tuple[Way, ...]
    chosen: np.ndarray
    all_mean: float
    published: dict[str, tuple[float, ...]]
    published_all: float
    aims: tuple[float, ...]


@dataclass(frozen=True)
class Result:
    """Both tasks."""

    tasks: tuple[Task, ...]


def run(config: Config) -> Result:
    return Result(tuple(run_task(name, config) for name in config.tasks))


def run_task(name: str, config: Config) -> Task:
    table = t2.datasets.load(f"scalebench-{name}")
    pool, test = table.where(held_out=0), table.where(held_out=1)
    ways, all_data = [], {}
    for index, law in enumerate(LAWS[name][: config.laws]):
        with stage(f"{name}, {t2.laws.name_of(law)}"):
            ways.append(repeat_way((law,), "chosen", pool, test, config))
            print(f"{ways[-1].law}: {ways[-1].mean.round(3)}", flush=True)
            if index == 0 and config.rounds == len(SHARES):
                ways.append(repeat_way((law,), "random", pool, test, config))
            all_data[t2.laws.name_of(law)] = score(as_choice(fit_to((law,), pool, config.seed)), test)
    chosen = np.mean([way.mean for way in ways if way.choice == "chosen"], axis=0)
    if name == "farseer" and config.mixture_repeats:
        with stage(f"{name}, choose_law"):
            ways.append(repeat_way(MIXTURE, "chosen", pool, test, config))
    return Task(
        name=name,
        pool=len(pool),
        test=len(test),
        all_data=all_data,
        ways=tuple(ways),
        chosen=chosen,
        all_mean=float(np.mean([*all_data.values()])),
        published=PUBLISHED[name],
        published_all=PUBLISHED_ALL[name],
        aims=AIMS[name],
    )


def fit_to(
    laws: tuple[type[t2.Law], ...], rows: t2.Table, seed: int, before: tuple[DiscrepancyFit, ...] = ()
) -> tuple[DiscrepancyFit, ...]:
    """Fits each law with a discrepancy, from draws of its priors and from the fit of the round before."""
    fits = []
    for index, law in enumerate(laws):
        curve = ResponseCurve.of(law, rows, {})
        draws = curve.draws(jax.random.key(seed))
        draws = np.vstack([before[index].u, draws]) if before else draws
        fits.append(fit_from(curve, rows, draws, LATER_STARTS if before else STARTS))
    return tuple(fits)


def as_choice(fits: tuple[DiscrepancyFit, ...]) -> LawChoice | DiscrepancyFit:
    """Returns the one fit, or the average of several by forward chaining on compute, as `t2.choose_law` does."""
    return fits[0] if len(fits) == 1 else choose_from(fits)


def score(fit: DiscrepancyFit | LawChoice, test: t2.Table) -> float:
    """Computes R² of the predicted losses, clipped as ScaleBench does."""
    fits, weights = ((fit,), np.ones(1)) if isinstance(fit, DiscrepancyFit) else (fit.fits, fit.weights)
    means = [part.predict(part.curve.read(test), new_run=False).mean() for part in fits]
    predicted, measured = np.exp(weights @ np.array(means)), test["loss"]
    residual = np.sum((predicted - measured) ** 2) / np.sum((measured - measured.mean()) ** 2)
    return float(np.clip(1 - residual, -1, 1))


def repeat_way(laws: tuple[type[t2.Law], ...], choice: str, pool: t2.Table, test: t2.Table, config: Config) -> Way:
    """Repeats one way from other first runs."""
    repeats = config.repeats if len(laws) == 1 else config.mixture_repeats
    scores, counts, spent = [], [], []
    for repeat in range(repeats):
        random, rows, fits = np.random.default_rng([config.seed, repeat]), np.zeros(0, int), ()
        reached = [], [], []
        for share, steps in list(zip(SHARES, ROUNDS, strict=True))[: config.rounds]:
            if choice == "random":
                rows = random_runs(rows, share, pool, random)
            else:
                rows, fits = chosen_runs(laws, rows, fits, steps, pool, test, random, repeat)
            cost = pool.compute()
            fits = fit_to(laws, pool.where(np.isin(np.arange(len(pool)), rows)), repeat, fits)
            reached[0].append(score(as_choice(fits), test))
            reached[1].append(len(rows))
            reached[2].append(cost[rows].sum() / cost.sum())
        for column, values in zip((scores, counts, spent), reached, strict=True):
            column.append(values)
    r2 = np.array(scores)
    name = t2.laws.name_of(laws[0]) if len(laws) == 1 else "choose_law"
    return Way(name, choice, r2, r2.mean(0), r2.std(0), np.mean(counts, axis=0), np.max(spent, axis=0))


def chosen_runs(
    laws: tuple[type[t2.Law], ...],
    rows: np.ndarray,
    fits: tuple[DiscrepancyFit, ...],
    steps: tuple[float, ...],
    pool: t2.Table,
    test: t2.Table,
    random: np.random.Generator,
    seed: int,
) -> tuple[np.ndarray, tuple[DiscrepancyFit, ...]]:
    """Adds runs in rounds, each chosen by a fit to those before it. It reads no loss of a test run."""
    cost = pool.compute()
    names = ("model", "params", "tokens", "unique_tokens")
    sizes: Any = {name: test[name] for name in names if name in test}
    targets = t2.Table.from_columns(**sizes)
    if not len(rows):
        cheap = np.argsort(cost)[: int(CHEAP * len(pool))]
        rows = random.choice(cheap, FIRST, replace=False)
    for share in steps:
        measured = np.isin(np.arange(len(pool)), rows)
        rest, left = np.flatnonzero(~measured), share * cost.sum() - cost[rows].sum()
        if left < cost[rest].min():
            continue
        fits = fit_to(laws, pool.where(measured), seed, fits)
        chosen = t2.planning.choose_from_pool(as_choice(fits), pool.where(~measured), targets, spend=left)
        rows = np.r_[rows, rest[chosen.rows]]
    return rows, fits


def random_runs(rows: np.ndarray, share: float, pool: t2.Table, random: np.random.Generator) -> np.ndarray:
    """Adds runs in random order, each if what is left of a share of the cost pays for it."""
    cost = pool.compute()
    left = share * cost.sum() - cost[rows].sum()
    for run in random.permutation(np.setdiff1d(np.arange(len(pool)), rows)):
        if cost[run] <= left:
            rows, left = np.r_[rows, run], left - cost[run]
    return rows


def words(result: Result) -> list[str]:
    lines = []
    for task in result.tasks:
        shares = ", ".join(f"{100 * share:g} %" for share in SHARES)
        lines.append(f"{task.name}: {task.pool} runs, {task.test} to predict; R² at {shares} of the cost")
        for way in task.ways:
            scores = "  ".join(f"{mean:.3f} ± {sd:.3f}" for mean, sd in zip(way.mean, way.spread, strict=True))
            lines.append(f"  {way.law:22} {way.choice:7} {scores}  ({len(way.r2)} repeats)")
        lines.append(f"  mean over laws, chosen         {'  '.join(f'{value:.3f}' for value in task.chosen)}")
        lines += [f"  published, {name:10} {scores}" for name, scores in task.published.items()]
        every = ", ".join(f"{name} {value:.3f}" for name, value in task.all_data.items())
        lines.append(f"  all runs: {every}; published {task.published_all}")
    return lines


def figures(result: Result) -> dict[str, "Figure"]:
    figure, axes = stacked(len(result.tasks), 2.4)
    colours = {"random": GREY, "V-optimal": BLACK, "MSPE": BLUE}
    for ax, task in zip(axes, result.tasks, strict=True):
        for name, colour in colours.items():
            ax.plot(SHARES, task.published[name], "--", color=colour, marker="o", ms=3, label=f"published, {name}")
        ax.axhline(task.published_all, color=GREY, linewidth=0.8, label="published, all runs")
        chosen = [way for way in task.ways if way.choice == "chosen" and way.law != "choose_law"]
        for way in chosen:
            ax.plot(SHARES[: len(way.mean)], way.mean, color=VERMILLION, linewidth=0.7, alpha=0.5)
        ax.plot(SHARES[: len(task.chosen)], task.chosen, color=VERMILLION, marker="s", label="t2jax, mean over laws")
        ax.set(xscale="log", ylabel="R² at the test runs", ylim=(-0.85, 1.02), title=task.name)
        ax.set_xticks(SHARES, [f"{100 * share:g} %" for share in SHARES])
        ax.minorticks_off()
    axes[-1].set_xlabel("share of the pool's cost")
    common_legend(figure, columns=2)
    return {"scalebench": figure}


if __name__ == "__main__":
    command(Config, run, words, figures)
