"""`t2jax quickstart`: the whole pipeline on the table that t2jax ships, told in sentences with intervals."""

import sys
from dataclasses import dataclass, field

import numpy as np

from t2jax import datasets, laws
from t2jax.bootstrap import band
from t2jax.cli.allocation import Allocations, solve
from t2jax.cli.fitting import LEVEL, Fitted, fit_and_save, fit_answer, intervals
from t2jax.cli.frontier_output import frontier_answer, save_frontier
from t2jax.cli.frontier_pictures import picture_frontier
from t2jax.cli.options import FittingOptions
from t2jax.cli.output import Output, OutputOptions
from t2jax.cli.pictures import picture_fit, predict
from t2jax.cli.words import count, interval
from t2jax.costs import Budget
from t2jax.table import Table

EARLIEST = 2.0**18  # tokens; younger models have not begun to learn some of the tasks
SAMPLES = tuple(4.0**j for j in range(8))
BUDGETS = 1e10 * 2.0 ** np.arange(10)
TOLD = BUDGETS[6]
INFERENCE = 1.28e8


@dataclass(frozen=True)
class QuickstartConfig:
    """See what t2jax does, on a table of its own: fit, bootstrap, frontier and samples at test time, in a minute."""

    draws: int = 200
    """Bootstrap draws, over training runs."""
    seed: int = 0
    """Seed of the random starts and draws."""
    output: OutputOptions = field(default_factory=OutputOptions)


def run(config: QuickstartConfig) -> int:
    """Fit, draw, allocate, save; 0 if the fit converged, else 1. Raises DatasetError where the table is damaged."""
    table = datasets.load("testbed", samples=SAMPLES, average=True)
    table = table.where(table["tokens"] >= EARLIEST)
    with Output("quickstart", config.output, config) as out:
        runs, sizes = int(table.runs().max()) + 1, len(np.unique(table["params"]))
        out.say(
            f"How big a model, on how many tokens, for how many samples? {runs} checkpoints of {sizes} sizes, from",
            f"{count(table['params'].min())} to {count(table['params'].max())} parameters, each asked the questions of"
            " eight tasks (t2jax's own testbed).",
        )
        options = FittingOptions(draws=config.draws, seed=config.seed, over="runs")
        fitted = fit_and_save(laws.T2Loss, table, options, out)
        if fitted.draws is None:
            print(f"t2jax: the fit has failed: {fitted.fit.status}", file=sys.stderr)
            return out.finish(1, {"converged": False})
        budget = Budget(train=BUDGETS, inference=INFERENCE)
        solved = solve(fitted.fit.law, fitted.draws.laws, budget, out)
        with out.file("frontier.csv") as path:
            save_frontier(solved, path)
        with out.progress("figures") as bar:
            picture_fit(fitted.fit.law, table, out)
            picture_frontier(solved, table, out)
            bar.update()
        out.say(*_words(fitted, solved, table))
        return out.finish(0, {"fit": fit_answer(fitted), **frontier_answer(solved)})


def _words(fitted: Fitted, solved: Allocations, table: Table) -> list[str]:
    values, bands = fitted.fit.law.values(), intervals(fitted)
    shown = {name: f"{values[name]:.3g} ({interval(one.low, one.high)})" for name, one in bands.items()}
    i = int(np.flatnonzero(solved.train == TOLD)[0])
    assert solved.draws is not None and solved.chinchilla is not None and solved.chinchilla_draws is not None
    plan, single = solved.plan, solved.chinchilla
    shift = band(solved.draws.params[:, i] / solved.chinchilla_draws.params[:, i], LEVEL)
    samples = INFERENCE / (2 * single.params[i])
    cost = float(predict(solved.law, single.params[i], single.tokens[i], samples))
    return [
        "",
        f"With {100 * LEVEL:g} % intervals in brackets, -log pass@k = E + A/N^α + B/D^β + G/k^γ has",
        f"α = {shown['alpha']}, β = {shown['beta']}, γ = {shown['gamma']}. The fit {fitted.fit.status}.",
        f"With {TOLD:.3g} FLOPs of training and {INFERENCE:.3g} FLOPs per token served, train"
        f" {count(plan.params[i])} parameters ({_band(solved, 'params', i)})",
        f"on {count(plan.tokens[i])} tokens ({_band(solved, 'tokens', i)}) and draw {plan.samples[i]:.0f} samples"
        f" ({_band(solved, 'samples', i)}):",
        f"{plan.tokens_per_param[i]:.3g} tokens per parameter ({_band(solved, 'tokens_per_param', i)}), and -log pass@k"
        f" = {plan.value[i]:.3f} nats.",
        f"The best model for one sample has {count(single.params[i])} parameters and"
        f" {single.tokens_per_param[i]:.3g} tokens per parameter; sampled {samples:.0f} times for the same",
        f"money it reaches {cost:.3f} nats. Samples make the best model {plan.params[i] / single.params[i]:.2f} times"
        f" as large ({interval(shift.low, shift.high, '{:.2f}'.format)}).",
        f"The allocation is {plan.status}. {_measured(solved, table)}",
    ]


def _band(solved: Allocations, quantity: str, i: int) -> str:
    assert solved.draws is not None
    found = band(getattr(solved.draws, quantity)[:, i], LEVEL)
    return interval(found.low, found.high, count)


def _measured(solved: Allocations, table: Table) -> str:
    low, high = table["params"].min(), table["params"].max()
    inside = (solved.plan.params >= low) & (solved.plan.params <= high)
    return f"Its sizes lie inside the measured ones at {inside.sum()} of {len(inside)} training budgets."
