"""Which runs tell most of N* far above the budgets that were trained, for the same compute?

The truth is a random Chinchilla law of published size, measured with noise. All ways begin from the same small pilot
and spend the same compute on runs of at most the same size. The range of tokens per parameter and the fit are the same
too. The error of a way is the error of log N* at a hundred times the largest run. The ways are: (a) the isoFLOP grid,
centred at the pilot's N*, of usual width and as wide as the range; (b) runs drawn at random; (c) Chinchilla's 20 tokens
per parameter; (d) `t2.next_runs` in three rounds with a fit between. Way (d) runs once with as many runs as the grid,
and once with three times as many. The compute pays for these, since most of them are small.

    python -m experiments.benchmarks.next_run [tiny] [-o FOLDER]
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import jax
import numpy as np

import t2jax as t2
from experiments.shared.pictures import common_legend, stacked
from experiments.shared.record import command, stage
from t2jax.plot.style import AXIS_LABELS, BLACK, BLUE, GREY, VERMILLION, log_ticks
from t2jax.working_precision import scope

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEAST, MOST = 1e18, 1e21
"""FLOPs of the smallest and the largest run."""
TARGET = 100 * MOST
RATIOS = 1.0, 1000.0
"""Tokens per parameter that runs may have."""
BUDGETS, SIZES = 6, 6
"""Of the isoFLOP grid."""
ROUNDS = (0.1, 0.3, 0.6)
"""Shares of the compute that next_runs spends before each further fit."""
MANY = 3 * BUDGETS * SIZES
PILOT = np.array([LEAST, 10 * LEAST])
"""Budgets of the pilot: four sizes each, around 20 tokens per parameter."""
REGION = t2.planning.Region(LEAST, MOST, *RATIOS)
GRID, WIDE, PARABOLAS = "isoFLOP grid", "isoFLOP grid, widest", "isoFLOP grid, parabolas"
RANDOM, RAY, OURS, OURS_MANY = "random", "20:1 ray", "next_runs, as many runs", "next_runs, 3 times the runs"
WAYS = (GRID, WIDE, PARABOLAS, RANDOM, RAY, OURS, OURS_MANY)

Runs = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Config:
    """How many laws, and how noisy."""

    laws: int = 200
    """Simulations, each of another law."""
    noise: float = 0.005
    """Standard deviation of the log of a loss."""
    width: float = 4.0
    """Of the isoFLOP grid: times either way in N."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(laws=1)


@dataclass(frozen=True)
class Way:
    """One way to spend the compute. error, error90: median and 90 % quantile of |log N*/true N*| over the simulations.

    errors: of each simulation, infinite where the fit gave no N*. runs, spent: medians of how many runs and FLOPs.
    """

    name: str
    error: float
    error90: float
    runs: float
    spent: float
    failed: int
    errors: np.ndarray


@dataclass(frozen=True)
class Result:
    """pilot: median error of the fit to the pilot alone. examples: N and D of the first simulation, by way."""

    noise: float
    simulations: int
    compute: float
    pilot: float
    ways: tuple[Way, ...]
    examples: dict[str, Runs]

    def ratio(self, name: str, over: str = GRID) -> float:
        """Median error of a way over that of another."""
        by = {way.name: way.error for way in self.ways}
        return by[name] / by[over]


def run(config: Config) -> Result:
    with stage(f"{config.laws} simulations"):
        done = [simulate(config, np.random.default_rng([config.seed, law])) for law in range(config.laws)]

    def off(name: str) -> tuple[np.ndarray, float, float]:
        errors = np.abs([errors_of_law[name] for errors_of_law, _ in done])
        median, high = np.quantile(errors, (0.5, 0.9), method="higher")
        return errors, float(median), float(high)

    ways = []
    for name in WAYS:
        runs = [spent_on[name] for _, spent_on in done]
        count = float(np.median([len(n) for n, _ in runs]))
        spent = float(np.median([6 * np.sum(n * d) for n, d in runs]))
        errors, median, high = off(name)
        ways.append(Way(name, median, high, count, spent, int(np.isinf(errors).sum()), errors))
    return Result(config.noise, config.laws, compute(), off("pilot")[1], tuple(ways), done[0][1])


def compute() -> float:
    """FLOPs that each way has beside the pilot: those of the grid."""
    return float(SIZES * np.geomspace(LEAST, MOST, BUDGETS).sum())


def simulate(config: Config, random: np.random.Generator) -> tuple[dict[str, float], dict[str, Runs]]:
    """Error of log N* and the runs of every way, for one random law."""
    truth = random_law(random)
    with scope():
        right = float(np.log(truth.optimum(TARGET)[0]))

    def measured(runs: Runs) -> np.ndarray:
        with scope():
            return np.asarray(truth(*runs)) * np.exp(config.noise * random.standard_normal(len(runs[0])))

    pilot = isoflop(np.sqrt(PILOT / 6 / 20), PILOT, 4, config.width)
    begun = measured(pilot)

    def fitted(runs: Runs, losses: np.ndarray) -> tuple[t2.Fit, t2.Table]:
        rows = table(pilot, begun, runs, losses)
        noise = t2.noise.Gaussian("log")
        return t2.fit(t2.laws.Chinchilla, rows, noise=noise, key=jax.random.key(config.seed)), rows

    nothing = (np.zeros(0), np.zeros(0))
    first, rows = fitted(nothing, np.zeros(0))
    budgets = np.geomspace(LEAST, MOST, BUDGETS)
    with scope():
        centres = np.clip(np.asarray(first.law.optimum(budgets)[0]), *sizes_of(budgets))
    middle = np.sqrt(budgets / 6 / np.sqrt(RATIOS[0] * RATIOS[1]))
    runs = {
        GRID: isoflop(centres, budgets, SIZES, config.width),
        WIDE: isoflop(middle, budgets, SIZES, (RATIOS[1] / RATIOS[0]) ** 0.25),
        RANDOM: at_random(random),
        RAY: ray(),
    }
    errors = {"pilot": optimum(first) - right}
    for name, places in runs.items():
        losses = measured(places)
        errors[name] = optimum(fitted(places, losses)[0]) - right
        if name == GRID:
            errors[PARABOLAS] = parabolas(budgets, places[0], losses) - right
    runs[PARABOLAS] = runs[GRID]
    for name, count in ((OURS, BUDGETS * SIZES), (OURS_MANY, MANY)):
        fit, measured_rows, places, losses = first, rows, nothing, np.zeros(0)
        for share in np.cumsum(ROUNDS):
            left = share * compute() - 6 * float(np.sum(places[0] * places[1]))
            chosen = chosen_runs(fit, measured_rows, count // len(ROUNDS), left)
            losses = np.r_[losses, measured(chosen)]
            places = np.r_[places[0], chosen[0]], np.r_[places[1], chosen[1]]
            fit, measured_rows = fitted(places, losses)
        errors[name], runs[name] = optimum(fit) - right, places
    return errors, runs


def random_law(random: np.random.Generator) -> t2.laws.Chinchilla:
    """Exponents of 0.28 to 0.42, E of 1.5 to 2, and size and data terms of 0.25 to 0.55 nats at 1e9 and 2e10.

    Around Hoffmann et al. 2022 (2203.15556) and Besiroglu et al. 2024 (2404.10102), whose terms there are 0.35 and 0.36
    to 0.53 nats.
    """
    irreducible = random.uniform(1.5, 2.0)
    alpha, beta = random.uniform(0.28, 0.42, 2)
    size, data = np.exp(random.uniform(np.log(0.25), np.log(0.55), 2))
    return t2.laws.Chinchilla(E=irreducible, A=size * 1e9**alpha, B=data * 2e10**beta, alpha=alpha, beta=beta)


def sizes_of(budgets: np.ndarray) -> Runs:
    """The least and the largest N allowed at each budget."""
    return np.sqrt(budgets / 6 / RATIOS[1]), np.sqrt(budgets / 6 / RATIOS[0])


def isoflop(centres: np.ndarray, budgets: np.ndarray, sizes: int, width: float) -> Runs:
    """Sizes around the centre of each budget, even in log N: from 1/width to width times, or to the range's end."""
    low, high = sizes_of(budgets)
    params = np.geomspace(np.maximum(centres / width, low), np.minimum(centres * width, high), sizes, axis=1)
    return params.ravel(), (budgets[:, None] / 6 / params).ravel()


def at_random(random: np.random.Generator) -> Runs:
    """Runs even in the logs of compute and of tokens per parameter, until all is spent."""
    flops = np.exp(random.uniform(np.log(LEAST), np.log(MOST), MANY))
    return spread(within(flops), random.uniform(np.log(RATIOS[0]), np.log(RATIOS[1]), MANY))


def ray() -> Runs:
    """As many sizes as are paid for, even in log compute between the smallest and the largest run."""
    paid = (np.geomspace(LEAST, MOST, count) for count in range(MANY, 1, -1))
    flops = next(costs for costs in paid if costs.sum() <= compute() * 1.001)
    return spread(flops, np.full(MANY, np.log(20.0)))


def within(flops: np.ndarray) -> np.ndarray:
    """The first runs that are paid for, and one more for what is left if that is a run."""
    affordable = flops[np.cumsum(flops) <= compute()]
    left = compute() - affordable.sum()
    return np.append(affordable, left) if len(affordable) < len(flops) and left >= LEAST else affordable


def spread(flops: np.ndarray, log_ratio: np.ndarray) -> Runs:
    """N and D of given compute and log of D/N."""
    params = np.sqrt(flops / 6 / np.exp(log_ratio[: len(flops)]))
    return params, flops / 6 / params


def chosen_runs(fit: t2.Fit, rows: t2.Table, count: int, flops: float) -> Runs:
    """The next runs of `next_runs`, or equal runs at all ratios where the fit has no optimum to plan for."""
    try:
        plan = t2.next_runs(fit, rows, t2.Budget(train=TARGET), candidates=REGION, count=count, compute=flops)
    except ValueError:
        share = flops / count
        return spread(np.full(count, share), np.linspace(np.log(RATIOS[0]), np.log(RATIOS[1]), count))
    return plan.params, plan.tokens


def table(pilot: Runs, begun: np.ndarray, runs: Runs, losses: np.ndarray) -> t2.Table:
    """Pilot and runs, and rows that weigh nothing, so that all tables have one length and need one compilation."""
    params, tokens = np.r_[pilot[0], runs[0]], np.r_[pilot[1], runs[1]]
    measured = np.r_[begun, losses]
    blank = len(pilot[0]) + MANY - len(params)
    return t2.Table.from_columns(
        params=np.r_[params, np.full(blank, params[0])],
        tokens=np.r_[tokens, np.full(blank, tokens[0])],
        loss=np.r_[measured, measured[0] * (1 + 1e-6 * np.arange(1, blank + 1))],
        weight=np.r_[np.ones(len(params)), np.full(blank, 1e-12)],
    )


def optimum(fit: t2.Fit) -> float:
    """log N* at the target, infinite where the fit has none."""
    with scope():
        size = float(np.log(fit.law.optimum(TARGET)[0]))
    return size if np.isfinite(size) else np.inf


def parabolas(budgets: np.ndarray, params: np.ndarray, losses: np.ndarray) -> float:
    """log N* at the target by Approach 2 of Hoffmann et al. 2022: a line through the vertices of parabolas in log N."""
    logs = np.log(params).reshape(len(budgets), -1)
    fits = [np.polyfit(x - x.mean(), y, 2) for x, y in zip(logs, losses.reshape(logs.shape), strict=True)]
    bent = np.array([a > 0 for a, _, _ in fits])
    if bent.sum() < 2:
        return np.inf
    vertices = np.array([x.mean() - b / (2 * a) for x, (a, b, _) in zip(logs, fits, strict=True)])
    slope, start = np.polyfit(np.log(budgets)[bent], vertices[bent], 1)
    return float(start + slope * np.log(TARGET))


def words(result: Result) -> list[str]:
    """The result in sentences."""
    lines = [
        f"Error of log N* at {TARGET:g} FLOPs over {result.simulations} random laws, with noise of "
        f"{100 * result.noise:g} %, {result.compute:.3g} FLOPs beside the pilot (median error {result.pilot:.3f}):"
    ]
    for way in result.ways:
        lines.append(
            f"  {way.name}: median {way.error:.4f}, 90 % below {way.error90:.4f}, {way.runs:g} runs for "
            f"{way.spent:.3g} FLOPs, {result.ratio(way.name):.2f} of the grid's median"
            + (f"; {way.failed} without N*" if way.failed else "")
        )
    return lines


def figures(result: Result) -> dict[str, "Figure"]:
    """Shares of simulations below each error, and where one simulation's runs lie."""
    errors, (left,) = stacked(1, 2.3)
    places, (right,) = stacked(1, 2.3)
    styles = {
        GRID: (BLACK, "-", "o"),
        WIDE: (BLACK, "--", ""),
        PARABOLAS: (BLACK, ":", ""),
        RANDOM: (GREY, "-", ""),
        RAY: (GREY, "--", ""),
        OURS: (VERMILLION, "-", "s"),
        OURS_MANY: (BLUE, "-", "^"),
    }
    for way in result.ways:
        name = way.name.replace("next_runs", "t2jax")
        colour, line, marker = styles[way.name]
        share = (np.arange(len(way.errors)) + 1) / len(way.errors)
        left.plot(np.sort(way.errors), share, line, color=colour, label=f"{name}: {way.error:.3f}")
        if marker:
            params, tokens = result.examples[way.name]
            right.plot(6 * params * tokens, tokens / params, marker, color=colour, alpha=0.6, label=name)
    left.set(xscale="log", xlabel="error of log N*", ylabel="share of simulations below", ylim=(0, 1))
    left.axhline(0.5, color=GREY, linewidth=0.6)
    right.set(xscale="log", yscale="log", xlabel=AXIS_LABELS["train"], ylabel="tokens per parameter D/N")
    right.set_title("runs of one simulation")
    log_ticks(left)
    log_ticks(right)
    common_legend(errors, columns=1, title="median error of")
    common_legend(places, columns=1)
    return {"errors": errors, "places": places}


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
