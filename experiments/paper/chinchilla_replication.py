"""What do Chinchilla's own runs say, and is 20 tokens per parameter among it? Chinchilla's law, refitted to Figure 4.

Besiroglu et al. 2024 (2404.10102) read 240 losses off the figure and minimised Huber's function of the log residuals.
We minimise the same to the last digit, resample the rows for intervals, and carry these to the optimum of every budget.

    python -m experiments.paper.chinchilla_replication [tiny] [-o FOLDER]
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import jax
import numpy as np

import t2jax as t2
from experiments.shared.pictures import common_legend, stacked, unmeasured
from experiments.shared.record import UNSAVED, command, stage
from t2jax.plot.fit import predicted_observed
from t2jax.plot.style import AXIS_LABELS, BLACK, BLUE, VERMILLION, log_ticks
from t2jax.working_precision import scope

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEVEL = 0.9
BESIROGLU = t2.laws.Chinchilla(E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658)
HOFFMANN = t2.laws.Chinchilla(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)


@dataclass(frozen=True)
class Config:
    """How many resamples, and for which budgets."""

    draws: int = 4000
    """Bootstrap resamples of the rows."""
    least: float = 1e18
    """Smallest training budget, in FLOPs."""
    most: float = 1e26
    """Largest training budget, in FLOPs."""
    budgets: int = 33
    """Budgets between the two, evenly spaced in their log."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(draws=100, budgets=9)


@dataclass(frozen=True)
class Interval:
    """A fitted value, the ends of its central 90 % bootstrap interval, and the bootstrap's standard deviation."""

    value: float
    low: float
    high: float
    deviation: float


@dataclass(frozen=True)
class Result:
    """Objectives are sums of Huber penalties over the 240 rows; ratios are tokens per parameter at the optimum.

    furthest: training FLOPs of the largest run.
    """

    objective: float
    objective_besiroglu: float
    objective_hoffmann: float
    status: str
    bootstrap: str
    parameters: dict[str, Interval]
    size_exponent: Interval
    closed_form_error: float
    furthest: float
    train: np.ndarray
    params: np.ndarray
    tokens: np.ndarray
    ratio: np.ndarray
    ratio_low: np.ndarray
    ratio_high: np.ndarray
    ratio_hoffmann: np.ndarray
    agrees_with_20: np.ndarray
    observed: np.ndarray = field(repr=False, metadata=UNSAVED)
    predicted: np.ndarray = field(repr=False, metadata=UNSAVED)


def run(config: Config) -> Result:
    runs = t2.datasets.load("chinchilla-epoch")
    fit_key, draw_key = jax.random.split(jax.random.key(config.seed))
    fit = t2.fit(t2.laws.Chinchilla, runs, noise=t2.noise.Huber(1e-3), key=fit_key)
    with stage(f"{config.draws} bootstrap fits"):
        boot = t2.bootstrap(fit, runs, draws=config.draws, key=draw_key)
    budgets = t2.Budget(train=np.geomspace(config.least, config.most, config.budgets))
    plan = t2.frontier(fit.law, budgets)
    params, tokens = closed_form(fit.law, budgets.train)
    # each draw beside each budget: (draws, 1) against (1, budgets)
    drawn_params, drawn_tokens = closed_form(
        jax.tree.map(lambda leaf: leaf[:, None], boot.laws), np.asarray(budgets.train)[None, :]
    )
    spread = t2.band(drawn_tokens / drawn_params, LEVEL)
    hoffmann_params, hoffmann_tokens = closed_form(HOFFMANN, budgets.train)
    exponent = fit.law.beta / (fit.law.alpha + fit.law.beta)
    return Result(
        objective=fit.objective,
        objective_besiroglu=huber_objective(BESIROGLU, runs),
        objective_hoffmann=huber_objective(HOFFMANN, runs),
        status=fit.status,
        bootstrap=boot.status,
        parameters={name: interval(value, boot.laws.values()[name]) for name, value in fit.law.values().items()},
        size_exponent=interval(exponent, boot.laws.beta / (boot.laws.alpha + boot.laws.beta)),
        closed_form_error=float(np.max(np.abs([plan.params / params - 1, plan.tokens / tokens - 1]))),
        furthest=float(runs.compute().max()),
        train=np.asarray(budgets.train),
        params=plan.params,
        tokens=plan.tokens,
        ratio=plan.tokens_per_param,
        ratio_low=spread.low,
        ratio_high=spread.high,
        ratio_hoffmann=hoffmann_tokens / hoffmann_params,
        agrees_with_20=(spread.low <= 20) & (spread.high >= 20),
        observed=runs["loss"],
        predicted=t2.predict(fit.law, runs),
    )


def closed_form(law: t2.Law, train: Any) -> tuple[np.ndarray, np.ndarray]:
    """Chinchilla's (N*, D*) at every budget, in the precision of the fit."""
    with scope():
        params, tokens = law.optimum(train)
        return np.asarray(params), np.asarray(tokens)


def huber_objective(law: t2.Law, runs: t2.Table, delta: float = 1e-3) -> float:
    """Huber's function of the log residuals, summed over rows."""
    size = np.abs(np.log(t2.predict(law, runs) / runs["loss"]))
    return float(np.sum(np.where(size <= delta, size**2 / 2, delta * (size - delta / 2))))


def interval(value: float, draws: np.ndarray) -> Interval:
    spread = t2.band(draws, LEVEL)
    return Interval(float(value), float(spread.low), float(spread.high), float(np.std(draws)))


def words(result: Result) -> list[str]:
    def worse(objective: float) -> str:
        return f"{objective:.6e}, {100 * (objective / result.objective - 1):.3g} % above ours"

    lines = [
        f"Fit: {result.status}; objective {result.objective:.12e}.",
        f"Besiroglu et al. published a point with objective {worse(result.objective_besiroglu)}.",
        f"Hoffmann et al. published a point with objective {worse(result.objective_hoffmann)}.",
        f"Bootstrap: {result.bootstrap}. Parameters with their 90 % intervals:",
    ]
    for name, estimate in (result.parameters | {"N* exponent": result.size_exponent}).items():
        published = f", published {BESIROGLU.values()[name]:g}" if name in result.parameters else ""
        lines.append(
            f"  {name:11s} {estimate.value:.6g} ({estimate.low:.4g} to {estimate.high:.4g}, "
            f"s.d. {estimate.deviation:.3g}){published}"
        )
    lines += [
        f"Frontier against the closed form: largest relative difference {result.closed_form_error:.1e}.",
        "Tokens per parameter at the optimum, with 90 % interval; beside it Hoffmann et al.'s published law:",
    ]
    shown = range(0, len(result.train), max(1, len(result.train) // 8))
    for i in shown:
        verdict = "20 is inside" if result.agrees_with_20[i] else "20 is outside"
        lines.append(
            f"  {result.train[i]:.0e} FLOPs: {result.ratio[i]:5.1f} ({result.ratio_low[i]:.1f} to "
            f"{result.ratio_high[i]:.1f}), {verdict}; {result.ratio_hoffmann[i]:.1f}"
        )
    return lines


def figures(result: Result) -> dict[str, "Figure"]:
    ratio, (ax,) = stacked(1, 2.3)
    ax.fill_between(
        result.train, result.ratio_low, result.ratio_high, color=BLUE, alpha=0.25, linewidth=0, label="90 % bootstrap"
    )
    ax.plot(result.train, result.ratio, color=BLUE, label="fitted to 240 runs")
    ax.plot(result.train, result.ratio_hoffmann, color=VERMILLION, label="as published in 2022")
    ax.axhline(20, color=BLACK, linestyle="--", linewidth=0.8, label="20 tokens per parameter")
    ax.set(xscale="log", yscale="log", xlabel=AXIS_LABELS["train"], ylabel="optimal tokens per parameter")
    ax.set(xlim=(result.train[0], result.train[-1]))
    log_ticks(ax)
    unmeasured(ax, result.furthest, "beyond the largest run")
    common_legend(ratio)

    losses, (ax,) = stacked(1, 2.6)
    predicted_observed(ax, result.observed, result.predicted)
    common_legend(losses)
    return {"ratio": ratio, "losses": losses}


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
