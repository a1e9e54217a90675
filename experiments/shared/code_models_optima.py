"""The best models of t2_on_code_models: by laws with smooth deviations, and among runs of one budget without a law."""

from dataclasses import dataclass
from typing import Any

import numpy as np

import t2jax as t2
from t2jax.extrapolation.draws import draw_curves
from t2jax.extrapolation.law_choice import LawChoice
from t2jax.extrapolation.optimum import COARSE, REACH, STEP
from t2jax.extrapolation.sampled import SmoothFit

QUANTITIES = ("params", "tokens", "tokens_per_param", "samples", "value")
SAME_BUDGET = 1.02
"""Runs whose training compute differs by less than this factor have one budget."""


@dataclass(frozen=True)
class Pair:
    """Optima of one training budget in draws of a law with its deviations, with samples and for one sample.

    with_samples, one_sample: QUANTITIES, (draws,) each. gain: of the first over the second in pass@k, both drawing the
    samples they are served; a second too large to be served once is replaced by the largest that is. more_tokens:
    whether the first has more tokens per parameter. at_edge: whether the optimum with samples, and that for one, lies
    at an end of the sizes that were searched (2, draws).
    """

    with_samples: dict[str, np.ndarray]
    one_sample: dict[str, np.ndarray]
    gain: np.ndarray
    more_tokens: np.ndarray
    at_edge: np.ndarray


def draw_pair(choice: LawChoice, train: float, inference: float, seed: int, draws: int) -> Pair:
    """Finds both optima of every draw of one law, as `optimum_band` finds one: a draw has one curve through all sizes.

    The two share the draw, so that they may be compared draw by draw; `optimum_band` would draw them apart.
    """
    (fit,) = choice.fits
    lines = [_line(fit, train, served) for served in (inference, None)]
    columns = {name: np.concatenate([line[name] for line in lines]) for name in lines[0]}
    curves = draw_curves(fit, columns, draws, np.random.default_rng(seed))
    middle = curves.mean(axis=0)
    passed = pass_of(fit, middle + choice.widening * (curves - middle))
    many, once = np.split(passed, [len(lines[0]["params"])], axis=1)
    logs = [np.log10(line["params"]) for line in lines]
    (place, best, edge), (place_one, best_one, edge_one) = _highest(logs[0], many), _highest(logs[1], once)
    with_samples = _columns(place, train, inference, best)
    one_sample = _columns(place_one, train, None, best_one)
    # the model for one sample draws what it is served, so it lies on the other line too, at its end if it is too large
    alone = np.array([np.interp(x, logs[0], row) for x, row in zip(place_one, many, strict=True)])
    more = with_samples["tokens_per_param"] > one_sample["tokens_per_param"]
    return Pair(with_samples, one_sample, best - alone, more, np.stack([edge, edge_one]))


def pass_of(fit: SmoothFit, value: np.ndarray) -> np.ndarray:
    """Turns values on the scale of the fit's comparison into pass@k."""
    response = fit.curve.to_response(value)
    return response if fit.curve.response == "pass_at_k" else np.exp(-response)


def _line(fit: SmoothFit, train: float, inference: float | None) -> dict[str, np.ndarray]:
    """Sizes about the optimum of the fitted law, and what the budgets leave for each."""

    def allowed(logs: np.ndarray) -> np.ndarray:
        return logs if inference is None else logs[2 * 10.0**logs <= inference]

    def inputs(logs: np.ndarray) -> dict[str, np.ndarray]:
        columns = _columns(logs, train, inference, logs)
        return {name: columns[name] for name in ("params", "tokens", "samples")}

    coarse = allowed(COARSE)
    values, _ = fit.curve.evaluate(fit.u, inputs(coarse))
    centre = coarse[np.nanargmax(pass_of(fit, values))]
    return inputs(allowed(np.arange(centre - REACH, centre + REACH + STEP / 2, STEP)))


def _columns(logs: np.ndarray, train: float, inference: float | None, value: np.ndarray) -> dict[str, np.ndarray]:
    params = 10.0**logs
    tokens = train / (6 * params)
    samples = np.ones_like(params) if inference is None else inference / (2 * params)
    return dict(zip(QUANTITIES, (params, tokens, tokens / params, samples, value), strict=True))


def _highest(logs: np.ndarray, curves: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The highest point of each curve by a parabola through three points, and whether it lies at an end."""
    index, rows = np.argmax(curves, axis=1), np.arange(len(curves))
    edge = (index == 0) | (index == len(logs) - 1)
    inner = np.clip(index, 1, len(logs) - 2)
    left, mid, right = (curves[rows, inner + shift] for shift in (-1, 0, 1))
    shift = np.clip(0.5 * (left - right) / np.minimum(left - 2 * mid + right, -1e-300), -0.5, 0.5)
    place = np.where(edge, logs[index], logs[inner] + shift * STEP)
    return place, np.where(edge, curves[rows, index], mid - 0.25 * (left - right) * shift), edge


@dataclass(frozen=True)
class Measured:
    """Of runs of one training budget: the best at one sample and the best at k = C_inf/(2N), interpolated in log k.

    gain: pass@k of the second minus that of the first, each drawing the samples it is served.
    """

    train: float
    runs: int
    one_sample: dict[str, float]
    with_samples: dict[str, float]
    gain: float


def best_measured(runs: t2.Table, inference: float) -> list[Measured]:
    """The best runs of every budget that four or more runs share and at which k stays within the measured ones."""
    compute, models = runs.compute(), runs["model"]
    firsts = np.unique(models, return_index=True)[1]
    firsts = firsts[np.argsort(compute[firsts])]
    rounded = np.cumsum(np.diff(np.log(compute[firsts]), prepend=-np.inf) > np.log(SAME_BUDGET))
    results = []
    for which in np.unique(rounded):
        group = firsts[rounded == which]
        if len(group) < 4:
            continue
        sizes, served = runs["params"][group], inference / (2 * runs["params"][group])
        curves = [models == models[i] for i in group]
        if served.min() < 1 or served.max() > runs["samples"].max():
            continue
        log_k = [np.log(runs["samples"][rows]) for rows in curves]
        values = [runs["pass_at_k"][rows] for rows in curves]
        many = np.array([np.interp(np.log(k), x, y) for k, x, y in zip(served, log_k, values, strict=True)])
        single = np.array([y[0] for y in values])
        ratio = runs["tokens"][group] / sizes
        best_once, best = int(np.argmax(single)), int(np.argmax(many))

        def choice_at(i: int, sizes: Any = sizes, ratio: Any = ratio, served: Any = served, many: Any = many):
            named = {"params": sizes[i], "tokens_per_param": ratio[i], "samples": served[i], "pass_at_k": many[i]}
            return {name: float(value) for name, value in named.items()}

        train = float(compute[group].mean())
        results.append(
            Measured(train, len(group), choice_at(best_once), choice_at(best), float(many[best] - many[best_once]))
        )
    return results
