"""What there is of a plan when an interrupt ends the command."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from t2jax.cli.law_source import LawSource
from t2jax.cli.output import Output
from t2jax.cli.plan.report import PlanReport
from t2jax.cli.plan.words import plan_answer, plan_summary, plan_text, recommendation, save_plan
from t2jax.planning.budget import Budget
from t2jax.planning.plan import Plan
from t2jax.planning.rivals import Choice
from t2jax.planning.sensitivity import ShadowPrices

OF_THE_PLAN = ("law", "status", "plan", "beyond", "training_cost", "unit")
"""Parts of the answer that need the plan alone."""


def keep_report(report: PlanReport, later: Sequence[str], source: LawSource, out: Output) -> None:
    """Prints and saves a plan without some of the changed budgets of --what-if."""
    _keep(
        report, plan_text(report) if out.verbose else plan_summary(report), plan_answer(report), [], later, source, out
    )


def keep_plan(plan: Plan, later: Sequence[str], source: LawSource, budget: Budget, out: Output) -> None:
    """Prints and saves a plan without intervals, alternatives and elasticities."""
    law = source.law
    assert law is not None
    cost = float(np.asarray(budget.prices[0](plan.params, plan.tokens)))
    choice = Choice(
        "this plan", float(plan.params), float(plan.tokens), samples=float(plan.samples), value=float(plan.value)
    )
    worth = ShadowPrices(plan, {})
    report = PlanReport(law, None, budget, plan, None, cost, np.nan, (choice,), None, worth, source.measured)
    answer = plan_answer(report)
    answer = {name: answer[name] for name in OF_THE_PLAN}
    missing = ["intervals", "alternatives", "elasticities"]
    _keep(report, recommendation(report), answer, missing, later, source, out)


def _keep(
    report: PlanReport,
    text: str,
    answer: dict[str, Any],
    missing: Sequence[str],
    later: Sequence[str],
    source: LawSource,
    out: Output,
) -> None:
    out.say_answer(text)
    with out.file("plan.csv") as path:
        save_plan(report, path)
    out.keep({**source.answer, **answer}, ", ".join([*missing, *(f"--what-if {text}" for text in later), "figures"]))
