"""Does T2PassK foretell pass@k of dearer runs, if the losses of the models or counts of their samples are there?

Two public tables. The code models of Krajewski et al. 2025 (2512.08894) have pass@k on HumanEval and a loss on DCLM.
The Pythia checkpoints have counts of right answers to GSM8K. Each law is fitted to the runs up to a cut in training
compute and predicts the dearer ones, with bands that let runs deviate smoothly from the law.

- "pass@k alone": T2PassK from pass@k, as in t2_on_code_models.
- "losses plugged in": the loss law is fitted to the losses up to the cut first, and its five parameters are fixed. The
  bands then take the loss law for true.
- "counts": T2PassK from counts, averaged to pass@k of each run at k = 1, 10 and 100. Runs that solve nothing at a k are
  left out of a fit, because their logit is infinite; so they are from the comparison.

    python -m experiments.checks.passk_dearer_runs [tiny] [-o FOLDER]    (reads T2JAX_DATA/apple-code/humaneval.csv)
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import jax
import numpy as np

import t2jax as t2
from experiments.shared.code_models import ForecastPoints
from experiments.shared.pictures import common_legend, draw_banded_points, small
from experiments.shared.real_tables import code_model_losses, code_models
from experiments.shared.record import UNSAVED, command, stage
from t2jax.evaluation.errors import Errors
from t2jax.extrapolation.averaged_counts import averaged_counts
from t2jax.extrapolation.predictions import as_choice
from t2jax.plot.style import BLACK, BLUE, GREEN, VERMILLION, log_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEVEL = 0.9
LAW = t2.laws.T2PassK
LEAST_TOKENS = 1.99e9
"""Pythia checkpoints trained on fewer tokens are left out, as in passk_on_pythia."""
COLOURS = {1.0: BLUE, 10.0: GREEN, 16.0: GREEN, 100.0: VERMILLION, 128.0: VERMILLION}


@dataclass(frozen=True)
class Config:
    """Which cuts."""

    cuts: tuple[float, ...] = (3e20, 1e21, 3e21)
    """Largest training compute of the code models that are fitted, FLOPs."""
    pythia_cuts: tuple[float, ...] = (3e19, 2e20, 1e21)
    """The same for the Pythia checkpoints."""
    sources: tuple[str, ...] = ("pass@k alone", "losses plugged in", "counts")
    """What the laws are fitted to."""
    questions: int | None = None
    """How many of the GSM8K questions, the first ones; all by default."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(pythia_cuts=(2e20,), sources=("counts",), questions=40)


@dataclass(frozen=True)
class Forecast:
    """Relative errors of pass@k beyond a cut, and how many of the dearer rows lie inside bands.

    half_width: median half width of the 90 % band over the prediction. loss_law: the law that was plugged in.
    """

    source: str
    cut: float
    fitted_runs: int
    predicted_runs: int
    errors: Errors
    coverage: float
    coverage_50: float
    half_width: float
    status: str
    loss_law: str
    points: ForecastPoints = field(repr=False, metadata=UNSAVED)


@dataclass(frozen=True)
class Result:
    """Forecasts by source and cut."""

    forecasts: tuple[Forecast, ...]


def run(config: Config) -> Result:
    forecasts = []
    for source in config.sources:
        table = pythia(config.questions) if source == "counts" else code_models("dclm")
        for cut in config.pythia_cuts if source == "counts" else config.cuts:
            with stage(f"{source} up to {cut:.2g} FLOPs"):
                forecasts.append(forecast(source, table, cut, jax.random.key(config.seed)))
    return Result(tuple(forecasts))


def pythia(questions: int | None) -> t2.Table:
    """Counts of the checkpoints that are compared, averaged over questions."""
    counts = t2.datasets.load("pythia-gsm8k")
    counts = counts.where(counts["tokens"] >= LEAST_TOKENS)
    counts = counts.where(np.isin(counts["question"], np.unique(counts["question"])[:questions]))
    shares = averaged_counts(LAW, counts)
    return shares.where((shares["pass_at_k"] > 0) & (shares["pass_at_k"] < 1))


def forecast(source: str, table: t2.Table, cut: float, key: Any) -> Forecast:
    """Fit up to a cut, predict beyond it."""
    out = table.compute() > cut
    below, dearer = table.where(~out), table.where(out)
    fixed: dict[str, float] = {}
    loss_law = ""
    if source == "losses plugged in":
        losses = code_model_losses()
        losses = losses.where(losses.compute() <= cut)
        plugged = t2.extrapolation.fit_discrepancy(t2.laws.Chinchilla, losses, key=key).law
        fixed, loss_law = {name: float(value) for name, value in plugged.values().items()}, repr(plugged)
    columns: Any = {name: below[name] for name in ("model", "params", "tokens", "samples", "pass_at_k")}
    below = t2.Table.from_columns(**columns)
    choice = as_choice(t2.extrapolation.fit_discrepancy(LAW, below, key=key, fixed=fixed))
    wide, narrow = (t2.predict_band(choice, dearer, level=level) for level in (LEVEL, 0.5))
    observed = np.asarray(dearer["pass_at_k"])
    points = ForecastPoints(dearer["samples"], observed, wide.mean, wide.low, wide.high)
    return Forecast(
        source=source,
        cut=cut,
        fitted_runs=len(set(below["model"])),
        predicted_runs=len(set(dearer["model"])),
        errors=Errors.of(wide.mean, observed),
        coverage=float(np.mean((wide.low <= observed) & (observed <= wide.high))),
        coverage_50=float(np.mean((narrow.low <= observed) & (observed <= narrow.high))),
        half_width=float(np.median((wide.high - wide.low) / (2 * wide.mean))),
        status=f"{choice.fits[0].status}; bands widened {choice.widening:.2g} times",
        loss_law=loss_law,
        points=points,
    )


def words(result: Result) -> list[str]:
    return [
        f"{row.source}, {row.fitted_runs} runs up to {row.cut:.2g} FLOPs: mean error {row.errors.mean_absolute:.1%},"
        f" bias {row.errors.bias:+.1%} for {row.predicted_runs} dearer runs; {row.coverage:.0%} of their rows in 90 %"
        f" bands of half width {row.half_width:.0%}, {row.coverage_50:.0%} in 50 % bands; {row.status}"
        for row in result.forecasts
    ]


def figures(result: Result) -> dict[str, "Figure"]:
    """Predicted against measured pass@k beyond the middle cut of each source."""
    sources = list(dict.fromkeys(row.source for row in result.forecasts))
    figure, axes = small(len(sources), height=1.6)
    for ax, source in zip(axes, sources, strict=True):
        forecasts = [row for row in result.forecasts if row.source == source]
        shown = forecasts[len(forecasts) // 2]
        points = shown.points
        for k, colour in COLOURS.items():
            rows = points.samples == k
            if not rows.any():
                continue
            label = {BLUE: "k = 1", GREEN: "k = 10 or 16", VERMILLION: "k = 100 or 128"}[colour]
            draw_banded_points(ax, points, rows, colour, label)
        ends = np.array([points.observed.min(), points.observed.max()])
        ax.plot(ends, ends, color=BLACK, linewidth=0.8, label="equal")
        ax.set(xscale="log", yscale="log")
        log_ticks(ax)
        ax.set_title(f"{source}\nup to {shown.cut:.0e} FLOPs")
    figure.supxlabel("measured pass@k")
    figure.supylabel("predicted pass@k")
    common_legend(figure, columns=4, title="dearer runs, with 90 % bands")
    return {"forecasts": figure}


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
