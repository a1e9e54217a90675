"""Which law of counts describes Pythia's answers to GSM8K, and which predicts dearer checkpoints from cheaper ones?

As in `law_zoo`, but every question's count is fitted: beta-binomial where the law describes how questions differ,
binomial where it does not. Inside, a law is judged by the log score of a count with its checkpoint left out. Beyond, it
is fitted to the checkpoints in the cheaper half of the range of compute. It predicts pass@k of the dearer checkpoints
at k = 1, 10, 100, ... up to the number of their samples. The scores are the relative error, the bias, and how many
estimates lie in the 90 % band of as many questions and samples.

    python -m experiments.benchmarks.zoo_counts [tiny] [-o FOLDER]
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import jax
import numpy as np

import t2jax as t2
from experiments.shared.pictures import common_legend, law_name, small
from experiments.shared.record import command, stage
from t2jax.evaluation.extrapolation import Extrapolation
from t2jax.evaluation.held_out import NoFit
from t2jax.plot.style import BLACK, BLUE, GREEN, GREY, VERMILLION, log_ticks, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LAWS: tuple[type[t2.Law], ...] = (
    t2.laws.T2PassK,
    t2.laws.T2PassK.on(t2.laws.SharedExponent),
    t2.laws.T2PassK.on(t2.laws.Kaplan),
    t2.laws.T2PassKNaive,
)
SOLVING = 1.99e9
"""Checkpoints trained on fewer tokens solve next to nothing, and are left out."""


@dataclass(frozen=True)
class Config:
    """How much is resampled and left out."""

    laws: int = len(LAWS)
    """How many of the laws, the first ones."""
    draws: int = 100
    """Bootstrap draws over checkpoints behind each band."""
    starts: int = 8
    """Starts of each fit."""
    folds: int = 6
    """Folds of the cross-validation by checkpoint."""
    questions: int = 128
    """How many of the questions, the first ones."""
    checkpoints: int | None = None
    """How many of the checkpoints, evenly chosen by name; all by default."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(laws=1, draws=20, starts=2, folds=2, questions=16, checkpoints=12)


@dataclass(frozen=True)
class At:
    """Predictions beyond the cut at one k: relative error and bias, means over the `solved` checkpoints.

    coverage: of the band, over all checkpoints. solved: those that solved anything in as many samples.
    """

    samples: float
    checkpoints: int
    solved: int
    error: float
    bias: float
    coverage: float


@dataclass(frozen=True)
class Judged:
    """A law. inside, beyond: mean log density of a count in nats, its checkpoint left out, and beyond the cut.

    by_samples: the errors at each k. measured, predicted, low, high: pass@k beyond the cut, with samples and tokens.
    """

    law: str
    inside: float | None
    beyond: float | None
    by_samples: tuple[At, ...]
    tokens: np.ndarray
    samples: np.ndarray
    measured: np.ndarray
    predicted: np.ndarray
    low: np.ndarray
    high: np.ndarray
    status: str


@dataclass(frozen=True)
class Result:
    """cut in FLOPs; checkpoints on either side of it; the laws, and those without a fit."""

    cut: float
    fitted: int
    predicted: int
    laws: tuple[Judged, ...]
    failed: tuple[str, ...]


def run(config: Config) -> Result:
    counts = t2.datasets.load("pythia-gsm8k")
    counts = counts.where(counts["tokens"] >= SOLVING)
    first = np.unique(counts["question"])[: config.questions]
    counts = counts.where(np.isin(counts["question"], first))
    if config.checkpoints:
        models = np.unique(counts["model"])
        models = models[np.linspace(0, len(models) - 1, config.checkpoints).astype(int)]
        counts = counts.where(np.isin(counts["model"], models))
    cut = t2.evaluation.Cut.middle(counts)
    above = cut.above(counts)
    judged, failed = [], []
    for law in LAWS[: config.laws]:
        with stage(f"pythia-gsm8k: {t2.laws.name_of(law)}"):
            try:
                judged.append(judge(law, counts, cut, config))
            except NoFit as error:
                failed.append(str(error))
        jax.clear_caches()  # many programs in one process exhaust the kernel's mappings
    fitted, predicted = (len(np.unique(counts.runs()[side])) for side in (~above, above))
    return Result(cut.value, fitted, predicted, tuple(judged), tuple(failed))


def judge(law: type[t2.Law], counts: t2.Table, cut: t2.evaluation.Cut, config: Config) -> Judged:
    far_key, fold_key = jax.random.split(jax.random.key(config.seed))
    shared: Any = {"starts": config.starts}
    far = t2.evaluation.extrapolate(law, counts, cut, key=far_key, draws=config.draws, over="runs", **shared)
    inside = t2.evaluation.cross_validate(law, counts, key=fold_key, folds=config.folds, **shared)
    out, rows = far.held_out, far.rows
    shown: Any = {name: getattr(far, name)[out] for name in ("predicted", "low", "high")}
    return Judged(
        law=t2.laws.name_of(law),
        inside=inside.log_score,
        beyond=far.log_score,
        by_samples=tuple(at(far, k) for k in np.unique(rows["samples"])),
        tokens=rows["tokens"][out],
        samples=rows["samples"][out],
        measured=far.observed[out],
        **shown,
        status=f"{far.status}; inside: {inside.status}",
    )


def at(far: Extrapolation, samples: float) -> At:
    there = far.held_out & (far.rows["samples"] == samples)
    errors = far.errors(there)
    covered = float(np.mean(far.covered[there]))
    return At(float(samples), int(there.sum()), errors.rows, errors.mean_absolute, errors.bias, covered)


def words(result: Result) -> list[str]:
    lines = [f"{result.fitted} checkpoints up to {result.cut:.3g} FLOPs predict {result.predicted} dearer ones"]
    for law in result.laws:
        inside, beyond = ("none" if score is None else f"{score:.3f}" for score in (law.inside, law.beyond))
        lines.append(f"{law.law}: log score of a count {inside} with its checkpoint left out, {beyond} beyond the cut")
        for row in law.by_samples:
            lines.append(
                f"  pass@{row.samples:g}: error {row.error:.1%}, bias {row.bias:+.1%} over {row.solved}, "
                f"{row.coverage:.0%} of {row.checkpoints} checkpoints in the 90 % band"
            )
        lines.append(f"  {law.status}")
    return lines + list(result.failed)


def figures(result: Result) -> dict[str, "Figure"]:
    """pass@k beyond the cut of each law: predicted with its band against measured."""
    figure, axes = small(len(result.laws), height=1.45, sharex=True, sharey=True)
    for ax, law in zip(axes, result.laws, strict=True):
        draw(ax, law)
    figure.supylabel("predicted pass@k, with 90 % band")
    figure.supxlabel("measured pass@k (share of questions)")
    common_legend(figure, axes, columns=3)
    return {"counts": figure}


def draw(ax: "Axes", law: Judged) -> None:
    colours = dict(zip(np.unique(law.samples), (BLUE, VERMILLION, GREY, BLACK, GREEN), strict=False))
    for k, colour in colours.items():
        there = (law.samples == k) & (law.measured > 0)
        reach = np.abs(np.stack([law.low, law.high])[:, there] - law.predicted[there])
        ax.errorbar(
            law.measured[there], law.predicted[there], reach, fmt="o", color=colour, markersize=2, elinewidth=0.6,
            label=f"k = {number(k)}",
        )  # fmt: skip
    ends = [0.8 * law.measured[law.measured > 0].min(), min(1.2 * law.measured.max(), 1.0)]
    ax.plot(ends, ends, "-", color=BLACK, linewidth=0.6, label="predicted = measured")
    ax.set(xscale="log", yscale="log")
    log_ticks(ax)
    ax.set_title(law_name(law.law), fontsize=7)


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
