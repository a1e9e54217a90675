"""`t2jax quickstart`: the whole pipeline on the table that t2jax ships, told in sentences with intervals."""

import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field

import jax
import numpy as np

from t2jax import datasets
from t2jax.bootstrap import band
from t2jax.cli.allocation import Allocations, solve
from t2jax.cli.fitting import LEVEL, Fitted, fit_and_save, fit_answer
from t2jax.cli.frontier_output import frontier_answer, save_frontier
from t2jax.cli.frontier_pictures import picture_frontier
from t2jax.cli.options import FittingOptions
from t2jax.cli.output import Output, OutputOptions
from t2jax.cli.pictures import picture_fit, predict
from t2jax.cli.words import count, interval
from t2jax.costs import Budget
from t2jax.frontier import frontier
from t2jax.laws import T2PassK
from t2jax.table import Table

EARLIEST = 2.0**18  # tokens; younger models have not begun to learn some of the tasks
SAMPLES = tuple(8.0**j for j in range(5))
BUDGETS = 4e10 * 2.0 ** np.arange(8)
TOLD = BUDGETS[4]
INFERENCE = 1.28e8  # FLOPs per token served
STARTS = 2


@dataclass(frozen=True)
class QuickstartConfig:
    """See what t2jax does, on a table of its own: fit, bootstrap, frontier and samples at test time, in a minute."""

    draws: int = 50
    """Bootstrap draws, over training runs."""
    seed: int = 0
    """Seed of the random starts and draws."""
    output: OutputOptions = field(default_factory=OutputOptions)


def run(config: QuickstartConfig) -> int:
    """Fit, draw, allocate, save; 0 if the fit converged, else 1. Raises DatasetError where the table is damaged."""
    table = datasets.load("testbed", samples=SAMPLES, average=True)
    table = table.where(table["tokens"] >= EARLIEST)
    budget = Budget(train=BUDGETS, inference=INFERENCE)
    with Output("quickstart", config.output, config) as out:
        # most of a first run is compilation, and a second core can do the frontier's during the fit
        ahead = threading.Thread(target=_compile, args=(budget, config.draws), daemon=True)
        ahead.start()
        runs, sizes = int(table.runs().max()) + 1, len(np.unique(table["params"]))
        out.say(
            f"How big a model, on how many tokens, for how many samples? {runs} checkpoints of {sizes} sizes, from",
            f"{count(table['params'].min())} to {count(table['params'].max())} parameters, each asked the questions of"
            " eight tasks (t2jax's own testbed).",
        )
        options = FittingOptions(draws=config.draws, seed=config.seed, over="runs", starts=STARTS)
        fitted = fit_and_save(T2PassK, table, options, out)
        if fitted.draws is None:
            print(f"t2jax: the fit has failed: {fitted.fit.status}", file=sys.stderr)
            return out.finish(1, {"converged": False})
        with out.progress("compiling the frontier") as bar:
            ahead.join()
            bar.update()
        solved = solve(fitted.fit.law, fitted.draws.laws, budget, out)
        with out.file("frontier.csv") as path:
            save_frontier(solved, path)
        with out.progress("figures") as bar:
            picture_fit(fitted.fit.law, table, out)
            picture_frontier(solved, table, out)
            bar.update()
        out.say(*_words(fitted, solved, table))
        return out.finish(0, {"fit": fit_answer(fitted), **frontier_answer(solved)})


def _compile(budget: Budget, draws: int) -> None:
    """Solve the frontier of some law and as many draws of it, for the program that JAX then has compiled."""
    like = T2PassK(
        E=2.0, A=80.0, alpha=0.35, B=2e3, beta=0.5, theta0=1.4, theta1=0.7, theta2=0.9, theta3=-1.8, theta4=0.5
    )
    with suppress(Exception):  # what fails here fails again in front of the user
        frontier(jax.tree.map(lambda leaf: np.full(1 + draws, leaf), like), budget)


def _words(fitted: Fitted, solved: Allocations, table: Table) -> list[str]:
    i = int(np.flatnonzero(solved.train == TOLD)[0])
    assert solved.draws is not None and solved.chinchilla is not None and solved.chinchilla_draws is not None
    plan, single = solved.plan, solved.chinchilla
    shift = band(solved.draws.params[:, i] / solved.chinchilla_draws.params[:, i], LEVEL)
    samples = INFERENCE / (2 * single.params[i])
    reached = float(predict(solved.law, single.params[i], single.tokens[i], samples))
    return [
        "",
        f"pass@k was fitted through the loss of each answer. The fit {fitted.fit.status}.",
        f"With {TOLD:.3g} FLOPs of training and {INFERENCE:.3g} FLOPs per token served (90 % intervals in brackets):",
        f"train {count(plan.params[i])} parameters ({_band(solved, 'params', i)})",
        f"on {count(plan.tokens[i])} tokens ({_band(solved, 'tokens', i)}),",
        f"{count(plan.tokens_per_param[i])} tokens per parameter ({_band(solved, 'tokens_per_param', i)}),",
        f"and draw {count(plan.samples[i])} samples ({_band(solved, 'samples', i)}): pass@k = {plan.value[i]:.3f}"
        f" ({_band(solved, 'value', i)}).",
        f"The best model for one sample has {count(single.params[i])} parameters and"
        f" {single.tokens_per_param[i]:.3g} tokens per parameter; drawing {count(samples)}",
        f"samples for the same cost it reaches pass@k = {reached:.3f}. Sampling makes the best model"
        f" {plan.params[i] / single.params[i]:.2f} times as large"
        f" ({interval(shift.low, shift.high, '{:.2f}'.format)}).",
        f"The allocation is {plan.status}.",
        _measured(solved, table),
    ]


def _band(solved: Allocations, quantity: str, i: int) -> str:
    assert solved.draws is not None
    found = band(getattr(solved.draws, quantity)[:, i], LEVEL)
    return interval(found.low, found.high, count)


def _measured(solved: Allocations, table: Table) -> str:
    low, high = table["params"].min(), table["params"].max()
    inside = (solved.plan.params >= low) & (solved.plan.params <= high)
    return f"Sizes lie inside the measured ones at {inside.sum()} of {len(inside)} training budgets."
