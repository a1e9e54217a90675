"""Do T²'s laws hold for code models of billions of parameters? HumanEval pass@k of Krajewski et al. 2025 (2512.08894).

57 models of 0.06 to 11 billion parameters, 10 to 160 tokens per parameter, k = 1 to 128: the only public table of N, D
and k of this size that we know. Each law is fitted to the runs up to a cut in training compute and predicts the dearer
ones. Then the optimum at the compute of the dearest runs, with samples and for one, and what the runs themselves say.

pass@k is the unbiased estimate from 200 samples for each of 164 problems, as in the source. No counts are published,
so there is no beta-binomial likelihood. Sampling errors at k = 1 are at most 0.003. The residuals of T2PassK are about
0.018, nearly the same at any k: runs scatter. So errors are normal, of one size on pass@k itself: least squares, as
in the T² paper. T2Loss and ParamsTokensPassK predict -log pass@k by Huber's penalty, on rows above zero. The table has
the mean over problems of pass@k, so its log takes the place of the mean of logs. The models' losses are not fitted
along: that takes minutes for one cut.

Bands are of two kinds. Those of the bootstrap resample the runs and trust the law. Those with a discrepancy let the
runs deviate smoothly from the law, by as much as the fitted runs do. A backtest inside these widens them.

    python -m experiments.paper.t2_on_code_models [tiny] [-o FOLDER]    (reads T2JAX_DATA/apple-code/humaneval.csv)
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import jax
import numpy as np

import t2jax as t2
from experiments.shared.code_models import ForecastPoints, OptimumCurves, draw_forecasts, draw_frontier
from experiments.shared.code_models_optima import QUANTITIES, best_measured, draw_pair
from experiments.shared.code_models_words import Forecast, Optimum, Result, words
from experiments.shared.real_tables import code_models
from experiments.shared.record import command, stage
from t2jax.evaluation.errors import Errors
from t2jax.evaluation.held_out import NoFit
from t2jax.extrapolation.law_choice import LawChoice
from t2jax.extrapolation.predictions import as_choice
from t2jax.fitting.measured_range import MeasuredRange

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEVEL = 0.9
LAWS: dict[str, type[t2.Law]] = {
    "T2PassK": t2.laws.T2PassK,
    "T2PassKOnKaplan": t2.laws.T2PassK.on(t2.laws.Kaplan),
    "T2Loss": t2.laws.T2Loss,
    "ParamsTokensPassK": t2.laws.ParamsTokensPassK,
    "T2PassKNaive": t2.laws.T2PassKNaive,
}


@dataclass(frozen=True)
class Config:
    """Which laws and cuts, and the budgets of the frontier."""

    laws: tuple[str, ...] = ("T2PassK", "T2Loss", "ParamsTokensPassK", "T2PassKNaive")
    """Laws with bands of the bootstrap."""
    smooth: tuple[str, ...] = ("T2PassK", "T2PassKOnKaplan", "T2Loss")
    """Laws with smooth deviations; the second figure shows the frontier of the first."""
    cuts: tuple[float, ...] = (3e20, 1e21, 3e21)
    """Largest training compute that is fitted, FLOPs."""
    shown: float = 1e21
    """The cut of the first figure."""
    train: float = 1e22
    """Training compute of the optimum, that of the dearest runs, FLOPs."""
    inference: float = 3.6e10
    """FLOPs per token served: one pass of a model of 18 billion parameters, or nine of 2 billion."""
    budgets: int = 13
    """Training budgets of the second figure, from 1e20 to 1e23."""
    draws: int = 60
    """Bootstrap resamples of the runs, behind the bands of a forecast."""
    planned_draws: int = 100
    """The same behind the bands of an optimum."""
    smooth_draws: int = 1000
    """Draws of a law with its deviations, behind the bands of an optimum."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        small: Any = {"laws": ("T2PassK", "T2PassKNaive"), "smooth": ("T2PassK",), "cuts": (1e21,), "budgets": 3}
        return cls(**small, draws=20, planned_draws=20, smooth_draws=100)


def run(config: Config) -> Result:
    runs = code_models()
    key = jax.random.key(config.seed)
    forecasts, without = [], []
    for name in config.laws:
        for cut in config.cuts:
            try:
                forecasts.append(by_bootstrap(name, cut, config, key))
            except NoFit as error:
                without.append(str(error))
    forecasts += [with_discrepancy(name, cut, key) for name in config.smooth for cut in config.cuts]
    optima = [smooth_optimum(name, config, key, curves=name == config.smooth[0]) for name in config.smooth]
    law = t2.fit(t2.laws.T2PassK, runs, key=key).law
    left = runs["pass_at_k"] - t2.predict(law, runs)
    by_k = {f"{k:g}": left[runs["samples"] == k] for k in np.unique(runs["samples"])}
    return Result(
        models=len(set(runs["model"])),
        rows=len(runs),
        zero_rows=int(np.sum(runs["pass_at_k"] == 0)),
        residuals={k: float(np.sqrt(np.mean(np.square(errors)))) for k, errors in by_k.items()},
        forecasts=tuple(forecasts),
        without_fit=tuple(without),
        optima=(*optima, bootstrapped_optimum(config, key)),
        measured=tuple(best_measured(runs, config.inference)),
    )


def table_for(name: str) -> t2.Table:
    """The rows a law reads: a zero has no log."""
    runs = code_models()
    if "pass_at_k" in LAWS[name].response:
        return runs
    runs = runs.where(runs["pass_at_k"] > 0)
    columns: Any = {name: runs[name] for name in ("model", "params", "tokens", "samples")}
    return t2.Table.from_columns(**columns, neg_log_pass=-np.log(runs["pass_at_k"]), source=runs.source)


def by_bootstrap(name: str, cut: float, config: Config, key: Any) -> Forecast:
    """Fit below the cut, predict above it; bands are of resampled runs, plus residuals."""
    table = table_for(name)
    with stage(f"{name} up to {cut:.2g} FLOPs"):
        split = t2.evaluation.Cut("compute", cut)
        options: Any = {"draws": config.draws, "over": "runs", "level": LEVEL}
        result = t2.evaluation.extrapolate(LAWS[name], table, split, key=key, **options)
    out = result.held_out
    arrays = [value[out] for value in (result.observed, result.predicted, result.low, result.high)]
    if "pass_at_k" not in table:
        observed, predicted, low, high = (np.exp(-value) for value in arrays)
        arrays = [observed, predicted, high, low]
    points = ForecastPoints(table["samples"][out], *arrays)
    return judge(name, "bootstrap", cut, table["model"], out, points, None, result.draws)


def with_discrepancy(name: str, cut: float, key: Any) -> Forecast:
    """The same of a law with smooth deviations."""
    table = table_for(name)
    out = t2.evaluation.Cut("compute", cut).above(table)
    with stage(f"{name} with smooth deviations, up to {cut:.2g} FLOPs"):
        choice = as_choice(t2.extrapolation.fit_discrepancy(LAWS[name], table.where(~out), key=key))
        dearer = table.where(out)
        wide, narrow = (t2.predict_band(choice, dearer, level=level) for level in (LEVEL, 0.5))
    arrays = [dearer[wide.response], wide.mean, wide.low, wide.high, narrow.low, narrow.high]
    if "pass_at_k" not in table:
        observed, predicted, low, high, low_50, high_50 = (np.exp(-value) for value in arrays)
        arrays = [observed, predicted, high, low, high_50, low_50]
    observed, predicted, low, high, low_50, high_50 = arrays
    half = float(np.mean((low_50 <= observed) & (observed <= high_50)))
    points = ForecastPoints(dearer["samples"], observed, predicted, low, high)
    status = f"{choice.fits[0].status}; bands widened {choice.widening:.2g} times"
    return judge(name, "discrepancy", cut, table["model"], out, points, half, status)


def judge(
    law: str, bands: str, cut: float, models: Any, out: Any, points: ForecastPoints, half: float | None, status: str
) -> Forecast:
    """Compare predictions and bands of dearer rows with what was measured."""
    size = np.abs(points.predicted / points.observed - 1)
    return Forecast(
        law=law,
        bands=bands,
        cut=cut,
        fitted_runs=len(set(models[~out])),
        predicted_runs=len(set(models[out])),
        errors=Errors.of(points.predicted, points.observed),
        at_one=float(size[points.samples == 1].mean()),
        at_most=float(size[points.samples == points.samples.max()].mean()),
        coverage=float(np.mean((points.low <= points.observed) & (points.observed <= points.high))),
        coverage_50=half,
        half_width=float(np.median((points.high - points.low) / (2 * points.predicted))),
        status=status,
        points=points,
    )


def smooth_optimum(name: str, config: Config, key: Any, curves: bool) -> Optimum:
    """Optima of a law with smooth deviations, fitted to every run: both in every draw."""
    with stage(f"{name}: optima of {config.smooth_draws} draws with smooth deviations"):
        choice = as_choice(t2.extrapolation.fit_discrepancy(LAWS[name], table_for(name), key=key))
        result = draw_pair(choice, config.train, config.inference, config.seed, config.smooth_draws)
        frontier = frontier_of(choice, config) if curves else None
    many, once = spans(result.with_samples), spans(result.one_sample)
    ranges = choice.fits[0].measured
    return Optimum(
        law=name,
        bands="discrepancy",
        status=f"{choice.fits[0].status}; spread of draws widened {choice.widening:.2g} times",
        optimal=float(1 - result.at_edge.any(axis=0).mean()),
        with_samples=many,
        one_sample=once,
        gain=span(result.gain),
        too_large=float(np.mean(2 * result.one_sample["params"] > config.inference)),
        more_tokens=float(result.more_tokens.mean()),
        beyond=ranges.beyond(*(many[quantity][1] for quantity in ("params", "tokens", "samples"))),
        beyond_one=ranges.beyond(once["params"][1], once["tokens"][1], 1.0),
        curves=frontier,
    )


def frontier_of(choice: LawChoice, config: Config) -> OptimumCurves:
    train = np.geomspace(1e20, 1e23, config.budgets)
    pairs = [draw_pair(choice, flops, config.inference, config.seed, config.smooth_draws) for flops in train.tolist()]

    def along(which: str) -> dict[str, np.ndarray]:
        results = [spans(getattr(pair, which)) for pair in pairs]
        return {name: np.transpose([result[name] for result in results]) for name in QUANTITIES}

    return OptimumCurves(train, along("with_samples"), along("one_sample"), choice.fits[0].measured)


def spans(draws: dict[str, np.ndarray]) -> dict[str, tuple[float, float, float]]:
    return {name: span(values) for name, values in draws.items()}


def span(values: np.ndarray) -> tuple[float, float, float]:
    """The median between the ends of the band."""
    spread = t2.band(values, LEVEL)
    return float(spread.low), float(spread.mid), float(spread.high)


def bootstrapped_optimum(config: Config, key: Any) -> Optimum:
    """Optima of T2PassK fitted to every run, and of its bootstrap draws."""
    table = table_for("T2PassK")
    train = np.array([config.train])
    with stage(f"T2PassK: optima of {config.planned_draws} resamples"):
        fit = t2.fit(t2.laws.T2PassK, table, key=key)
        boot = t2.bootstrap(fit, table, draws=config.planned_draws, key=key, over="runs")
        # the point fit goes first, so that one call plans for it and for every draw
        laws = jax.tree.map(lambda point, draws: np.concatenate([[point], draws]), fit.law, boot.laws)
        plans = t2.frontier(laws, t2.Budget(train=train, inference=config.inference))
        once = t2.frontier(laws, t2.Budget(train=train))
    large = np.asarray(once.params)[:, 0]
    sizes = np.minimum(large, config.inference / 2)
    tokens, served = config.train / (6 * sizes), config.inference / (2 * sizes)
    single_laws = [jax.tree.map(lambda leaf, i=i: leaf[i : i + 1], laws) for i in range(len(served))]
    rows = zip(single_laws, sizes, tokens, served, strict=True)
    alone = np.array([t2.evaluate(law, params=n, tokens=d, samples=k)[0] for law, n, d, k in rows])
    both = np.asarray(plans.ok & once.ok)[1:, 0]
    more = np.asarray(plans.tokens_per_param > once.tokens_per_param)[1:, 0]
    many, single = (
        {name: interval(np.asarray(getattr(plan, name))[:, 0]) for name in QUANTITIES} for plan in (plans, once)
    )
    ranges = MeasuredRange.of(table)
    return Optimum(
        law="T2PassK",
        bands="bootstrap",
        status=f"{fit.status}; {boot.status}",
        optimal=float(both.mean()),
        with_samples=many,
        one_sample=single,
        gain=interval(np.asarray(plans.value)[:, 0] - alone),
        too_large=float(np.mean(2 * large[1:] > config.inference)),
        more_tokens=float(more[both].mean()),
        beyond=ranges.beyond(*(many[name][1] for name in ("params", "tokens", "samples"))),
        beyond_one=ranges.beyond(single["params"][1], single["tokens"][1], 1.0),
        curves=None,
    )


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """The point fit, which is the first value, between the ends of the band over the draws that have a number."""
    low, _, high = span(values[1:][np.isfinite(values[1:])])
    return low, float(values[0]), high


def figures(result: Result) -> dict[str, "Figure"]:
    cut = max(forecast.cut for forecast in result.forecasts)
    cut = Config().shown if any(forecast.cut == Config().shown for forecast in result.forecasts) else cut
    points = {(forecast.law, forecast.bands): forecast.points for forecast in result.forecasts if forecast.cut == cut}
    (curves,) = [optimum.curves for optimum in result.optima if optimum.curves is not None]
    return {"forecasts": draw_forecasts(points, cut), "frontier": draw_frontier(curves)}


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
