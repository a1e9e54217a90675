"""How wrong are isoFLOP parabolas (Approach 2 of Chinchilla) where the law is known, and is fitting the law better?

At each of five budgets losses of a known Chinchilla law are measured on a grid in log D. A parabola is put through
them. A line through the logs of the vertices is extrapolated to 1e24 FLOPs. Without any noise the vertices are off
wherever α and β differ, by a shift that depends on α, β and the grid alone. So the exponents come out right and D* does
not. Where grids drift away from the optimum as budgets grow, exponents are off too. Published errors: Czech et al. 2026
(2603.22339). Beside them ours: the law itself fitted to the same losses, once without noise and many times with it.

    python -m experiments.checks.isoflop_bias [tiny] [-o FOLDER]
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import jax
import numpy as np

import t2jax as t2
from experiments.shared.pictures import common_legend, power, stacked
from experiments.shared.record import command, stage
from t2jax.plot.style import BLACK, BLUE, GREY, VERMILLION
from t2jax.working_precision import scope

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BUDGETS = np.geomspace(1e17, 1e21, 5)
TARGET = 1e24
COEFFICIENTS = {"E": 1.69, "A": 406.4, "B": 410.7}
SURFACES = {
    "symmetric": {"alpha": 0.31, "beta": 0.31},
    "chinchilla": {"alpha": 0.34, "beta": 0.28},
    "asymmetric": {"alpha": 0.465, "beta": 0.155},
}
"""Exponents of the three surfaces of Czech et al. 2026; the coefficients are those of Hoffmann et al. 2022."""
PUBLISHED = {
    "symmetric": (0.0, 0.0, 0.0, 0.0),
    "chinchilla": (-0.326937803732719, -1.301125043704300, -2.902904738135434, -5.100244551712022),
    "asymmetric": (-1.674747716507073, -6.497778742083532, -13.910418584294648, -23.116308048545221),
}
"""Error of D* at 1e24 FLOPs in per cent for grids of 2, 4, 8 and 16 times either way: results of Czech et al. 2026."""
DRIFTS = (6.070971949665736, 5.171168143371758, 3.697903197519233, 1.689066535602950)
"""The same on the symmetric surface, where grids are centred three times too high at the largest budget."""
WIDTHS = (2.0, 4.0, 8.0, 16.0)


@dataclass(frozen=True)
class Config:
    """Which grids, and how noisy."""

    points: int = 15
    """Runs per budget."""
    noise: float = 0.003
    """Standard deviation of the log of a loss, as between seeds."""
    tables: int = 200
    """Simulated tables with noise, of every grid."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(tables=3)


@dataclass(frozen=True)
class Spread:
    """Errors of D* at the target over simulated tables, in per cent: median, 5 % and 95 %, median of the size."""

    median: float
    low: float
    high: float
    absolute: float


@dataclass(frozen=True)
class Grid:
    """One surface measured on one grid. Errors are relative, of D* at the target, in per cent.

    closed_form: of the shift of a vertex. parabola: of the line through the vertices. law: of our fit. exponent:
    error of the exponent of D* that the parabolas give. Each Spread is over tables with noise.
    """

    surface: str
    width: float
    drift: float
    closed_form: float | None
    published: float
    parabola: float
    exponent: float
    law: float
    noisy_parabola: Spread
    noisy_law: Spread


@dataclass(frozen=True)
class Result:
    """grids: every surface by every width, then the drifting grids."""

    noise: float
    tables: int
    grids: tuple[Grid, ...]


def run(config: Config) -> Result:
    cases = [(name, width, 1.0, PUBLISHED[name][i]) for name in SURFACES for i, width in enumerate(WIDTHS)]
    cases += [("symmetric", width, 3.0, DRIFTS[i]) for i, width in enumerate(WIDTHS)]
    grids = []
    for name, width, drift, published in cases:
        with stage(f"{name}, {width:g} times either way, drift {drift:g}"):
            grids.append(study(config, name, width, drift, published))
    return Result(config.noise, config.tables, tuple(grids))


def study(config: Config, name: str, width: float, drift: float, published: float) -> Grid:
    """Both ways of finding D* on one grid, without noise and with it."""
    law = t2.laws.Chinchilla(**COEFFICIENTS, **SURFACES[name])
    params, tokens = grid(law, width, config.points, drift)
    with scope():
        losses = np.asarray(law(params, tokens))
    vertices = parabola_vertices(np.log10(tokens), losses)
    exact, slope = error_by_parabolas(law, vertices)
    random = np.random.default_rng(config.seed)
    noise = np.exp(config.noise * random.standard_normal((config.tables, *losses.shape)))
    by_parabola = [error_by_parabolas(law, parabola_vertices(np.log10(tokens), losses * errors))[0] for errors in noise]
    by_law = [error_by_law(law, params, tokens, losses * errors) for errors in noise]
    return Grid(
        surface=name,
        width=width,
        drift=drift,
        closed_form=100 * (10 ** vertex_shift(law, width, config.points) - 1) if drift == 1 else None,
        published=published,
        parabola=exact,
        exponent=float(slope - law.alpha / (law.alpha + law.beta)),
        law=error_by_law(law, params, tokens, losses),
        noisy_parabola=spread(by_parabola),
        noisy_law=spread(by_law),
    )


def grid(law: t2.laws.Chinchilla, width: float, points: int, drift: float) -> tuple[np.ndarray, np.ndarray]:
    """N and D (budgets, points): `width` times either way in D, centred at D* times 1 rising to `drift`."""
    with scope():
        best = np.asarray(law.optimum(BUDGETS)[1])
    centres = best * np.geomspace(1.0, drift, len(BUDGETS))
    tokens = centres[:, None] * np.geomspace(1 / width, width, points)
    return BUDGETS[:, None] / (6 * tokens), tokens


def parabola_vertices(logs: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Where a least-squares parabola in log10 D has its vertex, for every budget."""
    fits = [np.polyfit(x - x.mean(), y, 2) for x, y in zip(logs, losses, strict=True)]
    return np.array([x.mean() - b / (2 * a) for x, (a, b, _) in zip(logs, fits, strict=True)])


def error_by_parabolas(law: t2.laws.Chinchilla, vertices: np.ndarray) -> tuple[float, float]:
    """Error of D* at the target in per cent, and the exponent, of a line through log10 of the vertices."""
    slope, start = np.polyfit(np.log10(BUDGETS), vertices, 1)
    with scope():
        best = float(law.optimum(TARGET)[1])
    return 100 * (10 ** (start + slope * np.log10(TARGET)) / best - 1), float(slope)


def error_by_law(law: t2.laws.Chinchilla, params: np.ndarray, tokens: np.ndarray, losses: np.ndarray) -> float:
    """Error of D* at the target in per cent, by Chinchilla's law fitted to the same losses (least squares of logs)."""
    table = t2.Table.from_columns(params=params.ravel(), tokens=tokens.ravel(), loss=losses.ravel())
    noise = t2.noise.Gaussian(transform="log")
    fit = t2.fit(t2.laws.Chinchilla, table, noise=noise, key=jax.random.key(0))
    with scope():
        return 100 * (float(fit.law.optimum(TARGET)[1]) / float(law.optimum(TARGET)[1]) - 1)


def vertex_shift(law: t2.laws.Chinchilla, width: float, points: int) -> float:
    """Shift of the vertex in log10 D on a grid centred at D*: section 4 of the derivation of Czech et al. 2026.

    With x = log(D/D*), the loss less E is in proportion to exp(αx)/α + exp(-βx)/β. A parabola over a symmetric grid
    has the vertex -s1·(m4 - m2²)/(2·m2·(s2 - m2·s0)). Here m are means of powers of x, and s of powers times the loss.
    """
    x = np.linspace(-np.log(width), np.log(width), points)
    shape = np.exp(law.alpha * x) / law.alpha + np.exp(-law.beta * x) / law.beta
    m2, m4 = np.mean(x**2), np.mean(x**4)
    s0, s1, s2 = np.mean(shape), np.mean(x * shape), np.mean(x**2 * shape)
    return float(-s1 * (m4 - m2**2) / (2 * m2 * (s2 - m2 * s0)) / np.log(10))


def spread(errors: list[float]) -> Spread:
    low, median, high = np.quantile(errors, (0.05, 0.5, 0.95))
    return Spread(float(median), float(low), float(high), float(np.median(np.abs(errors))))


def words(result: Result) -> list[str]:
    """The result in sentences."""
    lines = [f"Error of D* at {TARGET:g} FLOPs, extrapolated from five budgets of {BUDGETS[0]:g} to {BUDGETS[-1]:g}:"]
    for grid in result.grids:
        drift = "" if grid.drift == 1 else f", centres drifting to {grid.drift:g} times D*"
        lines.append(
            f"  {grid.surface}, {grid.width:g} times either way{drift}: parabolas {grid.parabola:+.2f} % (published "
            f"{grid.published:+.2f} %), exponent off by {grid.exponent:+.4f}; the law fitted {grid.law:+.1e} %. "
            f"With noise of {100 * result.noise:g} %: parabolas {_describe(grid.noisy_parabola)}, "
            f"law {_describe(grid.noisy_law)}"
        )
    off = max(abs(grid.parabola - grid.published) for grid in result.grids)
    ratio = np.median([grid.noisy_parabola.absolute / grid.noisy_law.absolute for grid in result.grids])
    lines.append(f"Largest difference from the published errors: {off:.1g} points.")
    lines.append(f"Median error of D* with noise, parabolas over law, median of the grids: {ratio:.2f}.")
    return lines


def _describe(errors: Spread) -> str:
    return f"{errors.median:+.1f} % ({errors.low:+.1f} to {errors.high:+.1f})"


def figures(result: Result) -> dict[str, "Figure"]:
    """Errors against the width of the grid: without noise, and with noise both ways beside each other."""
    exact, (ax,) = stacked(1, 2.3)
    series = [("symmetric", 1.0, GREY), ("chinchilla", 1.0, BLUE), ("asymmetric", 1.0, VERMILLION)]
    for name, drift, colour in series:
        chosen = [grid for grid in result.grids if (grid.surface, grid.drift) == (name, drift)]
        widths = [grid.width for grid in chosen]
        label = f"parabolas, α = {SURFACES[name]['alpha']:g}, β = {SURFACES[name]['beta']:g}"
        ax.plot(widths, [grid.parabola for grid in chosen], "o-", color=colour, label=label)
        ax.plot(widths, [grid.law for grid in chosen], "x", color=BLACK, label="the law fitted, all of these")
    drifting = [grid for grid in result.grids if grid.drift != 1]
    label = "the first, centres drifting to 3 D*"
    ax.plot([grid.width for grid in drifting], [grid.parabola for grid in drifting], "o--", color=GREY, label=label)
    ax.set_title("without noise")
    common_legend(exact, columns=1)

    noisy, (below,) = stacked(1, 2.0)
    chosen = [grid for grid in result.grids if (grid.surface, grid.drift) == ("chinchilla", 1.0)]
    for shift, label, colour in ((0.95, "parabolas", VERMILLION), (1.05, "the law fitted", BLUE)):
        spreads = [grid.noisy_parabola if label == "parabolas" else grid.noisy_law for grid in chosen]
        middle = np.array([spread.median for spread in spreads])
        ends = np.abs(np.array([[spread.low, spread.high] for spread in spreads]).T - middle)
        widths = [shift * grid.width for grid in chosen]
        below.errorbar(widths, middle, ends, fmt="o", color=colour, label=f"{label}: median and 90 %")
    below.set_title(f"Chinchilla's law, {result.tables} tables, {100 * result.noise:g} % noise")
    common_legend(noisy, columns=1)
    for axis in (ax, below):
        _widths(axis)
    return {"exact": exact, "noisy": noisy}


def _widths(ax: "Axes") -> None:
    ax.axhline(0, color=BLACK, linewidth=0.6)
    ax.set_xscale("log", base=2)
    ax.set_xticks(WIDTHS, [f"{width:g}×" for width in WIDTHS])
    ax.set(xlabel="range of tokens, times either way of D*", ylabel=f"error of D* at {power(TARGET)} FLOPs (%)")


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
