"""`t2jax frontier`: how big, on how many tokens and with how many samples, at each training budget."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from t2jax.cli.frontier.allocations import solve
from t2jax.cli.frontier.figures import picture_frontier
from t2jax.cli.frontier.words import frontier_answer, frontier_text, save_frontier
from t2jax.cli.law_source import known_law
from t2jax.cli.options import FittingOptions
from t2jax.cli.output import FigureOptions, Output
from t2jax.planning.budget import Budget


@dataclass(frozen=True)
class FrontierConfig:
    """Find the compute-optimal parameters, tokens and samples at each training budget, with intervals."""

    table: tyro.conf.Positional[str | None] = None
    """A table to fit first, as for `t2jax fit`; or use --law-file."""
    law_file: Annotated[Path | None, tyro.conf.arg(metavar="law.json")] = None
    """A law that `t2jax fit` or `sample` wrote; draws.nc or posterior.nc beside it gives the intervals."""
    train: Annotated[str, tyro.conf.arg(metavar="FLOPS|FROM:TO:COUNT")] = "1e18:1e25:50"
    """Training FLOPs, 6ND: one number, or budgets spaced evenly on a log scale."""
    inference: float | None = None
    """Inference FLOPs per token served, 2Nk; without it one sample is drawn and serving is free."""
    params_min: float | None = None
    """The smallest model allowed."""
    params_max: float | None = None
    """The largest model allowed."""
    tokens_max: float | None = None
    """The training tokens there are."""
    whole_samples: bool = False
    """Draw a whole number of samples."""
    fitting: FittingOptions = field(default_factory=FittingOptions)
    output: FigureOptions = field(default_factory=FigureOptions)


def run(config: FrontierConfig) -> int:
    """Solve, print and save; 0 if every fit and some allocation is good, else 1. Raises ValueError for bad input."""
    budget = Budget(
        train=budgets(config.train),
        inference=config.inference,
        params_min=config.params_min,
        params_max=config.params_max,
        tokens_max=config.tokens_max,
        whole_samples=config.whole_samples,
    )
    with Output("frontier", config.output, config) as out:
        known = known_law(config.table, config.law_file, config.fitting, config.inference is not None, out)
        if known.law is None:
            return out.finish(1, {"converged": False, **known.answer})
        law, draws, table = known.law, known.draws, known.table
        solved = solve(law, draws, budget, out)
        out.say(frontier_text(solved))
        if not solved.usable.any():
            print(f"t2jax: no budget has an optimum: {solved.plan.status}", file=sys.stderr)
            return out.finish(1, {**known.answer, **frontier_answer(solved)})
        with out.file("frontier.csv") as path:
            save_frontier(solved, path)
        with out.progress("figures") as bar:
            picture_frontier(solved, table, out)
            bar.update()
        return out.finish(0, {**known.answer, **frontier_answer(solved)})


def budgets(text: str) -> np.ndarray:
    """Training FLOPs (budgets,) from "1e24" or "1e18:1e25:50". Raises ValueError for anything else."""
    try:
        low, high, number = text.split(":") if ":" in text else (text, text, "1")
        least, most, count = float(low), float(high), int(number)
    except ValueError:
        raise ValueError(f"--train: found {text!r}, expected FLOPs such as 1e24, or FROM:TO:COUNT") from None
    if count < 1 or (count == 1 and least != most):
        fewest = "two budgets are the fewest from one number to another" if count == 1 else "COUNT is one at least"
        raise ValueError(f"--train: found {text!r}, but {fewest}")
    if not all(np.isfinite(end) and end > 0 for end in (least, most)):
        raise ValueError(f"--train: found {text!r}, but training FLOPs are positive and finite")
    return np.geomspace(least, most, count)
