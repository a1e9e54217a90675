"""How far T²'s laws predict overtrained models: fits below a number of tokens per parameter, predictions beyond it."""

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.distributions import LogNormal

import t2jax as t2
from experiments.shared.pictures import common_legend, stacked
from experiments.shared.record import UNSAVED, stage
from t2jax.evaluation.held_out import left_out
from t2jax.noise.joint import Joint
from t2jax.noise.losses import Gaussian
from t2jax.plot.style import AXIS_LABELS, BLACK, BLUE, GREY, VERMILLION, log_ticks
from t2jax.typing import Array, ArrayLike, Scalar

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEVEL = 0.9
LEAST = 1e-3
"""Nats: where -log pass@k is less, all but every question is solved, and its relative error means nothing."""


@t2.law
class Threshold(t2.Law):
    """L(N, D, k) = s·log(1 + exp((loss(N, D) - c·log k)/s)) with s = s0 + s1·loss, the mean of -log pass@k in nats.

    A question of negative log-likelihood l costs about max(0, l - log k); s is the spread of l over questions.
    """

    loss: t2.Law = t2.part(t2.laws.Kaplan)
    c: Scalar = t2.param(LogNormal(0.0, 0.3), unit="1", doc="what a sample is worth")
    s0: Scalar = t2.param(LogNormal(-0.5, 1.0), unit="nats", doc="spread of questions at no loss")
    s1: Scalar = t2.param(LogNormal(-1.0, 0.7), unit="1", doc="growth of the spread with the loss")
    response: ClassVar[tuple[str, ...]] = ("neg_log_pass",)

    def __call__(self, N: ArrayLike, D: ArrayLike, k: ArrayLike) -> Array:
        loss = self.loss(N, D)
        spread = self.s0 + self.s1 * loss
        return spread * jax.nn.softplus((loss - self.c * jnp.log(k)) / spread)


PAPER = {"neg_log_pass": 0.028, "pass_at_k": 0.084}  # its mean relative errors; half of them is aimed at
APPROACHES = {"neg_log_pass": "Approach 1", "pass_at_k": "Approach 2"}
NO_FLOOR = {"E": 1e-6}
LAWS: dict[str, tuple[type[t2.Law], dict[str, float]]] = {
    "T2Loss on Chinchilla": (t2.laws.T2Loss, {}),
    "T2Loss on Kaplan": (t2.laws.T2Loss.on(t2.laws.Kaplan), NO_FLOOR),
    "Threshold on Kaplan": (Threshold, NO_FLOOR),
    "T2PassK on Chinchilla": (t2.laws.T2PassK, {}),
    "T2PassK on Kaplan": (t2.laws.T2PassK.on(t2.laws.Kaplan), NO_FLOOR),
}
"""The laws compared, each with the parameters that are not fitted."""
COLOURS = dict(zip(LAWS, (BLUE, VERMILLION, BLACK, BLUE, VERMILLION), strict=True))


@dataclass(frozen=True)
class Config:
    """What is fitted and predicted, what is chosen between, and how many resamples."""

    split: float = 100.0
    """Checkpoints with fewer tokens per parameter are fitted, the others predicted."""
    inner_split: float = 25.0
    """Choices are made by fits below this ratio that predict the checkpoints from it to `split`."""
    samples: tuple[int, ...] = tuple(2**j for j in range(13))
    """The k of predictions."""
    every: int = 3
    """One k in this many enters the fits."""
    least_tokens: tuple[float, ...] = (2.0**15, 2.0**17)
    """To choose from: the fewest tokens of a checkpoint that is fitted."""
    laws: tuple[str, ...] = tuple(LAWS)
    """Which of the laws, at least one of each approach."""
    tasks: int | None = None
    """How many of the tasks beside their average, the first ones; all by default."""
    starts: int = 4
    """Starts of each fit."""
    draws: int = 100
    """Bootstrap resamples of the fitted checkpoints."""
    seed: int = 0
    """Seed of every random draw."""


@dataclass(frozen=True)
class Audit:
    """Predictions of one task beyond the split, over checkpoints and k.

    error: mean size of predicted / measured - 1, where -log pass@k is at least LEAST. bias: its mean.
    coverage: share of measurements there inside the bands. fitted_error: the mean size where the law was fitted.
    converged: whether the fit did; where not, bands are of the residuals alone. errors: predicted / measured - 1 of
    every checkpoint and k, (checkpoints, samples), NaN below LEAST, and ratio: D/N, (checkpoints,).
    """

    task: str
    error: float
    bias: float
    coverage: float
    fitted_error: float
    converged: bool
    ratio: np.ndarray = field(repr=False, metadata=UNSAVED)
    errors: np.ndarray = field(repr=False, metadata=UNSAVED)


@dataclass(frozen=True)
class Extrapolation:
    """One law: `audits` of the average over tasks, then of each task. column: what it predicts.

    least_tokens: chosen by inner_error, the mean relative error of the average inside the fitted range.
    """

    law: str
    column: str
    least_tokens: float
    inner_error: float
    audits: tuple[Audit, ...]


@dataclass(frozen=True)
class Result:
    """fitted, predicted: checkpoints below and beyond the split. extrapolations: by law."""

    seeds: int
    fitted: int
    predicted: int
    split: float
    furthest: float
    extrapolations: tuple[Extrapolation, ...]

    def of(self) -> dict[str, list[Extrapolation]]:
        """The laws of each column, that with the least error inside the fitted range first."""
        ranked = sorted(
            self.extrapolations, key=lambda extrapolation: (extrapolation.column, extrapolation.inner_error)
        )
        return {
            column: list(group) for column, group in groupby(ranked, key=lambda extrapolation: extrapolation.column)
        }


def audit(tables: list[t2.Table], config: Config) -> Result:
    """Every law. tables: the average over tasks, then each task, of the same checkpoints."""
    extrapolations = []
    for name in config.laws:
        with stage(name):
            extrapolations.append(extrapolate(name, tables, config))
    reached, seeds = ratio(tables[0])[:: len(config.samples)], len(set(tables[0]["seed"]))
    beyond = int(np.sum(reached >= config.split))
    return Result(seeds, len(reached) - beyond, beyond, config.split, float(reached.max()), tuple(extrapolations))


def ratio(table: t2.Table) -> np.ndarray:
    """D/N of every row."""
    return table["tokens"] / table["params"]


def seed_means(rows: t2.Table, samples: tuple[int, ...]) -> t2.Table:
    """Means over seeds, weighted by how many: least squares of them is that of the rows, with fewer to sum."""
    frame = rows.where(samples=samples).with_columns(weight=1.0).to_frame()
    how = {"neg_log_pass": "mean", "pass_at_k": "mean", "loss": "mean", "weight": "sum"}
    means = frame.groupby(["params", "tokens", "samples"], as_index=False).agg(how)
    return t2.Table(means, rows.source.then("averaged over seeds"))


def extrapolate(name: str, tables: list[t2.Table], config: Config) -> Extrapolation:
    """Choose what enters the fits, fit below the split, and compare beyond it."""
    fit_key, draw_key = jax.random.split(jax.random.key(config.seed))
    law, fixed = LAWS[name]
    column = law.response[0]
    noise = Gaussian("log", scale=0.01)  # relative errors are what is judged
    noise = Joint(noise) if column == "pass_at_k" else noise

    def fit_below(rows: t2.Table, least_tokens: float, below: float) -> tuple[t2.Fit, t2.Table]:
        means = seed_means(rows, config.samples[:: config.every])
        enters = (ratio(means) < below) & (means["tokens"] >= least_tokens)
        means = left_out(means, ~enters)
        return t2.fit(law, means, noise=noise, fixed=fixed, key=fit_key, starts=config.starts), means

    # all checkpoints to predict are long runs, and so are those that choices are made by
    reached, tokens = ratio(tables[0]), tables[0]["tokens"]
    beyond = reached >= config.split
    checked = ~beyond & (reached >= config.inner_split) & (tokens >= tokens[beyond].min())

    def inner_error(least_tokens: float) -> float:
        fit, _ = fit_below(tables[0], least_tokens, config.inner_split)
        predicted = t2.predict(jax.tree.map(np.atleast_1d, fit.law), tables[0])[0]
        return float(np.mean(np.abs(predicted / tables[0][column] - 1)[checked]))

    error, least_tokens = min((inner_error(least), least) for least in config.least_tokens)
    audits = []
    for rows in tables:
        fit, means = fit_below(rows, least_tokens, config.split)
        laws = jax.tree.map(lambda leaf: np.repeat(leaf, 1 + config.draws), fit.law)
        if fit.converged:
            draws = t2.bootstrap(fit, means, draws=config.draws, key=draw_key, over="runs").laws
            laws = jax.tree.map(lambda point, many: np.concatenate([point[:1], many]), laws, draws)
        audits.append(compare(laws, fit.converged, rows, column, ~beyond & (tokens >= least_tokens), config))
    return Extrapolation(name, column, least_tokens, error, tuple(audits))


def compare(laws: t2.Law, converged: bool, rows: t2.Table, column: str, fitted: np.ndarray, config: Config) -> Audit:
    """Predictions and bands beside measurements. laws: the fitted one, then draws. fitted: which rows were, (rows,)."""
    width = len(config.samples)
    predicted, *draws = t2.predict(laws, rows).reshape(-1, len(rows) // width, width)
    measured = rows[column].reshape(-1, width)
    residuals = (measured / predicted)[fitted[::width]]
    drawn = np.random.default_rng(config.seed).integers(len(residuals), size=len(draws))
    band = t2.band(np.stack(draws) * residuals[drawn, None, :], LEVEL)
    beyond = ratio(rows)[::width] >= config.split
    judged = measured >= LEAST if column == "neg_log_pass" else np.full_like(measured, True, bool)
    error = np.ma.masked_where(~judged, predicted / measured - 1)
    inside = np.ma.masked_where(~judged, (band.low <= measured) & (measured <= band.high))
    measures = np.abs(error[beyond]), error[beyond], inside[beyond], np.abs(error[fitted[::width]])
    size, bias, coverage, fitted_error = (float(measure.mean()) for measure in measures)
    error = error.filled(np.nan)
    return Audit(str(rows["task"][0]), size, bias, coverage, fitted_error, converged, ratio(rows)[::width], error)


def words(result: Result) -> list[str]:
    """The result in sentences."""
    lines = [
        f"{result.fitted} checkpoints of {result.seeds} seeds below {result.split:g} tokens per parameter are fitted, "
        f"{result.predicted} from there to {result.furthest:,.0f} predicted, at every k. Mean size of predicted / "
        f"measured - 1 where -log pass@k is at least {LEAST:g} nats, its mean (bias), and the share of measurements "
        f"inside the {LEVEL:.0%} bands:"
    ]
    for law in result.extrapolations:
        of_tasks = [task.error for task in law.audits[1:]]
        median = f"; median over tasks {np.median(of_tasks):.1%}" if of_tasks else ""
        lines.append(
            f"{APPROACHES[law.column]}, {law.law}, fitted from {law.least_tokens:,.0f} tokens on (error inside the "
            f"fitted range {law.inner_error:.1%}){median}:"
        )
        for task in law.audits:
            # to promise more than was measured is a lower loss, or a higher pass@k
            hope = "optimistic" if (task.bias < 0) == (law.column == "neg_log_pass") else "pessimistic"
            doubt = "" if task.converged else "; the fit did not converge, the band is of residuals alone"
            lines.append(
                f"  {task.task}: {share(task.error)} ({share(task.fitted_error)} where fitted), bias "
                f"{task.bias:+.1%} ({hope}), {task.coverage:.0%} inside{doubt}"
            )
    for column, (best, *_) in result.of().items():
        met = "met" if best.audits[0].error <= PAPER[column] / 2 else "missed"
        lines.append(
            f"{APPROACHES[column]}, average over tasks, by the law that is best inside the fitted range ({best.law}): "
            f"{best.audits[0].error:.1%}; paper {PAPER[column]:.1%}, half of which is {met}."
        )
    return lines


def share(error: float) -> str:
    """A relative error in per cent, as long as that means something."""
    return f"{error:.1%}" if error < 10 else "over 1,000 %"


def figures(result: Result) -> dict[str, "Figure"]:
    """Error of the average over tasks against D/N, a point per doubling of it, and the paper's number."""
    split, columns = result.split, result.of()
    figure, axes = stacked(len(columns), 1.9, sharex=True)
    for ax, column in zip(axes, columns, strict=True):
        for extrapolation in columns[column]:
            errors = 100 * np.abs(extrapolation.audits[0].errors)
            doubling = np.floor(np.log2(extrapolation.audits[0].ratio / split))
            shown = np.unique(doubling)
            means = [np.nanmean(errors[doubling == i]) for i in shown]
            label = extrapolation.law.replace("T2Loss", "T² by loss").replace("T2PassK", "T² by pass@k")
            ax.plot(split * 2 ** (shown + 0.5), means, "o-", color=COLOURS[extrapolation.law], label=label)
        ax.set(xscale="log", yscale="log", title=f"{APPROACHES[column]}, average over tasks")
        ax.axvspan(ax.get_xlim()[0], split, color=GREY, alpha=0.12, linewidth=0, label="fitted")
        ax.axhline(100 * PAPER[column], color=BLACK, linewidth=0.8, linestyle="--", label="the paper's mean")
        ax.set_ylabel("mean relative error\nover k (%)")
        log_ticks(ax)
    axes[-1].set_xlabel(AXIS_LABELS["tokens_per_param"])
    common_legend(figure, columns=1)
    return {"errors": figure}
