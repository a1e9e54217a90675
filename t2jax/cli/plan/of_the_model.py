"""Sentences on what a plan's model stores and loses: experts, bits of its weights, and tokens that repeat."""

from typing import Any

import numpy as np

from t2jax.cli.plan.report import PlanReport
from t2jax.cli.words import count
from t2jax.planning.problem import inputs_at

LONGER = 1.05
"""Factor on the tokens at which a plan with a least loss inside its budget is worse."""

ONCE = 1e-9
"""Distance of an epoch from one that is rounding."""


def of_the_model(report: PlanReport) -> str:
    """Returns sentences on experts, on bits and on training that would do harm if it were longer, if any."""
    return " ".join(sentence for sentence in (_experts(report), _bits(report), _data_wall(report)) if sentence)


def _experts(report: PlanReport) -> str:
    ratio = report.budget.total_per_active
    if ratio is None:
        return ""
    params, serving = float(report.plan.params), report.budget.prices[1]
    total = count(params * float(np.asarray(ratio)))
    return (
        f"Its {count(params)} parameters are the active ones, which compute counts; all experts have {total}, and a"
        f" replica stores {count(float(serving.memory_used(params)))} bytes."
    )


def _bits(report: PlanReport) -> str:
    if "served_bits" not in type(report.law).columns().values():
        return ""
    bits = 8 * float(np.asarray(report.budget.prices[1].weight_bytes))
    here, overtrained = (_cost(report, tokens) - _cost(report, tokens, served_bits=np.inf) for tokens in (1.0, 4.0))
    return (
        f"Served in {bits:g} bits it loses {here:.2g}; at four times the tokens it would lose {overtrained:.2g}, since"
        " overtrained models lose more."
    )


def _data_wall(report: PlanReport) -> str:
    unique = report.budget.unique_tokens
    passes = np.nan if unique is None else float(report.plan.tokens) / float(np.asarray(unique))
    if type(report.law).kink_at_unique and abs(passes - 1) < ONCE:
        return "It reads all unique tokens once: the first repeats would do more harm than good at this size."
    free = report.budget.goal == "quality" and "tokens" not in report.budget.fixed
    if not free or _cost(report, LONGER) <= _cost(report, 1.0):
        return ""
    epochs = "" if unique is None else f" than {passes:.3g} epochs"
    return f"Training this size for longer{epochs} would make it worse, so part of the training budget is left."


def _cost(report: PlanReport, tokens: float, **inputs: float) -> float:
    """Computes the law's cost of the plan at a multiple of its tokens, with some inputs replaced by column."""
    plan, law = report.plan, report.law
    names = {column: name for name, column in type(law).columns().items()}
    place: Any = inputs_at(law, report.budget, plan.params, tokens * plan.tokens, plan.samples)
    return float(law.cost(**(place | {names[column]: value for column, value in inputs.items()})))
