"""The compute-optimal size with its discrepancy: bands of N*, D*, k* and the response there."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import jax
import numpy as np

from t2jax.extrapolation.draws import draw_curves
from t2jax.extrapolation.law_choice import LawChoice
from t2jax.extrapolation.predictions import as_choice
from t2jax.extrapolation.sampled import SmoothFit
from t2jax.fitting.fit import Fit
from t2jax.fitting.measured_range import horizon_decades
from t2jax.laws.arguments import check_arguments
from t2jax.numerics.bands import Band, band
from t2jax.posterior.posterior import Posterior
from t2jax.printing import format_interval, summary
from t2jax.typing import Array, Float

COARSE = np.linspace(3.0, 15.0, 241)
"""Decimal logs of N among which the optimum of the fitted law is first looked for."""
REACH, STEP = 2.5, 0.025
"""Range about that optimum in which each draw has its own, and its steps, in decades."""
AT_EDGE = 0.1
"""Share of draws at an end of that range beyond which there is no band."""


@dataclass(frozen=True, repr=False)
class OptimumBand:
    """Result of `optimum_band`: the optimum of one budget over draws of laws and discrepancies.

    Attributes:
        params: Band of N*.
        tokens: Band of D*.
        samples: Band of k*, all ones without an inference budget.
        value: Band of the response there, as a mean over runs.
        tokens_per_param: Band of D*/N*.
        horizon_decades: Distance of the middle of the bands beyond the measured ranges, in decades.
        draws: Number of draws.
        at_edge: Share of draws whose optimum lies at an end of the range that was searched.

    Examples:
        >>> at = t2.extrapolation.optimum_band(fit, 1e21, key=jax.random.key(0))
        >>> print(f"{at.params.mid:.1e}")
        2.9e+09
    """

    params: Band
    tokens: Band
    samples: Band
    value: Band
    tokens_per_param: Band
    horizon_decades: float
    draws: int
    at_edge: float

    def __repr__(self) -> str:
        """Writes the status, then the median and the band of each quantity."""
        names = ("params", "tokens", "samples", "value", "tokens_per_param")
        bands = {name: getattr(self, name) for name in names}
        return summary(
            "OptimumBand",
            self.status,
            {name: format_interval(spread.low, spread.mid, spread.high) for name, spread in bands.items()},
        )

    @property
    def status(self) -> str:
        """How far the optimum lies beyond the table, and whether the rows bound it."""
        sentence = f"{self.horizon_decades:.2g} decades beyond what was measured" if self.horizon_decades else "inside"
        if self.at_edge > AT_EDGE:
            return f"{sentence}; the rows do not bound the optimum: {self.at_edge:.0%} of the draws lie at an end"
        return sentence


@dataclass(frozen=True)
class OptimumDraws:
    """The optimum of one budget in each draw of a law and its discrepancy, shape (draws,) each.

    Attributes:
        params: N*.
        tokens: D*.
        samples: k*.
        value: The response there, as a mean over runs.
        at_edge: Whether the optimum lies at an end of the range that was searched.
    """

    params: np.ndarray
    tokens: np.ndarray
    samples: np.ndarray
    value: np.ndarray
    at_edge: np.ndarray


@check_arguments
def optimum_band(
    fit: Fit | SmoothFit | LawChoice | Posterior,
    train: float,
    inference: float | None = None,
    *,
    key: Array,
    draws: int = 400,
    level: float = 0.9,
) -> OptimumBand:
    """Computes the compute-optimal N, D and k with bands that include the law's smooth discrepancy.

    The budgets are 6ND = train and, with `inference`, 2Nk = inference with k >= 1 (Roberts et al. 2026, 2604.01411).
    They leave one free size, N. All tokens are unique. Each draw of the law and of its discrepancy along this line has
    its own optimum.

    Args:
        fit: As for `predict_band`; of a `LawChoice` each law gives draws in proportion to its weight.
        train: Training budget, FLOPs.
        inference: Inference budget, FLOPs for each token served. None means one sample.
        key: JAX random key.
        draws: Number of draws.
        level: Level of the bands.

    Returns:
        The bands.

    Raises:
        ValueError: The budget is not positive, or too small for one sample of any size.

    Examples:
        >>> at = t2.extrapolation.optimum_band(fit, 1e21, key=jax.random.key(0), draws=100)
        >>> bool(at.params.low <= at.params.mid <= at.params.high)
        True
    """
    choice = as_choice(fit)
    drawn = draw_optima(choice, training_line(choice, train, inference), key=key, draws=draws)
    params, tokens, samples = band(drawn.params, level), band(drawn.tokens, level), band(drawn.samples, level)
    return OptimumBand(
        params,
        tokens,
        samples,
        band(drawn.value, level),
        band(drawn.tokens / drawn.params, level),
        horizon_decades(choice.fits[0].measured.beyond(params.mid, tokens.mid, samples.mid)),
        draws,
        float(drawn.at_edge.mean()),
    )


@dataclass(frozen=True)
class SizeLine:
    """Sizes that a budget allows, with the tokens and samples that each of them leaves, shape (sizes,) each.

    Attributes:
        params: N, increasing in steps of `STEP` decades. The step before a limit may be shorter.
        tokens: D.
        samples: k.
        unique_tokens: Tokens of D that are not repeated.
        others: Further inputs of the law by column, shape (sizes,) each.
        least_is_limit: Whether the budget allows no smaller size, so that an optimum there is one.
        most_is_limit: The same of the largest size.
    """

    params: np.ndarray
    tokens: np.ndarray
    samples: np.ndarray
    unique_tokens: np.ndarray
    least_is_limit: bool = False
    most_is_limit: bool = False
    others: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """Inputs of a law by column."""
        return {
            "params": self.params,
            "tokens": self.tokens,
            "samples": self.samples,
            "unique_tokens": self.unique_tokens,
            **self.others,
        }


def size_grid(centre: float) -> Float[np.ndarray, " sizes"]:
    """Lists the sizes about a decimal log of N among which each draw has its optimum."""
    steps = round(REACH / STEP)
    return 10.0 ** (centre + STEP * np.arange(-steps, steps + 1))


def training_line(choice: LawChoice, train: float, inference: float | None) -> SizeLine:
    """Lists sizes about the fitted law's optimum under 6ND = train and 2Nk = inference with k >= 1.

    It raises ValueError as `optimum_band` does.
    """
    if not train > 0 or (inference is not None and not inference > 0):
        raise ValueError(f"optimum_band: found budgets {train:g} and {inference}, expected positive FLOPs")
    params = size_grid(_middle(choice.fits[0], train, inference))
    limit = np.inf if inference is None else inference / 2  # the size that leaves one sample
    limited = bool(limit < params[-1])
    if limited:
        params = np.append(params[params < limit * 10 ** (-STEP / 2)], limit)
    columns = _columns(params, train, inference)
    return SizeLine(params, columns["tokens"], columns["samples"], columns["unique_tokens"], most_is_limit=limited)


def draw_optima(choice: LawChoice, line: SizeLine, *, key: Array, draws: int) -> OptimumDraws:
    """Draws laws with their discrepancies along sizes, and finds the optimum of each draw."""
    curves = draw_costs(choice, line.columns, key=key, draws=draws)
    logs = np.log10(line.params)
    place, values, edge = _lowest(logs, curves, line)
    tokens, samples = (10.0 ** np.interp(place, logs, np.log10(column)) for column in (line.tokens, line.samples))
    return OptimumDraws(10.0**place, tokens, samples, response_of(choice, values), edge)


def draw_costs(
    choice: LawChoice, columns: Mapping[str, np.ndarray], *, key: Array, draws: int
) -> Float[np.ndarray, "draws rows"]:
    """Draws laws with their discrepancies at rows: logs of the loss, or logits of failing pass@k. Lower is better."""
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    counts = rng.multinomial(draws, choice.weights)
    parts = [
        draw_curves(fit, columns, int(count), rng) for fit, count in zip(choice.fits, counts, strict=True) if count
    ]
    curves = np.concatenate(parts)
    middle = curves.mean(axis=0)
    return _sign(choice) * (middle + choice.widening * (curves - middle))


def response_of(choice: LawChoice, cost: np.ndarray) -> np.ndarray:
    """Turns the numbers of `draw_costs` into responses."""
    return choice.fits[0].curve.to_response(_sign(choice) * cost)


def cost_of_response(choice: LawChoice, response: float) -> float:
    """Turns a response into the number that `draw_costs` would have for it."""
    odds = response / (1 - response) if choice.fits[0].curve.scale == "logit" else response
    return float(_sign(choice) * np.log(odds))


def _sign(choice: LawChoice) -> float:
    return -1.0 if choice.fits[0].curve.scale == "logit" else 1.0


def _columns(params: Float[np.ndarray, " sizes"], train: float, inference: float | None) -> dict[str, np.ndarray]:
    """Computes what the budgets leave for each size."""
    tokens = train / (6 * params)
    samples = np.ones_like(params) if inference is None else inference / (2 * params)
    return {"params": params, "tokens": tokens, "samples": samples, "unique_tokens": tokens}


def _middle(fit: SmoothFit, train: float, inference: float | None) -> float:
    """Finds the decimal log of the fitted law's own optimum, to a step."""
    logs = COARSE if inference is None else COARSE[inference / 2 >= 10.0**COARSE]
    if not logs.size:
        raise ValueError(f"optimum_band: {inference:g} FLOPs a token allow no sample of any model")
    values, _ = fit.curve.evaluate(fit.u, _columns(10.0**logs, train, inference))
    sign = -1.0 if fit.curve.scale == "logit" else 1.0
    return float(logs[np.nanargmin(sign * values)])


def _lowest(
    logs: Float[np.ndarray, " sizes"], curves: Float[np.ndarray, "draws sizes"], line: SizeLine
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Finds the lowest point of each curve by a parabola through three points, and whether the search ended there.

    An end of the line that is a limit of the budget is an optimum, and no end of the search.
    """
    index, end = np.argmin(curves, axis=1), len(logs) - 1
    first, last = index == 0, index == end
    edge = (first & (not line.least_is_limit)) | (last & (not line.most_is_limit))
    inner = np.clip(index, 1, end - 1)
    rows = np.arange(len(curves))
    left, mid, right = (curves[rows, inner + shift] for shift in (-1, 0, 1))
    bend = np.maximum(left - 2 * mid + right, 1e-300)
    shift = np.clip(0.5 * (left - right) / bend, -0.5, 0.5)
    level = first | last | (line.most_is_limit & (index == end - 1))  # the step to the limit is of another length
    place = np.where(level, logs[index], logs[inner] + shift * STEP)
    return place, np.where(level, curves[rows, index], mid - 0.25 * (left - right) * shift), edge
