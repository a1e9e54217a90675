"""Does the T² paper's recipe for Approach 1 find the law, and do robust fits in one go find it better?

The recipe: least squares on the mean of -log pass@k over all checkpoints and k, best of 500 starts. Ours: Huber's
function of the log residuals, the default. Both fit T2Loss to tables simulated from a known law on the paper's grid
(its measurements are not public): 16 sizes by 12 budgets, runs of 50M to 120B tokens. Every row has an error of its own
and shares one with the other k of its run; a few runs went wrong and ended too high, as real ones do.

    python -m experiments.approach1 [tiny] [-o FOLDER]
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import jax
import numpy as np

import t2jax as t2
from experiments.record import command, stage
from t2jax.precision import scope

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZES = 1e6 * np.array([5, 7, 9, 15, 22, 28, 37, 57, 84, 108, 149, 220, 347, 455, 611, 901])
BUDGETS = 1.25e16 * 2.0 ** np.arange(12)
TRUTH = t2.laws.T2Loss(E=0.9, A=900.0, B=15000.0, alpha=0.42, beta=0.48, G=2.2, gamma=0.25)
"""An assumed task: at 149M parameters, 3B tokens and one sample, -log pass@1 is 3.9 nats."""
PLANNED = t2.Budget(train=2.56e19, inference=2e9)


@dataclass(frozen=True)
class Config:
    """What is simulated, and how often."""

    tables: int = 20
    """Simulated tables."""
    starts: int = 500
    """Starts of the recipe's fits, as in the paper."""
    samples: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
    """The k at which every run is measured."""
    run_error: float = 0.02
    """Standard deviation of the log error that all rows of a run share."""
    row_error: float = 0.01
    """Standard deviation of a row's own log error."""
    failed_share: float = 0.03
    """Share of runs that went wrong."""
    failed_error: float = 0.15
    """How much too high the log of their loss is."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(tables=2, starts=8, samples=(1, 4, 32, 256))


@dataclass(frozen=True)
class Recipe:
    """How one way of fitting did over the tables: median absolute relative error of each parameter, and of N*.

    params_optimum: N* of every table. agreement: mean share of starts that reached the best optimum.
    """

    name: str
    agreement: float
    errors: dict[str, float]
    params_error: float
    params_optimum: np.ndarray


@dataclass(frozen=True)
class Result:
    """truth: the simulated law. N* is the optimal size at 2.56e19 training FLOPs and 2e9 per token served."""

    rows: int
    runs: int
    truth: dict[str, float]
    true_params_optimum: float
    recipes: tuple[Recipe, ...]


def run(config: Config) -> Result:
    keys = jax.random.split(jax.random.key(config.seed), config.tables)
    tables = [simulate(config, np.random.default_rng([config.seed, i])) for i in range(config.tables)]
    recipes = (
        ("paper: least squares", t2.noise.Gaussian(), config.starts),
        ("ours: Huber of the log", t2.noise.Huber(), 8),
    )
    fits = []
    for name, noise, starts in recipes:
        with stage(f"{name}, {config.tables} tables from {starts} starts"):
            fits += [
                t2.fit(t2.laws.T2Loss, table, noise=noise, starts=starts, key=key)
                for table, key in zip(tables, keys, strict=True)
            ]
    # the truth goes first, so that one call allocates for all
    laws = jax.tree.map(lambda *leaves: np.array(leaves), TRUTH, *(fit.law for fit in fits))
    true_size, *sizes = t2.frontier(laws, PLANNED).params.tolist()
    parts = [slice(i * config.tables, (i + 1) * config.tables) for i in range(len(recipes))]
    return Result(
        rows=len(tables[0]),
        runs=int(tables[0].runs().max()) + 1,
        truth=TRUTH.values(),
        true_params_optimum=true_size,
        recipes=tuple(
            judge(name, fits[part], np.array(sizes[part]), true_size)
            for (name, _, _), part in zip(recipes, parts, strict=True)
        ),
    )


def simulate(config: Config, random: np.random.Generator) -> t2.Table:
    """One table of the paper's shape, measured with errors."""
    params, budgets = (grid.ravel() for grid in np.meshgrid(SIZES, BUDGETS))
    tokens = budgets / (6 * params)
    kept = (tokens > 5e7) & (tokens < 1.2e11)
    params, tokens = params[kept], tokens[kept]
    shape = (len(params), len(config.samples))
    shared = config.run_error * random.standard_normal(len(params))
    shared += config.failed_error * (random.random(len(params)) < config.failed_share)
    error = shared[:, None] + config.row_error * random.standard_normal(shape)
    with scope():
        exact = np.asarray(TRUTH(params[:, None], tokens[:, None], np.array([config.samples], float)))
    return t2.Table.from_columns(
        model=[f"run-{i}" for i in np.repeat(np.arange(len(params)), shape[1])],
        params=np.repeat(params, shape[1]),
        tokens=np.repeat(tokens, shape[1]),
        samples=np.tile(config.samples, shape[0]),
        neg_log_pass=(exact * np.exp(error)).ravel(),
    )


def judge(name: str, fits: list[t2.Fit], sizes: np.ndarray, true_size: float) -> Recipe:
    errors = {
        name: float(np.median([abs(fit.law.values()[name] / true - 1) for fit in fits]))
        for name, true in TRUTH.values().items()
    }
    agreement = float(np.mean([fit.agreement for fit in fits]))
    return Recipe(name, agreement, errors, float(np.median(np.abs(sizes / true_size - 1))), sizes)


def words(result: Result) -> list[str]:
    lines = [
        f"{len(result.recipes[0].params_optimum)} simulated tables of {result.runs} runs and {result.rows} rows each.",
        f"True N* = {result.true_params_optimum:.4g}. Median absolute relative errors:",
    ]
    for one in result.recipes:
        errors = ", ".join(f"{name} {100 * error:.1f} %" for name, error in one.errors.items())
        lines.append(
            f"  {one.name}: N* {100 * one.params_error:.1f} %; {errors}; {one.agreement:.0%} of starts reached the best"
        )
    first, last = result.recipes
    lines.append(f"Error of N*, recipe over ours: {first.params_error / last.params_error:.2f}.")
    return lines


def figures(result: Result) -> dict[str, "Figure"]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 2.6), layout="constrained")
    ax = figure.subplots()
    for i, one in enumerate(result.recipes):
        error = 100 * (one.params_optimum / result.true_params_optimum - 1)
        ax.plot(error, np.full(len(error), -i), "o", color="#0072B2", alpha=0.5)
    ax.axvline(0, color="black", linewidth=1, linestyle="--")
    ax.set(ylim=(0.5 - len(result.recipes), 0.5), xlabel="error of the optimal parameters N* (%)")
    ax.set_yticks([-i for i in range(len(result.recipes))], [one.name for one in result.recipes])
    ax.set_title("one point per simulated table", fontsize="medium")
    return {"optimum": figure}


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
