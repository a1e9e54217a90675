"""What t2_on_code_models finds, in words."""

from dataclasses import dataclass, field

from experiments.shared.code_models import ForecastPoints, OptimumCurves
from experiments.shared.code_models_optima import Measured
from experiments.shared.record import UNSAVED
from t2jax.evaluation.errors import Errors


@dataclass(frozen=True)
class Forecast:
    """A law fitted to the runs up to a cut, and its relative errors of pass@k at the dearer ones.

    bands: "bootstrap", or "discrepancy" of a law with smooth deviations. coverage, coverage_50: share of their rows
    inside 90 % and 50 % bands. half_width: median half width of the former over the prediction. at_one, at_most: the
    mean error at k = 1 and at the largest k. status: what became of the bootstrap, or how far the rows deviate.
    """

    law: str
    bands: str
    cut: float
    fitted_runs: int
    predicted_runs: int
    errors: Errors
    at_one: float
    at_most: float
    coverage: float
    coverage_50: float | None
    half_width: float
    status: str
    points: ForecastPoints = field(repr=False, metadata=UNSAVED)


@dataclass(frozen=True)
class Optimum:
    """The best model of one law, with samples and for one sample: each quantity as low, middle, high.

    The middle is the point fit of a bootstrap, or the median of the draws with smooth deviations.
    gain: of the model with samples over that for one sample, both drawing the samples they are served; a model for one
    sample too large to be served once, as in a share too_large of draws, is replaced by the largest that is.
    more_tokens: share of draws with more tokens per parameter with samples. optimal: share of draws with both optima,
    inside the sizes that were searched. beyond: how many times beyond the measured ranges the middle lies, by quantity.
    """

    law: str
    bands: str
    status: str
    optimal: float
    with_samples: dict[str, tuple[float, float, float]]
    one_sample: dict[str, tuple[float, float, float]]
    gain: tuple[float, float, float]
    too_large: float
    more_tokens: float
    beyond: dict[str, float]
    beyond_one: dict[str, float]
    curves: OptimumCurves | None = field(repr=False, metadata=UNSAVED)


@dataclass(frozen=True)
class Result:
    """residuals: root mean square of T2PassK's residuals at each k, fitted to every run.

    without_fit: laws and cuts at which no fit was found, and why.
    """

    models: int
    rows: int
    zero_rows: int
    residuals: dict[str, float]
    forecasts: tuple[Forecast, ...]
    without_fit: tuple[str, ...]
    optima: tuple[Optimum, ...]
    measured: tuple[Measured, ...]


def words(result: Result) -> list[str]:
    """The result in sentences."""
    lines = [f"{result.models} models, {result.rows} rows, {result.zero_rows} of them zero."]
    residuals = ", ".join(f"{value:.3f} at k = {k}" for k, value in result.residuals.items())
    lines.append(f"Residuals of T2PassK fitted to all, root mean square: {residuals}.")
    for forecast in result.forecasts:
        half = "" if forecast.coverage_50 is None else f" ({forecast.coverage_50:.0%} inside the 50 % bands)"
        lines.append(
            f"{forecast.law} ({forecast.bands}) up to {forecast.cut:.2g} FLOPs ({forecast.fitted_runs} runs), "
            f"{forecast.predicted_runs} dearer: "
            f"mean error {forecast.errors.mean_absolute:.1%} ({forecast.at_one:.1%} at k = 1, "
            f"{forecast.at_most:.1%} at the largest), "
            f"bias {forecast.errors.bias:+.1%}, {forecast.coverage:.0%} inside the 90 % bands of "
            f"± {forecast.half_width:.0%}{half}; "
            f"{forecast.status}"
        )
    lines += result.without_fit
    for optimum in result.optima:
        for name, answer in (("with samples", optimum.with_samples), ("one sample", optimum.one_sample)):
            intervals = "; ".join(
                f"{key} {mid:.3g} ({low:.3g} to {high:.3g})" for key, (low, mid, high) in answer.items()
            )
            lines.append(f"{optimum.law} ({optimum.bands}), {name}: {intervals}")
        low, mid, high = optimum.gain
        lines.append(
            f"  gain {mid:.3f} ({low:.3f} to {high:.3f}); "
            f"the model for one sample is too large to serve in {optimum.too_large:.0%} of draws; "
            f"more tokens per parameter in {optimum.more_tokens:.1%} of draws; "
            f"beyond what was measured: {beyond(optimum.beyond)}; for one sample: {beyond(optimum.beyond_one)}; "
            f"{optimum.optimal:.0%} of draws with both optima; {optimum.status}"
        )
    for budget in result.measured:
        single, many = budget.one_sample, budget.with_samples
        lines.append(
            f"measured, {budget.runs} runs at {budget.train:.3g} FLOPs: best at one sample N = {single['params']:.3g}, "
            f"D/N = {single['tokens_per_param']:.3g}; best with samples N = {many['params']:.3g}, D/N = "
            f"{many['tokens_per_param']:.3g}, k = {many['samples']:.3g}: {budget.gain:+.3f} of pass@k"
        )
    return lines


def beyond(factors: dict[str, float]) -> str:
    """How far beyond the measured ranges, by quantity."""
    return ", ".join(f"{name} {factor:.2g} times" for name, factor in factors.items()) or "nothing"
