"""Text, JSON and CSV file of a plan."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from t2jax.cli.fitting import LEVEL
from t2jax.cli.frontier.allocations import LEAST_GOOD
from t2jax.cli.frontier.smooth_draws import SmoothDraws
from t2jax.cli.frontier.smooth_elasticities import bands_answer, change_in_words
from t2jax.cli.plan.distance import with_distance
from t2jax.cli.plan.of_the_model import of_the_model
from t2jax.cli.plan.report import PlanReport, moving_options
from t2jax.cli.selection.kinds import describe_best_samples, selection_answer, selection_of
from t2jax.cli.words import columns, cost, count, interval
from t2jax.files import finite, whole
from t2jax.fitting.measured_range import horizon_decades
from t2jax.laws import name_of
from t2jax.numerics.bands import band

ANSWERS = ("params", "tokens", "samples")
PAID = ("queries", "spent")
QUANTITIES = ("params", "tokens", "tokens_per_param", "samples", "value", "queries", "spent")
NOTHING = {
    "quality": "this budget affords no sample",
    "spending": "never reaches the target",
    "queries": "never reaches the target",
}
"""Text for an alternative without an answer, by the goal."""
PREFER_DRAWS = "Prefer these intervals: they do not treat the law as linear."
DELTA_ACCURACY = "This approximation is accurate if the errors are small."
NO_DEVIATIONS = "They leave out how far runs may deviate from the law."


def plan_text(report: PlanReport) -> str:
    """Returns the recommendation, its costs, alternatives, intervals and elasticities."""
    return "\n\n".join(part for part in [*plan_parts(report).values(), report.plan.status] if part)


def plan_parts(report: PlanReport) -> dict[str, str]:
    """Returns the paragraphs and tables of a plan by their subject. Those without anything to say are empty."""
    return {
        "recommendation": _headline(report),
        "selection": _selection(report),
        "costs": _costs(report),
        "model": of_the_model(report),
        "assumptions": _assumptions(report),
        "alternatives": _alternatives(report),
        "intervals": _intervals(report),
        "ranges": _ranges(report),
        "elasticities": _elasticities(report),
        "what_if": _what_if(report),
    }


def _selection(report: PlanReport) -> str:
    """Returns how many samples are worth drawing, empty for an oracle."""
    best = report.best_samples
    return "" if best is None else describe_best_samples(best, float(report.plan.samples))


def plan_summary(report: PlanReport) -> str:
    """Returns what fits a screen: the recommendation, its intervals, costs, alternatives, and changed budgets."""
    more = "With -v: assumptions, what moves the plan, and how it was found."
    intervals = f"{_short_intervals(report)} {_intervals_of_the_law(report)}".rstrip()
    costs = f"{_costs(report)} {_one_at_a_time(report)}".rstrip()
    parts = [_headline(report), intervals, _selection(report), costs, of_the_model(report)]
    parts += [_alternatives(report), _what_if(report), more]
    return "\n\n".join(part for part in parts if part)


def recommendation(report: PlanReport) -> str:
    """Returns one sentence with size, tokens, samples and the predicted result."""
    plan = report.plan
    sentence = (
        f"Train {count(float(plan.params))} parameters on {count(float(plan.tokens))} tokens "
        f"({count(float(plan.tokens_per_param))} per parameter)"
    )
    sentence += f" and draw {count(float(plan.samples))} samples" if "samples" in report.answers else ""
    return f"{sentence}: {name_of(type(report.law))} predicts {_format_prediction(report, float(plan.value))}."


def _headline(report: PlanReport) -> str:
    """Returns the recommendation and how far beyond the measurements it lies."""
    return with_distance(recommendation(report), report.beyond)


def _costs(report: PlanReport) -> str:
    """Returns a sentence with the costs of training and serving."""
    training, serving = report.budget.prices
    sentence = f"Training costs {cost(report.training_cost, training.unit)}"
    if report.budget.serves:
        use = "a token served" if report.budget.serving is None else "a query"
        sentence += f", {use} {cost(report.query_cost, serving.unit)}"
    if report.plan.queries is not None:
        sentence += f", for {count(float(report.plan.queries))} queries"
    if report.plan.spent is not None:
        sentence += f"; {cost(float(report.plan.spent), training.unit)} together"
    if report.budget.latency is not None:
        sentence += f"; a query takes {float(serving.latency(report.plan.params)):.3g} s"
    if report.budget.first_token is not None:
        sentence += f"; the first token takes {float(serving.first_token(report.plan.params)):.3g} s"
    if report.budget.between_tokens is not None:
        sentence += f"; tokens are {float(serving.between_tokens(report.plan.params)):.3g} s apart"
    return sentence + "."


def _alternatives(report: PlanReport) -> str:
    """Returns a table of the plan and its alternatives."""
    goal = report.budget.goal
    condition = "under the same budget" if goal == "quality" else "for the same target"
    paid = {"quality": [], "spending": ["spent"], "queries": ["queries"]}[goal]
    header = [condition, "N", "D", "D/N", *(["k"] if "samples" in report.answers else []), _quantity(report), *paid]
    rows = []
    for choice in report.choices:
        sizes = [_format_cell(size) or "none" for size in (choice.params, choice.tokens, choice.tokens / choice.params)]
        samples = "none" if np.isnan(choice.samples) else f"{choice.samples:.4g}"
        value = NOTHING[goal] if np.isnan(choice.value) else f"{choice.value:.4g}"
        paid_cells = [_format_cell(getattr(choice, name)) for name in paid]
        name = f"{choice.name} (beyond {', '.join(choice.beyond)})" if choice.beyond else choice.name
        rows.append((name, *sizes, *([samples] if "samples" in report.answers else []), value, *paid_cells))
    return columns(header, rows)


def _intervals(report: PlanReport) -> str:
    """Returns the intervals of the plan and what they rest on, or the reason why there are none."""
    by_delta_method = _delta_intervals(report)
    if report.draws is None or report.why_no_intervals:
        sentence = _short_intervals(report)
        return sentence if report.draws is None else f"{sentence} {_intervals_of_the_law(report)}".rstrip()
    share = float(np.mean(report.draws.tokens_per_param[report.draws.ok] > 20))
    sentence = f"{_short_intervals(report)} More than 20 tokens per parameter in {share:.0%} of"
    sentence += f" {report.draws.ok.size} draws"
    usable = float(np.mean(report.draws.ok))
    sentence += "." if usable == 1 else f"; {1 - usable:.0%} of them have no optimum."
    if isinstance(report.draws, SmoothDraws):
        return f"{sentence} {_intervals_of_the_law(report)}".rstrip()
    return f"{sentence} {PREFER_DRAWS} {by_delta_method}." if by_delta_method else sentence


def _short_intervals(report: PlanReport) -> str:
    """Returns a sentence with the intervals of the plan, or the reason why there are none."""
    by_delta_method = _delta_intervals(report)
    if report.draws is None and by_delta_method and not report.no_intervals:
        more = "For intervals without it, fit with --draws or sample the law."
        return f"{by_delta_method}. {NO_DEVIATIONS} {DELTA_ACCURACY} {more}"
    if report.draws is None or report.why_no_intervals:
        return f"No interval: {report.why_no_intervals}."
    quantities, smooth = [], isinstance(report.draws, SmoothDraws)
    goal_quantity = (
        _goal_quantity(report),
        _quantity(report) if _goal_quantity(report) == "value" else _goal_quantity(report),
    )
    for name, short in (("params", "N"), ("tokens_per_param", "D/N"), ("samples", "k"), goal_quantity):
        if name == "samples" and name not in report.answers:
            continue
        spread = band(getattr(report.draws, name), LEVEL)
        ends = interval(float(spread.low), float(spread.high))
        best = "best " if smooth and name == "value" else ""  # each draw at its own optimum
        quantities.append(f"{best}{short} {float(spread.mid):.4g} ({ends})" if smooth else f"{short} {ends}")
    start = "With smooth deviations of runs from the law, medians and " if smooth else ""
    sentence = f"{start}{LEVEL:.0%} intervals: {'; '.join(quantities)}."
    return sentence if smooth else f"{sentence} {NO_DEVIATIONS}"


def _ranges(report: PlanReport) -> str:
    """Returns a sentence on the ranges that the intervals cover, or an empty text without ranges."""
    if not report.ranges:
        return ""
    ranges = " and ".join(f"{name} {low:g} to {high:g}" for name, (low, high) in report.ranges.items())
    return f"The intervals include {ranges}, evenly in logs; the plan takes their geometric middle."


def _intervals_of_the_law(report: PlanReport) -> str:
    """Returns the narrower intervals that take the law for true, or an empty text without draws."""
    drawn = report.laws_alone
    if drawn is None or report.no_intervals or np.mean(drawn.ok) < LEAST_GOOD:
        return ""
    bands = [
        (short, band(getattr(drawn, name), LEVEL)) for name, short in (("params", "N"), ("tokens_per_param", "D/N"))
    ]
    quantities = "; ".join(f"{short} {interval(float(spread.low), float(spread.high))}" for short, spread in bands)
    return f"If the law were exact: {quantities}."


def _delta_intervals(report: PlanReport) -> str:
    """Returns the intervals by the delta method, or an empty text without them."""
    if report.delta is None:
        return ""
    bands = [(short, getattr(report.delta, name)) for name, short in report.answers.items()]
    quantities = "; ".join(f"{short} {interval(float(spread.low), float(spread.high))}" for short, spread in bands)
    return f"{LEVEL:.0%} intervals by the delta method (the law linearised at the fit): {quantities}"


def _elasticities(report: PlanReport) -> str:
    """Returns a table of the elasticities to limits and prices, and the exchange rate of training and serving costs."""
    if report.moves is None:
        return "Small changes do not move whole samples and listed sizes; --what-if shows larger changes."
    goal_quantity = _goal_quantity(report)
    answers = (*report.answers, goal_quantity)
    rows = []
    for name in moving_options(report.moves, report.law, answers):
        changes = [getattr(report.moves, answer)[name] for answer in answers]
        spreads = (report.move_bands.get(answer, {}).get(name) for answer in answers)
        rows.append((name, *map(change_in_words, changes, spreads)))
    header = (
        f"one per cent more{f', {LEVEL:.0%} interval' * bool(report.move_bands)}",
        *report.answers.values(),
        _quantity(report) if goal_quantity == "value" else goal_quantity,
    )
    text = columns(header, rows) if rows else ""
    buys = report.worth.buys
    if buys.get("train") and buys.get("inference"):
        rate = report.worth.exchange("inference", "train")
        use = "a token served" if report.budget.serving is None else "a query"
        unit = report.budget.prices[0].unit
        text += f"\n\nOne more {_unit(report)} for {use} is worth {rate:.3g} {unit} of training."
    return text


def _what_if(report: PlanReport) -> str:
    """Returns a table of the plans for changed budgets."""
    rows = [("as asked", *_row(report, report.plan))]
    rows += [(text, *_row(report, plan)) for text, plan in report.what_if.items()]
    goal_columns = [] if _goal_quantity(report) == "value" else [_goal_quantity(report)]
    samples = ["k"] if "samples" in report.answers else []
    return (
        columns(("what if", "N", "D", "D/N", *samples, _quantity(report), *goal_columns), rows)
        if report.what_if
        else ""
    )


def _row(report: PlanReport, plan: Any) -> list[str]:
    """Returns the cells of a plan in the table of changed budgets."""
    names = ["params", "tokens", "tokens_per_param", *(["samples"] if "samples" in report.answers else []), "value"]
    names += [] if _goal_quantity(report) == "value" else [_goal_quantity(report)]
    return [f"{float(getattr(plan, name)):.4g}" if plan.ok else "none" for name in names]


def _goal_quantity(report: PlanReport) -> str:
    """Returns the quantity of the goal: the predicted, spent or served one."""
    return {"quality": "value", "spending": "spent", "queries": "queries"}[report.budget.goal]


def _format_cell(value: float | None) -> str:
    return "" if value is None or np.isnan(value) else f"{value:.4g}"


def _assumptions(report: PlanReport) -> str:
    """Returns a sentence with the assumptions behind the prices."""
    training, serving = report.budget.prices
    device = serving.on or training.on
    if device is None:
        return ""
    sentence = (
        f"Assumptions: {_format_number(device.devices)} {device.name} serve a model together and"
        f" reach {_format_number(device.utilisation, 100)} % of their arithmetic"
        f" or {_format_number(device.bandwidth_utilisation, 100)} % of their bandwidth;"
        f" decoding has a batch size of {_format_number(serving.batch)};"
        f" a weight has {_format_number(serving.weight_bytes)} bytes"
    )
    return sentence + (
        "." if serving.shape is not None else "; attention and the KV cache are not counted without --context."
    )


def _one_at_a_time(report: PlanReport) -> str:
    """Returns what the default batch means, which few serve with, or an empty text."""
    serving = report.budget.prices[1]
    alone = serving.on is not None and report.budget.serves and np.max(serving.batch) == 1.0
    return "It decodes one sequence at a time; --batch shares each reading of the weights." if alone else ""


def _format_number(value: Any, times: float = 1.0) -> str:
    return f"{times * float(np.asarray(value)):.4g}"


def plan_answer(report: PlanReport) -> dict[str, Any]:
    """Returns the plan for --json: numbers, intervals, alternatives, elasticities, what-ifs and the text."""
    has_intervals = not report.why_no_intervals
    numbers: dict[str, Any] = {}
    for name in QUANTITIES:
        if (value := getattr(report.plan, name)) is None:
            continue
        numbers[name] = {"value": finite(float(value)), "low": None, "high": None}
        if has_intervals:
            spread = band(getattr(report.draws, name), LEVEL)
            numbers[name] |= {"low": finite(float(spread.low)), "high": finite(float(spread.high))}
            numbers[name]["median"] = finite(float(spread.mid))
    moves = report.moves
    by_delta_method = [] if report.delta is None else [(name, getattr(report.delta, name)) for name in ANSWERS]
    return {
        "law": name_of(type(report.law)),
        "selection": selection_answer(report.law, report.best_samples),
        "level": LEVEL,
        "no_intervals": report.why_no_intervals,
        "deviations": report.with_deviations,
        "status": report.plan.status,
        "plan": numbers,
        "beyond": report.beyond,
        "horizon_decades": None if report.beyond is None else horizon_decades(report.beyond),
        "delta_method": {
            name: {"low": finite(float(spread.low)), "high": finite(float(spread.high))}
            for name, spread in by_delta_method
        },
        "training_cost": report.training_cost,
        "query_cost": finite(report.query_cost),
        "unit": report.budget.prices[0].unit,
        "choices": [
            {
                "name": choice.name,
                **{name: finite(getattr(choice, name)) for name in (*ANSWERS, "value")},
                **{name: finite(value) for name in PAID if (value := getattr(choice, name)) is not None},
                "beyond": list(choice.beyond),
            }
            for choice in report.choices
        ],
        "elasticities": None
        if moves is None
        else {
            name: {key: finite(elasticity) for key, elasticity in table.items()}
            for name in (*ANSWERS, "value", *PAID)
            if (table := getattr(moves, name)) is not None
        },
        "elasticity_intervals": bands_answer(report.move_bands),
        "limits_buy": {name: finite(price) for name, price in report.worth.buys.items()},
        "what_if": {
            text: {
                "status": plan.status,
                **{
                    name: finite(float(value))
                    for name in (*ANSWERS, "value", *PAID)
                    if (value := getattr(plan, name)) is not None
                },
            }
            for text, plan in report.what_if.items()
        },
        "words": plan_text(report),
    }


def save_plan(report: PlanReport, path: Path) -> None:
    """Writes the plan, its alternatives and its what-ifs as CSV: name, N, D, k and prediction."""
    rows = [
        {"name": choice.name, **{name: getattr(choice, name) for name in (*ANSWERS, "value")}}
        for choice in report.choices
    ]
    for text, plan in report.what_if.items():
        rows.append({"name": text, **{name: float(getattr(plan, name)) for name in (*ANSWERS, "value")}})
    with whole(path) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False)


def _quantity(report: PlanReport) -> str:
    """Returns the name of the predicted quantity."""
    names = {
        "pass_at_k": "pass@k" if selection_of(report.law) is None else "success",
        "neg_log_pass": "-log pass@k",
        "error": "error",
    }
    return names.get(type(report.law).response[0], "loss")


def _format_prediction(report: PlanReport, value: float) -> str:
    """Returns the predicted quantity in words."""
    if "pass_at_k" in type(report.law).response:
        return f"{_quantity(report)} of {value:.1%}"
    if _quantity(report) == "error":
        return f"an error of {value:.1%}"
    return f"a {'mean -log pass@k' if _quantity(report) == '-log pass@k' else 'loss'} of {value:.4g} nats"


def _unit(report: PlanReport) -> str:
    return report.budget.prices[1].unit.removesuffix("s")
