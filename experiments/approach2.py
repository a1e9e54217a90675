"""Does the T² paper's two-stage recipe for Approach 2 find the law, and does one fit of everything find it better?

The recipe: (1) Chinchilla's law to the losses, E profiled on 40 values from 0.01 to 0.95 of the least loss, rows
weighted by the inverse variance of the losses of their isoFLOP group; (2) θ0 to θ4 by least squares on pass@k, the loss
law held. Ours: T2PassK to losses and pass@k jointly, the default. Both fit tables simulated from a known law on the
paper's grid (its measurements are not public): 16 sizes by 12 budgets, runs of 50M to 120B tokens, 1,000 questions
whose success is Beta distributed, so that pass@k has the error that so few questions leave.

    python -m experiments.approach2 [tiny] [-o FOLDER]
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
LOSS = t2.laws.Chinchilla(E=1.2, A=900.0, B=15000.0, alpha=0.42, beta=0.48)
TRUTH = t2.laws.T2PassK(loss=LOSS, theta0=2.3, theta1=3.0, theta2=0.9, theta3=1.5, theta4=-0.3)
"""An assumed task: at 149M parameters, 3B tokens and one sample, 66 % of the answers are right."""
PLANNED = t2.Budget(train=2.56e19, inference=2e9)


@dataclass(frozen=True)
class Config:
    """What is simulated, and how often."""

    tables: int = 10
    """Simulated tables."""
    profile: int = 40
    """Values of E that the recipe tries."""
    starts: int = 50
    """Starts of each of the recipe's fits, as in the paper."""
    questions: int = 1000
    """Questions of the task."""
    samples: tuple[int, ...] = (1, 4, 16, 64, 256, 1024)
    """The k at which every run is measured."""
    loss_error: float = 0.01
    """Standard deviation of the log of a run's loss."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(tables=1, profile=8, starts=4, questions=300, samples=(1, 16, 256))


@dataclass(frozen=True)
class Recipe:
    """How one way of fitting did over the tables: median absolute relative error of each parameter, and of N*.

    params_optimum: N* of every table.
    """

    name: str
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
    tables = [simulate(config, np.random.default_rng([config.seed, i])) for i in range(config.tables)]
    keys = jax.random.split(jax.random.key(config.seed), config.tables)
    with stage(f"two stages, {config.tables} tables"):
        staged = [two_stages(table, config, key) for table, key in zip(tables, keys, strict=True)]
    with stage(f"one fit, {config.tables} tables"):
        joint = [t2.fit(t2.laws.T2PassK, table, key=key).law for table, key in zip(tables, keys, strict=True)]
    # the truth goes first, so that one call allocates for all
    laws = jax.tree.map(lambda *leaves: np.array(leaves), TRUTH, *staged, *joint)
    true_size, *sizes = t2.frontier(laws, PLANNED).params
    staged_sizes, joint_sizes = np.split(np.array(sizes), 2)
    return Result(
        rows=len(tables[0]),
        runs=int(tables[0].runs().max()) + 1,
        truth=TRUTH.values(),
        true_params_optimum=float(true_size),
        recipes=(
            judge("paper: two stages", staged, staged_sizes / true_size, staged_sizes),
            judge("ours: one joint fit", joint, joint_sizes / true_size, joint_sizes),
        ),
    )


def simulate(config: Config, random: np.random.Generator) -> t2.Table:
    """One table of the paper's shape: each run's loss at one sample, and its pass@k at every k, on rows by k."""
    params, budgets = (grid.ravel() for grid in np.meshgrid(SIZES, BUDGETS))
    tokens = budgets / (6 * params)
    kept = (tokens > 5e7) & (tokens < 1.2e11)
    params, tokens, budgets = params[kept], tokens[kept], budgets[kept]
    with scope():
        loss, a, b = (np.asarray(one) for one in (TRUTH.loss(params, tokens), *TRUTH.questions(params, tokens)))
    success = random.beta(a, b, (config.questions, len(params)))
    loss = loss * np.exp(config.loss_error * random.standard_normal(len(params)))
    k = np.array(config.samples, float)
    # the mean over questions of 1 - (1 - p)^k, as the paper measures it from p itself
    passed = -np.expm1(k * np.log1p(-np.minimum(success, 1 - 1e-15))[..., None]).mean(axis=0)
    return t2.Table.from_columns(
        model=[f"run-{i}" for i in np.repeat(np.arange(len(params)), len(k))],
        params=np.repeat(params, len(k)),
        tokens=np.repeat(tokens, len(k)),
        budget=np.repeat(budgets, len(k)),
        samples=np.tile(k, len(params)),
        loss=np.repeat(loss, len(k)),
        pass_at_k=passed.ravel(),
    )


def two_stages(table: t2.Table, config: Config, key: jax.Array) -> t2.Law:
    """The paper's recipe: the loss law by weighted least squares with E profiled, then the link to pass@k."""
    once = table.where(samples=1)
    groups = [once["loss"][once["budget"] == budget] for budget in once["budget"]]
    once = once.with_columns(weight=np.array([1 / np.var(group) for group in groups]))
    tried = np.linspace(0.01, 0.95, config.profile) * once["loss"].min()
    least_squares = t2.noise.Gaussian()
    losses = [
        t2.fit(t2.laws.Chinchilla, once, noise=least_squares, fixed={"E": e}, starts=config.starts, key=key)
        for e in tried
    ]
    held = min(losses, key=lambda fit: fit.objective).law.values()
    return t2.fit(t2.laws.T2PassK, table, noise=least_squares, fixed=held, starts=config.starts, key=key).law


def judge(name: str, laws: list[t2.Law], ratios: np.ndarray, sizes: np.ndarray) -> Recipe:
    errors = {
        name: float(np.median([abs(law.values()[name] / true - 1) for law in laws]))
        for name, true in TRUTH.values().items()
    }
    return Recipe(name, errors, float(np.median(np.abs(ratios - 1))), sizes)


def words(result: Result) -> list[str]:
    lines = [
        f"{len(result.recipes[0].params_optimum)} simulated tables of {result.runs} runs and {result.rows} rows each.",
        f"True N* = {result.true_params_optimum:.4g}. Median absolute relative errors:",
    ]
    for one in result.recipes:
        errors = ", ".join(f"{name} {100 * error:.1f} %" for name, error in one.errors.items())
        lines.append(f"  {one.name}: N* {100 * one.params_error:.1f} %; {errors}")
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
