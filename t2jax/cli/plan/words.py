"""A plan in words, as JSON and as a CSV file."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from t2jax.cli.fitting import LEVEL
from t2jax.cli.plan.planned import Planned
from t2jax.cli.words import columns, count, interval
from t2jax.files import finite, whole
from t2jax.laws import name_of
from t2jax.numerics.bands import band

ANSWERS = ("params", "tokens", "samples")
PAID = ("queries", "spent")
QUANTITIES = ("params", "tokens", "tokens_per_param", "samples", "value", "queries", "spent")
NEGLIGIBLE = 5e-4
"""Elasticities smaller than this are not told."""
NOTHING = {
    "quality": "not one sample for this budget",
    "spending": "never reaches the target",
    "queries": "never reaches the target",
}
"""What is said where a rival has no answer, by the goal."""
TAKE = "Take these: they come from fits to other draws of the rows, and need no law that is nearly linear."
CLOSE = "They are right where errors are small."


def plan_text(found: Planned) -> str:
    """The recommendation, what it costs, its rivals, how sure it is, and what would change it."""
    parts = [recommendation(found), _costs(found), _assumed(found), _rivals(found), _sure(found)]
    parts += [_changes(found), _what_if(found)]
    return "\n\n".join(part for part in [*parts, found.plan.status] if part)


def recommendation(found: Planned) -> str:
    """One sentence: how big, how long, how many samples, and what the law predicts of it."""
    plan = found.plan
    said = (
        f"Train {count(float(plan.params))} parameters on {count(float(plan.tokens))} tokens "
        f"({count(float(plan.tokens_per_param))} for each parameter)"
    )
    said += f" and draw {count(float(plan.samples))} samples" if "samples" in found.answers else ""
    return f"{said}: {name_of(type(found.law))} predicts {_shown(found, float(plan.value))}."


def _costs(found: Planned) -> str:
    training, serving = found.budget.prices
    said = f"Training costs {_cost(found.training_cost, training.unit)}"
    if found.budget.serves:
        what = "a token served" if found.budget.serving is None else "a query"
        said += f", {what} {_cost(found.query_cost, serving.unit)}"
    if found.plan.queries is not None:
        said += f", for {count(float(found.plan.queries))} queries"
    if found.plan.spent is not None:
        said += f"; {_cost(float(found.plan.spent), training.unit)} together"
    if found.budget.latency is not None:
        said += f"; a query takes {float(serving.latency(found.plan.params)):.3g} s"
    return said + "."


def _rivals(found: Planned) -> str:
    goal = found.budget.goal
    same = "under the same budget" if goal == "quality" else "for the same target"
    more = {"quality": [], "spending": ["spent"], "queries": ["queries"]}[goal]
    header = [same, "N", "D", "D/N", *(["k"] if "samples" in found.answers else []), _quantity(found), *more]
    rows = []
    for one in found.choices:
        sizes = [_number(size) or "none" for size in (one.params, one.tokens, one.tokens / one.params)]
        served = "none" if np.isnan(one.samples) else f"{one.samples:.4g}"
        value = NOTHING[goal] if np.isnan(one.value) else f"{one.value:.4g}"
        last = [_number(getattr(one, name)) for name in more]
        name = f"{one.name} (beyond {', '.join(one.beyond)})" if one.beyond else one.name
        rows.append((name, *sizes, *([served] if "samples" in found.answers else []), value, *last))
    return columns(header, rows)


def _sure(found: Planned) -> str:
    linear = _linear(found)
    if found.draws is None:
        if linear:
            return f"{linear}. {CLOSE} For others, which need no such thing, fit with --draws or sample the law."
        return "No interval: the law has no draws; fit with --draws, or sample it."
    good = float(np.mean(found.draws.ok))
    if good < 0.5:
        return f"No interval: {good:.0%} of the draws have an optimum."
    told = []
    last = _last(found), _quantity(found) if _last(found) == "value" else _last(found)
    for name, short in (("params", "N"), ("tokens_per_param", "D/N"), ("samples", "k"), last):
        if name == "samples" and name not in found.answers:
            continue
        spread = band(getattr(found.draws, name), LEVEL)
        told.append(f"{short} {interval(float(spread.low), float(spread.high))}")
    said = f"{LEVEL:.0%} intervals: {'; '.join(told)}"
    share = float(np.mean(found.draws.tokens_per_param[found.draws.ok] > 20))
    said += f". More than 20 tokens for each parameter in {share:.0%} of {found.draws.ok.size} draws"
    said += "." if good == 1 else f"; {1 - good:.0%} of them have no optimum."
    return f"{said} {TAKE} {linear}." if linear else said


def _linear(found: Planned) -> str:
    """The intervals by the delta method, none where they were not asked."""
    if found.delta is None:
        return ""
    bands = [(short, getattr(found.delta, name)) for name, short in found.answers.items()]
    told = "; ".join(f"{short} {interval(float(one.low), float(one.high))}" for short, one in bands)
    return f"With the law taken as linear about the fit (delta method), {LEVEL:.0%} intervals: {told}"


def _changes(found: Planned) -> str:
    if found.moves is None:
        return "Whole samples and listed sizes do not move with small changes; --what-if shows larger ones."
    inputs = set(found.law.values())
    last = _last(found)
    answers = (*found.answers, last)
    rows = []
    for name in found.moves.params:
        moved = [getattr(found.moves, one)[name] for one in answers]
        if name not in inputs and max(map(abs, moved)) > NEGLIGIBLE:
            rows.append((name, *(f"{one:+.3f} %" for one in moved)))
    header = ("one per cent more", *found.answers.values(), _quantity(found) if last == "value" else last)
    said = columns(header, rows) if rows else ""
    buys = found.worth.buys
    if buys.get("train") and buys.get("inference"):
        rate = found.worth.exchange("inference", "train")
        per = "a token served" if found.budget.serving is None else "a query"
        unit = found.budget.prices[0].unit
        said += f"\n\nOne more {_unit(found)} for {per} is worth {rate:.3g} {unit} of training."
    return said


def _what_if(found: Planned) -> str:
    rows = [("as asked", *_row(found, found.plan))]
    rows += [(text, *_row(found, other)) for text, other in found.what_if.items()]
    more = [] if _last(found) == "value" else [_last(found)]
    samples = ["k"] if "samples" in found.answers else []
    return columns(("what if", "N", "D", "D/N", *samples, _quantity(found), *more), rows) if found.what_if else ""


def _row(found: Planned, plan: Any) -> list[str]:
    names = ["params", "tokens", "tokens_per_param", *(["samples"] if "samples" in found.answers else []), "value"]
    names += [] if _last(found) == "value" else [_last(found)]
    return [f"{float(getattr(plan, name)):.4g}" if plan.ok else "none" for name in names]


def _last(found: Planned) -> str:
    """The answer that the goal is about: what is predicted, spent or served."""
    return {"quality": "value", "spending": "spent", "queries": "queries"}[found.budget.goal]


def _number(value: float | None) -> str:
    return "" if value is None or np.isnan(value) else f"{value:.4g}"


def _assumed(found: Planned) -> str:
    """What prices take for granted, so that nobody has to guess it."""
    training, serving = found.budget.prices
    on = serving.on or training.on
    if on is None:
        return ""
    said = (
        f"Assumed: {_plain(on.devices)} {on.name} serve a model together and reach {_plain(on.utilisation, 100)} % of"
        f" their arithmetic or {_plain(on.bandwidth_utilisation, 100)} % of their bandwidth; decoding takes"
        f" {_plain(serving.batch)} at a time; a weight has {_plain(serving.weight_bytes)} bytes"
    )
    return said + ("." if serving.shape is not None else "; no attention and no KV cache, which --context counts.")


def _plain(value: Any, times: float = 1.0) -> str:
    return f"{times * float(np.asarray(value)):.4g}"


def plan_answer(found: Planned) -> dict[str, Any]:
    """The plan for --json: numbers, intervals, rivals, elasticities, what limits buy, what-ifs, and the words."""
    sure = found.draws is not None and np.mean(found.draws.ok) >= 0.5
    numbers: dict[str, Any] = {}
    for name in QUANTITIES:
        if (value := getattr(found.plan, name)) is None:
            continue
        numbers[name] = {"value": finite(float(value)), "low": None, "high": None}
        if sure:
            spread = band(getattr(found.draws, name), LEVEL)
            numbers[name] |= {"low": finite(float(spread.low)), "high": finite(float(spread.high))}
    moves = found.moves
    linear = [] if found.delta is None else [(name, getattr(found.delta, name)) for name in ANSWERS]
    return {
        "law": name_of(type(found.law)),
        "level": LEVEL,
        "status": found.plan.status,
        "plan": numbers,
        "delta_method": {
            name: {"low": finite(float(one.low)), "high": finite(float(one.high))} for name, one in linear
        },
        "training_cost": found.training_cost,
        "query_cost": finite(found.query_cost),
        "unit": found.budget.prices[0].unit,
        "choices": [
            {
                "name": one.name,
                **{name: finite(getattr(one, name)) for name in (*ANSWERS, "value")},
                **{name: finite(value) for name in PAID if (value := getattr(one, name)) is not None},
                "beyond": list(one.beyond),
            }
            for one in found.choices
        ],
        "elasticities": None
        if moves is None
        else {
            name: {key: finite(one) for key, one in table.items()}
            for name in (*ANSWERS, "value", *PAID)
            if (table := getattr(moves, name)) is not None
        },
        "limits_buy": {name: finite(one) for name, one in found.worth.buys.items()},
        "what_if": {
            text: {
                "status": other.status,
                **{
                    name: finite(float(value))
                    for name in (*ANSWERS, "value", *PAID)
                    if (value := getattr(other, name)) is not None
                },
            }
            for text, other in found.what_if.items()
        },
        "words": plan_text(found),
    }


def save_plan(found: Planned, path: Path) -> None:
    """Write the plan, its rivals and its what-ifs as CSV: name, N, D, k and the prediction of each."""
    rows = [{"name": one.name, **{name: getattr(one, name) for name in (*ANSWERS, "value")}} for one in found.choices]
    for text, other in found.what_if.items():
        rows.append({"name": text, **{name: float(getattr(other, name)) for name in (*ANSWERS, "value")}})
    with whole(path) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False)


def _quantity(found: Planned) -> str:
    names = {"pass_at_k": "pass@k", "neg_log_pass": "-log pass@k", "error": "error"}
    return names.get(type(found.law).response[0], "loss")


def _shown(found: Planned, value: float) -> str:
    if "pass_at_k" in type(found.law).response:
        return f"pass@k of {value:.1%}"
    if _quantity(found) == "error":
        return f"an error of {value:.1%}"
    return f"a {'mean -log pass@k' if _quantity(found) == '-log pass@k' else 'loss'} of {value:.4g} nats"


def _unit(found: Planned) -> str:
    return {"FLOPs": "FLOP", "device-seconds": "device-second", "dollars": "dollar"}[found.budget.prices[1].unit]


def _cost(value: float, unit: str) -> str:
    if unit == "dollars":
        return f"${value:,.0f}" if value >= 100 else f"${value:.3g}"
    return f"{value:.3g} {unit}"
