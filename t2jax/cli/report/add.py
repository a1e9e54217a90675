"""`--report` of other commands: the page among the files that they write."""

from pathlib import Path

from t2jax.cli.law_source import LawSource
from t2jax.cli.output import Output
from t2jax.cli.plan.report import PlanReport
from t2jax.cli.plan.tasks.portfolio_report import PortfolioReport
from t2jax.cli.report.contents import page_of_plan
from t2jax.cli.report.portfolio_page import page_of_portfolio
from t2jax.cli.report.provenance import read_run
from t2jax.cli.report.write import REPORT_FILE, write_page
from t2jax.fitting.fitted_rows import load_fitted_rows
from t2jax.fitting.law_files import LAW_FILE
from t2jax.laws.base import Law
from t2jax.tables.table import Table


def add_plan_page(out: Output, law_file: Path | None, source: LawSource, report: PlanReport) -> None:
    """Writes the page of a plan among the files of its run. Without `law_file` the run has fitted the law."""
    path = law_file or out.folder / LAW_FILE
    with out.progress("report") as bar, out.file(REPORT_FILE) as place:
        write_page(page_of_plan(read_run(out.folder), path, source, report, rows_beside(path)), place)
        bar.update()


def add_portfolio_page(out: Output, report: PortfolioReport) -> None:
    """Writes the page of a plan for several tasks among the files of its run."""
    with out.progress("report") as bar, out.file(REPORT_FILE) as place:
        write_page(page_of_portfolio(read_run(out.folder), report), place)
        bar.update()


def rows_beside(path: Path, law_class: type[Law] | None = None) -> Table | None:
    """Reads the rows that a law was fitted to, or returns None where they are not beside it."""
    try:
        return load_fitted_rows(path, law_class).table
    except ValueError:
        return None
