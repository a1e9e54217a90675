"""The compute-optimal size with its discrepancy: bands of N*, D*, k* and the response there."""

from dataclasses import dataclass

import jax
import numpy as np

from t2jax.extrapolation.discrepancy import DiscrepancyFit
from t2jax.extrapolation.draws import draw_curves
from t2jax.extrapolation.law_choice import LawChoice
from t2jax.extrapolation.predictions import as_choice
from t2jax.fitting.fit import Fit
from t2jax.fitting.measured_range import horizon_decades
from t2jax.laws.arguments import check_arguments
from t2jax.numerics.bands import Band, band
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
            {name: format_interval(one.low, one.mid, one.high) for name, one in bands.items()},
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
    fit: Fit | DiscrepancyFit | LawChoice,
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
    drawn = draw_optima(choice, train, inference, key=key, draws=draws)
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


def draw_optima(choice: LawChoice, train: float, inference: float | None, *, key: Array, draws: int) -> OptimumDraws:
    """Draws laws with their discrepancies along the sizes that the budgets allow, and finds the optimum of each.

    It raises ValueError as `optimum_band` does.
    """
    if not train > 0 or (inference is not None and not inference > 0):
        raise ValueError(f"optimum_band: found budgets {train:g} and {inference}, expected positive FLOPs")
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    centre = _middle(choice.fits[0], train, inference)
    logs = np.arange(centre - REACH, centre + REACH + STEP / 2, STEP)
    limit = np.inf if inference is None else float(np.log10(inference / 2))  # the size that leaves one sample
    limited = limit < logs[-1]
    logs = np.append(logs[logs < limit - STEP / 2], limit) if limited else logs
    columns = _columns(10.0**logs, train, inference)
    counts = rng.multinomial(draws, choice.weights)
    parts = [
        draw_curves(one, columns, int(count), rng) for one, count in zip(choice.fits, counts, strict=True) if count
    ]
    curves = np.concatenate(parts)
    middle = curves.mean(axis=0)
    curves = middle + choice.widening * (curves - middle)
    sign = -1.0 if choice.fits[0].curve.scale == "logit" else 1.0
    place, values, edge = _lowest(logs, sign * curves, limited)
    at = _columns(10.0**place, train, inference)
    return OptimumDraws(
        at["params"], at["tokens"], at["samples"], choice.fits[0].curve.to_response(sign * values), edge
    )


def _columns(params: Float[np.ndarray, " sizes"], train: float, inference: float | None) -> dict[str, np.ndarray]:
    """Computes what the budgets leave for each size."""
    tokens = train / (6 * params)
    samples = np.ones_like(params) if inference is None else inference / (2 * params)
    return {"params": params, "tokens": tokens, "samples": samples, "unique_tokens": tokens}


def _middle(fit: DiscrepancyFit, train: float, inference: float | None) -> float:
    """Finds the decimal log of the fitted law's own optimum, to a step."""
    logs = COARSE if inference is None else COARSE[inference / 2 >= 10.0**COARSE]
    if not logs.size:
        raise ValueError(f"optimum_band: {inference:g} FLOPs a token allow no sample of any model")
    values, _ = fit.curve.evaluate(fit.u, _columns(10.0**logs, train, inference))
    sign = -1.0 if fit.curve.scale == "logit" else 1.0
    return float(logs[np.nanargmin(sign * values)])


def _lowest(
    logs: Float[np.ndarray, " sizes"], curves: Float[np.ndarray, "draws sizes"], limited: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Finds the lowest point of each curve by a parabola through three points, and whether it lies at an end.

    The last size of a `limited` range is the largest that the budget allows: an optimum, and no end of the search.
    """
    index = np.argmin(curves, axis=1)
    last = index == len(logs) - 1
    edge = (index == 0) | (last & (not limited))
    inner = np.clip(index, 1, len(logs) - 2)
    rows = np.arange(len(curves))
    left, mid, right = (curves[rows, inner + shift] for shift in (-1, 0, 1))
    bend = np.maximum(left - 2 * mid + right, 1e-300)
    shift = np.clip(0.5 * (left - right) / bend, -0.5, 0.5)
    level = edge | last | (limited & (index == len(logs) - 2))  # the step to the limit is of another length
    place = np.where(level, logs[index], logs[inner] + shift * STEP)
    return place, np.where(level, curves[rows, index], mid - 0.25 * (left - right) * shift), edge
