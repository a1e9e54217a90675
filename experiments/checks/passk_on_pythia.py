"""How well do T²'s two laws of pass@k describe real samples? GSM8K answers of the Pythia checkpoints, counts alone.

T2PassK is fitted by beta-binomial likelihood and the naive law by binomial likelihood to the samples drawn and correct
of every question. Both are then compared with the observed pass@k, averaged over checkpoints with one weight each.

What is "observed" needs care. Where a question has n >= k samples, Chen et al.'s estimator is unbiased. At k = 1000
many have fewer, mostly those of the better checkpoints. So four definitions are compared, and none is the truth:

- complete:  only checkpoints whose every question has n >= k. Unbiased, but of the weaker checkpoints.
- plug-in:   all checkpoints; where n < k, 1 - (1 - c/n)^k. Too low on average, and 0 for a question never solved.
- upper:     the same with 1 for a question with n < k never solved: the most that pass@k can be there.
- long runs: all questions with n >= k, and so only a part of some checkpoints.

    python -m experiments.checks.passk_on_pythia [tiny] [-o FOLDER]
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import jax
import numpy as np

import t2jax as t2
from experiments.shared.pictures import common_legend, stacked
from experiments.shared.record import UNSAVED, command, stage
from t2jax.plot.style import BLACK, VERMILLION, log_ticks
from t2jax.working_precision import scope

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure

LEVEL = 0.9
DEFINITIONS = ("complete", "plug-in", "upper", "long runs")


@dataclass(frozen=True)
class Config:
    """Which checkpoints, which k, which budgets, and how many resamples."""

    least_tokens: float = 1.99e9
    """Checkpoints trained on fewer tokens are left out; those named 2B are just above."""
    questions: int | None = None
    """How many of the questions, the first ones; all by default."""
    samples: tuple[int, ...] = (1, 10, 100, 1000)
    """The k at which pass@k is compared."""
    starts: int = 8
    """Starts of each fit."""
    draws: int = 100
    """Bootstrap resamples of the checkpoints, for the bands of the frontier."""
    train: float = 1e22
    """Training budget of the frontier, FLOPs."""
    budgets: int = 13
    """Inference budgets of the frontier, from 1e10 to 1e13 FLOPs per token served."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(questions=24, starts=2, draws=20, budgets=3)


@dataclass(frozen=True)
class Fitted:
    """A law fitted to the counts, with the share of starts that ended at the best optimum."""

    law: str
    parameters: dict[str, float]
    agreement: float
    undetermined: tuple[str, ...]
    status: str


@dataclass(frozen=True)
class Error:
    """Predicted minus observed pass@k over checkpoints, in points: mean (bias) and mean of the size (absolute)."""

    law: str
    definition: str
    samples: int
    checkpoints: int
    bias: float
    absolute: float


@dataclass(frozen=True)
class Optimum:
    """Compute-optimal N, D and k at each inference budget, each (3, budgets): low, fitted, high.

    tokens_most: the most training tokens allowed, null for no limit.
    """

    tokens_most: float | None
    params: np.ndarray
    tokens: np.ndarray
    samples: np.ndarray
    pass_at_k: np.ndarray


@dataclass(frozen=True)
class Points:
    """What the figure of predictions draws: one entry per checkpoint, and (checkpoints, samples) for pass@k."""

    params: np.ndarray
    samples: tuple[int, ...]
    low: np.ndarray
    high: np.ndarray
    predicted: np.ndarray
    naive: np.ndarray


@dataclass(frozen=True)
class Result:
    """fits: T2PassK, then the naive law. inference: FLOPs per token served, of both `optima`."""

    checkpoints: int
    rows: int
    fits: tuple[Fitted, ...]
    errors: tuple[Error, ...]
    bootstrap: str
    train: float
    inference: np.ndarray
    optima: tuple[Optimum, Optimum]
    points: Points = field(repr=False, metadata=UNSAVED)


def run(config: Config) -> Result:
    counts = t2.datasets.load("pythia-gsm8k")
    counts = counts.where(counts["tokens"] >= config.least_tokens)
    counts = counts.where(np.isin(counts["question"], np.unique(counts["question"])[: config.questions]))
    fit_key, draw_key = jax.random.split(jax.random.key(config.seed))
    fits = []
    for law in (t2.laws.T2PassK, t2.laws.T2PassKNaive):
        with stage(f"{law.__name__} from {config.starts} starts"):
            fits.append(t2.fit(law, counts, key=fit_key, starts=config.starts))
    observed = {name: observe(counts, config.samples, name) for name in DEFINITIONS}
    params, tokens = (per_checkpoint(counts, counts[name]) for name in ("params", "tokens"))
    predicted = [
        t2.evaluate(fit.law, params=params[:, None], tokens=tokens[:, None], samples=np.array([config.samples], float))
        for fit in fits
    ]
    with stage(f"{config.draws} bootstrap fits over checkpoints"):
        boot = t2.bootstrap(fits[0], counts, draws=config.draws, key=draw_key, over="runs")
    inference = np.geomspace(1e10, 1e13, config.budgets)
    with stage("frontier"):
        optima = plan(fits[0].law, boot.laws, config.train, inference, float(tokens.max()))
    return Result(
        checkpoints=len(params),
        rows=len(counts),
        fits=tuple(Fitted(type(f.law).__name__, f.law.values(), f.agreement, f.undetermined, f.status) for f in fits),
        errors=compare(predicted, observed, config.samples),
        bootstrap=boot.status,
        train=config.train,
        inference=inference,
        optima=optima,
        points=Points(params, config.samples, observed["plug-in"], observed["upper"], predicted[0], predicted[1]),
    )


def per_checkpoint(counts: t2.Table, values: np.ndarray) -> np.ndarray:
    """The mean of `values` over the questions of each checkpoint, NaN left out."""
    run, there = counts.runs(), np.isfinite(values)
    total = np.bincount(run, np.where(there, values, 0.0))
    number = np.bincount(run, there)
    return np.divide(total, number, out=np.full(len(number), np.nan), where=number > 0)


def observe(counts: t2.Table, samples: tuple[int, ...], definition: str) -> np.ndarray:
    """pass@k of every checkpoint by one of DEFINITIONS, NaN where it gives none: shape (checkpoints, samples)."""
    n, c = counts["trials"], counts["correct"]
    columns = []
    for k in samples:
        enough = n >= k
        with scope():
            unbiased = np.asarray(t2.special.pass_at_k_from_counts(np.where(enough, n, c + k), c, k))
        plugged = 1 - (1 - c / n) ** k
        below = {"plug-in": plugged, "upper": np.where(c == 0, 1.0, plugged)}.get(definition, np.full(len(n), np.nan))
        means = per_checkpoint(counts, np.where(enough, unbiased, below))
        whole = per_checkpoint(counts, enough.astype(float)) == 1.0
        columns.append(np.where(whole, means, np.nan) if definition == "complete" else means)
    return np.stack(columns, axis=1)


def compare(
    predicted: list[np.ndarray], observed: dict[str, np.ndarray], samples: tuple[int, ...]
) -> tuple[Error, ...]:
    """Errors of both laws at every k; definitions that agree at a k, where every n >= k, are listed once."""
    results = []
    for i, k in enumerate(samples):
        same = all(np.allclose(values[:, i], observed["complete"][:, i]) for values in observed.values())
        for definition in DEFINITIONS[:1] if same else DEFINITIONS:
            for name, prediction in zip(("T2PassK", "naive"), predicted, strict=True):
                error = 100 * (prediction - observed[definition])[:, i]
                error = error[np.isfinite(error)]
                sizes = float(error.mean()), float(np.abs(error).mean())
                results.append(Error(name, definition, k, len(error), *sizes))
    return tuple(results)


def plan(
    point: t2.Law, draws: t2.Law, train: float, inference: np.ndarray, tokens_measured: float
) -> tuple[Optimum, Optimum]:
    """The optimum with all the tokens that the budget buys, and with no more than the longest measured run."""
    laws = jax.tree.map(lambda law, many: np.concatenate([[law], many]), point, draws)
    limits = (train, tokens_measured)  # 6N times the first is more than the budget: no limit
    budget = t2.Budget(train=train, inference=inference, tokens_max=np.array(limits)[:, None])
    plans = t2.frontier(laws, budget)

    def optimum(i: int) -> Optimum:
        def spread(values: np.ndarray) -> np.ndarray:
            band = t2.band(values[1:, i], LEVEL)
            return np.stack([band.low, values[0, i], band.high])

        spreads = map(spread, (plans.params, plans.tokens, plans.samples, plans.value))
        return Optimum(None if i == 0 else tokens_measured, *spreads)

    return optimum(0), optimum(1)


def words(result: Result) -> list[str]:
    lines = [f"{result.checkpoints} checkpoints, {result.rows} rows of a checkpoint and a question."]
    lines += [f"{fit.law}: {fit.status}." for fit in result.fits]
    lines.append("Predicted minus observed pass@k, mean over checkpoints, in points (mean size of the error):")
    for ours, naive in zip(result.errors[::2], result.errors[1::2], strict=True):
        lines.append(
            f"  k = {ours.samples:4d}, {ours.definition:9s}, {ours.checkpoints} checkpoints: "
            f"T2PassK {ours.bias:+5.1f} ({ours.absolute:4.1f}), naive {naive.bias:+5.1f} ({naive.absolute:4.1f})"
        )
    lines.append(f"Bootstrap: {result.bootstrap}. Optimum at {result.train:.0e} training FLOPs, with 90 % intervals:")
    for optima in result.optima:
        most = (
            "as many as the budget buys"
            if optima.tokens_most is None
            else f"at most {optima.tokens_most:.0e}, as measured"
        )
        lines.append(f" Training tokens: {most}.")
        for i in range(0, len(result.inference), max(1, len(result.inference) // 4)):
            plan_words = ", ".join(
                f"{name} = {values[1, i]:.3g} ({values[0, i]:.2g} to {values[2, i]:.2g})"
                for name, values in (
                    ("N", optima.params),
                    ("D", optima.tokens),
                    ("k", optima.samples),
                    ("pass@k", optima.pass_at_k),
                )
            )
            lines.append(f"  C_inf = {result.inference[i]:.1e}: {plan_words}")
    return lines


def figures(result: Result) -> dict[str, "Figure"]:
    """Predicted against observed pass@k at k = 1 and at the largest k at which every question has enough samples."""
    points = result.points
    figure, axes = stacked(2, 2.3)
    for ax, k in zip(axes, (1, 100), strict=True):
        drawn = draw_predictions(ax, points, points.samples.index(k))
    axes[-1].set_xlabel("observed pass@k (share of questions)")
    figure.colorbar(drawn, ax=axes, label="parameters N", aspect=40)
    common_legend(figure, axes)
    return {"predicted-observed": figure}


def draw_predictions(ax: "Axes", points: Points, i: int) -> "PathCollection":
    """Predicted against observed pass@k at one k."""
    observed, predicted = points.low[:, i], points.predicted[:, i]
    ax.plot(observed, points.naive[:, i], "x", color=VERMILLION, zorder=2, label="questions alike (naive law)")
    drawn = ax.scatter(observed, predicted, c=points.params, norm="log", s=12, zorder=3, label="T² by pass@k")
    most = min(1.5 * max(observed.max(), points.naive[:, i].max()), 1.15)
    ends = (0.5 * min(observed[observed > 0].min(), predicted.min()), most)
    ax.plot(ends, ends, color=BLACK, linewidth=0.6, zorder=0, label="predicted = observed")
    hidden = int((observed == 0).sum())
    ax.set_title(f"k = {points.samples[i]}" + (f" ({hidden} checkpoints at zero not shown)" if hidden else ""))
    ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends, ylabel="predicted pass@k")
    log_ticks(ax)
    return drawn


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
