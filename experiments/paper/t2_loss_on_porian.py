"""What would sampling at test time change for models trained on RefinedWeb? T² on the grid of Porian et al. 2024.

The grid has losses of one sample only, so it determines Chinchilla's law with E' = E + G and nothing of G and γ: the
fit says so. How the optimum moves is therefore shown for *assumed* G and γ. G is assumed as a share of E': the part
of the irreducible loss that samples can remove. E = E' - G keeps the loss at k = 1, and so the fit, as it is. These
are scenarios and no measurements, and the loss is that of web text, not of a task.

    python -m experiments.paper.t2_loss_on_porian [tiny] [-o FOLDER]    (reads T2JAX_DATA/porian-refinedweb/grid.csv)
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import jax
import numpy as np

import t2jax as t2
from experiments.shared.pictures import common_legend, power, stacked, unmeasured
from experiments.shared.real_tables import porian
from experiments.shared.record import UNSAVED, command, stage
from t2jax.plot import frontier as plot_frontier
from t2jax.plot.frontier import Optima
from t2jax.typing import Array
from t2jax.working_precision import scope

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEVEL = 0.95
AUTHORS = (0.571, 0.560, 0.588)
"""Porian et al.'s own N* exponent for this configuration, with its 95 % interval."""
ISOFLOPS = 1.25e16 * 2.0 ** np.arange(12)
"""The training budgets of the T² paper."""


@dataclass(frozen=True)
class Config:
    """How many resamples and budgets, and which scenarios."""

    draws: int = 1000
    """Bootstrap resamples of the rows."""
    budgets: int = 28
    """Training budgets of figure 2, from 1.25e16 to 1e25 FLOPs."""
    inference: float = 1.4e11
    """Inference budget of figure 2, FLOPs per token served: one forward pass of a 70B model."""
    inference_isoflops: float = 2e9
    """Inference budget of figure 3."""
    shares: tuple[float, ...] = (0.02, 0.1, 0.3, 0.9)
    """Assumed G, as shares of the irreducible loss at one sample."""
    gammas: tuple[float, ...] = (0.05, 0.2, 0.5)
    """Assumed γ."""
    shown: tuple[float, float] = (0.3, 0.2)
    """The share and γ that the figures show, out of those above."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(draws=100, budgets=4, shares=(0.1, 0.3), gammas=(0.2,))


@dataclass(frozen=True)
class Exponent:
    """N* ~ C^exponent with its 95 % bootstrap interval, the rows it was fitted to, and the fit's status."""

    rows: int
    value: float
    low: float
    high: float
    status: str
    law: dict[str, float]


@dataclass(frozen=True)
class Scenario:
    """The optimum at the paper's largest training budget, 2.56e19, under assumed G (share of E') and γ."""

    share: float
    gamma: float
    params: float
    params_low: float
    params_high: float
    tokens_per_param: float
    samples: float


@dataclass(frozen=True)
class Curves:
    """What the figures draw: the runs, the law shown, and its optima beside Chinchilla's for figures 2 and 3."""

    runs: t2.Table
    law: t2.laws.T2Loss
    inference: float
    train: np.ndarray
    figure_2: tuple[Optima, Optima]
    figure_3: tuple[Optima, Optima]


@dataclass(frozen=True)
class Result:
    """undetermined: as the fit of T2Loss reports. Optima at 2.56e19 FLOPs, the paper's largest budget."""

    all_rows: Exponent
    without_short_runs: Exponent
    t2_status: str
    undetermined: tuple[str, ...]
    chinchilla_params: float
    chinchilla_tokens_per_param: float
    scenarios: tuple[Scenario, ...]
    curves: Curves = field(repr=False, metadata=UNSAVED)


def run(config: Config) -> Result:
    runs = porian()
    fit_key, draw_key = jax.random.split(jax.random.key(config.seed))
    fit, boot = fit_chinchilla(runs, config.draws, fit_key, draw_key)
    long_runs = runs.where(runs["tokens"] >= runs["params"])
    t2_fit = t2.fit(t2.laws.T2Loss, runs, key=fit_key)
    # the point fit goes first, so that one call allocates for it and for every draw
    laws = jax.tree.map(lambda point, draws: np.concatenate([[point], draws]), fit.law, boot.laws)
    with scope():
        params, tokens = map(float, fit.law.optimum(ISOFLOPS[-1]))
    with stage(f"{len(config.shares) * len(config.gammas)} scenarios"):
        scenarios, curves = assumed_optima(runs, laws, config)
    return Result(
        all_rows=exponent(fit, boot, runs),
        without_short_runs=exponent(*fit_chinchilla(long_runs, config.draws, fit_key, draw_key), long_runs),
        t2_status=t2_fit.status,
        undetermined=t2_fit.undetermined,
        chinchilla_params=params,
        chinchilla_tokens_per_param=tokens / params,
        scenarios=scenarios,
        curves=curves,
    )


def fit_chinchilla(runs: t2.Table, draws: int, fit_key: Array, draw_key: Array) -> tuple[t2.Fit, t2.Bootstrap]:
    """Chinchilla's law, and its bootstrap over rows."""
    fit = t2.fit(t2.laws.Chinchilla, runs, key=fit_key)
    with stage(f"{draws} bootstrap fits to {len(runs)} rows"):
        return fit, t2.bootstrap(fit, runs, draws=draws, key=draw_key)


def exponent(fit: t2.Fit, boot: t2.Bootstrap, runs: t2.Table) -> Exponent:
    def of(law: t2.Law) -> Any:
        return law.beta / (law.alpha + law.beta)

    spread = t2.band(of(boot.laws), LEVEL)
    return Exponent(len(runs), of(fit.law), float(spread.low), float(spread.high), fit.status, fit.law.values())


def assume(loss: t2.Law, share: float, gamma: float) -> t2.laws.T2Loss:
    """T² on top of fitted Chinchilla laws, a share of whose irreducible loss is given to the samples."""
    values = loss.values()
    gain = share * values["E"]
    return t2.laws.T2Loss(**values | {"E": values["E"] - gain}, G=gain, gamma=np.full_like(gain, gamma))


def assumed_optima(runs: t2.Table, laws: t2.Law, config: Config) -> tuple[tuple[Scenario, ...], Curves]:
    """The optima of every scenario at the budgets of figures 2 and 3, in one call."""
    grid = [(share, gamma) for share in config.shares for gamma in config.gammas]
    assumed = [assume(laws, *gain_and_decay) for gain_and_decay in grid]
    train = np.geomspace(ISOFLOPS[0], 1e25, config.budgets)
    both = np.concatenate([train, ISOFLOPS])
    inference = np.repeat([config.inference, config.inference_isoflops], [len(train), len(ISOFLOPS)])
    plan = t2.frontier(jax.tree.map(lambda *leaves: np.concatenate(leaves), *assumed), t2.Budget(both, inference))
    # (scenarios, 1 + draws, budgets)
    params, tokens, samples = (
        values.reshape(len(grid), -1, len(both)) for values in (plan.params, plan.tokens, plan.samples)
    )

    scenarios = []
    for gain_and_decay, size, data, k in zip(grid, params[..., -1], tokens[..., -1], samples[..., -1], strict=True):
        spread = t2.band(size[1:], LEVEL)
        result = (size[0], spread.low, spread.high, data[0] / size[0], k[0])
        scenarios.append(Scenario(*gain_and_decay, *map(float, result)))

    shown = grid.index(config.shown)
    with scope():
        once = [np.asarray(values) for values in jax.tree.map(lambda leaf: leaf[:, None], laws).optimum(both[None, :])]

    def optima(where: slice) -> tuple[Optima, Optima]:
        def at_budgets(label: str, params: np.ndarray, tokens: np.ndarray) -> Optima:
            params, tokens = params[:, where], tokens[:, where]
            return Optima(label, params[0], tokens[0], params[1:], tokens[1:])

        return (
            at_budgets("with samples, gain assumed", params[shown], tokens[shown]),
            at_budgets("one sample, fitted", *once),
        )

    point = jax.tree.map(lambda leaf: float(leaf[0]), assumed[shown])
    two, three = optima(slice(len(train))), optima(slice(len(train), None))
    return tuple(scenarios), Curves(runs, point, config.inference_isoflops, train, two, three)


def words(result: Result) -> list[str]:
    lines = []
    for name, fit in (("all rows", result.all_rows), ("rows with D >= N", result.without_short_runs)):
        lines.append(
            f"N* exponent from {fit.rows} {name}: {fit.value:.3f} ({fit.low:.3f} to {fit.high:.3f}); "
            f"the authors': {AUTHORS[0]} ({AUTHORS[1]} to {AUTHORS[2]})."
        )
    lines += [
        f"T2Loss on the same rows: {result.t2_status}.",
        "What follows is therefore assumed, not measured: G as a share of the irreducible loss at one sample, and γ.",
        f"Optimum at {ISOFLOPS[-1]:.3g} training FLOPs. Chinchilla: N = {result.chinchilla_params:.3g}, "
        f"D/N = {result.chinchilla_tokens_per_param:.3g}.",
    ]
    for scenario in result.scenarios:
        lines.append(
            f"  G = {scenario.share:4g} E', γ = {scenario.gamma:4g}: N = {scenario.params:.3g} "
            f"({scenario.params_low:.3g} to {scenario.params_high:.3g}), D/N = {scenario.tokens_per_param:.4g}, "
            f"k = {scenario.samples:.3g}"
        )
    return lines


def figures(result: Result) -> dict[str, "Figure"]:
    """Tokens per parameter against training compute, and isoFLOP curves of one sample and of many."""
    curves, draw = result.curves, plot_frontier
    runs = curves.runs
    frontier, (ax,) = stacked(1, 2.4)
    draw.optima_against_train(ax, curves.train, curves.figure_2, quantity="tokens_per_param", level=LEVEL)
    unmeasured(ax, float(runs.compute().max()), "beyond the largest run")
    common_legend(frontier)

    isoflops, axes = stacked(2, 2.3, sharex=True)
    shown, most = ISOFLOPS[2::3], curves.inference / 2
    sizes = np.broadcast_to(np.geomspace(3e6, most, 200), (len(shown), 200))
    tokens = shown[:, None] / (6 * sizes)
    near_grid = tokens > 0.5 * sizes  # below, the grid has no runs
    for ax, samples in zip(axes, (np.ones_like(sizes), most / sizes), strict=True):
        losses = np.where(near_grid, loss(curves.law, sizes, tokens, samples), np.nan)
        draw.isoflop_curves(ax, sizes, losses, shown)
        at = [optima.params for optima in curves.figure_3]
        served = [np.ones_like(params) if ax is axes[0] else np.maximum(most / params, 1.0) for params in at]
        values = [
            loss(curves.law, optima.params, optima.tokens, k) for optima, k in zip(curves.figure_3, served, strict=True)
        ]
        draw.optima_on_isoflops(ax, curves.figure_3, values, LEVEL)
    near = np.abs(np.log(runs.compute()[:, None] / shown)).min(axis=1) < np.log(1.2)
    draw.isoflop_points(axes[0], runs["params"][near], runs["loss"][near], runs.compute()[near], shown)
    axes[0].set(title="one sample: fitted law and measured losses", xlabel="")
    axes[1].set_title(f"assumed gain of sampling, serving {power(curves.inference)} FLOPs\nper token")
    axes[1].set_ylabel("value with samples (nats)")
    common_legend(isoflops, columns=2, title="curves: training compute 6ND (FLOPs)")
    return {"frontier": frontier, "isoflops": isoflops}


def loss(law: t2.laws.T2Loss, params: np.ndarray, tokens: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """The law's prediction in the precision of its fit."""
    with scope():
        return np.asarray(law(params, tokens, samples))


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
