"""`t2jax quickstart`: the whole pipeline on the table that t2jax ships, told in sentences with intervals."""

import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field

import jax
import numpy as np

from t2jax import datasets
from t2jax.cli.figures import picture_fit
from t2jax.cli.fitting import Fitted, fit_and_save, fit_answer
from t2jax.cli.frontier.allocations import Allocations, solve
from t2jax.cli.frontier.figures import picture_frontier
from t2jax.cli.frontier.words import frontier_answer, frontier_frame, save_frontier
from t2jax.cli.options import FittingOptions
from t2jax.cli.output import FigureOptions, Output
from t2jax.cli.words import count, interval
from t2jax.laws.pass_at_k.t2_pass_k import T2PassK
from t2jax.laws.predict import evaluate
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import frontier
from t2jax.tables.table import Table

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
    output: FigureOptions = field(default_factory=FigureOptions)


def run(config: QuickstartConfig) -> int:
    """Fit, draw, allocate, save; 0 if the fit converged, else 1. Raises DatasetError where the table is damaged."""
    table = datasets.load("testbed", samples=SAMPLES, average=True, seeds=False)  # a third of the rows to compute
    table = table.where(table["tokens"] >= EARLIEST)
    budget = Budget(train=BUDGETS, inference=INFERENCE)
    with Output("quickstart", config.output, config) as out:
        # most of a first run is compilation, and a second core can do the frontier's during the fit
        ahead = threading.Thread(target=_compile, args=(budget, config.draws), daemon=True)
        ahead.start()
        runs, sizes = int(table["weight"].sum()) // len(SAMPLES), len(np.unique(table["params"]))
        out.say(
            f"How big a model, on how many tokens, for how many samples? {runs} checkpoints of {sizes} sizes, from",
            f"{count(table['params'].min())} to {count(table['params'].max())} parameters, each asked the questions of"
            " eight tasks (t2jax's own testbed); means over seeds are fitted.",
        )
        options = FittingOptions(draws=config.draws, seed=config.seed, over="runs", starts=STARTS)
        fitted = fit_and_save(T2PassK, table, options, out)
        if fitted.draws is None:
            print(f"t2jax: the fit gave no law ({fitted.fit.status})", file=sys.stderr)
            return out.finish(1, {"converged": False})
        with out.progress("compiling the frontier") as bar:
            ahead.join()
            bar.update()
        solved = solve(fitted.law, fitted.draws.laws, budget, out)
        with out.file("frontier.csv") as path:
            save_frontier(solved, path)
        with out.progress("figures") as bar:
            picture_fit(fitted.law, table, out)
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
    frame = frontier_frame(solved)
    one = frame[frame["train"] == TOLD].iloc[0]
    shift = solved.shift()
    at = int(np.sum(solved.usable[: one.name]))
    larger = "" if shift is None else f" ({interval(shift.low[at], shift.high[at], '{:.2f}'.format)})"
    params, ratio = one["chinchilla_params"], one["chinchilla_tokens_per_param"]
    samples = INFERENCE / (2 * params)
    reached = float(evaluate(solved.law, params=params, tokens=one["chinchilla_tokens"], samples=samples))

    def told(name: str) -> str:
        return f"({interval(one[f'{name}_low'], one[f'{name}_high'], count)})"

    inside = (frame["params"] >= table["params"].min()) & (frame["params"] <= table["params"].max())
    return [
        "",
        f"pass@k was fitted through the loss of each answer. The fit {fitted.fit.status}.",
        f"With {TOLD:.3g} FLOPs of training and {INFERENCE:.3g} FLOPs per token served (90 % intervals in brackets):",
        f"train {count(one['params'])} parameters {told('params')}",
        f"on {count(one['tokens'])} tokens {told('tokens')},",
        f"{count(one['tokens_per_param'])} tokens per parameter {told('tokens_per_param')},",
        f"and draw {count(one['samples'])} samples {told('samples')}: pass@k = {one['value']:.3f} {told('value')}.",
        f"The best model for one sample has {count(params)} parameters and {ratio:.3g} tokens per parameter; drawing"
        f" {count(samples)}",
        f"samples for the same cost it reaches pass@k = {reached:.3f}. Sampling makes the best model"
        f" {one['params'] / params:.2f} times as large{larger}.",
        f"The allocation is {solved.plan.status}.",
        f"Sizes lie inside the measured ones at {inside.sum()} of {len(inside)} training budgets.",
    ]
