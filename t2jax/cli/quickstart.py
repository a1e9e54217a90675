"""`t2jax quickstart`: the whole pipeline on two public tables, told in sentences with numbers and intervals."""

import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import jax
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
from t2jax.fit import fit
from t2jax.frontier import frontier
from t2jax.table import Table

CHINCHILLA_FLOPS = 5.88e23  # 6ND of the published Chinchilla: 70e9 parameters, 1.4e12 tokens
BUDGETS = np.concatenate([np.geomspace(1e18, 1e25, 29), [CHINCHILLA_FLOPS]])
EARLIEST = 2e9  # younger Pythia checkpoints answer nothing, or were measured on other questions
PYTHIA_BUDGETS = 10.0 ** np.array([19, 19.5, 20, 20.5, 21, 21.5, 22])
PYTHIA_FLOPS, PYTHIA_INFERENCE = 1e21, 1e12
PYTHIA_STARTS = 2


@dataclass(frozen=True)
class QuickstartConfig:
    """See what t2jax does, on public tables: fit, bootstrap, frontier and samples at test time, in a minute."""

    draws: int = 1000
    """Bootstrap draws of the Chinchilla fit."""
    seed: int = 0
    """Seed of the random starts and draws."""
    output: OutputOptions = field(default_factory=OutputOptions)


def run(config: QuickstartConfig) -> int:
    """Both parts; 0 if both fits converged, else 1. Raises DatasetError where the tables cannot be had."""
    runs = datasets.load("chinchilla-epoch")
    counts = datasets.load("pythia-gsm8k")
    grown = counts.where(counts["tokens"] >= EARLIEST)
    with Output("quickstart", config.output, config) as out:
        # most of a first run is compilation, and a second core can do that of part 2 during part 1
        ahead = threading.Thread(target=_compile_pythia, args=(grown, config.seed), daemon=True)
        ahead.start()
        chinchilla = _chinchilla(runs, config, out)
        pythia = _pythia(grown, config, out, ahead) if chinchilla else None
        if chinchilla is None or pythia is None:
            print("t2jax: a fit of the quickstart has failed; its law.json says why", file=sys.stderr)
            return out.finish(1, {"converged": False})
        return out.finish(0, {"chinchilla": chinchilla, "pythia": pythia})


def _chinchilla(runs: Table, config: QuickstartConfig, out: Output) -> dict[str, Any] | None:
    """How big a model and how many tokens: the answer for --json, None if the fit failed."""
    out.say(f"1. How big, on how many tokens? {len(runs)} training runs of Hoffmann et al. 2022 ({runs.source.name}).")
    options = FittingOptions(draws=config.draws, seed=config.seed)
    fitted = fit_and_save(laws.Chinchilla, runs, options, out, below="chinchilla/")
    if fitted.draws is None:
        return None
    solved = solve(fitted.fit.law, fitted.draws.laws, Budget(train=np.sort(BUDGETS)), out)
    with out.file("chinchilla/frontier.csv") as path:
        save_frontier(solved, path)
    with out.progress("figures") as bar:
        picture_fit(fitted.fit.law, runs, out, below="chinchilla/")
        picture_frontier(solved, runs, out, below="chinchilla/")
        bar.update()
    out.say(*_chinchilla_words(fitted, solved))
    return {"fit": fit_answer(fitted), **frontier_answer(solved)}


def _chinchilla_words(fitted: Fitted, solved: Allocations) -> list[str]:
    values, bands = fitted.fit.law.values(), intervals(fitted)
    shown = {name: f"{values[name]:.4g} ({interval(one.low, one.high)})" for name, one in bands.items()}
    i = int(np.flatnonzero(solved.train == CHINCHILLA_FLOPS)[0])
    rule = np.sqrt(CHINCHILLA_FLOPS / 120), 20 * np.sqrt(CHINCHILLA_FLOPS / 120)
    assert solved.draws is not None
    ratio = band(solved.draws.tokens_per_param[:, i], LEVEL)
    params, tokens = band(solved.draws.params[:, i], LEVEL), band(solved.draws.tokens[:, i], LEVEL)
    loss = float(predict(solved.law, *rule, 1.0))
    within = "lies inside" if ratio.low <= 20 <= ratio.high else "lies outside"
    plan = solved.plan
    return [
        f"   With {100 * LEVEL:g} % intervals in brackets, L(N, D) = E + A/N^α + B/D^β has",
        f"   E = {shown['E']} nats/token, α = {shown['alpha']}, β = {shown['beta']}. The fit {fitted.fit.status}.",
        f"   Chinchilla's own {CHINCHILLA_FLOPS:.3g} FLOPs are best spent on {count(plan.params[i])} parameters",
        f"   ({interval(params.low, params.high, count)}) and {count(plan.tokens[i])} tokens"
        f" ({interval(tokens.low, tokens.high, count)}):",
        f"   {plan.tokens_per_param[i]:.3g} tokens per parameter ({interval(ratio.low, ratio.high, '{:.3g}'.format)}).",
        f"   The rule of 20 {within} that interval; it would cost {loss - plan.value[i]:.2g} nats/token more.",
    ]


def _compile_pythia(grown: Table, seed: int) -> None:
    """Run what `_pythia` runs, for the programs that JAX then has compiled; says nothing and writes nothing."""
    with suppress(Exception):  # what fails here fails again in part 2, which tells it
        fitted = fit(laws.T2PassK, grown, key=jax.random.key(seed), starts=PYTHIA_STARTS)
        frontier(fitted.law, _pythia_budget(grown))


def _pythia_budget(grown: Table) -> Budget:
    return Budget(train=PYTHIA_BUDGETS, inference=PYTHIA_INFERENCE, tokens_max=float(grown["tokens"].max()))


def _pythia(grown: Table, config: QuickstartConfig, out: Output, ahead: threading.Thread) -> dict[str, Any] | None:
    """How many samples: the answer for --json, None if the fit failed. ahead: compiles what is needed here."""
    checkpoints = int(grown.runs().max()) + 1
    out.say(
        "",
        f"2. How many samples? Answers of {checkpoints} Pythia checkpoints to GSM8K questions ({grown.source.name}).",
    )
    with out.progress("compiling") as bar:
        ahead.join()
        bar.update()
    options = FittingOptions(draws=0, seed=config.seed, starts=PYTHIA_STARTS)
    fitted = fit_and_save(laws.T2PassK, grown, options, out, below="pythia/")
    if not fitted.fit.converged:
        return None
    solved = solve(fitted.fit.law, None, _pythia_budget(grown), out)
    with out.file("pythia/frontier.csv") as path:
        save_frontier(solved, path)
    with out.progress("figures") as bar:
        picture_fit(fitted.fit.law, grown, out, below="pythia/")
        picture_frontier(solved, grown, out, below="pythia/")
        bar.update()
    out.say(*_pythia_words(fitted, solved))
    return {"fit": fit_answer(fitted), **frontier_answer(solved)}


def _pythia_words(fitted: Fitted, solved: Allocations) -> list[str]:
    assert solved.chinchilla is not None
    i = int(np.flatnonzero(solved.train == PYTHIA_FLOPS)[0])
    plan, single = (jax.tree.map(lambda leaf: leaf[i], one) for one in (solved.plan, solved.chinchilla))
    samples = PYTHIA_INFERENCE / (2 * single.params)
    other = float(predict(solved.law, single.params, single.tokens, samples))
    return [
        f"   pass@k was fitted to the counts by a beta-binomial likelihood. The fit {fitted.fit.status}.",
        f"   With {PYTHIA_FLOPS:.0e} training FLOPs, {PYTHIA_INFERENCE:.0e} FLOPs per token served and at most the",
        f"   {count(float(np.asarray(solved.budget.tokens_max)))} tokens that Pythia saw, train {count(plan.params)}"
        f" parameters on {count(plan.tokens)} tokens and draw {plan.samples:.0f} samples: pass@k = {plan.value:.3f}.",
        f"   The best model for one sample has {count(single.params)} parameters and {count(single.tokens)} tokens, and"
        f" pass@1 = {single.value:.4f};",
        f"   for the same serving cost it draws {samples:.0f} samples, and pass@k = {other:.3f}.",
        f"   The allocation is {plan.status}.",
        "   It is a point estimate. For intervals put the counts in a file with `t2jax data get pythia-gsm8k`, and run",
        "   `t2jax frontier` on that with --over runs.",
    ]
