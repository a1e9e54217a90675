"""How well do laws of the loss describe our own testbed? Validation loss of every checkpoint, fitted and extrapolated.

Fits are to checkpoints of at least `least_tokens`, Kaplan's law without an irreducible loss, as in Kaplan et al., since
fits put it at zero. Extrapolation is tested twice: the longest runs of every size are predicted from the shorter ones,
and the largest size from the smaller ones.

    python -m experiments.checks.testbed_losses [tiny] [-o FOLDER]
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import jax
import numpy as np
import pandas as pd

import t2jax as t2
from experiments.shared.pictures import common_legend, stacked
from experiments.shared.record import UNSAVED, command, stage
from t2jax.evaluation.held_out import left_out
from t2jax.plot.style import AXIS_LABELS, BLACK, log_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEVEL = 0.9
LARGEST_ERROR = 0.01
LEAST_R2 = 0.997
HELD = {"kaplan": {"E": 1e-6}}
"""Parameters that are not fitted, by law."""


@dataclass(frozen=True)
class Config:
    """Which laws, which checkpoints, and how many resamples."""

    laws: tuple[str, ...] = ("chinchilla", "kaplan")
    """Names of the laws compared."""
    least_tokens: float = 2.0**19
    """The fewest tokens of a checkpoint that is fitted."""
    judged_from: float = 2.0**19
    """The fewest tokens of a checkpoint that counts for R²."""
    levels: int = 2
    """How many of the longest runs of every size are held out."""
    starts: int = 8
    """Starts of each fit."""
    draws: int = 400
    """Bootstrap resamples of the checkpoints."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(starts=2, draws=20)


@dataclass(frozen=True)
class HeldOut:
    """Checkpoints predicted by a fit without them: mean size of predicted / measured - 1, its mean, largest size."""

    what: str
    checkpoints: int
    error: float
    bias: float
    largest: float


@dataclass(frozen=True)
class Fitted:
    """A law fitted to the checkpoints of at least `least_tokens`.

    r2: share of the variance of the loss among checkpoints of at least `judged_from`; rmse: of predicted / measured - 1
    among all that are fitted. low, high: 90 % bootstrap band of the law at `Result.curve`.
    """

    law: str
    parameters: dict[str, float]
    status: str
    r2: float
    rmse: float
    longest: HeldOut
    largest: HeldOut
    predicted: np.ndarray = field(metadata=UNSAVED)
    curve: np.ndarray = field(metadata=UNSAVED)
    low: np.ndarray = field(metadata=UNSAVED)
    high: np.ndarray = field(metadata=UNSAVED)


@dataclass(frozen=True)
class Result:
    """seed_spread: standard deviation over seeds of the log loss of equal cells, None with one seed.

    params, tokens: (sizes, points), where `Fitted.curve` is. runs: every checkpoint, of few tokens too.
    """

    checkpoints: int
    fitted: int
    judged: int
    seeds: int
    seed_spread: float | None
    least_tokens: float
    judged_from: float
    levels: int
    laws: tuple[Fitted, ...]
    runs: t2.Table = field(metadata=UNSAVED)
    params: np.ndarray = field(metadata=UNSAVED)
    tokens: np.ndarray = field(metadata=UNSAVED)

    @property
    def best(self) -> Fitted:
        """The law of highest R²."""
        return max(self.laws, key=lambda law: law.r2)


def run(config: Config) -> Result:
    runs = t2.datasets.load("testbed", samples=(1.0,), tasks=("facts",))  # for the checkpoints' validation losses
    return describe(runs.with_columns(loss=runs["validation_loss"]), config)


def describe(runs: t2.Table, config: Config) -> Result:
    """All laws on a table of one row per checkpoint with columns params, tokens, loss, model and seed."""
    used = runs.where(runs["tokens"] >= config.least_tokens)
    judged = runs["tokens"] >= config.judged_from
    sizes = np.unique(runs["params"])
    ends = np.array([[lengths.min(), lengths.max()] for lengths in (runs.where(params=n)["tokens"] for n in sizes)])
    tokens = np.geomspace(ends[:, 0], ends[:, 1], 40, axis=1)
    params = np.broadcast_to(sizes[:, None], tokens.shape)

    def fit_law(name: str) -> Fitted:
        fit_key, draw_key = jax.random.split(jax.random.key(config.seed))
        law = t2.laws.by_name(name)
        fit = t2.fit(law, used, key=fit_key, starts=config.starts, fixed=HELD.get(name))
        boot = t2.bootstrap(fit, used, draws=config.draws, key=draw_key, over="runs")
        band = boot.band(lambda resampled: resampled(params, tokens), LEVEL)
        predicted = t2.predict(fit.law, runs)

        def held_out(what: str, out: np.ndarray) -> HeldOut:
            without = t2.fit(law, left_out(used, out), key=fit_key, starts=config.starts, fixed=HELD.get(name))
            there = used.where(out)
            error = t2.predict(without.law, there) / there["loss"] - 1
            sizes = np.abs(error)
            return HeldOut(what, len(error), float(sizes.mean()), float(error.mean()), float(sizes.max()))

        residual = (predicted - runs["loss"])[judged]
        relative = (predicted / runs["loss"] - 1)[runs["tokens"] >= config.least_tokens]
        return Fitted(
            law=law.__name__,
            parameters=fit.law.values(),
            status=fit.status,
            r2=float(1 - np.mean(residual**2) / np.var(runs["loss"][judged])),
            rmse=float(np.sqrt(np.mean(relative**2))),
            longest=held_out(f"the {config.levels} longest runs of every size", longest(used, config.levels)),
            largest=held_out(f"the largest size, N = {sizes[-1]:.3g}", used["params"] == sizes[-1]),
            predicted=predicted,
            curve=t2.evaluate(fit.law, params=params, tokens=tokens),
            low=band.low,
            high=band.high,
        )

    laws = []
    for name in config.laws:
        with stage(f"{name}: fits and {config.draws} resamples"):
            laws.append(fit_law(name))
    return Result(
        checkpoints=len(runs),
        fitted=len(used),
        judged=int(judged.sum()),
        seeds=len(np.unique(runs["seed"])),
        seed_spread=seed_spread(used),
        least_tokens=config.least_tokens,
        judged_from=config.judged_from,
        levels=config.levels,
        laws=tuple(laws),
        runs=runs,
        params=params,
        tokens=tokens,
    )


def longest(runs: t2.Table, levels: int) -> np.ndarray:
    """Which rows are among the given number of longest training lengths of their size, all seeds of it alike."""
    tokens = pd.Series(runs["tokens"])
    return (tokens.groupby(runs["params"]).rank(method="dense", ascending=False) <= levels).to_numpy()


def seed_spread(runs: t2.Table) -> float | None:
    """Pooled standard deviation of log loss among runs of equal params and tokens, None where no two are equal."""
    _, cell, count = np.unique(runs["params"] + 1j * runs["tokens"], return_inverse=True, return_counts=True)
    logs, freedom = np.log(runs["loss"]), len(runs) - len(count)
    off = logs - (np.bincount(cell, logs) / count)[cell]
    return float(np.sqrt(np.sum(off**2) / freedom)) if freedom else None


def words(result: Result) -> list[str]:
    spread = (
        "one seed only, so what seeds do to a loss is not known"
        if result.seed_spread is None
        else f"the {result.seeds} seeds at equal N and D have a standard deviation of {100 * result.seed_spread:.2f} %"
    )
    best = result.best
    lines = [
        f"{result.checkpoints} checkpoints, {result.fitted} of at least {result.least_tokens:.3g} tokens fitted; R² is "
        f"of the {result.judged} of at least {result.judged_from:.3g}; {spread}."
    ]
    for law in result.laws:
        lines.append(f"{law.law}: R² {law.r2:.4f}, rmse of all fitted {100 * law.rmse:.2f} %; {law.status}.")
        for test in (law.longest, law.largest):
            lines.append(
                f"  Without {test.what}, those {test.checkpoints} are predicted {100 * test.error:.2f} % off on average"
                f" (bias {100 * test.bias:+.2f} %, at most {100 * test.largest:.2f} %)."
            )
    lines.append(f"Best law: {best.law}. R² of at least {LEAST_R2}: {verdict(best.r2 >= LEAST_R2)}.")
    for test in (best.longest, best.largest):
        lines.append(
            f"Without {test.what}, predicted within {100 * LARGEST_ERROR:.1f} %: on average "
            f"{verdict(test.error <= LARGEST_ERROR)}, every one {verdict(test.largest <= LARGEST_ERROR)}."
        )
    return lines


def verdict(met: bool) -> str:
    return "met" if met else "missed"


def figures(result: Result) -> dict[str, "Figure"]:
    """Each law on the measured losses, and its residuals."""
    losses, axes = stacked(len(result.laws), 2.2, sharex=True, sharey=True)
    for ax, law in zip(axes, result.laws, strict=True):
        draw_losses(ax, result, law)
    axes[-1].set_xlabel(AXIS_LABELS["tokens"])
    title = "law with 90 % bootstrap band by parameters N;\npoints: runs, fitted right of the dotted line"
    common_legend(losses, columns=3, title=title)
    residuals, axes = stacked(len(result.laws), 1.6, sharex=True, sharey=True)
    for ax, law in zip(axes, result.laws, strict=True):
        draw_residuals(ax, result, law)
    axes[-1].set_xlabel(AXIS_LABELS["tokens"])
    common_legend(residuals, columns=3, title="parameters N")
    return {"losses": losses, "residuals": residuals}


def colours(result: Result) -> np.ndarray:
    from matplotlib import colormaps

    return colormaps["viridis"](np.linspace(0, 0.92, len(result.params)))


def draw_losses(ax: "Axes", result: Result, law: Fitted) -> None:
    """Measured losses of every size over tokens, the fitted law, and its band."""
    runs = result.runs
    for i, colour in enumerate(colours(result)):
        of_size = runs["params"] == result.params[i, 0]
        label = f"{result.params[i, 0]:,.0f}"
        ax.fill_between(result.tokens[i], law.low[i], law.high[i], color=colour, alpha=0.25, linewidth=0)
        ax.plot(result.tokens[i], law.curve[i], color=colour, linewidth=1, label=label)
        ax.plot(runs["tokens"][of_size], runs["loss"][of_size], "o", color=colour, markersize=2, markeredgewidth=0)
    ax.axvline(result.least_tokens, color=BLACK, linewidth=0.6, linestyle=":")
    ax.set(xscale="log", yscale="log", ylabel="validation loss\n(nats/token)")
    ax.set_title(f"{law.law}'s law (R² {law.r2:.3f})")
    log_ticks(ax)


def draw_residuals(ax: "Axes", result: Result, law: Fitted) -> None:
    """Relative residuals over tokens, coloured by size."""
    runs = result.runs
    error = 100 * (runs["loss"] / law.predicted - 1)
    for i, colour in enumerate(colours(result)):
        of_size = runs["params"] == result.params[i, 0]
        label = f"{result.params[i, 0]:,.0f}"
        ax.plot(
            runs["tokens"][of_size], error[of_size], "o", color=colour, markersize=2.5, markeredgewidth=0, label=label
        )
    ax.axhline(0, color=BLACK, linewidth=0.6)
    ax.axvline(result.least_tokens, color=BLACK, linewidth=0.6, linestyle=":")
    ax.set(xscale="log", ylabel="measured over law\n− 1 (%)", title=f"{law.law}'s law, fitted right of the dotted line")
    log_ticks(ax)


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
