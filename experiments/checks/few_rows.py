"""What do few rows say about the optimum? Random subsets of simulated tables, and bands of N* at 1e22 FLOPs.

Ten tables of 48 runs follow a Chinchilla law of random parameters with errors of 0.3 %. Of each, random subsets of 5 to
20 rows are fitted with a discrepancy, where the priors speak too. A band holds if the true N* lies in it.

    python -m experiments.checks.few_rows [tiny] [-o FOLDER]
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import jax
import numpy as np

import t2jax as t2
from experiments.shared.pictures import COLUMN
from experiments.shared.record import command, stage

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ERROR, BUDGET = 0.003, 1e22
SIZES, RATIOS = np.geomspace(2e7, 2e9, 8), np.geomspace(5, 160, 6)


@dataclass(frozen=True)
class Config:
    """How many tables and subsets, and how many rows these have."""

    tables: int = 10
    """Simulated tables."""
    subsets: int = 20
    """Random subsets of each table, for each number of rows."""
    rows: tuple[int, ...] = (5, 6, 8, 12, 20)
    """Numbers of rows of the subsets."""
    draws: int = 400
    """Draws behind a band."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(tables=1, subsets=3, rows=(5, 12), draws=100)


@dataclass(frozen=True)
class FewRows:
    """Bands of N* from subsets of one size.

    Attributes:
        rows: Number of rows.
        subsets: Number of subsets.
        coverage: Share of 90 % bands that contain the true N*, per cent.
        no_width: Number of bands without width.
        width: Median factor of the half-width of a band.
        unbounded: Share of subsets whose rows do not bound the optimum, per cent.
    """

    rows: int
    subsets: int
    coverage: float
    no_width: int
    width: float
    unbounded: float


@dataclass(frozen=True)
class Result:
    """One entry for each number of rows."""

    few: tuple[FewRows, ...]


def run(config: Config) -> Result:
    few = []
    for count in config.rows:
        with stage(f"{count} rows"):
            few.append(subsets_of(count, config))
    return Result(tuple(few))


def subsets_of(count: int, config: Config) -> FewRows:
    """Fits the subsets of one size and compares the bands with the truth."""
    params, ratio = (axis.ravel() for axis in np.meshgrid(SIZES, RATIOS))
    bands = []
    for table in range(config.tables):
        rng = np.random.default_rng([config.seed, table])
        law = _random_law(rng)
        losses = t2.evaluate(law, params=params, tokens=params * ratio)
        losses = losses * np.exp(ERROR * rng.standard_normal(len(params)))
        runs = t2.Table.from_columns(params=params, tokens=params * ratio, loss=losses)
        best = float(law.optimum(BUDGET)[0])
        for _ in range(config.subsets):
            chosen = np.isin(np.arange(len(runs)), rng.choice(len(runs), count, replace=False))
            key, draw_key = jax.random.split(jax.random.key(int(rng.integers(2**31))))
            fit = t2.extrapolation.fit_discrepancy(t2.laws.Chinchilla, runs.where(chosen), key=key)
            at = t2.extrapolation.optimum_band(fit, BUDGET, key=draw_key, draws=config.draws)
            low, high = at.params.low, at.params.high
            bands.append((low <= best <= high, high / low < 1.001, np.log(high / low) / 2, at.at_edge > 0.1))
    covers, no_width, width, unbounded = np.array(bands, float).T
    return FewRows(
        rows=count,
        subsets=len(bands),
        coverage=100 * float(covers.mean()),
        no_width=int(no_width.sum()),
        width=float(np.exp(np.median(width))),
        unbounded=100 * float(unbounded.mean()),
    )


def _random_law(rng: np.random.Generator) -> t2.laws.Chinchilla:
    """Draws a law near published fits."""
    alpha, beta = rng.uniform(0.28, 0.42, 2)
    return t2.laws.Chinchilla(
        E=float(rng.uniform(1.4, 2.0)),
        A=float(0.35 * 1e8**alpha * rng.uniform(0.7, 1.4)),
        B=float(0.45 * 2e9**beta * rng.uniform(0.7, 1.4)),
        alpha=float(alpha),
        beta=float(beta),
    )


def words(result: Result) -> list[str]:
    lines = ["rows  subsets  band of N* holds  no width  half-width, factor  not bounded"]
    for group in result.few:
        lines.append(
            f"{group.rows:4} {group.subsets:8} {group.coverage:16.0f}% {group.no_width:9} {group.width:19.2f} "
            f"{group.unbounded:11.0f}%"
        )
    return lines


def figures(result: Result) -> dict[str, "Figure"]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(COLUMN, 2.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    rows = [group.rows for group in result.few]
    left.axhline(90, color="0.7", lw=0.8)
    left.plot(rows, [group.coverage for group in result.few], "o-")
    left.set(xlabel="rows", ylabel="90 % bands that hold N*, %", ylim=(0, 103))
    right.plot(rows, [group.width for group in result.few], "o-")
    right.set(xlabel="rows", ylabel="half-width of the band, factor", yscale="log")
    return {"few_rows": figure}


if __name__ == "__main__":
    command(Config, run, words, figures)
