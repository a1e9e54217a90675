"""`t2jax report`: one HTML file of a fit, a posterior or a plan, with levers that move."""

import dataclasses
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from t2jax.cli.law_source import LawSource, law_of_file
from t2jax.cli.output import Output
from t2jax.cli.plan.command import PlanConfig, change_budget, draw_smooth, report_plan, solve
from t2jax.cli.plan.report import PlanReport
from t2jax.cli.plan.tasks.command import read_laws, solve_tasks
from t2jax.cli.plan.tasks.portfolio_report import PortfolioReport
from t2jax.cli.process.config_file import config_of_record
from t2jax.cli.process.progress import progress_of
from t2jax.cli.process.wording import in_option_names
from t2jax.cli.report.add import rows_beside
from t2jax.cli.report.audit_page import AUDIT_FILE, page_of_audit
from t2jax.cli.report.config import ReportConfig
from t2jax.cli.report.contents import page_of_plan
from t2jax.cli.report.page_parts import Page
from t2jax.cli.report.portfolio_page import page_of_portfolio
from t2jax.cli.report.provenance import read_run
from t2jax.cli.report.write import REPORT_FILE, write_page
from t2jax.cli.tables.pairs import numbers
from t2jax.fitting.law_files import LAW_FILE
from t2jax.laws.base import Law
from t2jax.laws.user_code import load_class
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import frontier
from t2jax.tables.table import Table

BEYOND = 10.0
"""A page of a fit plans for so many times the compute of the dearest run."""
UNMEASURED = 1e21
"""Training FLOPs of a page whose law tells nothing of its rows."""
PER_PARAM = 20.0


def run(config: ReportConfig) -> int:
    """Writes the page and returns 0. It raises ValueError for a folder without a law."""
    path, reading = config.to or config.folder / REPORT_FILE, read_folder(config)
    with progress_of("report", 2, quiet=False) as bar:
        page = reading.page(config)
        bar.update()
        write_page(page, path)
        bar.update()
    size = path.stat().st_size
    if config.json:
        answer = {"command": "report", "file": str(path), "bytes": size, "levers": page.levers is not None}
        print(json.dumps(answer, ensure_ascii=False))
    else:
        print(*page.lead, "", f"Written to {path} ({size / 1e6:.1f} MB), which opens in any browser.", sep="\n")
    return 0


def add_page(out: Output) -> None:
    """Writes the page of a run among its files, from what it has written so far. Without a page it says why."""
    config = ReportConfig(out.folder)
    try:
        page = read_folder(config).page(config)
    except ValueError as reason:  # of a law that cannot be planned with, whose fit is as good as any
        print(f"t2jax: there is no report: {in_option_names(str(reason))}", file=sys.stderr)
        return
    with out.progress("report") as bar, out.file(REPORT_FILE) as path:
        write_page(page, path)
        bar.update()


@dataclass(frozen=True)
class ReadFolder:
    """What a folder holds.

    Attributes:
        record: Its `run.json`, or nothing.
        path: The law's file, or None for an audit and for several tasks.
        planned: Options of the plan, None for another command.
        source: The law with its draws, or None for an audit and for several tasks.
        rows: The rows that the law was fitted to, if they are there.
        cautions: What the fit warned of.
    """

    record: dict[str, Any]
    path: Path | None = None
    planned: PlanConfig | None = None
    source: LawSource | None = None
    rows: Table | None = None
    cautions: tuple[str, ...] = ()

    def page(self, config: ReportConfig) -> Page:
        """Plans and returns the page."""
        given = {name: value for name in ("train", "inference") if (value := getattr(config, name)) is not None}
        planned = None if self.planned is None else dataclasses.replace(self.planned, **given)
        if planned is not None and planned.tasks:
            return page_of_portfolio(self.record, _portfolio(config, planned))
        if self.path is None or self.source is None:
            return page_of_audit(self.record, config.folder)
        report, no_plan = None, "the law has no optimum under this budget"
        try:
            report = plan_of(self.source, _budget(given, planned, self.source), planned)
        except ValueError as reason:
            no_plan = in_option_names(str(reason))
        return page_of_plan(self.record, self.path, self.source, report, self.rows, no_plan, self.cautions)


def read_folder(config: ReportConfig) -> ReadFolder:
    """Reads what the folder of a report holds. It raises ValueError for a folder without a law."""
    record = read_run(config.folder)
    if record.get("command") == "audit" and (config.folder / AUDIT_FILE).exists():
        return ReadFolder(record)
    planned = _plan_config(record)
    if planned is not None and planned.tasks:
        return ReadFolder(record, planned=planned)
    path = _law_path(config, planned)
    law_class = None if config.law_class is None else load_class(config.law_class, Law)
    cautions: list[str] = []
    defaults = PlanConfig() if planned is None else planned

    def say(*lines: str) -> None:
        cautions.extend(line for line in lines if line)

    source = law_of_file(path, defaults.fitting.seed, say, law_class, defaults.held_inputs)
    return ReadFolder(record, path, planned, source, rows_beside(path, law_class), tuple(cautions))


def _portfolio(config: ReportConfig, planned: PlanConfig) -> PortfolioReport:
    """Plans again for several tasks. It raises ValueError without a plan."""
    weights = numbers("--tasks", planned.tasks)
    folder = config.law_file or planned.law_file or config.folder
    tasks = read_laws(folder, tuple(weights), lambda *lines: None)
    report = solve_tasks(tasks, weights, planned.budget())
    if not report.plan.ok:
        raise ValueError(f"{config.folder}: there is no plan: {report.plan.status}")
    return report


def plan_of(source: LawSource, budget: Budget, planned: PlanConfig | None) -> PlanReport | None:
    """Solves a budget with intervals, alternatives and what-ifs, or returns None without an optimum."""
    assert source.law is not None
    config = PlanConfig() if planned is None else planned
    source = config.selecting.put_on(source)
    law = source.law
    assert law is not None
    plan, draws = solve(config, source, budget)
    if not plan.ok:
        return None
    smooth = draw_smooth(config, source, budget)
    report = report_plan(source, budget, plan, draws, smooth, config)
    report.what_if.update({text: frontier(law, change_budget(config, text)) for text in config.what_if})
    return report


def _law_path(config: ReportConfig, planned: PlanConfig | None) -> Path:
    """Returns the law's file: that in the folder, or the one that the plan was made with."""
    if not config.folder.is_dir():
        raise ValueError(f"{config.folder}: there is no such folder, expected one that t2jax fit, sample or plan wrote")
    inside = config.folder / LAW_FILE
    path = config.law_file or (inside if planned is None or planned.law_file is None else planned.law_file)
    if path.exists():
        return path
    if path != inside:
        raise ValueError(f"{path}: the law of this plan is not there any more; say where it is with --law-file")
    raise ValueError(f"{config.folder}: found no {LAW_FILE}, expected a folder that t2jax fit, sample or plan wrote")


def _budget(given: dict[str, Any], planned: PlanConfig | None, source: LawSource) -> Budget:
    """Returns the budget of the plan in the page; without a plan of the folder, one about the measured runs."""
    if planned is not None:
        return planned.budget()
    assert source.law is not None
    measured, law = source.measured, type(source.law)
    train = UNMEASURED if measured is None else BEYOND * measured.compute[1]
    budget: dict[str, Any] = {"train": train, **given}
    if "k" in law.inputs() and "inference" not in given:
        # a model of twenty tokens per parameter, drawn as often as the most that was measured
        samples = 16.0 if measured is None or measured.samples is None else max(measured.samples[1], 2.0)
        budget["inference"] = 2 * float(np.sqrt(budget["train"] / (6 * PER_PARAM))) * samples
    if "U" in law.inputs():
        budget["unique_tokens"] = 1e12 if measured is None or measured.tokens is None else BEYOND * measured.tokens[1]
    return Budget(**budget)


def _plan_config(record: dict[str, Any]) -> PlanConfig | None:
    """Returns the options of the plan that a folder records, None for another command."""
    return config_of_record(PlanConfig, record["arguments"]) if record.get("command") == "plan" else None
