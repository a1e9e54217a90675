"""Source of the law that a command plans with: a file with draws beside it, or a fit to a table."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from t2jax import laws
from t2jax.cli.fitting import fit_and_save, fit_answer
from t2jax.cli.options import FittingOptions, law_for, read
from t2jax.cli.output import Output
from t2jax.fitting.fit import Fit
from t2jax.fitting.law_files import DRAWS_FILE, load_draws, load_law
from t2jax.fitting.measured_range import MeasuredRange, load_measured_range
from t2jax.laws.base import Law
from t2jax.posterior.files import POSTERIOR_FILE, load_posterior
from t2jax.tables.table import Table


@dataclass(frozen=True)
class LawSource:
    """Law to plan with, and its origin.

    Attributes:
        law: The law, None if the fit failed or is not enough for the plan.
        draws: Draws of the law, if there are any.
        table: Table of the fit, if there is one.
        fit: The fit, if there is one.
        measured: Ranges of the rows that were fitted, None if the file of the law lacks them.
        answer: Part of the answer for --json.
    """

    law: Law | None
    draws: Law | None = None
    table: Table | None = None
    fit: Fit | None = None
    measured: MeasuredRange | None = None
    answer: dict[str, Any] = field(default_factory=dict)


def find_law(
    table: str | None, law_file: Path | None, fitting: FittingOptions, samples: bool, out: Output
) -> LawSource:
    """Reads the law from a file, or fits it to a table and saves the fit.

    If the plan chooses `samples`, the rows must determine every parameter. Without a law, the reason is printed on
    stderr.
    It raises ValueError unless exactly one of table and law_file is given.
    """
    if (table is None) == (law_file is None):
        raise ValueError(f"{out.command} needs either a table to fit or --law-file")
    if law_file is not None:
        law = load_law(law_file)
        return LawSource(law, _draws_beside(law_file, law), measured=load_measured_range(law_file))
    rows = read(str(table), fitting.units, fitting.where)
    fitted = fit_and_save(law_for(rows, fitting.law), rows, fitting, out)
    result, answer = fitted.fit, {"fit": fit_answer(fitted)}
    out.say(f"{laws.name_of(type(result.law))} on {rows.source.name}: {result.status}", "")
    if not result.converged:
        print(f"t2jax: the fit failed ({result.status})", file=sys.stderr)
        return LawSource(None, answer=answer)
    if result.undetermined and samples:  # a plan of one sample does not depend on them
        print(
            f"t2jax: no plan with samples, because the rows do not determine {', '.join(result.undetermined)}; fit rows"
            " that do, or fix these parameters with --fixed NAME=VALUE",
            file=sys.stderr,
        )
        return LawSource(None, answer=answer)
    draws = None if fitted.draws is None else fitted.draws.laws
    return LawSource(result.law, draws, rows, result, MeasuredRange.of(rows), answer)


def _draws_beside(path: Path, law: Law) -> Law | None:
    """Returns the draws in the folder of a law file, from a bootstrap or a posterior, if there are any."""
    draws, posterior = path.with_name(DRAWS_FILE), path.with_name(POSTERIOR_FILE)
    if draws.exists() or not posterior.exists():
        return load_draws(draws, law) if draws.exists() else None
    sampled = load_posterior(posterior, type(law))
    if sampled.point.values() != law.values():
        raise ValueError(
            f"{posterior}: the draws belong to another law than {path.name} in the same folder; sample again"
        )
    return sampled.laws
