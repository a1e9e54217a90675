"""Do T²'s laws hold for code models of billions of parameters? HumanEval pass@k of Krajewski et al. 2025 (2512.08894).

57 models of 0.06 to 11 billion parameters, 10 to 160 tokens per parameter, k = 1 to 128: the only public table of N, D
and k of this size that we know. Each law is fitted to the runs up to a cut in training compute and predicts the dearer
ones. Then the optimum at the compute of the dearest runs, with samples and for one, and what the runs themselves say.

pass@k is the unbiased estimate from 200 samples for each of 164 problems, as in the source. No counts are published,
so there is no beta-binomial likelihood. Sampling errors at k = 1 are at most 0.003. The residuals of T2PassK are about
0.018, nearly the same at any k: runs scatter. So errors are normal, of one size on pass@k itself: least squares, as
in the T² paper. Where losses are fitted too, the eight k of a run count as one measurement: their residuals are nearly
shared, so their scale is 0.05 = 0.018·√8, and that of log losses is 0.006, what Chinchilla's law leaves of them.
T2Loss and ParamsTokensPassK predict -log pass@k by Huber's penalty, on rows above zero. The table has the mean over
problems of pass@k, so its log takes the place of the mean of logs.

    python -m experiments.paper.t2_on_code_models [tiny] [-o FOLDER]    (reads T2JAX_DATA/apple-code/humaneval.csv)
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import jax
import numpy as np

import t2jax as t2
from experiments.shared.code_models import ForecastPoints, OptimumCurves, draw_forecasts, draw_frontier
from experiments.shared.real_tables import code_models
from experiments.shared.record import UNSAVED, command, stage
from t2jax.evaluation.errors import Errors
from t2jax.evaluation.held_out import NoFit
from t2jax.fitting.measured_range import MeasuredRange
from t2jax.planning.plan import Plan

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEVEL = 0.9
LOSS_SCALE, PASS_SCALE = 0.006, 0.05
QUANTITIES = ("params", "tokens", "tokens_per_param", "samples", "value")
SAME_BUDGET = 1.02
"""Runs whose training compute differs by less than this factor have one budget."""


@dataclass(frozen=True)
class Candidate:
    """A law, the loss column it reads too, and its noise; None for the default."""

    name: str
    law: type[t2.Law]
    loss: str | None = None
    noise: t2.noise.Noise | None = None

    def table(self) -> t2.Table:
        """The rows it reads: those of zero have no log."""
        runs = code_models(self.loss)
        if "pass_at_k" in self.law.response:
            return runs
        runs = runs.where(runs["pass_at_k"] > 0)
        columns: Any = {name: runs[name] for name in ("model", "params", "tokens", "samples")}
        return t2.Table.from_columns(**columns, neg_log_pass=-np.log(runs["pass_at_k"]), source=runs.source)


WITH_LOSS = t2.noise.Joint(t2.noise.Gaussian(scale=PASS_SCALE), t2.noise.Gaussian("log", LOSS_SCALE))
CANDIDATES = (
    Candidate("T2PassK", t2.laws.T2PassK),
    Candidate("T2PassK, DCLM loss", t2.laws.T2PassK, "dclm", WITH_LOSS),
    Candidate("T2Loss", t2.laws.T2Loss),
    Candidate("ParamsTokensPassK", t2.laws.ParamsTokensPassK),
    Candidate("T2PassKNaive", t2.laws.T2PassKNaive),
)


@dataclass(frozen=True)
class Config:
    """Which laws and cuts, and the budgets of the frontier."""

    laws: tuple[str, ...] = ("T2PassK", "T2Loss", "ParamsTokensPassK", "T2PassKNaive")
    """Out of CANDIDATES; those with losses take many times as long."""
    planned: tuple[str, ...] = ("T2PassK",)
    """Laws whose optima are computed; the figure shows the first."""
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
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(
            laws=("T2PassK", "T2PassKNaive"), planned=("T2PassK",), cuts=(1e21,), budgets=3, draws=24, planned_draws=24
        )


@dataclass(frozen=True)
class Forecast:
    """A law fitted to the runs up to a cut, and its relative errors of pass@k at the dearer ones.

    coverage: share of their rows inside 90 % bands. half_width: median half width of these over the prediction.
    at_one, at_most: the mean error at k = 1 and at the largest k. draws: what became of the bootstrap.
    """

    law: str
    cut: float
    fitted_runs: int
    predicted_runs: int
    errors: Errors
    at_one: float
    at_most: float
    coverage: float
    half_width: float
    draws: str
    points: ForecastPoints = field(repr=False, metadata=UNSAVED)


@dataclass(frozen=True)
class Optimum:
    """The best model of one law, with samples and for one sample: each quantity as low, point fit, high.

    gain: of the model with samples over that for one sample, both drawing the samples they are served.
    beyond: how many times beyond the measured ranges the model of the point fit lies, by quantity.
    more_tokens: share of draws with more tokens per parameter with samples. optimal: share of draws with both optima.
    """

    law: str
    status: str
    draws: str
    optimal: float
    with_samples: dict[str, tuple[float, float, float]]
    one_sample: dict[str, tuple[float, float, float]]
    gain: tuple[float, float, float]
    more_tokens: float
    beyond: dict[str, float]
    beyond_one: dict[str, float]
    curves: OptimumCurves = field(repr=False, metadata=UNSAVED)


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


def run(config: Config) -> Result:
    runs = code_models()
    key = jax.random.key(config.seed)
    chosen = [one for one in CANDIDATES if one.name in config.laws]
    forecasts, without = [], []
    for one in chosen:
        for cut in config.cuts:
            try:
                forecasts.append(forecast(one, cut, config, key))
            except NoFit as error:
                without.append(str(error))
    optima = tuple(optimum(one, config, key) for one in CANDIDATES if one.name in config.planned)
    law = t2.fit(t2.laws.T2PassK, runs, key=key).law
    left = runs["pass_at_k"] - t2.predict(law, runs)
    by_k = {f"{k:g}": left[runs["samples"] == k] for k in np.unique(runs["samples"])}
    return Result(
        models=len(set(runs["model"])),
        rows=len(runs),
        zero_rows=int(np.sum(runs["pass_at_k"] == 0)),
        residuals={k: float(np.sqrt(np.mean(np.square(one)))) for k, one in by_k.items()},
        forecasts=tuple(forecasts),
        without_fit=tuple(without),
        optima=optima,
        measured=tuple(best_measured(runs, config.inference)),
    )


def forecast(one: Candidate, cut: float, config: Config, key: Any) -> Forecast:
    """Fit below the cut, predict above it; errors of every law are those of pass@k."""
    table = one.table()
    with stage(f"{one.name} up to {cut:.2g} FLOPs"):
        split = t2.evaluation.Cut("compute", cut)
        options: Any = {"noise": one.noise, "draws": config.draws, "over": "runs", "level": LEVEL}
        found = t2.evaluation.extrapolate(one.law, table, split, key=key, **options)
    out = found.held_out
    arrays = [value[out] for value in (found.observed, found.predicted, found.low, found.high)]
    if "pass_at_k" not in table:
        observed, predicted, low, high = (np.exp(-value) for value in arrays)
        arrays = [observed, predicted, high, low]
    observed, predicted, low, high = arrays
    k, models = table["samples"][out], table["model"]
    size = np.abs(predicted / observed - 1)
    return Forecast(
        law=one.name,
        cut=cut,
        fitted_runs=len(set(models[~out])),
        predicted_runs=len(set(models[out])),
        errors=Errors.of(predicted, observed),
        at_one=float(size[k == 1].mean()),
        at_most=float(size[k == k.max()].mean()),
        coverage=float(np.mean((low <= observed) & (observed <= high))),
        half_width=float(np.median((high - low) / (2 * predicted))),
        draws=found.draws,
        points=ForecastPoints(k, observed, predicted, low, high),
    )


def optimum(one: Candidate, config: Config, key: Any) -> Optimum:
    """Optima of the law fitted to every run, and of its bootstrap draws."""
    table = one.table()
    train = np.append(np.geomspace(1e20, 1e23, config.budgets), config.train)
    with stage(f"{one.name}: optima of {config.planned_draws} draws"):
        fit = t2.fit(one.law, table, noise=one.noise, key=key)
        boot = t2.bootstrap(fit, table, draws=config.planned_draws, key=key, over="runs")
        # the point fit goes first, so that one call plans for it and for every draw
        laws = jax.tree.map(lambda point, draws: np.concatenate([[point], draws]), fit.law, boot.laws)
        plans = t2.frontier(laws, t2.Budget(train=train, inference=config.inference))
        once = t2.frontier(laws, t2.Budget(train=train))
    served = np.maximum(config.inference / (2 * once.params[:, -1]), 1.0)
    pairs = zip(*(np.asarray(leaf) for leaf in (once.params[:, -1], once.tokens[:, -1], served)), strict=True)
    leaves = [jax.tree.map(lambda leaf, i=i: leaf[i : i + 1], laws) for i in range(len(served))]
    alone = [t2.evaluate(law, params=n, tokens=d, samples=k)[0] for law, (n, d, k) in zip(leaves, pairs, strict=True)]
    both = (plans.ok & once.ok)[1:, -1]
    more = (plans.tokens_per_param > once.tokens_per_param)[1:, -1]
    ranges = MeasuredRange.of(table)
    return Optimum(
        law=one.name,
        status=fit.status,
        draws=boot.status,
        optimal=float(both.mean()),
        with_samples={name: interval(getattr(plans, name)[:, -1]) for name in QUANTITIES},
        one_sample={name: interval(getattr(once, name)[:, -1]) for name in QUANTITIES},
        gain=interval(plans.value[:, -1] - np.asarray(alone)),
        more_tokens=float(more[both].mean()),
        beyond=ranges.beyond(*(float(getattr(plans, name)[0, -1]) for name in ("params", "tokens", "samples"))),
        beyond_one=ranges.beyond(float(once.params[0, -1]), float(once.tokens[0, -1]), 1.0),
        curves=OptimumCurves(train[:-1], bands(plans), bands(once), ranges),
    )


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """The point fit, which is the first value, between the ends of the band over the draws that have a number."""
    spread = t2.band(values[1:][np.isfinite(values[1:])], LEVEL)
    return float(spread.low), float(values[0]), float(spread.high)


def bands(plans: Plan) -> dict[str, np.ndarray]:
    """Each of QUANTITIES at the budgets of the figure as low, point fit, high: (3, budgets)."""
    names = [(name, np.asarray(getattr(plans, name))[:, :-1]) for name in QUANTITIES]
    return {name: np.transpose([interval(column) for column in values.T]) for name, values in names}


def best_measured(runs: t2.Table, inference: float) -> list[Measured]:
    """The best runs of every budget that four or more runs share and at which k stays within the measured ones."""
    compute, models = runs.compute(), runs["model"]
    firsts = np.unique(models, return_index=True)[1]
    firsts = firsts[np.argsort(compute[firsts])]
    rounded = np.cumsum(np.diff(np.log(compute[firsts]), prepend=-np.inf) > np.log(SAME_BUDGET))
    found = []
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
        one, best = int(np.argmax(single)), int(np.argmax(many))

        def told(i: int, sizes: Any = sizes, ratio: Any = ratio, served: Any = served, many: Any = many):
            named = {"params": sizes[i], "tokens_per_param": ratio[i], "samples": served[i], "pass_at_k": many[i]}
            return {name: float(value) for name, value in named.items()}

        train = float(compute[group].mean())
        found.append(Measured(train, len(group), told(one), told(best), float(many[best] - many[one])))
    return found


def words(result: Result) -> list[str]:
    lines = [f"{result.models} models, {result.rows} rows, {result.zero_rows} of them zero."]
    residuals = ", ".join(f"{value:.3f} at k = {k}" for k, value in result.residuals.items())
    lines.append(f"Residuals of T2PassK fitted to all, root mean square: {residuals}.")
    for one in result.forecasts:
        lines.append(
            f"{one.law} up to {one.cut:.2g} FLOPs ({one.fitted_runs} runs), {one.predicted_runs} dearer: mean error "
            f"{one.errors.mean_absolute:.1%} ({one.at_one:.1%} at k = 1, {one.at_most:.1%} at the largest), bias "
            f"{one.errors.bias:+.1%}, {one.coverage:.0%} inside the 90 % bands of ± {one.half_width:.0%}; {one.draws}"
        )
    lines += result.without_fit
    for one in result.optima:
        for name, found in (("with samples", one.with_samples), ("one sample", one.one_sample)):
            told = "; ".join(f"{key} {mid:.3g} ({low:.3g} to {high:.3g})" for key, (low, mid, high) in found.items())
            lines.append(f"{one.law}, {name}: {told}")
        low, mid, high = one.gain
        lines.append(
            f"  gain {mid:.3f} ({low:.3f} to {high:.3f}); more tokens per parameter in {one.more_tokens:.0%} of draws; "
            f"beyond what was measured: {beyond(one.beyond)}; for one sample: {beyond(one.beyond_one)}; "
            f"{one.draws}, {one.optimal:.0%} with both optima; {one.status}"
        )
    for one in result.measured:
        single, many = one.one_sample, one.with_samples
        lines.append(
            f"measured, {one.runs} runs at {one.train:.3g} FLOPs: best at one sample N = {single['params']:.3g}, D/N = "
            f"{single['tokens_per_param']:.3g}; best with samples N = {many['params']:.3g}, D/N = "
            f"{many['tokens_per_param']:.3g}, k = {many['samples']:.3g}: {one.gain:+.3f} of pass@k"
        )
    return lines


def beyond(factors: dict[str, float]) -> str:
    return ", ".join(f"{name} {factor:.2g} times" for name, factor in factors.items()) or "nothing"


def figures(result: Result) -> dict[str, "Figure"]:
    cut = max(one.cut for one in result.forecasts)
    cut = Config().shown if any(one.cut == Config().shown for one in result.forecasts) else cut
    points = {one.law: one.points for one in result.forecasts if one.cut == cut}
    return {"forecasts": draw_forecasts(points, cut), "frontier": draw_frontier(result.optima[0].curves)}


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
