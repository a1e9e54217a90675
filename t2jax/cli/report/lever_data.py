"""Levers as JSON: what `levers.js` needs to solve a plan again."""

import base64
from typing import Any

import numpy as np

from t2jax.numerics.tensor_spline import TensorSpline
from t2jax.planning.levers.charges import Charges, Costs, tokens_of_query
from t2jax.planning.levers.levers import MARGIN, REACH, Levers
from t2jax.planning.problem import FAR, predicts_pass

PRICE_REACH, TOKENS_REACH = 4.0, 4.0
"""Factors by which the price and the tokens a query may fall or rise."""


def lever_data(levers: Levers, law: type) -> dict[str, Any]:
    """Returns the problem of the levers, their starts and ranges, and optima to check the answers with."""
    budget, surface = levers.budget, levers.surface
    start = _start(levers)
    checks = levers.checks
    names = ("params", "tokens", "samples", "value")
    limits = {
        name: None if value is None else float(np.asarray(value))
        for name, value in vars(budget).items()
        if name in BOUNDS
    }
    return {
        "samples": levers.chooses_samples,
        "passes": predicts_pass(law),
        "inLogs": surface.in_logs,
        "fallsInTokens": surface.falls_in_tokens,
        "fallsInSamples": surface.falls_in_samples,
        "whole": budget.whole_samples,
        "sizes": None if budget.sizes is None else sorted(budget.sizes),
        "ratio": limits["tokens_per_param"],
        "box": surface.box.tolist(),
        "bounds": {
            name: [limits[f"{name}_min"] or 1.0, limits[f"{name}_max"] or float(np.exp(FAR))]
            for name in ("params", "tokens", "samples")
        },
        "costs": _costs(levers.costs),
        "over": [_costs(costs) for costs in levers.over],
        "law": _spline(surface.spline, "f8"),
        "draws": None if surface.draws is None else _spline(surface.draws, "f4"),
        "start": start,
        "ranges": _ranges(levers, start),
        "checks": [
            {
                "levers": {
                    "cap" if name == "tokens_max" else name: float(values[i]) for name, values in checks.levers.items()
                },
                "answer": {name: float(np.asarray(getattr(checks.plan, name))[i]) for name in names},
            }
            for i in range(len(np.asarray(checks.plan.params)))
        ],
    }


BOUNDS = (
    *("params_min", "params_max", "tokens_min", "tokens_max", "samples_min", "samples_max"),
    "tokens_per_param",
)


def _start(levers: Levers) -> dict[str, float | None]:
    """Returns the values of the levers from which the page starts."""
    budget = levers.budget
    training, serving = budget.prices
    given = budget.given()
    start: dict[str, float | None] = {name: float(np.asarray(given[name])) for name in REACH if name in given}
    if budget.serves:
        start["tokens"] = tokens_of_query(serving)
    device = training.on or serving.on
    if device is not None and device.price is not None:
        start["price"] = float(np.asarray(device.price))
    start["cap"] = None
    if levers.chooses_samples:
        start["samples"] = None
    return start


def _ranges(levers: Levers, start: dict[str, float | None]) -> dict[str, list[float]]:
    """Returns the smallest and largest value of each lever."""
    reach = REACH | {"tokens": TOKENS_REACH, "price": PRICE_REACH}
    ranges = {name: [value / reach[name], value * reach[name]] for name, value in start.items() if value is not None}
    if start.get("tokens") == 1.0:  # of the plain price for a token served: a query has one or more
        ranges["tokens"] = [1.0, 1000.0]
    tokens = float(np.asarray(levers.start.tokens))
    ranges["cap"] = [tokens / 30, tokens * MARGIN]
    if levers.chooses_samples:
        ranges["samples"] = [1.0, float(np.exp(levers.surface.box[2][1]))]
    return ranges


def _costs(costs: Costs) -> dict[str, Any]:
    return {
        "training": _terms(costs.training),
        "serving": [_terms(terms) for terms in costs.serving],
        "memory": _terms(costs.memory),
        "memoryLimit": costs.memory_limit,
        "durations": [[_terms(terms), limit] for terms, limit in costs.durations],
    }


def _terms(charges: Charges) -> list[Any]:
    return [[list(charge.powers), list(charge.coefficients)] for charge in charges]


def _spline(spline: TensorSpline, kind: str) -> dict[str, Any]:
    return {"knots": [packed(knots, "f8") for knots in spline.knots], "coefficients": packed(spline.coefficients, kind)}


def packed(values: np.ndarray, kind: str) -> dict[str, str]:
    """Returns an array as text: base64 of little-endian numbers, of which `kind` is "f4" or "f8"."""
    data = np.ascontiguousarray(values, f"<{kind}").tobytes()
    return {"type": kind, "data": base64.b64encode(data).decode("ascii")}
