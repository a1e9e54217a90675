"""What approach1 and approach2 share: how well ways of fitting recover a law from tables simulated with it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import numpy as np

import t2jax as t2
from experiments.shared.pictures import stacked
from experiments.shared.record import stage
from t2jax.plot.style import BLACK, BLUE, VERMILLION

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZES = 1e6 * np.array([5, 7, 9, 15, 22, 28, 37, 57, 84, 108, 149, 220, 347, 455, 611, 901])
BUDGETS = 1.25e16 * 2.0 ** np.arange(12)
PLANNED = t2.Budget(train=2.56e19, inference=2e9)


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


def paper_grid() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """N, D and training FLOPs of the paper's runs of 50M to 120B tokens, each (runs,)."""
    params, budgets = (grid.ravel() for grid in np.meshgrid(SIZES, BUDGETS))
    tokens = budgets / (6 * params)
    trained = (tokens > 5e7) & (tokens < 1.2e11)
    return params[trained], tokens[trained], budgets[trained]


def recover(
    truth: t2.Law, tables: Sequence[t2.Table], recipes: Mapping[str, Callable[..., t2.Fit]], seed: int
) -> Result:
    """Fit every table by every recipe, called as `recipe(table, key=key)`, and compare laws and N* with the truth."""
    keys = jax.random.split(jax.random.key(seed), len(tables))
    fits = {}
    for name, recipe in recipes.items():
        with stage(f"{name}, {len(tables)} tables"):
            fits[name] = [recipe(table, key=key) for table, key in zip(tables, keys, strict=True)]
    # the truth goes first, so that one call allocates for all
    results = [fit.law for group in fits.values() for fit in group]
    laws = jax.tree.map(lambda *leaves: np.array(leaves), truth, *results)
    true_size, *sizes = t2.frontier(laws, PLANNED).params.tolist()
    groups = np.reshape(sizes, (len(fits), len(tables)))
    return Result(
        rows=len(tables[0]),
        runs=int(tables[0].runs().max()) + 1,
        truth=truth.values(),
        true_params_optimum=true_size,
        recipes=tuple(
            Recipe(
                name=name,
                agreement=float(np.mean([fit.agreement for fit in group])),
                errors={
                    parameter: median_error([fit.law.values()[parameter] for fit in group], v)
                    for parameter, v in truth.values().items()
                },
                params_error=median_error(optimum, true_size),
                params_optimum=optimum,
            )
            for (name, group), optimum in zip(fits.items(), groups, strict=True)
        ),
    )


def median_error(values: Sequence[float] | np.ndarray, true: float) -> float:
    """The median absolute relative error."""
    return float(np.median(np.abs(np.asarray(values) / true - 1)))


def words(result: Result) -> list[str]:
    """The result in sentences."""
    lines = [
        f"{len(result.recipes[0].params_optimum)} simulated tables of {result.runs} runs and {result.rows} rows each.",
        f"True N* = {result.true_params_optimum:.4g}. Median absolute relative errors:",
    ]
    for recipe in result.recipes:
        errors = ", ".join(f"{name} {100 * error:.1f} %" for name, error in recipe.errors.items())
        starts = f"{recipe.agreement:.0%} of starts reached the best"
        lines.append(f"  {recipe.name}: N* {100 * recipe.params_error:.1f} %; {errors}; {starts}")
    first, last = result.recipes
    lines.append(f"Error of N*, recipe over ours: {first.params_error / last.params_error:.2f}.")
    return lines


def figures(result: Result) -> dict[str, "Figure"]:
    """The error of N* in every table, a row of points for each recipe."""
    figure, (ax,) = stacked(1, 1.1)
    for i, recipe in enumerate(result.recipes):
        error = 100 * (recipe.params_optimum / result.true_params_optimum - 1)
        height = -i + 0.3 * np.linspace(-1, 1, len(error))
        ax.plot(error, height, "o", color=BLUE, alpha=0.5, markeredgewidth=0)
        ax.plot([np.median(error)] * 2, [-i - 0.4, -i + 0.4], color=VERMILLION)
    ax.axvline(0, color=BLACK, linewidth=0.6, linestyle="--")
    ax.set(ylim=(0.4 - len(result.recipes), 0.6), xlabel="error of the optimal parameters N* (%)")
    names = [recipe.name.replace(": ", ":\n") for recipe in result.recipes]
    ax.set_yticks([-i for i in range(len(result.recipes))], names)
    ax.set_title("a point per simulated table; red: median")
    return {"optimum": figure}
