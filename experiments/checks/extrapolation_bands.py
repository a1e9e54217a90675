"""Do predictions beyond the table hold? Cheap runs of eight public tables predict the dearer ones.

Each table is cut at shares of the log range of its compute, and one of overtraining at shares of the range of D/N too.
Below a cut, three methods are fitted: Chinchilla's law by `scipy.optimize.curve_fit`; Chinchilla's law by `t2.fit` with
bootstrap draws and resampled residuals; and the average of `t2.choose_law`, with discrepancies. Beyond the cut, errors
and bands are compared with the measurements. Forms, priors and grids were chosen by looking at four of the tables
(porian, gadre C4, farseer, data_constrained) and at the testbed's first table, which another has replaced.

    python -m experiments.checks.extrapolation_bands [tiny] [-o FOLDER]    (reads tables of T2JAX_DATA)
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import jax
import numpy as np
from scipy.optimize import OptimizeWarning, curve_fit

import t2jax as t2
from experiments.shared.band_scores import Score, mean_score, relative_error, score
from experiments.shared.pictures import COLUMN, common_legend
from experiments.shared.real_tables import (
    code_model_losses,
    data_constrained,
    farseer,
    gadre,
    porian,
    testbed_losses,
)
from experiments.shared.record import command, stage
from t2jax.evaluation.predictive_band import predictive_band
from t2jax.extrapolation.sampled import SmoothFit
from t2jax.typing import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TABLES: dict[str, Callable[[], t2.Table]] = {
    "porian": porian,
    "gadre C4": lambda: gadre("c4_original"),
    "gadre RedPajama": lambda: gadre("rpj"),
    "chinchilla-epoch": lambda: t2.datasets.load("chinchilla-epoch"),
    "farseer": farseer,
    "data_constrained": data_constrained,
    "testbed": testbed_losses,
    "apple-code": code_model_losses,
}
LOOKED_AT = ("porian", "gadre C4", "farseer", "data_constrained")
"""Tables by which forms, priors and grids were chosen."""
OVERTRAINED = ("porian", "gadre C4", "gadre RedPajama", "testbed")
FEWEST_ROWS, FEWEST_BEYOND = 8, 3


@dataclass(frozen=True)
class Config:
    """Which tables and cuts, and how many bootstrap draws."""

    tables: tuple[str, ...] = tuple(TABLES)
    """Names of tables; those whose files are not there are left out."""
    compute_cuts: tuple[float, ...] = (0.35, 0.5, 0.65, 0.8)
    """Cuts, as shares of the log range of compute."""
    ratio_cuts: tuple[float, ...] = (0.5, 0.65)
    """Cuts of tables of overtraining, as shares of the log range of tokens per parameter."""
    draws: int = 200
    """Bootstrap draws of the earlier method."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(tables=("testbed",), compute_cuts=(0.5,), ratio_cuts=(), draws=20)


@dataclass(frozen=True)
class Split:
    """One cut of one table, with the score of each method and of each single law with its discrepancy."""

    table: str
    cut: str
    fitted: int
    beyond: int
    curve_fit: Score
    earlier: Score | None
    chosen: Score
    single: dict[str, Score]
    weights: dict[str, float]
    widening: float


@dataclass(frozen=True)
class Average:
    """Means over the cuts of one table.

    Attributes:
        table: Name of the table.
        cuts: Number of cuts.
        curve_fit: Scores of Chinchilla's law by SciPy.
        earlier: Scores of Chinchilla's law with bootstrap draws and resampled residuals.
        chosen: Scores of the average of laws.
        best_law: The law that errs least over all cuts, in hindsight.
        best_single: Its mean error, per cent.
        best_at_each_cut: Mean error of the law that errs least at each cut, per cent.
    """

    table: str
    cuts: int
    curve_fit: Score
    earlier: Score
    chosen: Score
    best_law: str
    best_single: float
    best_at_each_cut: float


@dataclass(frozen=True)
class Result:
    """Every cut, and the averages over the cuts of each table."""

    splits: tuple[Split, ...]
    averages: tuple[Average, ...]
    missing: tuple[str, ...]


def run(config: Config) -> Result:
    splits, missing = [], []
    for name in config.tables:
        try:
            table = TABLES[name]()
        except (FileNotFoundError, t2.datasets.DatasetError):
            missing.append(name)
            continue
        for cut, cheap in cuts(name, table, config):
            with stage(f"{name}, {cut}"):
                splits.append(split(name, cut, table, cheap, config))
    names = dict.fromkeys(split.table for split in splits)
    return Result(tuple(splits), tuple(average(name, splits) for name in names), tuple(missing))


def cuts(name: str, table: t2.Table, config: Config) -> Iterator[tuple[str, np.ndarray]]:
    """Yields the name of each cut and whether each row lies below it, where both sides have enough rows."""
    ratio = table["tokens"] / table["params"]
    shares = [("compute", share, table.compute()) for share in config.compute_cuts]
    if name in OVERTRAINED:
        shares += [("tokens per parameter", share, ratio) for share in config.ratio_cuts]
    for what, share, values in shares:
        logs = np.log(values)
        cheap = logs <= logs.min() + share * np.ptp(logs)
        if cheap.sum() >= FEWEST_ROWS and (~cheap).sum() >= FEWEST_BEYOND:
            yield f"{what} {share:.0%}", cheap


def split(name: str, cut: str, table: t2.Table, cheap: np.ndarray, config: Config) -> Split:
    """Fits every method below a cut, and scores its predictions beyond it."""
    key, fit_key, draw_key, band_key = jax.random.split(jax.random.key(config.seed), 4)
    fitted, beyond = table.where(cheap), table.where(~cheap)
    seen = np.log(beyond["loss"])
    choice = t2.choose_law(fitted, key=key)
    single = {type(fit.law).__name__: score_predictions(fit, beyond, seen) for fit in choice.fits}
    return Split(
        table=name,
        cut=cut,
        fitted=len(fitted),
        beyond=len(beyond),
        curve_fit=Score(relative_error(by_scipy(fitted, beyond), seen)),
        earlier=earlier(table, cheap, config.draws, (fit_key, draw_key, band_key)),
        chosen=score_predictions(choice, beyond, seen),
        single=single,
        weights={type(fit.law).__name__: float(w) for fit, w in zip(choice.fits, choice.weights, strict=True)},
        widening=choice.widening,
    )


def score_predictions(fit: SmoothFit | t2.extrapolation.LawChoice, beyond: t2.Table, seen: np.ndarray) -> Score:
    """Scores predictions with bands."""
    wide, narrow = (t2.predict_band(fit, beyond, level=level) for level in (0.9, 0.5))
    bands = [(np.log(band.low), np.log(band.high)) for band in (wide, narrow)]
    return score(np.log(wide.mean), bands[0], bands[1], seen)


def by_scipy(fitted: t2.Table, beyond: t2.Table) -> np.ndarray:
    """Predicts log losses by Chinchilla's law, fitted to log losses by SciPy from four starts."""

    def log_law(places: np.ndarray, e: float, a: float, b: float, alpha: float, beta: float) -> np.ndarray:
        return np.log(np.exp(e) + np.exp(a - alpha * places[0]) + np.exp(b - beta * places[1]))

    logs = [np.log(np.stack([table["params"], table["tokens"]])) for table in (fitted, beyond)]
    seen = np.log(fitted["loss"])
    fits = []
    for e, alpha in ((-1.0, 0.3), (-1.0, 0.6), (0.5, 0.3), (0.5, 0.6)):
        start = (e, 20 * alpha, 20 * alpha, alpha, alpha)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", OptimizeWarning)  # a covariance that nobody reads
                best, _ = curve_fit(log_law, logs[0], seen, p0=start, maxfev=20_000)
        except RuntimeError:  # no convergence from this start
            continue
        fits.append((float(np.sum((log_law(logs[0], *best) - seen) ** 2)), best))
    return log_law(logs[1], *min(fits, key=lambda result: result[0])[1])


def earlier(table: t2.Table, cheap: np.ndarray, draws: int, keys: tuple[Array, Array, Array]) -> Score | None:
    """Scores Chinchilla's law with its default noise, bootstrap draws and resampled residuals; None without a fit."""
    rows = t2.evaluation.left_out(table, ~cheap)
    try:
        fit = t2.fit(t2.laws.Chinchilla, rows, key=keys[0])
        boot = t2.bootstrap(fit, rows, draws=draws, key=keys[1])
        wide, narrow = (predictive_band(fit, boot.laws, rows, key=keys[2], level=level) for level in (0.9, 0.5))
    except ValueError:
        return None
    beyond = table.where(~cheap)
    bands = [(np.log(band.low[~cheap]), np.log(band.high[~cheap])) for band in (wide, narrow)]
    return score(np.log(t2.predict(fit.law, beyond)), bands[0], bands[1], np.log(beyond["loss"]))


def average(name: str, splits: list[Split]) -> Average:
    """Averages the scores over the cuts of one table."""
    of_table = [split for split in splits if split.table == name]
    errors = {law: float(np.mean([split.single[law].error for split in of_table])) for law in of_table[0].single}
    best_law = min(errors, key=lambda law: errors[law])
    at_each = np.mean([min(score.error for score in split.single.values()) for split in of_table])
    return Average(
        table=name,
        cuts=len(of_table),
        curve_fit=mean_score([split.curve_fit for split in of_table]),
        earlier=mean_score([split.earlier for split in of_table if split.earlier is not None]),
        chosen=mean_score([split.chosen for split in of_table]),
        best_law=best_law,
        best_single=errors[best_law],
        best_at_each_cut=float(at_each),
    )


def words(result: Result) -> list[str]:
    head = "table             cuts  curve_fit  earlier  chosen  best single | 90 %: earlier chosen | 50 %: chosen"
    lines = [f"{head} | interval score: earlier chosen | half-width"]
    for row in result.averages:
        new, old = row.chosen, row.earlier
        lines.append(
            f"{row.table:17} {row.cuts:4} {row.curve_fit.error:9.2f}% {old.error:7.2f}% {new.error:6.2f}%"
            f" {row.best_single:11.2f}% | {old.in_90:12.0f}% {new.in_90:6.0f}% | {new.in_50:12.0f}% |"
            f" {old.interval_score:21.3f} {new.interval_score:7.3f} | {new.half_width:9.1f}%"
        )
    scores = [(row.curve_fit.error, row.earlier, row.chosen, row.best_single) for row in result.averages]
    better = sum(new.error <= scipy for scipy, _, new, _ in scores)
    half = sum(new.error <= scipy / 2 for scipy, _, new, _ in scores)
    covered = [new.in_90 for _, _, new, _ in scores]
    narrow = [new.in_50 for _, _, new, _ in scores]
    gains = [
        1 - new.interval_score / old.interval_score for _, old, new, _ in scores if np.isfinite(old.interval_score)
    ]
    hindsight = float(np.mean([new.error / best for _, _, new, best in scores]))
    at_each = float(np.mean([row.chosen.error / row.best_at_each_cut for row in result.averages]))
    no_fit = sum(split.earlier is None for split in result.splits)
    return [
        *lines,
        f"The chosen average errs at most as much as curve_fit on {better} of {len(scores)} tables,"
        f" and at most half as much on {half}.",
        f"Its error is {hindsight:.2f} times that of each table's best single law in hindsight, on average,"
        f" and {at_each:.2f} times that of the best law at each cut.",
        f"Its 90 % bands hold {np.mean(covered):.0f} % of the rows"
        f" ({min(covered):.0f} to {max(covered):.0f} % by table), its 50 % bands {np.mean(narrow):.0f} %.",
        f"Its mean interval score is {100 * np.mean(gains):.0f} % below the earlier one, averaged over tables,"
        f" which had no fit at {no_fit} of {len(result.splits)} cuts.",
        *new_tables(result),
        *([f"Not there: {', '.join(result.missing)}."] if result.missing else []),
    ]


def new_tables(result: Result) -> list[str]:
    """Says how the tables fared by which nothing was chosen."""
    new = [row for row in result.averages if row.table not in LOOKED_AT]
    if not new:
        return []
    errors = ", ".join(f"{row.table} {row.chosen.error / row.best_single:.2f}" for row in new)
    coverage = ", ".join(f"{row.chosen.in_90:.0f} %" for row in new)
    return [f"On the tables not looked at, errors over those of the best law are {errors}; 90 % bands hold {coverage}."]


def figures(result: Result) -> dict[str, "Figure"]:
    from matplotlib.figure import Figure

    names = [row.table for row in result.averages]
    figure = Figure(figsize=(COLUMN, 1.0 + 0.32 * len(names)), layout="constrained")
    errors, coverage = figure.subplots(1, 2, sharey=True)
    rows = np.arange(len(names))[::-1]
    series = {
        "SciPy's curve_fit": ("curve_fit", "s"),
        "earlier default": ("earlier", "^"),
        "chosen laws": ("chosen", "o"),
    }
    for label, (method, marker) in series.items():
        scores = [getattr(row, method) for row in result.averages]
        errors.plot([score.error for score in scores], rows, marker, label=label)
        coverage.plot([score.in_90 for score in scores], rows, marker)
    errors.set(xscale="log", xlabel="mean error, %", yticks=rows, yticklabels=names, ylim=(-0.5, len(names) - 0.5))
    coverage.axvspan(85, 97, color="0.9", lw=0)
    coverage.set(xlabel="in the 90 % band, %", xlim=(0, 104))
    common_legend(figure, [errors], columns=1)
    return {"extrapolation_bands": figure}


if __name__ == "__main__":
    command(Config, run, words, figures)
