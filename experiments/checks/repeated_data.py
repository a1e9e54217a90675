"""Which law predicts runs whose tokens repeat, and does it know when more of the same tokens make a model worse?

ScaleBench's runs with up to thousands of passes (2604.22753): laws are fitted to 161 and predict 21 held-out ones.
In some groups of equal N and unique tokens the loss rises again, by more than 0.02 nats above its least value.
Each group is predicted by laws that were fitted without it.

    python -m experiments.checks.repeated_data [tiny] [-o FOLDER]
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import jax
import numpy as np

import t2jax as t2
from experiments.shared.pictures import COLUMN
from experiments.shared.record import UNSAVED, command, stage

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LAWS = (
    t2.laws.Chinchilla,
    t2.laws.DataConstrained,
    t2.laws.ExcessParams,
    t2.laws.HarmfulRepetition,
    t2.laws.OverfittedRepetition,
)
WORSE = 0.02
"""Nats above the least loss of its group at which the last row counts as worse, with its tokens."""
EXPERTS = 0.911
"""R² of human experts on these rows, as SLDBench gives it (quoted in 2604.22753). Its definition is that of `r2_of`."""
SHOWN = 146.5e6, 1e8
"""N and U of the group in the figure."""


@dataclass(frozen=True)
class Config:
    """How many laws and starts."""

    laws: tuple[str, ...] = tuple(t2.laws.name_of(law) for law in LAWS)
    """Names of the laws."""
    starts: int = 8
    """Starts of each fit."""
    left_out: int = 100
    """Largest number of groups that get worse and are each left out of a fit."""
    seed: int = 0
    """Seed of the starts."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(laws=("chinchilla", "harmful-repetition"), starts=2, left_out=2)


@dataclass(frozen=True)
class LawResult:
    """One law.

    Attributes:
        law: Its name.
        parameters: Fitted values.
        error: Mean of |predicted / measured - 1| over the held-out rows, per cent.
        r2: Share of the variance of the held-out losses that it explains, as `r2_of` computes it.
        fitted_error: The same error over the fitted rows.
        worse: Groups that get worse and are predicted to, by laws fitted without them.
        rise: Median over these groups of the predicted over the measured rise from the least to the last loss.
        false_alarms: Other groups that are predicted to get worse by more than 0.02 nats.
    """

    law: str
    parameters: dict[str, float]
    error: float
    r2: float
    fitted_error: float
    worse: int
    rise: float
    false_alarms: int


@dataclass(frozen=True)
class Result:
    """All laws on one table.

    Attributes:
        fitted: Number of fitted rows.
        held_out: Number of held-out rows.
        groups: Number of groups of equal N and U with several rows.
        getting_worse: Number of them that get worse.
        experts: R² of human experts.
        laws: The laws.
        curve: Tokens, measured losses and predictions by law of one group.
    """

    fitted: int
    held_out: int
    groups: int
    getting_worse: int
    experts: float
    laws: tuple[LawResult, ...]
    curve: dict[str, Any] = field(metadata=UNSAVED)


def run(config: Config) -> Result:
    table = t2.datasets.load("scalebench-repetition")
    fitted, held_out = table.where(held_out=0), table.where(held_out=1)
    groups = groups_of(fitted)
    rising = [group for group in groups if rise_of(group["loss"], group["tokens"]) > WORSE]
    shown = table.where(lambda rows: np.isclose(rows["params"], SHOWN[0], rtol=0.01), unique_tokens=SHOWN[1])
    results: list[LawResult] = []
    curve: dict[str, Any] = {"tokens": shown["tokens"], "loss": shown["loss"]}
    for name in config.laws:
        with stage(name):
            law = t2.laws.by_name(name)
            fit = fit_to(law, fitted, config)
            results.append(evaluate(law, fit, fitted, held_out, groups, config))
            line = np.geomspace(shown["tokens"].min(), shown["tokens"].max(), 100)
            columns: Any = {"params": shown["params"][0], "tokens": line, "unique_tokens": SHOWN[1]}
            curve[name] = line, t2.evaluate(fit.law, **columns)
    return Result(len(fitted), len(held_out), len(groups), len(rising), EXPERTS, tuple(results), curve)


def fit_to(law: type[t2.Law], rows: t2.Table, config: Config) -> t2.Fit:
    return t2.fit(law, rows, key=jax.random.key(config.seed), starts=config.starts)


def groups_of(rows: t2.Table) -> list[t2.Table]:
    """Lists the groups of equal N and U with several rows."""
    keys = np.unique(np.stack([rows["params"], rows["unique_tokens"]]), axis=1).T
    tables = [rows.where(params=params, unique_tokens=unique) for params, unique in keys]
    return [table for table in tables if len(table) > 1]


def rise_of(loss: np.ndarray, tokens: np.ndarray) -> float:
    """Computes how far the loss at the most tokens lies above the least loss, in nats."""
    return float(loss[np.argmax(tokens)] - loss.min())


def r2_of(predicted: np.ndarray, measured: np.ndarray) -> float:
    """Computes 1 - mean squared error / variance of the measured losses, not of their logs, as SLDBench does."""
    return 1 - float(np.mean((predicted - measured) ** 2) / np.var(measured))


def evaluate(
    law: type[t2.Law], fit: t2.Fit, fitted: t2.Table, held_out: t2.Table, groups: list[t2.Table], config: Config
) -> LawResult:
    """Scores one law on the held-out rows, and on whether groups get worse."""
    predicted, measured = t2.predict(fit.law, held_out), held_out["loss"]
    rises, alarms = [], 0
    for group in groups:
        rise = rise_of(group["loss"], group["tokens"])
        if rise > WORSE:
            if len(rises) == config.left_out:
                continue
            rest = fitted.where(~np.isin(fitted["model"], group["model"]))
            without = fit_to(law, rest, config).law
            rises.append((rise_of(t2.predict(without, group), group["tokens"]), rise))
        else:
            alarms += rise_of(t2.predict(fit.law, group), group["tokens"]) > WORSE
    return LawResult(
        law=t2.laws.name_of(law),
        parameters={name: float(value) for name, value in fit.law.values().items()},
        error=100 * float(np.mean(np.abs(predicted / measured - 1))),
        r2=r2_of(predicted, measured),
        fitted_error=100 * float(np.mean(np.abs(t2.predict(fit.law, fitted) / fitted["loss"] - 1))),
        worse=sum(foretold > WORSE for foretold, _ in rises),
        rise=float(np.median([foretold / rise for foretold, rise in rises])),
        false_alarms=int(alarms),
    )


def words(result: Result) -> list[str]:
    lines = [
        f"{result.fitted} rows fitted, {result.held_out} held out; {result.getting_worse} of {result.groups} groups of"
        f" equal N and U get worse; human experts reach R² {result.experts}",
        "law                     held-out error     R²  fitted rows  worse foretold  rise  false alarms",
    ]
    for law in result.laws:
        lines.append(
            f"{law.law:23} {law.error:12.2f} % {law.r2:8.3f} {law.fitted_error:10.2f} % {law.worse:9} of"
            f" {result.getting_worse} {law.rise:7.2f} {law.false_alarms:9}"
        )
    return lines


def figures(result: Result) -> dict[str, "Figure"]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(COLUMN, 4.4), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=(1.7, 1.0))
    curve = result.curve
    for law, style in zip(result.laws, (":", "--", "-.", "-", "-"), strict=False):
        above.plot(*curve[law.law], style, label=law.law, lw=1.2)
    above.plot(curve["tokens"], curve["loss"], "ko", ms=3, label="measured")
    above.set(xscale="log", xlabel="training tokens D", ylabel="loss (nats/token)", ylim=(3.2, 5.2))
    above.set_title(f"N = {SHOWN[0] / 1e6:.4g} million, U = {SHOWN[1] / 1e6:g} million")
    above.legend(loc="upper right")
    names = [law.law for law in result.laws]
    below.barh(names, [law.error for law in result.laws], color="0.6", height=0.6)
    below.invert_yaxis()
    below.set_xlabel("error at the held-out runs, %")
    return {"repeated_data": figure}


if __name__ == "__main__":
    command(Config, run, words, figures)
