"""Do bands beyond the table hold where the truth is known? Simulated tables, with a smooth misfit and without.

Each table has 48 runs on a grid of four decades of compute, with errors of 0.3 %. Its truth is one of three laws, alone
or times exp(δ). δ is drawn from a Gaussian process of another kernel than the kernel of the fit: squared exponential, 1
% high, two decades long. The law of the truth is fitted with a discrepancy. Bands of the mean loss a decade beyond the
table and of N* at ten times its largest budget are compared with the truth.

    python -m experiments.checks.extrapolation_simulations [tiny] [-o FOLDER]
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import jax
import numpy as np

import t2jax as t2
from experiments.shared.pictures import COLUMN, common_legend
from experiments.shared.record import command, stage
from t2jax.noise.smooth.scales import Nodes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ERROR, MISFIT, LENGTH = 0.003, 0.01, 2 * np.log(10)
SIZES, RATIOS = np.geomspace(2e7, 2e9, 8), np.geomspace(5, 160, 6)
BEYOND = 10.0
"""How many times the largest compute the optimum's budget is, and the predicted runs' compute."""
TRUTHS: dict[str, t2.Law] = {
    "Chinchilla": t2.laws.Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37),
    "SharedExponent": t2.laws.SharedExponent(E=1.7, A=350.0, B=1100.0, alpha=0.33),
    "Kaplan": t2.laws.Kaplan(E=1.2, A=1.1e4, B=3.1e5, alpha=0.6, beta=0.66, kappa=0.5),
}


@dataclass(frozen=True)
class Config:
    """How many tables of each truth."""

    tables: int = 100
    """Tables of each truth, with a misfit and without."""
    draws: int = 400
    """Draws behind a band of N*."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(tables=2, draws=100)


@dataclass(frozen=True)
class Coverage:
    """Shares of 90 % bands that hold the truth, in per cent, with their half-widths.

    Attributes:
        truth: Name of the law.
        misfit: Whether the truth has a smooth misfit.
        predictions: Share of bands of the mean loss that hold it, over tables and places beyond the table.
        predictions_error: Standard error of that share, over tables.
        new_runs: Share of bands of one new run that hold its measurement.
        optimum: Share of bands of log N* that hold it.
        half_width: Mean half-width of the bands of the mean loss, per cent.
        half_width_optimum: Median factor of the half-width of N*.
        price: Mean ratio of band widths of the mean loss: with a discrepancy over without.
        without: Share of bands without a discrepancy that hold the mean loss.
    """

    truth: str
    misfit: bool
    predictions: float
    predictions_error: float
    new_runs: float
    optimum: float
    half_width: float
    half_width_optimum: float
    price: float
    without: float


@dataclass(frozen=True)
class Result:
    """One row for each truth, with and without a misfit."""

    coverage: tuple[Coverage, ...]


def run(config: Config) -> Result:
    rows = []
    for index, name in enumerate(TRUTHS):
        for misfit in (False, True):
            with stage(f"{name}, {'with a misfit' if misfit else 'no misfit'}"):
                rows.append(coverage(name, misfit, config, np.random.default_rng([config.seed, index, misfit])))
    return Result(tuple(rows))


def coverage(name: str, misfit: bool, config: Config, rng: np.random.Generator) -> Coverage:
    """Simulates the tables of one truth and measures what bands hold."""
    law, tables = TRUTHS[name], []
    params, ratio = (axis.ravel() for axis in np.meshgrid(SIZES, RATIOS))
    most = 6 * float(np.max(params**2 * ratio))
    line = np.geomspace(1e7, 1e12, 401)
    line_tokens = BEYOND * most / (6 * line)
    far_ratio = RATIOS
    far = np.sqrt(BEYOND * most / (6 * far_ratio))
    all_params, all_tokens = np.r_[params, far, line], np.r_[params * ratio, far * far_ratio, line_tokens]
    logs = np.log(t2.evaluate(law, params=all_params, tokens=all_tokens))
    root = _root(np.log(np.stack([all_params, all_tokens], axis=1))) if misfit else None
    ends = np.cumsum([len(params), len(far)])
    for _ in range(config.tables):
        truth = logs if root is None else logs + MISFIT * root @ rng.standard_normal(root.shape[1])
        here, there, isoflop = np.split(truth, ends)
        losses = np.exp(here + ERROR * rng.standard_normal(len(here)))
        runs = t2.Table.from_columns(params=params, tokens=params * ratio, loss=losses)
        key, draw_key = jax.random.split(jax.random.key(int(rng.integers(2**31))))
        fit = t2.extrapolation.fit_discrepancy(type(law), runs, key=key)
        beyond = t2.Table.from_columns(params=far, tokens=far * far_ratio)
        band = t2.predict_band(fit, beyond)
        plain = t2.predict_band(_without_discrepancy(fit), beyond)
        seen = there + ERROR * rng.standard_normal(len(there))
        best = t2.extrapolation.optimum_band(fit, BEYOND * most, key=draw_key, draws=config.draws).params
        optimum = line[np.argmin(isoflop)]
        tables.append(
            (
                np.mean((np.log(band.mean_low) <= there) & (there <= np.log(band.mean_high))),
                np.mean((np.log(band.low) <= seen) & (seen <= np.log(band.high))),
                best.low <= optimum <= best.high,
                np.mean(np.log(band.mean_high / band.mean_low)) / 2,
                np.log(best.high / best.low) / 2,
                np.mean(np.log(band.mean_high / band.mean_low)) / np.mean(np.log(plain.mean_high / plain.mean_low)),
                np.mean((np.log(plain.mean_low) <= there) & (there <= np.log(plain.mean_high))),
            )
        )
    columns = np.array(tables, float)
    means = columns.mean(axis=0)
    return Coverage(
        truth=name,
        misfit=misfit,
        predictions=100 * means[0],
        predictions_error=100 * float(columns[:, 0].std() / np.sqrt(len(columns))),
        new_runs=100 * means[1],
        optimum=100 * means[2],
        half_width=100 * means[3],
        half_width_optimum=float(np.exp(np.median(columns[:, 4]))),
        price=means[5],
        without=100 * means[6],
    )


def _root(places: np.ndarray) -> np.ndarray:
    """Computes a root of the squared-exponential correlation of places."""
    squares = ((places[:, None] - places[None]) ** 2).sum(-1)
    values, vectors = np.linalg.eigh(np.exp(-0.5 * squares / LENGTH**2))
    positive = values > 1e-10 * values[-1]
    return vectors[:, positive] * np.sqrt(values[positive])


def _without_discrepancy(fit: t2.extrapolation.DiscrepancyFit) -> t2.extrapolation.DiscrepancyFit:
    """Returns the fit with independent errors alone, of the size of its residuals."""
    left = np.log(fit.table["loss"]) - fit.curve.evaluate(fit.u, fit.curve.read(fit.table))[0]
    freedom = len(left) - len(fit.u)
    noise = np.array([np.sqrt(np.sum(left**2) / freedom)])
    zero = np.zeros(1)
    return replace(fit, nodes=Nodes(zero.astype(int), zero, noise, np.ones(1), fit.nodes.log_evidence, fit.log_odds))


def words(result: Result) -> list[str]:
    lines = ["truth           misfit | mean loss  new run  N* | half-width: loss  N* | price  without a discrepancy"]
    for row in result.coverage:
        lines.append(
            f"{row.truth:15} {'1 %' if row.misfit else 'none':>6} | {row.predictions:8.0f}% {row.new_runs:7.0f}%"
            f" {row.optimum:3.0f}% | {row.half_width:15.2f}% {row.half_width_optimum:4.2f} | {row.price:5.2f}"
            f" {row.without:21.0f}%"
        )
    return lines


def figures(result: Result) -> dict[str, "Figure"]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(COLUMN, 2.4), layout="constrained")
    ax = figure.subplots()
    ax.axhspan(87, 93, color="0.9", lw=0, label="87 to 93 %")
    place = np.arange(len(result.coverage))
    for label, values, marker in (
        ("mean loss", [row.predictions for row in result.coverage], "o"),
        ("N*", [row.optimum for row in result.coverage], "s"),
        ("mean loss, no discrepancy in the fit", [row.without for row in result.coverage], "x"),
    ):
        ax.plot(place, values, marker, label=label)
    names = [f"{row.truth}\n{'misfit' if row.misfit else 'none'}" for row in result.coverage]
    ax.set_xticks(place, names, rotation=45, ha="right")
    ax.set(ylabel="in the 90 % band, %", ylim=(0, 103))
    common_legend(figure, [ax], columns=2)
    return {"extrapolation_simulations": figure}


if __name__ == "__main__":
    command(Config, run, words, figures)
