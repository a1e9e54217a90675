"""`t2jax frontier`: optimal size, tokens and samples at each training budget."""

import sys
from dataclasses import replace
from functools import partial

import numpy as np

from t2jax.cli.frontier.allocations import solve
from t2jax.cli.frontier.config import FrontierConfig
from t2jax.cli.frontier.figures import picture_frontier
from t2jax.cli.frontier.smooth_draws import draw_smooth_optima
from t2jax.cli.frontier.words import frontier_answer, frontier_text, save_frontier
from t2jax.cli.law_source import find_law
from t2jax.cli.options import at_stage, refuse_absurd
from t2jax.cli.output import Output
from t2jax.cli.process.interrupt import Interrupted
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import check_problem


def run(config: FrontierConfig) -> int:
    """Plans, prints and saves; returns 0 if the fit and some allocation succeed, else 1.

    It raises ValueError for bad input.
    """
    budget = Budget(
        train=budgets(config.train),
        inference=config.inference,
        params_min=config.params_min,
        params_max=config.params_max,
        tokens_max=config.tokens_max,
        unique_tokens=config.unique_tokens,
        total_per_active=config.total_per_active,
        inputs=config.held_inputs.given or None,
        whole_samples=config.whole_samples,
    )
    config.selecting.chosen()  # before anything is fitted
    fitting, held_inputs = at_stage(config.fitting, config.held_inputs)
    config = replace(config, fitting=fitting, held_inputs=held_inputs)
    if config.law_file is None:
        config.held_inputs.check(config.fitting.law, budget)
    with Output("frontier", config.output, config) as out:
        source = find_law(config.table, config.law_file, config.fitting, config.held_inputs, budget.serves, out)
        if source.law is None:
            return out.finish(1, {"converged": False, **source.answer})
        source = config.selecting.put_on(source)
        assert source.law is not None
        check_problem(type(source.law), budget)
        law, draws, table = source.law, source.draws, source.table
        try:
            smooth = partial(draw_smooth_optima, source.choice, seed=config.fitting.seed)
            allocations = solve(law, draws, budget, smooth, out)
        except Interrupted as stop:
            out.say(frontier_text(stop.finished))
            with out.file("frontier.csv") as path:
                save_frontier(stop.finished, path)
            all_budgets = len(budgets(config.train))
            missing = f"the last {all_budgets - len(stop.finished.train)} of {all_budgets} budgets"
            out.keep({**source.answer, **frontier_answer(stop.finished)}, f"{missing}, and figures")
            raise
        out.say(frontier_text(allocations))
        largest_run = np.inf if source.measured is None else source.measured.compute[1]
        if allocations.train.max() > largest_run:
            out.say("", f"Beyond {largest_run:.3g} FLOPs, the largest measured compute, these are forecasts.")
        if not allocations.usable.any():
            print(f"t2jax: no budget has an optimum: {allocations.plan.status}", file=sys.stderr)
            return out.finish(1, {**source.answer, **frontier_answer(allocations)})
        with out.file("frontier.csv") as path:
            save_frontier(allocations, path)
        with out.progress("figures") as bar:
            picture_frontier(allocations, table, out, measured=source.measured)
            bar.update()
        reason = source.no_intervals or allocations.no_intervals
        return out.finish(0, {**source.answer, **frontier_answer(allocations), "no_intervals": reason})


def budgets(text: str) -> np.ndarray:
    """Returns training FLOPs (budgets,) from "1e24" or "1e18:1e25:50". It raises ValueError for anything else."""
    try:
        low, high, number = text.split(":") if ":" in text else (text, text, "1")
        least, most, count = float(low), float(high), int(number)
    except ValueError:
        raise ValueError(f"--train: found {text!r}, expected FLOPs such as 1e24, or FROM:TO:COUNT") from None
    if count < 1 or (count == 1 and least != most):
        requirement = "a range needs at least two budgets" if count == 1 else "COUNT must be at least one"
        raise ValueError(f"--train: found {text!r}, but {requirement}")
    if not all(np.isfinite(end) and end > 0 for end in (least, most)):
        raise ValueError(f"--train: found {text!r}, but training FLOPs must be positive and finite")
    refuse_absurd(most, text)
    return np.geomspace(least, most, count)
