"""`t2jax fit`: a law fitted to a table of runs, with bootstrap intervals, files and figures."""

import sys

from t2jax import laws
from t2jax.cli.figures import picture_fit
from t2jax.cli.fit.config import FitConfig
from t2jax.cli.fitting import Fitted, choice_answer, fit_answer, fit_chosen, parameter_table
from t2jax.cli.output import Output
from t2jax.cli.process.interrupt import Interrupted
from t2jax.cli.tables.options import notes_of
from t2jax.fitting.cautions import shared_errors
from t2jax.tables.table import Table


def run(config: FitConfig) -> int:
    """Fits, prints and saves; returns 0 if the fit converged, else 1. It raises ValueError for bad input."""
    table = config.fitting.read(config.table)
    with Output("fit", config.output, config) as out:
        try:
            fitted, choice = fit_chosen(table, config.fitting, out)
        except Interrupted as stop:
            _say_fit(stop.finished, table, out)
            drawn = 0 if stop.finished.draws is None else stop.finished.draws.draws
            name = laws.name_of(type(stop.finished.fit.law))
            missing = f"{config.fitting.draws - drawn} of {config.fitting.draws} bootstrap draws, and figures"
            out.keep({"law": name, **fit_answer(stop.finished), "choice": None, "notes": notes_of(table)}, missing)
            raise
        result = fitted.fit
        law, answer = type(result.law), {"choice": choice_answer(choice), "notes": notes_of(table)}
        _say_fit(fitted, table, out)
        if choice is not None:
            out.say(f"{choice.status}.")
        out.say(f"objective {result.objective:.8g} ({type(result.problem.noise).__name__})")
        if fitted.draws is not None:
            out.say(f"bootstrap: {fitted.draws_status}")
        if not result.converged:
            print(f"t2jax: the fit failed ({result.status})", file=sys.stderr)
            return out.finish(1, {"law": laws.name_of(law), **fit_answer(fitted), **answer})
        with out.progress("figures") as bar:
            picture_fit(result.law, table, out)
            bar.update()
        if config.report:
            from t2jax.cli.report.command import add_page  # plans, which fits need not load

            add_page(out)
        return out.finish(0, {"law": laws.name_of(law), **fit_answer(fitted), **answer})


def _say_fit(fitted: Fitted, table: Table, out: Output) -> None:
    """Prints the status of a fit, its parameters, and how far it lies from the rows."""
    result, rows = fitted.fit, f"{len(table)} rows"
    if shared_errors(table, "rows"):
        rows += f" of {len(set(table['model'].tolist()))} runs, whose rows share errors, in"
    else:
        rows += " of"
    out.say(f"{laws.name_of(type(result.law))} on {rows} {table.source.name}: {result.status}", "")
    out.say(parameter_table(fitted), "", *([result.residuals.sentence] if result.residuals else []))
