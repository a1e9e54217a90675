"""At equal training and inference compute, does the best overtrained model beat the best of Chinchilla's ratio?

Table 1 of the T² paper on our own testbed, without any law. Of the checkpoints of one training budget, those with D/N
in Chinchilla's range meet those of more tokens per parameter. Each draws k = C_inf/(2N) samples. They are compared by
pass@k averaged over questions and seeds. This number chooses the best of either kind too, so each bootstrap resample of
the questions chooses anew. Seeds are the second kind of replicate: the gain of the chosen pair in each of them.

    python -m experiments.paper.table1 [tiny] [-o FOLDER]
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

import t2jax as t2
from experiments.shared.pictures import common_legend, power, small, stacked, task_name
from experiments.shared.record import command, stage
from experiments.shared.seeds import interval_over_seeds
from experiments.shared.shards import INFERENCE, LEVEL, Shards, read
from t2jax.plot.style import AXIS_LABELS, BLACK, BLUE, VERMILLION, log_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Ratios = tuple[float, float]
BETTER, WORSE = "overtrained is better", "Chinchilla's ratio is better"
PAPER = {
    "sentence_end": "LAMBADA 49.90 % (37M) against 27.30 % (455M)",
    "facts": "Knowledge 14.60 % (84M) against 5.80 % (901M)",
    "sums": "Reasoning 57.90 % (37M) against 18.40 % (901M)",
    "walks": "Spatial 6.00 % (37M) against 1.10 % (901M)",
}
"""What the paper found on the task most like ours; overtrained won on all of its eight."""


@dataclass(frozen=True)
class Config:
    """What is spent, and which ratios count as Chinchilla's."""

    inference: float = INFERENCE
    """Inference budget C_inf, FLOPs per token served: sixteen passes of the largest model."""
    train: float | None = None
    """Training budget of the table, FLOPs; by default the largest at which every seed has the smallest size."""
    chinchilla: tuple[float, float] = (10.0, 40.0)
    """Tokens per parameter that count as Chinchilla's; what has more is overtrained."""
    wider: float = 160.0
    """Upper end of a wider range, five times the ratio that is best for one sample here, for a second count."""
    draws: int = 1000
    """Bootstrap resamples of the questions."""
    seed: int = 0
    """Seed of the resamples."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(draws=50)


@dataclass(frozen=True)
class Choice:
    """The best checkpoint of its kind: its size, D/N and k, and pass@k with the interval over questions."""

    params: float
    tokens_per_param: float
    samples: float
    pass_at_k: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """One task at one training budget. gain: overtrained minus Chinchilla, in points, of pass@k.

    low, high: over questions, the choice made anew; seeds: the gain of the chosen pair in each seed that has both;
    seeds_low, seeds_high: Student's interval of their mean, NaN for fewer than two.
    """

    task: str
    train: float
    overtrained: Choice
    chinchilla: Choice
    gain: float
    low: float
    high: float
    seeds: tuple[float, ...]
    seeds_low: float
    seeds_high: float

    @property
    def verdict(self) -> str:
        """Who is better, where the interval over questions shows it and no seed contradicts."""
        if self.low > 0 and min(self.seeds, default=1.0) > 0:
            return BETTER
        if self.high < 0 and max(self.seeds, default=-1.0) < 0:
            return WORSE
        return "no significant difference"


@dataclass(frozen=True)
class Result:
    """table: every task at `train`. every: every task at every budget with both kinds, in order of budget.

    wider: as `table`, against the best of a range up to `wider_ratio`. whole: as `table`, where a sample costs the
    parameters of embeddings and output too.
    """

    inference: float
    train: float
    ratios: tuple[float, float]
    questions: int
    seeds: int
    table: tuple[Comparison, ...]
    every: tuple[Comparison, ...]
    wider_ratio: float
    wider: tuple[Comparison, ...]
    whole: tuple[Comparison, ...]


def run(config: Config) -> Result:
    """The comparison on the table that ships."""
    with stage("reading p of every checkpoint and question"):
        return compare_all(read(), config)


def compare_all(shards: Shards, config: Config) -> Result:
    """Every comparison. Of the runs seed, params, params_with_embeddings, tokens and budget are used."""
    runs = shards.runs
    chances = {task: shards.p["base", task] for task in shards.tasks()}
    every = compare_tasks(runs, chances, config, config.chinchilla, "params")
    if not every:
        raise ValueError(f"no training budget has checkpoints of D/N within {config.chinchilla} and above")
    smallest = runs[runs["params"] == runs["params"].min()]
    complete = min(smallest.loc[smallest["seed"] == seed, "budget"].max() for seed in np.unique(runs["seed"]))
    train = config.train or max((row.train for row in every if row.train <= complete), default=every[-1].train)
    table = tuple(row for row in every if row.train == train)
    if not table:
        raise ValueError(f"no checkpoints of both kinds at {train:g} training FLOPs")
    here: Any = runs[runs["budget"] == train]
    wider = compare_tasks(here, chances, config, (config.chinchilla[0], config.wider), "params")
    whole = compare_tasks(here, chances, config, config.chinchilla, "params_with_embeddings")
    return Result(
        inference=config.inference,
        train=train,
        ratios=config.chinchilla,
        questions=next(iter(chances.values())).shape[1],
        seeds=len(np.unique(runs["seed"])),
        table=table,
        every=tuple(every),
        wider_ratio=config.wider,
        wider=tuple(wider),
        whole=tuple(whole),
    )


def compare_tasks(
    runs: pd.DataFrame, chances: dict[str, np.ndarray], config: Config, ratios: Ratios, served: str
) -> list[Comparison]:
    """Every task at every budget that has both kinds, in order of budget. served: the column that a sample costs."""
    rng = np.random.default_rng(config.seed)
    results = []
    for task, p in chances.items():
        times = rng.multinomial(p.shape[1], np.full(p.shape[1], 1 / p.shape[1]), config.draws)
        for train in np.unique(runs["budget"]):
            cells: Any = runs[runs["budget"] == train].assign(served=runs[served])
            affordable = cells[2 * cells["served"] <= config.inference]
            row = compare(task, affordable, p, times / p.shape[1], config.inference, ratios)
            results += [row] if row else []
    return sorted(results, key=lambda row: row.train)


def compare(
    task: str, cells: pd.DataFrame, p: np.ndarray, weights: np.ndarray, inference: float, ratios: Ratios
) -> Comparison | None:
    """The best of either kind among the checkpoints of one budget; None where one kind is missing.

    Seeds that lack a size which another has are left out, so that both kinds are means over the same seeds.
    cells: `served` are the parameters that a sample costs, the index is the row in p. p: (checkpoints, questions).
    weights: (draws, questions), each draw's shares of the questions.
    """
    cells = cells.loc[cells.groupby("seed")["params"].transform("nunique") == cells["params"].nunique()]
    k = inference / (2 * cells["served"].to_numpy(float))
    with np.errstate(divide="ignore"):  # a question that is always answered
        passed = -np.expm1(k[:, None] * np.log1p(-p[cells.index]))
    sizes, place = np.unique(cells["params"], return_inverse=True)
    share = np.equal.outer(np.arange(len(sizes)), place) / np.bincount(place)[:, None]  # (sizes, cells)
    mean = share @ passed  # (sizes, questions)
    ratio = share @ (cells["tokens"] / cells["params"]).to_numpy()
    scores = mean.mean(axis=1)
    drawn = weights @ mean.T
    low, high = ratios
    kinds = np.flatnonzero(ratio > high), np.flatnonzero((ratio >= low) & (ratio <= high))
    if not all(map(len, kinds)):
        return None
    best = [kind[scores[kind].argmax()] for kind in kinds]
    spreads = [t2.band(drawn[:, i], LEVEL) for i in best]
    choices = [
        Choice(*map(float, (sizes[i], ratio[i], k[place == i][0], scores[i], at.low, at.high)))
        for i, at in zip(best, spreads, strict=True)
    ]
    gains = 100 * (drawn[:, kinds[0]].max(axis=1) - drawn[:, kinds[1]].max(axis=1))
    by_seed = pd.DataFrame({"seed": cells["seed"].to_numpy(), "size": place, "passed": passed.mean(axis=1)})
    by_seed = by_seed.pivot_table(index="seed", columns="size", values="passed")
    seeds = tuple(float(gain) for gain in (100 * (by_seed[best[0]] - by_seed[best[1]])).dropna())
    gain = 100 * (choices[0].pass_at_k - choices[1].pass_at_k)
    between = t2.band(gains, LEVEL)
    train = cells["budget"].iloc[0].item()
    ends = float(between.low), float(between.high)
    return Comparison(task, train, choices[0], choices[1], gain, *ends, seeds, *interval_over_seeds(seeds))


def words(result: Result) -> list[str]:
    """The result in sentences."""
    low, high = result.ratios
    wins = sum(row.verdict == BETTER for row in result.table)
    lines = [
        f"At {result.train:.3g} training FLOPs and C_inf = {result.inference:.3g} FLOPs per token served, overtrained "
        f"(D/N above {high:g}) against Chinchilla's range (D/N {low:g} to {high:g}), {result.seeds} seeds, "
        f"{result.questions} questions a task, 90 % intervals over questions: overtrained is better on {wins} of "
        f"{len(result.table)} tasks. In the paper it is on all eight."
    ]
    for row in result.table:
        best, usual = (
            f"{100 * c.pass_at_k:.2f} % ({100 * c.low:.2f} to {100 * c.high:.2f}; N = {c.params:,.0f}, "
            f"D/N = {c.tokens_per_param:.0f}, k = {c.samples:.3g})"
            for c in (row.overtrained, row.chinchilla)
        )
        seeds = f"; each seed {', '.join(f'{gain:+.2f}' for gain in row.seeds)}"
        if np.isfinite(row.seeds_low):
            seeds += f", their mean {row.seeds_low:+.2f} to {row.seeds_high:+.2f}"
        paper = f" Paper: {PAPER[row.task]}." if row.task in PAPER else ""
        lines.append(
            f"  {row.task}: {best} against {usual}: {row.gain:+.2f} points ({row.low:+.2f} to {row.high:+.2f}"
            f"{seeds}): {row.verdict}.{paper}"
        )
    for other, what in (
        (
            result.wider,
            f"Against D/N {low:g} to {result.wider_ratio:g}, five times the ratio that is best for one sample,",
        ),
        (result.whole, "Where a sample costs embeddings and output matrix too,"),
    ):
        gains = ", ".join(f"{row.task} {row.gain:+.2f} ({row.low:+.2f} to {row.high:+.2f})" for row in other)
        wins = sum(row.verdict == BETTER for row in other)
        lines.append(f"{what} overtrained is better on {wins} of {len(other)}: {gains}.")
    for task in dict.fromkeys(row.task for row in result.table):
        at = [row for row in result.every if row.task == task]
        counts = [sum(row.verdict == what for row in at) for what in (BETTER, WORSE)]
        lines.append(
            f"  {task} at all {len(at)} budgets from {at[0].train:.2g} to {at[-1].train:.2g}: overtrained is "
            f"significantly better at {counts[0]}, Chinchilla's ratio at {counts[1]}."
        )
    return lines


def figures(result: Result) -> dict[str, "Figure"]:
    """The table as a picture, and the gain at every budget."""
    table, (ax,) = stacked(1, 3.4)
    draw_table(ax, result)
    common_legend(table, columns=1)
    gains, axes = small(len(result.table), height=1.1, sharex=True)
    for ax, row in zip(axes, result.table, strict=True):
        draw_gain(ax, [other for other in result.every if other.task == row.task])
    gains.supylabel("pass@k gained by overtraining (points)")
    gains.supxlabel(AXIS_LABELS["train"])
    common_legend(gains, axes, columns=1)
    return {"table": table, "gains": gains}


def draw_table(ax: "Axes", result: Result) -> None:
    """pass@k of both choices on every task, with intervals over questions and the chosen ratios."""
    y = np.arange(len(result.table))[::-1]
    kinds = (("overtrained", VERMILLION, 0.17, "s"), ("chinchilla", BLUE, -0.17, "o"))
    for kind, colour, off, marker in kinds:
        choices: list[Choice] = [getattr(row, kind) for row in result.table]
        value, low, high = (100 * np.array([getattr(c, n) for c in choices]) for n in ("pass_at_k", "low", "high"))
        error = [np.maximum(value - low, 0), np.maximum(high - value, 0)]
        label = "more (overtrained)" if kind == "overtrained" else "{:g} to {:g}".format(*result.ratios)
        label = f"best with D/N of {label}, 90 % over questions"
        ax.errorbar(value, y + off, xerr=error, fmt=marker, color=colour, elinewidth=0.8, label=label)
        for c, x, at in zip(choices, high, y + off, strict=True):
            ax.text(x + 1, at, f"D/N = {c.tokens_per_param:,.0f}", va="center", fontsize=6, color=colour)
    ax.set_yticks(y, [task_name(row.task) for row in result.table])
    ax.set(xlim=(0, 1.25 * ax.get_xlim()[1]), xlabel="pass@k (per cent of questions)")
    ax.set_title(f"{power(result.train)} FLOPs of training,\n{power(result.inference)} FLOPs per token served")


def draw_gain(ax: "Axes", every: list[Comparison]) -> None:
    """The gain of one task against training compute, with its interval over questions and every seed's gain."""
    train = [row.train for row in every]
    ax.axhline(0, color=BLACK, linewidth=0.6)
    low, high = [row.low for row in every], [row.high for row in every]
    ax.fill_between(train, low, high, color=BLUE, alpha=0.25, linewidth=0, label="90 % over questions, chosen anew")
    ax.plot(train, [row.gain for row in every], color=BLUE, label="best against best, mean over seeds")
    points = [(row.train, gain) for row in every for gain in row.seeds]
    ax.plot(*zip(*points, strict=True), ".", color=VERMILLION, markersize=2.5, label="the chosen pair in each seed")
    ax.set_xscale("log")
    ax.set_title(task_name(every[0].task), fontsize=7)
    log_ticks(ax)


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
