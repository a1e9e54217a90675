"""Do laws fitted to runs of few tokens per parameter predict overtrained ones? The T² paper's RQ2, on public tables.

Each law is fitted to the runs below a cut in D/N and predicts those above it, by `t2.evaluation.extrapolate`: relative
error, bias, how many measurements the 90 % band holds, and how the error grows with D/N. Public tables hold losses:
Gadre et al. go to 640 tokens per parameter, Porian et al. to some hundred. The testbed goes to ten thousand and has
samples too (`testbed.rq2` looks at its tasks one by one). Reported by the T² paper, fitted to 85 checkpoints
of Chinchilla's range: 2.8 % mean error by T2Loss on 21 overtrained ones (Roberts et al. 2026, 2604.01411, Fig. 4).

    python -m experiments.paper.rq2_overtrained_losses [tiny] [-o FOLDER]
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Self

import jax
import numpy as np

import t2jax as t2
from experiments.shared.pictures import law_name, small, table_name
from experiments.shared.real_tables import gadre, porian, testbed_losses, testbed_samples
from experiments.shared.record import UNSAVED, command, stage
from t2jax.evaluation.held_out import NoFit
from t2jax.plot.style import BLACK, BLUE, GREY, VERMILLION

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEVEL = 0.9
LOSS_LAWS: tuple[type[t2.Law], ...] = (t2.laws.Chinchilla, t2.laws.Kaplan, t2.laws.Overtraining)
SAMPLE_LAWS: tuple[type[t2.Law], ...] = (t2.laws.T2Loss, t2.laws.T2Loss.on(t2.laws.Kaplan))
COLOURS = (BLUE, VERMILLION, GREY)
TICKS = (50, 100, 200, 500, 1000, 2000, 5000, 10000)


@dataclass(frozen=True)
class Source:
    """A table, where it is cut, and the laws for it."""

    read: Callable[[], t2.Table]
    cut: float
    laws: tuple[type[t2.Law], ...]


SOURCES = {
    "gadre, C4": Source(partial(gadre, "c4_original"), 40.0, LOSS_LAWS),
    "gadre, RedPajama": Source(partial(gadre, "rpj"), 40.0, LOSS_LAWS),
    "porian-refinedweb": Source(porian, 40.0, LOSS_LAWS),
    "testbed, loss": Source(testbed_losses, 300.0, LOSS_LAWS),
    "testbed, samples": Source(testbed_samples, 300.0, SAMPLE_LAWS),
}
"""Cuts in tokens per parameter: twice Chinchilla's 20 and, for the testbed, where enough runs lie below it."""


@dataclass(frozen=True)
class Config:
    """Which tables, and how much is resampled."""

    tables: tuple[str, ...] = tuple(SOURCES)
    """Which of the tables."""
    laws: int = len(LOSS_LAWS)
    """How many of the laws, the first ones."""
    draws: int = 400
    """Bootstrap draws behind each band."""
    starts: int = 8
    """Starts of each fit."""
    steps: int = 5
    """Steps of the curve of error against how far out."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(tables=("testbed, loss",), laws=1, draws=20, starts=2)


@dataclass(frozen=True)
class Predicted:
    """A law beyond the cut. curve: (D/N at the middle of a step, mean relative error there, coverage)."""

    law: str
    error: float
    bias: float
    coverage: float
    half_width: float
    curve: tuple[tuple[float, float, float], ...]
    status: str
    ratios: np.ndarray = field(repr=False, metadata=UNSAVED)
    errors: np.ndarray = field(repr=False, metadata=UNSAVED)


@dataclass(frozen=True)
class Audited:
    """A table cut at `cut` tokens per parameter, the rows on either side, and the largest D/N; laws without a fit."""

    table: str
    cut: float
    fitted: int
    predicted: int
    furthest: float
    laws: tuple[Predicted, ...]
    failed: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """tables: as they were asked for; skipped: those that are not there, and why."""

    tables: tuple[Audited, ...]
    skipped: tuple[str, ...]


def run(config: Config) -> Result:
    result, skipped = [], []
    for name in config.tables:
        try:
            table = SOURCES[name].read()
        except FileNotFoundError as error:
            skipped.append(f"{name} ({error})")
            continue
        result.append(audit(config, name, table, t2.evaluation.Cut("tokens_per_param", SOURCES[name].cut)))
    return Result(tuple(result), tuple(skipped))


def audit(config: Config, name: str, table: t2.Table, cut: t2.evaluation.Cut) -> Audited:
    """Every law of a table beyond its cut."""
    above = cut.above(table)
    laws, failed = [], []
    for law in SOURCES[name].laws[: config.laws]:
        with stage(f"{name}: {t2.laws.name_of(law)}"):
            try:
                laws.append(predict(config, law, table, cut))
            except NoFit as error:
                failed.append(str(error))
    counts = int(np.sum(~above)), int(np.sum(above))
    return Audited(name, cut.value, *counts, float(cut.of(table).max()), tuple(laws), tuple(failed))


def predict(config: Config, law: type[t2.Law], table: t2.Table, cut: t2.evaluation.Cut) -> Predicted:
    """One law: its errors row by row, and in steps of D/N."""
    far = t2.evaluation.extrapolate(
        law,
        table,
        cut,
        key=jax.random.key(config.seed),
        noise=t2.noise.StudentT(),
        starts=config.starts,
        draws=config.draws,
        over="runs",
        level=LEVEL,
    )
    reached = cut.of(table)
    fitted_most = float(reached[~far.held_out].max())
    return Predicted(
        law=t2.laws.name_of(law),
        error=far.beyond.mean_absolute,
        bias=far.beyond.bias,
        coverage=far.coverage,
        half_width=far.half_width,
        curve=tuple(
            (fitted_most * float(np.sqrt(score.low * score.high)), score.errors.mean_absolute, score.coverage)
            for score in far.curve(config.steps)
        ),
        status=far.status,
        ratios=reached[far.held_out],
        errors=(far.predicted / far.observed - 1)[far.held_out],
    )


def words(result: Result) -> list[str]:
    """The result in sentences."""
    lines = [f"skipped: {reason}" for reason in result.skipped]
    for table in result.tables:
        lines.append(
            f"{table.table}: {table.fitted} rows up to {table.cut:g} tokens per parameter predict "
            f"{table.predicted} up to {table.furthest:.0f}"
        )
        lines += [f"  {message}" for message in table.failed]
        for law in table.laws:
            grows = ", ".join(f"{100 * error:.1f} % near {ratio:.0f}" for ratio, error, _ in law.curve)
            lines.append(
                f"  {law.law}: mean error {100 * law.error:.2f} %, bias {100 * law.bias:+.2f} %, "
                f"{100 * law.coverage:.0f} % in the 90 % band (half width {100 * law.half_width:.1f} %); {grows}"
            )
    return lines


def figures(result: Result) -> dict[str, "Figure"]:
    """Error of every held-out row against D/N, one panel per table."""
    figure, axes = small(len(result.tables), columns=1, height=1.7)
    for ax, table in zip(axes, result.tables, strict=True):
        for law, colour in zip(table.laws, COLOURS, strict=False):
            label = f"{law_name(law.law)}: {100 * law.error:.1f} %, {100 * law.coverage:.0f} % in band"
            ax.plot(law.ratios, 100 * law.errors, "o", color=colour, markersize=2, alpha=0.6, label=label)
        ax.axhline(0, color=BLACK, linewidth=0.6)
        ax.set(xscale="log", ylim=_with_room(ax.get_ylim()))
        ax.set_title(f"{table_name(table.table)}, fitted below D/N of {table.cut:g}")
        ax.legend(loc="upper left", handletextpad=0.2)
        low, high = ax.get_xlim()
        ax.set_xticks(
            [tick for tick in TICKS if low <= tick <= high], [f"{tick:g}" for tick in TICKS if low <= tick <= high]
        )
        ax.xaxis.set_minor_formatter("")
    axes[-1].set_xlabel("tokens per parameter D/N")
    figure.supylabel("predicted / measured - 1 (%)")
    return {"extrapolation": figure}


def _with_room(ends: tuple[float, float]) -> tuple[float, float]:
    """The ends of an axis with space above the data for a legend."""
    return ends[0], ends[1] + 0.5 * (ends[1] - ends[0])


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
