"""Source of the law that a command plans with: a file with draws beside it, or a fit to a table."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax

from t2jax import laws
from t2jax.cli.fitting import FEWEST_ROWS, LEVEL, NOTHING_HELD, choice_answer, fit_answer, fit_chosen, one_task
from t2jax.cli.options import FittingOptions, HeldOptions
from t2jax.cli.output import Output
from t2jax.cli.tables.options import notes_of
from t2jax.extrapolation.averaged_counts import averaged_counts
from t2jax.extrapolation.discrepancy import fit_discrepancy
from t2jax.extrapolation.law_choice import LawChoice, choose_from
from t2jax.fitting.cautions import no_errors
from t2jax.fitting.fit import Fit
from t2jax.fitting.fitted_rows import load_fitted_rows
from t2jax.fitting.law_files import DRAWS_FILE, load_bootstrap, load_law, read_law_file
from t2jax.fitting.measured_range import MeasuredRange, load_measured_range
from t2jax.laws.base import Law
from t2jax.numerics.bands import too_few_draws
from t2jax.planning.frontier import check_reads_sizes
from t2jax.posterior.files import POSTERIOR_FILE, load_posterior
from t2jax.tables.table import Table

WITH_DEVIATIONS = ("loss", "pass_at_k", "neg_log_pass")
"""Columns of measurements whose law may have smooth deviations."""


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
        choice: The law or laws with their discrepancies, which give intervals beyond the table; None for other tables.
        answer: Part of the answer for --json.
    """

    law: Law | None
    draws: Law | None = None
    no_intervals: str = ""
    table: Table | None = None
    fit: Fit | None = None
    measured: MeasuredRange | None = None
    choice: LawChoice | None = None
    answer: dict[str, Any] = field(default_factory=dict)


def find_law(
    table: str | None,
    law_file: Path | None,
    fitting: FittingOptions,
    held_inputs: HeldOptions,
    samples: bool,
    out: Output,
) -> LawSource:
    """Reads the law from a file, or fits it to a table and saves the fit.

    If the plan chooses `samples`, the rows must determine every parameter, else those of terms in N and D. Without a
    law, the reason is printed on stderr.
    It raises ValueError unless exactly one of table and law_file is given.
    """
    if (table is None) == (law_file is None):
        raise ValueError(f"{out.command} needs either a table to fit or --law-file")
    if held_inputs.hold:
        out.say(f"{held_inputs.sentence}.", "")
    if law_file is not None:
        return law_of_file(law_file, fitting.seed, out.say, held_inputs=held_inputs)
    rows = fitting.read(str(table))
    fitted, choice = fit_chosen(rows, fitting, out, held_inputs)
    result = fitted.fit
    answer = {"fit": fit_answer(fitted), "choice": choice_answer(choice), "notes": notes_of(rows)}
    out.say(f"{laws.name_of(type(result.law))} on {rows.source.name}: {result.status}", "")
    if choice is not None:
        out.say(f"{choice.status}.", "")
    if not result.converged:
        print(f"t2jax: the fit failed ({result.status})", file=sys.stderr)
        return LawSource(None, answer=answer)
    check_reads_sizes(type(result.law))
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
    if choice is None and not fitting.fixed:
        choice = fit_deviations(type(result.law), rows, fitting.seed)
    law = result.law if choice is None else _estimate(result.law, choice, out.say)
    return LawSource(law, fitted.laws, fitted.no_intervals, rows, result, MeasuredRange.of(rows), choice, answer)


def _estimate(law: Law, choice: LawChoice, say: Callable[..., None]) -> Law:
    """Returns the law to plan with. A law through every row is no estimate, so with few rows the priors speak too."""
    smooth = choice.fits[0]
    if not no_errors(type(law), smooth.table, len(smooth.curve.names)):
        return law
    say(f"So the plan takes the most probable law under the priors: {choice.law!r}.", "")
    return choice.law


def fit_deviations(law: type[Law], rows: Table, seed: int) -> LawChoice | None:
    """Fits a law with smooth deviations, or returns None for few rows, and for rows of several tasks.

    Counts are averaged to pass@k of each run. Few runs then leave the law to the likelihood of their counts.
    """
    if not one_task(rows):
        return None
    if "correct" in rows:
        rows = averaged_counts(law, rows)
        if "pass_at_k" not in rows:
            return None
        rows = rows.where((rows["pass_at_k"] > 0) & (rows["pass_at_k"] < 1))
        if no_errors(law, rows, len(law.declared())):
            return None
    if not any(name in rows for name in WITH_DEVIATIONS) or len(rows) < FEWEST_ROWS:
        return None
    return choose_from([fit_discrepancy(law, rows, key=jax.random.key(seed))])


def _of_sizes(law: type[Law]) -> set[str]:
    """Returns the coefficients of powers of N or D, and their exponents; a plan of one sample rests on these alone."""
    powers = {name: parameter.power for name, parameter in law.declared().items()}
    return {
        name
        for coefficient, power in powers.items()
        if {"N", "D"} & {of for of, _ in power}
        for name in (coefficient, *(exponent for _, exponent in power))
    }


def _choice_of_file(
    path: Path, law: type[Law], content: dict[str, Any], seed: int, held_inputs: HeldOptions, say: Callable[..., None]
) -> LawChoice | None:
    """Fits the law of a file to the rows beside it again, with a discrepancy; None for a file without such rows."""
    if "rows" not in content:
        return None
    try:
        fitted = load_fitted_rows(path, law)
    except ValueError as reason:
        say(f"{reason}; so intervals take the law for true.", "")
        return None
    return None if fitted.fixed else fit_deviations(held_inputs.of(fitted.law), fitted.table, seed)


def law_of_file(
    path: Path,
    seed: int,
    say: Callable[..., None],
    law_class: type[Law] | None = None,
    held_inputs: HeldOptions = NOTHING_HELD,
) -> LawSource:
    """Reads a law, what its fit warned of, and the draws in the same folder, from a bootstrap or a posterior.

    `say` prints the warnings, and `law_class` is the class of a law that is not one of t2jax. `held_inputs` has values
    of its further columns. It raises ValueError as `load_law`, and for draws of another law.
    """
    law_in_file = load_law(path, law_class)
    law, measured = held_inputs.apply(law_in_file), load_measured_range(path)
    check_reads_sizes(type(law))
    content = read_law_file(path)
    choice = _choice_of_file(path, type(law_in_file), content, seed, held_inputs, say)
    if choice is not None and not path.with_name(DRAWS_FILE).exists():
        law = _estimate(law, choice, say)
    status = str(content["status"])
    if " converged: " in status:  # something is told before it
        say(f"{laws.name_of(type(law))} in {path}: {status}", "")
    draws, reason = draws_beside(path, law, say)
    of_posterior = path.with_name(POSTERIOR_FILE).exists() and not path.with_name(DRAWS_FILE).exists()
    return LawSource(law, draws, reason, measured=measured, choice=None if of_posterior else choice)


def draws_beside(path: Path, law: Law, say: Callable[..., None]) -> tuple[Law | None, str]:
    """Reads the draws in the folder of a law's file, from a bootstrap or a posterior.

    Returns the draws, None if there are none or no intervals can be taken from them, and a sentence on why not. `say`
    prints the warnings of a bootstrap. It raises ValueError for draws of another law.
    """
    draws, posterior = path.with_name(DRAWS_FILE), path.with_name(POSTERIOR_FILE)
    if draws.exists():
        drawn = load_bootstrap(draws, law)
        reason = drawn.no_band(LEVEL)
        if warning := reason or drawn.caution:
            say(f"bootstrap: {warning}", "")
        return None if reason else drawn.laws, reason
    if not posterior.exists():
        return None, ""
    sampled = load_posterior(posterior, type(law))
    if sampled.point.values() != law.values():
        raise ValueError(
            f"{posterior}: the draws belong to another law than {path.name} in the same folder; sample again"
        )
    few = too_few_draws(len(next(iter(sampled.laws.values().values()))), LEVEL)
    return None if few else sampled.laws, few
