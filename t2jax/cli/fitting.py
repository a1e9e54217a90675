"""Fit and bootstrap of a command, with progress bars and each result saved when it is ready."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from t2jax import laws
from t2jax.cli.options import FittingOptions, HeldOptions, law_for
from t2jax.cli.output import Output
from t2jax.cli.process.interrupt import Interrupted
from t2jax.cli.words import columns, interval
from t2jax.files import finite
from t2jax.fitting.bootstrap import Bootstrap, bootstrap, parametric_bootstrap, resampled_unit
from t2jax.fitting.cautions import shared_errors
from t2jax.fitting.fit import Fit, fit
from t2jax.fitting.law_files import DRAWS_FILE, LAW_FILE, ROWS_FILE, save_draws, save_law, settled_values
from t2jax.fitting.residual_summary import ResidualSummary
from t2jax.laws.base import Law
from t2jax.numerics.bands import Band, band
from t2jax.tables.formats import PROVENANCE
from t2jax.tables.table import Table

if TYPE_CHECKING:
    from t2jax.extrapolation.law_choice import LawChoice

LEVEL = 0.9
LARGEST_CHUNK, SMALLEST_CHUNK = 250, 25
FEWEST_ROWS, FEWEST_COMPARED = 3, 8
"""Fewest rows to which a law with a discrepancy is fitted, and among which laws are compared."""
NOTHING_HELD = HeldOptions()


@dataclass(frozen=True)
class Fitted:
    """A fit and its bootstrap.

    Attributes:
        fit: The fit.
        draws: The bootstrap, None if it was not asked for or the fit failed.
    """

    fit: Fit
    draws: Bootstrap | None

    @property
    def laws(self) -> Law | None:
        """Draws of the law for intervals, None without any that can be believed."""
        return None if self.draws is None or self.no_intervals else self.draws.laws

    @property
    def no_intervals(self) -> str:
        """Sentence on why draws that were asked for give no intervals. It is empty if they do."""
        return self.fit.no_errors or ("" if self.draws is None else self.draws.no_band(LEVEL))

    @property
    def draws_status(self) -> str:
        """Status of the bootstrap with the reason why it gives no intervals. It is empty without draws."""
        if self.draws is None:
            return ""
        reason = self.draws.no_band(LEVEL)
        status = self.draws.status
        return status if not reason or reason in status else f"{reason}; {status}"

    @property
    def law(self) -> Law:
        """Law as in law.json: a parameter whose fit ended at the end of its domain is exactly there."""
        return type(self.fit.law)(**settled_values(self.fit.law))


def fit_chosen(
    rows: Table, fitting: FittingOptions, out: Output, held_inputs: HeldOptions = NOTHING_HELD
) -> tuple[Fitted, "LawChoice | None"]:
    """Fits the law that was asked for, or without one the law that predicts dearer runs best, and saves the fit.

    The choice is None if a law was named, and for tables of counts, of pass@k or of several tasks, where the columns
    decide. If the rows do not determine the best law, the next one is taken.
    """
    fitting.check()
    named = None if fitting.law == "auto" else fitting.law
    losses = smooth_misfit_possible(rows) and len(rows) >= FEWEST_COMPARED
    if fitting.law == "auto" and (fitting.fixed or not losses):
        raise ValueError(
            f"--law auto compares laws of the loss on at least {FEWEST_COMPARED} rows of one task, without --fixed:"
            " name a law"
        )
    automatic = named is None and not fitting.fixed and losses
    if not automatic:
        return fit_and_save(held_inputs.of(law_for(rows, named)), rows, fitting, out), None
    from t2jax.extrapolation.law_choice import choose_law  # slow to load

    with out.progress("choosing a law") as bar:
        choice = choose_law(rows, key=jax.random.key(fitting.seed))
        bar.update()
    for smooth in choice.fits:
        fitted = fit_and_save(type(smooth.law), rows, fitting, out)
        if fitted.fit.converged and not fitted.fit.undetermined:
            return fitted, choice
        out.say(f"{laws.name_of(type(smooth.law))}: {fitted.fit.status}; so the next law is fitted.", "")
    return fit_and_save(type(choice.law), rows, fitting, out), choice


def smooth_misfit_possible(rows: Table) -> bool:
    """Checks whether the rows are losses of one task, to which a law with a discrepancy is fitted by default."""
    others = ("correct", "pass_at_k", "neg_log_pass", "error")
    return (
        "loss" in rows
        and rows.has_sizes
        and one_task(rows)
        and len(rows) >= FEWEST_ROWS
        and not any(name in rows for name in others)
    )


def fit_and_save(law: type[Law], table: Table, options: FittingOptions, out: Output, below: str = "") -> Fitted:
    """Fits, bootstraps, and writes law.json, its rows and draws.nc in the folder `below` the output's.

    It raises as `t2.fit`, and `Interrupted` with what was fitted if the bootstrap is interrupted.
    """
    options.check()
    fixed_values = options.fixed_values()
    key, draw_key = jax.random.split(jax.random.key(options.seed))
    with out.progress(f"fitting {law.__name__} to {len(table)} rows") as bar:
        result = fit(law, table, key=key, noise=options.noise_model(), fixed=fixed_values, starts=options.starts)
        bar.update()
    with out.file(below + ROWS_FILE) as rows:
        rows.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(rows)
    with out.file(f"{below}{ROWS_FILE}{PROVENANCE}"):
        pass  # which to_csv wrote too
    with out.file(below + LAW_FILE) as path:
        save_law(path, result, table, rows)
    if not result.converged or not options.draws or result.no_errors:  # the status says which
        return Fitted(result, None)
    try:
        return Fitted(result, draw_and_save(result, table, options, draw_key, out, below))
    except KeyboardInterrupt as stop:
        draws = stop.finished if isinstance(stop, Interrupted) else None
        raise Interrupted(Fitted(result, draws), stop) from None


def draw_and_save(fitted: Fit, table: Table, options: FittingOptions, key: Any, out: Output, below: str) -> Bootstrap:
    """Bootstraps in chunks of equal size, which compile once and let a progress bar move, and writes draws.nc.

    After an interrupt or an error the finished chunks are written, and the exception has a note about them. An
    interrupt has them too, as `Interrupted`.
    """
    size = chunk_size(options.draws)
    simulated = bool(fitted.problem.noise.not_resampled)
    if simulated and options.over != "default":
        raise ValueError(f"--over does not apply to --noise {options.noise}, of which whole tables are simulated")
    over = resampled_unit(table) if options.over == "default" else options.over
    parts: list[Bootstrap] = []

    def save() -> Bootstrap:
        laws = jax.tree.map(lambda *leaves: np.concatenate(leaves), *(part.laws for part in parts))
        failed, resampled = sum(part.failed for part in parts), parts[0].resampled
        caution = "" if simulated else shared_errors(table, over)
        drawn = Bootstrap(laws, size * len(parts), failed, resampled, caution, fitted.undetermined)
        with out.file(below + DRAWS_FILE) as path:
            save_draws(path, laws, fitted.law, f"bootstrap: {drawn.status}", asked=options.draws, tried=drawn.draws)
        return drawn

    try:
        with out.progress(f"bootstrap over {'simulated tables' if simulated else over}", total=options.draws) as bar:
            for chunk_key in jax.random.split(key, options.draws // size):
                if simulated:
                    parts.append(parametric_bootstrap(fitted, table, draws=size, key=chunk_key))
                else:
                    parts.append(bootstrap(fitted, table, draws=size, key=chunk_key, over=over))
                bar.update(size)
    except BaseException as stop:
        if not parts:
            raise
        drawn = save()
        stop.add_note(f"{drawn.draws} of {options.draws} bootstrap draws were made")
        if isinstance(stop, KeyboardInterrupt):
            raise Interrupted(drawn, stop) from None
        raise
    return save()


def choice_answer(choice: "LawChoice | None") -> dict[str, Any] | None:
    """Returns the choice for --json: the sentence, and the weight, error and discrepancy of each law."""
    if choice is None:
        return None
    return {
        "status": choice.status,
        "widening": choice.widening,
        "laws": {
            laws.name_of(type(smooth.law)): {
                "weight": float(weight),
                "errors": [finite(float(error)) for error in errors],
                "discrepancy": finite(smooth.amplitude),
                "status": smooth.status,
            }
            for smooth, weight, errors in zip(choice.fits, choice.weights, choice.errors, strict=True)
        },
    }


def one_task(rows: Table) -> bool:
    """Checks whether the rows have one task."""
    return "task" not in rows or len(set(rows["task"])) == 1


def chunk_size(draws: int) -> int:
    """Returns the largest divisor of `draws` that is a good chunk, or `draws` without such a divisor."""
    largest = max(size for size in range(1, LARGEST_CHUNK + 1) if draws % size == 0)
    return largest if largest >= SMALLEST_CHUNK else draws


def intervals(fitted: Fitted) -> dict[str, Band]:
    """Returns the interval of every free and determined parameter, or none without draws to believe."""
    if fitted.laws is None:
        return {}
    excluded = {*fitted.fit.problem.coordinates.fixed, *fitted.fit.undetermined}
    return {name: band(leaf, LEVEL) for name, leaf in fitted.laws.values().items() if name not in excluded}


def parameter_table(fitted: Fitted) -> str:
    """Returns the fitted parameters with their intervals, units and meanings, as text in columns."""
    result, bands = fitted.fit, intervals(fitted)
    fixed_values = dict(result.problem.coordinates.fixed)
    rows = []
    for name, parameter in type(result.law).declared().items():
        value = "undetermined" if name in result.undetermined else f"{parameter.settle(result.law.values()[name]):.6g}"
        ends = (parameter.settle(float(end)) for end in (bands[name].low, bands[name].high)) if name in bands else ()
        spread = interval(*ends) if name in bands else ""
        rows.append((name, value, "fixed" if name in fixed_values else spread, parameter.unit, parameter.doc))
    for determined in result.sums:
        drawn = None if fitted.laws is None else band(determined.of(fitted.laws), LEVEL)
        spread = "" if drawn is None else interval(float(drawn.low), float(drawn.high))
        unit = type(result.law).declared()[determined.group[0]].unit
        value = f"{float(determined.of(result.law)):.6g}"
        rows.append((determined.terms, value, spread, unit, "the sum that the rows determine"))
    return columns(("", "value", f"{100 * LEVEL:g} % interval", "unit", "meaning"), rows)


def fit_answer(fitted: Fitted) -> dict[str, Any]:
    """Returns the fit for --json: value, interval, unit and meaning of each parameter, and the status.

    The value of an undetermined parameter is null.
    """
    result, bands = fitted.fit, intervals(fitted)
    return {
        "parameters": {
            name: {
                "value": None if name in result.undetermined else finite(parameter.settle(result.law.values()[name])),
                "low": finite(parameter.settle(float(bands[name].low))) if name in bands else None,
                "high": finite(parameter.settle(float(bands[name].high))) if name in bands else None,
                "unit": parameter.unit,
                "doc": parameter.doc,
            }
            for name, parameter in type(result.law).declared().items()
        },
        "level": LEVEL,
        "objective": finite(result.objective),
        "converged": result.converged,
        "status": result.status,
        "undetermined": list(result.undetermined),
        "sums": {determined.terms: finite(float(determined.of(result.law))) for determined in result.sums},
        "residuals": None if result.residuals is None else _residuals_answer(result.residuals),
        "draws": fitted.draws_status or None,
    }


def _residuals_answer(residuals: ResidualSummary) -> dict[str, Any]:
    """Returns the distances of the law from its rows for --json."""
    return {
        "median": finite(residuals.median),
        "p90": finite(residuals.p90),
        "measure": residuals.measure,
        "of": residuals.of,
        "unit": residuals.unit,
    }
