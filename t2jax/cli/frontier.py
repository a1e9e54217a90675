"""`t2jax frontier`: how big, on how many tokens and with how many samples, at each training budget."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from t2jax import laws
from t2jax.budgets import Budget
from t2jax.cli.allocation import solve
from t2jax.cli.fitting import fit_and_save, fit_answer
from t2jax.cli.frontier_output import frontier_answer, frontier_text, save_frontier
from t2jax.cli.frontier_pictures import picture_frontier
from t2jax.cli.options import FittingOptions, law_for, read
from t2jax.cli.output import Output, OutputOptions
from t2jax.laws.base import Law
from t2jax.posterior_files import POSTERIOR_FILE, load_posterior
from t2jax.save import DRAWS_FILE, load_draws, load_law
from t2jax.table import Table


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
    output: OutputOptions = field(default_factory=OutputOptions)


def run(config: FrontierConfig) -> int:
    """Solve, print and save; 0 if every fit and some allocation is good, else 1. Raises ValueError for bad input."""
    if (config.table is None) == (config.law_file is None):
        raise ValueError("frontier needs either a table to fit or --law-file, one of the two")
    budget = Budget(
        train=budgets(config.train),
        inference=config.inference,
        params_min=config.params_min,
        params_max=config.params_max,
        tokens_max=config.tokens_max,
        whole_samples=config.whole_samples,
    )
    with Output("frontier", config.output, config) as out:
        known = _known(config, out)
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
        if int(number) < 1:
            raise ValueError
        return np.geomspace(float(low), float(high), int(number))
    except ValueError:
        raise ValueError(f"--train: found {text!r}, expected FLOPs such as 1e24, or FROM:TO:COUNT") from None


@dataclass(frozen=True)
class _Known:
    """The law to plan with, None where there is none; its draws and table as far as there are any; the fit for JSON."""

    law: Law | None
    draws: Law | None = None
    table: Table | None = None
    answer: dict[str, Any] = field(default_factory=dict)


def _known(config: FrontierConfig, out: Output) -> _Known:
    if config.law_file is not None:
        law = load_law(config.law_file)
        return _Known(law, _draws_beside(config.law_file, law))
    table = read(str(config.table), config.fitting.units)
    fitted = fit_and_save(law_for(table, config.fitting.law), table, config.fitting, out)
    found, answer = fitted.fit, {"fit": fit_answer(fitted)}
    out.say(f"{laws.name_of(type(found.law))} on {table.source.name}: {found.status}", "")
    if not found.converged:
        print(f"t2jax: the fit gave no law ({found.status})", file=sys.stderr)
        return _Known(None, answer=answer)
    if found.undetermined and config.inference is not None:  # without, what one sample leaves open does not matter
        print(
            f"t2jax: no plan with samples, for the rows do not determine {', '.join(found.undetermined)}: fit rows that"
            " do, or hold what they leave open with --fixed NAME=VALUE",
            file=sys.stderr,
        )
        return _Known(None, answer=answer)
    return _Known(found.law, None if fitted.draws is None else fitted.draws.laws, table, answer)


def _draws_beside(path: Path, law: Law) -> Law | None:
    draws, posterior = path.with_name(DRAWS_FILE), path.with_name(POSTERIOR_FILE)
    if draws.exists() or not posterior.exists():
        return load_draws(draws, law) if draws.exists() else None
    found = load_posterior(posterior, type(law))
    if found.point.values() != law.values():
        raise ValueError(f"{posterior}: the draws belong to another law than {path.name} beside them; sample again")
    return found.laws
