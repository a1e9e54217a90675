"""Source of the law that a command plans with: a file with draws beside it, or a fit to a table."""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from t2jax import laws
from t2jax.cli.fitting import LEVEL, fit_and_save, fit_answer
from t2jax.cli.options import FittingOptions, law_for
from t2jax.cli.output import Output
from t2jax.fitting.fit import Fit
from t2jax.fitting.law_files import DRAWS_FILE, load_bootstrap, load_law
from t2jax.fitting.measured_range import MeasuredRange, load_measured_range
from t2jax.laws.base import Law
from t2jax.numerics.bands import too_few_draws
from t2jax.posterior.files import POSTERIOR_FILE, load_posterior
from t2jax.tables.table import Table


@dataclass(frozen=True)
class LawSource:
    """Law to plan with, and its origin.

    Attributes:
        law: The law, None if the fit failed or is not enough for the plan.
        draws: Draws of the law for intervals, if there are any.
        no_intervals: Sentence on why draws give no intervals, empty if they do or there are none.
        table: Table of the fit, if there is one.
        fit: The fit, if there is one.
        measured: Ranges of the rows that were fitted, None if the file of the law lacks them.
        answer: Part of the answer for --json.
    """

    law: Law | None
    draws: Law | None = None
    no_intervals: str = ""
    table: Table | None = None
    fit: Fit | None = None
    measured: MeasuredRange | None = None
    answer: dict[str, Any] = field(default_factory=dict)


def find_law(
    table: str | None, law_file: Path | None, fitting: FittingOptions, samples: bool, out: Output
) -> LawSource:
    """Reads the law from a file, or fits it to a table and saves the fit.

    If the plan chooses `samples`, the rows must determine every parameter, else those of terms in N and D. Without a
    law, the reason is printed on stderr.
    It raises ValueError unless exactly one of table and law_file is given.
    """
    if (table is None) == (law_file is None):
        raise ValueError(f"{out.command} needs either a table to fit or --law-file")
    if law_file is not None:
        return _law_of_file(law_file, out)
    rows = fitting.read(str(table))
    fitted = fit_and_save(law_for(rows, fitting.law), rows, fitting, out)
    result, answer = fitted.fit, {"fit": fit_answer(fitted)}
    out.say(f"{laws.name_of(type(result.law))} on {rows.source.name}: {result.status}", "")
    if not result.converged:
        print(f"t2jax: the fit failed ({result.status})", file=sys.stderr)
        return LawSource(None, answer=answer)
    arbitrary = [name for name in result.undetermined if samples or name in _of_sizes(type(result.law))]
    if arbitrary:
        kind = "plan with samples" if samples else "plan"
        print(
            f"t2jax: no {kind}, because the rows do not determine {', '.join(arbitrary)}; fit rows"
            " that do, or fix these parameters with --fixed NAME=VALUE",
            file=sys.stderr,
        )
        return LawSource(None, answer=answer)
    if fitted.draws is not None and (warning := fitted.no_intervals or fitted.draws.caution):
        out.say(f"bootstrap: {warning}", "")
    return LawSource(result.law, fitted.laws, fitted.no_intervals, rows, result, MeasuredRange.of(rows), answer)


def _of_sizes(law: type[Law]) -> set[str]:
    """Returns the coefficients of powers of N or D, and their exponents; a plan of one sample rests on these alone."""
    powers = {name: parameter.power for name, parameter in law.declared().items()}
    return {
        name
        for coefficient, power in powers.items()
        if {"N", "D"} & {of for of, _ in power}
        for name in (coefficient, *(exponent for _, exponent in power))
    }


def _law_of_file(path: Path, out: Output) -> LawSource:
    """Reads a law, what its fit warned of, and the draws in the same folder, from a bootstrap or a posterior."""
    law, measured = load_law(path), load_measured_range(path)
    draws, posterior = path.with_name(DRAWS_FILE), path.with_name(POSTERIOR_FILE)
    status = str(json.loads(path.read_text(encoding="utf-8"))["status"])
    if " converged: " in status:  # something is told before it
        out.say(f"{laws.name_of(type(law))} in {path}: {status}", "")
    if draws.exists():
        drawn = load_bootstrap(draws, law)
        reason = drawn.no_band(LEVEL)
        if warning := reason or drawn.caution:
            out.say(f"bootstrap: {warning}", "")
        return LawSource(law, None if reason else drawn.laws, reason, measured=measured)
    if not posterior.exists():
        return LawSource(law, measured=measured)
    sampled = load_posterior(posterior, type(law))
    if sampled.point.values() != law.values():
        raise ValueError(
            f"{posterior}: the draws belong to another law than {path.name} in the same folder; sample again"
        )
    few = too_few_draws(len(next(iter(sampled.laws.values().values()))), LEVEL)
    return LawSource(law, None if few else sampled.laws, few, measured=measured)
