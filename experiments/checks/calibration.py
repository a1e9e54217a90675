"""Are the posteriors calibrated? Laws drawn from their priors, tables simulated from them, and the ranks of the truth.

Where prior, likelihood and sampler agree, the truth's rank among independent posterior draws is uniform. A central
interval of 90 % then contains the truth in 90 % of the tables. This is simulation-based calibration (Cook et al. 2006;
Talts et al. 2018, 1804.06788). It is checked for parameters, for predictions beyond the measured range and for log N*.
The priors are the defaults of `t2.sample`, so many of the laws drawn hardly depend on N or on D: the hard cases are in.

Chains that fail the limits of `t2.sample` are drawn again, longer and with smaller steps, as its status advises. Chains
that fail even so (with a few divergent draws, mostly) are counted and printed. Given the table a failure hardly depends
on the truth, so the ranks of the others stay nearly uniform. log N* is compared where the truth and the draw have an
optimum. This is calibrated too, as both are restricted to the same set. It is left out where fewer than RANKED draws
have one.

The outcome of every table is appended to the file of `--journal`, from which an interrupted run goes on. The results of
T2PassK are of `--sizes 4`.

    python -m experiments.checks.calibration [tiny] [-o FOLDER]
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import jax
import numpy as np
from scipy.stats import binom, chi2

import t2jax as t2
from experiments.shared.calibration_tables import world
from experiments.shared.pictures import small, symbol
from experiments.shared.record import UNSAVED, command, plain, stage
from t2jax.files import whole
from t2jax.plot.style import BLACK, BLUE, GREY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEVELS = (0.5, 0.9)
RANKED = 99
"""Draws, far apart in the chains, among which the truth is ranked: 100 places."""
SAME = 1e-9
"""Relative difference below which two numbers are one."""
BINS = 20
TRIES = ((1000, 1000, 0.95), (4000, 2000, 0.99), (2000, 2000, 0.998))
"""Draws, warm-up and acceptance of the first run, and of the next ones where that failed."""
TRIES_OF_COUNTS = ((1000, 1000, 0.99), (1000, 1000, 0.998))
"""The same for counts, at which the likelihood has walls: more than a few successes where the law allows none."""
SOLVED = 400
"""Draws of a law of pass@k at which N* is solved, evenly chosen: with all of them that takes as long as sampling."""
BUDGETS = {
    "chinchilla": t2.Budget(train=1e24),
    "t2-loss": t2.Budget(train=1e24, inference=1e12),
    "t2-pass-k": t2.Budget(train=1e24, inference=1e12),
}
FAR = {"params": 5e10, "tokens": 5e12}
"""Ten times the largest size and length of the tables."""


@dataclass(frozen=True)
class Config:
    """Which laws, and how many tables of each."""

    laws: tuple[str, ...] = ("chinchilla", "t2-loss", "t2-pass-k")
    tables: int = 200
    """Simulated tables of each law."""
    sizes: int = 6
    """Sizes from 5e7 to 5e9 parameters, and as many lengths from 1e9 to 5e11 tokens."""
    samples: tuple[float, ...] = (1.0, 8.0, 64.0)
    """Numbers of samples at which -log pass@k is measured."""
    questions: int = 50
    """Questions asked of every run, for counts."""
    trials: int = 4
    """Samples of each question, for counts."""
    journal: Path | None = field(default=None, metadata=UNSAVED)
    """File of JSON lines to which what each table gave is added; an interrupted run goes on from there."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(laws=("chinchilla",), tables=2, sizes=4)


@dataclass(frozen=True)
class Outcome:
    """What one table gave. tries: how often it was drawn. places: of every quantity, as `place` gives them."""

    converged: bool
    status: str
    tries: int
    places: dict[str, tuple[int, float]]


@dataclass(frozen=True)
class Quantity:
    """The ranks of one quantity's truth. ranks: counts (BINS,) of tables. inside: share of truths in each of LEVELS.

    error: its standard error. uniform: p-value of the chi-squared test of the ranks.
    """

    name: str
    tables: int
    ranks: np.ndarray
    inside: np.ndarray
    error: np.ndarray
    uniform: float


@dataclass(frozen=True)
class Study:
    """One law: tables asked for and converged, and what failed. pooled: shares inside LEVELS over all parameters."""

    law: str
    tables: int
    converged: int
    again: int
    failures: tuple[str, ...]
    quantities: tuple[Quantity, ...]
    pooled: np.ndarray


@dataclass(frozen=True)
class Result:
    """A study of each law."""

    studies: tuple[Study, ...]


def run(config: Config) -> Result:
    return Result(tuple(study(name, config) for name in config.laws))


def study(name: str, config: Config) -> Study:
    law = t2.laws.by_name(name)
    results: dict[str, list[tuple[int, float]]] = {}
    with stage(f"{config.tables} tables of {name}"):
        outcomes = [read_or_compute(name, index, config) for index in range(config.tables)]
    for outcome_of_table in outcomes:
        for quantity, where in outcome_of_table.places.items():
            results.setdefault(quantity, []).append(where)
    ranked = tuple(summarise(quantity, places) for quantity, places in results.items())
    inside = np.array([quantity.inside for quantity in ranked if quantity.name in law.declared()])
    failures = tuple(outcome_of_table.status for outcome_of_table in outcomes if not outcome_of_table.converged)
    again = sum(outcome_of_table.tries > 1 for outcome_of_table in outcomes)
    converged = config.tables - len(failures)
    return Study(name, config.tables, converged, again, failures, ranked, inside.mean(axis=0))


def read_or_compute(name: str, index: int, config: Config) -> Outcome:
    """Reads an outcome from the journal, or computes it and appends it there."""
    if config.journal is None:
        return outcome(name, index, config)
    counts = "pass_at_k" in t2.laws.by_name(name).response
    measured = (config.questions, config.trials) if counts else config.samples
    table = [name, index, config.sizes, *measured, config.seed]
    lines = config.journal.read_text(encoding="utf-8").splitlines() if config.journal.exists() else []
    for entry in map(json.loads, lines):
        if entry["table"] == table:
            return Outcome(**entry["outcome"])
    result = outcome(name, index, config)
    with whole(config.journal) as unfinished:
        line = json.dumps({"table": table, "outcome": plain(result)})
        unfinished.write_text("\n".join([*lines, line, ""]), encoding="utf-8")
    return result


def outcome(name: str, index: int, config: Config) -> Outcome:
    """What table `index` gives, with random numbers of its own."""
    if index % 100 == 99:
        jax.clear_caches()
    law, rng = t2.laws.by_name(name), np.random.default_rng([config.seed, index])
    truth, table, scale = world(law, rng, config)
    post, tries = sampled(law, table, jax.random.fold_in(jax.random.key(config.seed), index))
    result = quantities(name, truth, scale, post) if post.converged else {}
    places = {what: place(*both, rng) for what, both in result.items()}
    return Outcome(post.converged, post.status, tries, places)


def sampled(law: type[t2.Law], table: t2.Table, key: Any) -> tuple[t2.Posterior, int]:
    """The posterior, drawn again with more and smaller steps where the first chains failed; how often it was drawn."""
    settings = TRIES_OF_COUNTS if "correct" in table else TRIES
    for tries, (draws, warmup, accept) in enumerate(settings, 1):  # noqa: B007 - returned below
        post = t2.sample(law, table, key=key, draws=draws, warmup=warmup, accept=accept)
        if post.converged:
            break
    return post, tries


def quantities(name: str, truth: t2.Law, scale: Any, post: t2.Posterior) -> dict[str, tuple[float, np.ndarray]]:
    """The truth and the posterior draws of every parameter, of a prediction far out and of log N*, by name."""
    law = type(truth)
    drawn = post.laws.values()
    free = [parameter for parameter in law.declared() if parameter in post.idata["posterior"]]
    results = {parameter: (float(truth.values()[parameter]), np.asarray(drawn[parameter])) for parameter in free}
    if scale is not None:
        results["sigma"] = scale, np.asarray(post.idata["posterior"]["sigma"]).ravel()
    far = FAR | ({"samples": 100.0} if "k" in law.inputs() else {})
    results["prediction"] = float(t2.evaluate(truth, **far)), t2.evaluate(post.laws, **far)
    best = t2.frontier(truth, BUDGETS[name])
    if best.ok:
        every = post.draws_made * len(post.idata["posterior"]["chain"]) // SOLVED if "pass_at_k" in law.response else 1
        many = t2.frontier(jax.tree.map(lambda leaf: leaf[::every], post.laws), BUDGETS[name])
        if many.ok.sum() >= RANKED:
            results["log N*"] = float(np.log(best.params)), np.log(many.params[many.ok])
    return results


def place(true: float, draws: np.ndarray, rng: np.random.Generator) -> tuple[int, float]:
    """The truth's rank among RANKED draws, and where it lies among all of them, 0 to 1.

    Among draws that equal it (an N* that a budget holds is the same for many laws) its place is drawn.
    """
    below, equal = draws < true - SAME * abs(true), np.abs(draws - true) <= SAME * abs(true)
    few = np.linspace(0, len(draws) - 1, RANKED).astype(int)
    rank = below[few].sum() + rng.integers(equal[few].sum() + 1)
    return int(rank), float(below.mean() + rng.uniform() * equal.mean())


def summarise(name: str, places: list[tuple[int, float]]) -> Quantity:
    ranks, shares = (np.array(values) for values in zip(*places, strict=True))
    counts = np.bincount(ranks * BINS // (RANKED + 1), minlength=BINS)
    expected = len(ranks) / BINS
    inside = np.array([np.mean(np.abs(shares - 0.5) <= level / 2) for level in LEVELS])
    error = np.array([np.sqrt(level * (1 - level) / len(ranks)) for level in LEVELS])
    p = float(chi2.sf(np.sum((counts - expected) ** 2) / expected, BINS - 1))
    return Quantity(name, len(ranks), counts, inside, error, p)


def words(result: Result) -> list[str]:
    lines = []
    for study in result.studies:
        lines += [
            f"{study.law}: {study.converged} of {study.tables} posteriors converged, {study.again} after a further "
            f"run; parameters inside their 50 % and 90 % intervals: {study.pooled[0]:.1%} and {study.pooled[1]:.1%}"
        ]
        for q in study.quantities:
            lines.append(
                f"  {q.name}: {q.inside[0]:.1%} ± {q.error[0]:.1%} and {q.inside[1]:.1%} ± {q.error[1]:.1%} of"
                f" {q.tables} tables, ranks uniform with p = {q.uniform:.2f}"
            )
    return lines


def figures(result: Result) -> dict[str, "Figure"]:
    """Rank histograms of every quantity, one figure a law."""
    return {f"ranks-{study.law}": _histograms(study) for study in result.studies}


def _histograms(study: Study) -> "Figure":
    figure, axes = small(len(study.quantities), height=1.0, sharex=True)
    for ax, q in zip(axes, study.quantities, strict=True):
        _histogram(ax, q)
    figure.supxlabel(
        f"rank of the truth among {RANKED} posterior draws\n(grey: where 99 % of the bars lie if calibrated)"
    )
    figure.supylabel("simulated tables")
    return figure


def _histogram(ax: "Axes", q: Quantity) -> None:
    low, high = binom.ppf([0.005, 0.995], q.tables, 1 / BINS)
    edges = np.linspace(0, RANKED + 1, BINS + 1)
    ax.axhspan(low, high, color=GREY, alpha=0.25, linewidth=0)
    ax.axhline(q.tables / BINS, color=BLACK, linewidth=0.6)
    ax.stairs(q.ranks, edges, color=BLUE, fill=True, alpha=0.7)
    ax.set_title(f"{symbol(q.name)}: {q.inside[1]:.0%} in 90 %", fontsize=7)
    ax.set_xlim(0, RANKED + 1)


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
