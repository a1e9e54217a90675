"""How sure is the compute-optimal model? Posteriors carried to N*, D*, D*/N*, k* and to what overtraining gains.

Two posteriors: Chinchilla's law on the runs of Hoffmann et al. 2022 as read by Besiroglu et al. 2024; T2PassK on the
counts of GSM8K that the Pythia checkpoints solved, which scatter about it (`t2.noise.RunScatter`: without, a law that
fits no checkpoint exactly has bands as if it did). At every training budget each draw has its own optimum, with samples
k <= C_inf/(2N) and without. The bands are central intervals over draws.

Two ways to ask whether overtraining wins. "more tokens": the share of draws whose optimum with samples has more tokens
per parameter than the draw's own optimum for one sample. "wins": one decides before the truth is known, so both choices
are fixed, at the medians of N over draws; the share of draws in which the first is better, both drawing as many samples
as serving allows. The gain is what it is better by.

    python -m experiments.checks.posterior_frontier [tiny] [-o FOLDER]
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import jax
import numpy as np

import t2jax as t2
from experiments.shared.pictures import common_legend, stacked, unmeasured
from experiments.shared.record import command, stage
from t2jax.planning.plan import Plan
from t2jax.plot.style import AXIS_LABELS, BLACK, BLUE, VERMILLION, log_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
QUANTITIES = ("params", "tokens", "tokens_per_param", "samples")
SOLVING = 1.99e9
"""Pythia checkpoints trained on fewer tokens solve next to nothing, and are left out."""


@dataclass(frozen=True)
class Question:
    """A law to sample on a table, and budgets to plan for.

    inference: FLOPs per token served, None for one sample. noise: None for the default. accept: of the sampler.
    """

    name: str
    law: type[t2.Law]
    read: Callable[[], t2.Table]
    train: np.ndarray
    inference: float | None
    noise: t2.noise.Noise | None = None
    accept: float = 0.95


def pythia() -> t2.Table:
    counts = t2.datasets.load("pythia-gsm8k")
    return counts.where(counts["tokens"] >= SOLVING)


QUESTIONS = (
    Question(
        "chinchilla-epoch",
        t2.laws.Chinchilla,
        lambda: t2.datasets.load("chinchilla-epoch"),
        np.geomspace(1e19, 1e26, 15),
        None,
    ),
    Question("pythia-gsm8k", t2.laws.T2PassK, pythia, np.geomspace(1e20, 1e24, 13), 1e12, t2.noise.RunScatter()),
)


@dataclass(frozen=True)
class Config:
    """Which posteriors, and how long their chains."""

    questions: tuple[str, ...] = tuple(question.name for question in QUESTIONS)
    draws: int = 1000
    """Draws of each of four chains."""
    warmup: int = 1000
    """Steps of each chain before that."""
    planned: int = 1000
    """Draws, evenly over the chains, that are carried to the frontier."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(questions=("chinchilla-epoch",), draws=400, warmup=400, planned=40)


@dataclass(frozen=True)
class Study:
    """One posterior. Bands are (QUANTILES, budgets), NaN where fewer than nine in ten draws have an optimum.

    furthest: the largest training compute that was measured.
    bands, once: of each of QUANTITIES, with samples and for one sample. gain: of the fixed choice with samples over
    the fixed choice for one, in pass@k. more_tokens, wins: shares of draws, (budgets,).
    optimal: share of draws with an optimum.
    """

    name: str
    law: str
    status: str
    train: np.ndarray
    inference: float | None
    furthest: float
    bands: dict[str, np.ndarray]
    once: dict[str, np.ndarray]
    optimal: np.ndarray
    gain: np.ndarray | None
    more_tokens: np.ndarray | None
    wins: np.ndarray | None


@dataclass(frozen=True)
class Result:
    """A study of each posterior; skipped: tables that are not there, and chains that do not agree, and why."""

    studies: tuple[Study, ...]
    skipped: tuple[str, ...]


def run(config: Config) -> Result:
    studies, skipped = [], []
    for question in QUESTIONS:
        if question.name not in config.questions:
            continue
        try:
            table = question.read()
        except t2.datasets.DatasetError as error:
            skipped.append(f"{question.name}: {error}")
            continue
        with stage(f"{question.name}: posterior of {t2.laws.name_of(question.law)}"):
            key = jax.random.key(config.seed)
            long: Any = {"draws": config.draws, "warmup": config.warmup, "accept": question.accept}
            post = t2.sample(question.law, table, question.noise, key=key, **long)
        if all(map(post.diagnosis.agrees, post.diagnosis.r_hat)):
            studies.append(study(question, post, float(table.compute().max()), config))
        else:
            skipped.append(f"{question.name}: {post.status}")
        jax.clear_caches()
    return Result(tuple(studies), tuple(skipped))


def study(question: Question, post: t2.Posterior, furthest: float, config: Config) -> Study:
    count = len(jax.tree.leaves(post.laws)[0])
    chosen = np.linspace(0, count - 1, min(config.planned, count)).astype(int)
    laws = jax.tree.map(lambda leaf: np.asarray(leaf)[chosen], post.laws)
    with stage(f"{question.name}: {len(chosen)} draws by {len(question.train)} budgets"):
        plans = t2.frontier(laws, t2.Budget(train=question.train, inference=question.inference))
        once = t2.frontier(laws, t2.Budget(train=question.train)) if question.inference else plans
    gain = more = wins = None
    if question.inference:
        both = plans.ok & once.ok
        more = np.where(both, plans.tokens_per_param > once.tokens_per_param, np.nan)
        better = gains(laws, plans, once, question.train, question.inference)
        gain, wins = quantiles(better), share(better > 0, better)
        more = share(more > 0, more)
    return Study(
        name=question.name,
        law=t2.laws.name_of(question.law),
        status=post.status,
        train=question.train,
        inference=question.inference,
        furthest=furthest,
        bands={name: quantiles(getattr(plans, name)) for name in QUANTITIES},
        once={name: quantiles(getattr(once, name)) for name in QUANTITIES},
        optimal=plans.ok.mean(axis=0),
        gain=gain,
        more_tokens=more,
        wins=wins,
    )


def quantiles(values: np.ndarray) -> np.ndarray:
    """QUANTILES over draws (draws, budgets) that are numbers; NaN where fewer than nine in ten are."""
    there = np.isfinite(values)
    enough = there.mean(axis=0) >= 0.9
    result = np.full((len(QUANTILES), values.shape[1]), np.nan)
    for i in np.flatnonzero(enough):
        result[:, i] = np.quantile(values[there[:, i], i], QUANTILES)
    return result


def share(those: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The share of draws (draws, budgets) that are those, of values that are numbers; NaN as `quantiles`."""
    there = np.isfinite(values)
    enough = there.mean(axis=0) >= 0.9
    return np.where(enough, (those & there).sum(axis=0) / np.maximum(there.sum(axis=0), 1), np.nan)


def gains(laws: t2.Law, plans: Plan, once: Plan, train: np.ndarray, inference: float) -> np.ndarray:
    """By how much pass@k of the choice with samples exceeds that for one sample, (draws, budgets).

    Both sizes are the medians over draws, trained on all of the budget, with as many samples as serving allows. NaN
    where the size for one sample cannot be served even once.
    """
    values = []
    for plan in (plans, once):
        params = quantiles(plan.params)[QUANTILES.index(0.5)]
        samples = inference / (2 * params)
        value = t2.evaluate(laws, params=params, tokens=train / (6 * params), samples=np.maximum(samples, 1.0))
        values.append(np.where(samples >= 1, value, np.nan))
    with_samples, for_one = values
    return with_samples - for_one


def words(result: Result) -> list[str]:
    lines = list(result.skipped)
    for study in result.studies:
        lines.append(f"{study.name}, {study.law}: {study.status}")
        for i in range(0, len(study.train), 3):
            shown = [
                _describe(name, study.bands[name][:, i]) for name in QUANTITIES if study.inference or name != "samples"
            ]
            line = f"  {study.train[i]:.3g} FLOPs: {'; '.join(shown)}"
            if study.gain is not None and study.wins is not None and study.more_tokens is not None:
                low, mid, high = study.gain[[0, 2, 4], i]
                line += (
                    f"; gain {mid:.3g} ({low:.3g} to {high:.3g}) of pass@k; wins in {study.wins[i]:.0%} of draws, "
                    f"more tokens per parameter in {study.more_tokens[i]:.0%}"
                )
            lines.append(line)
    return lines


def _describe(name: str, band: np.ndarray) -> str:
    low, mid, high = band[[0, 2, 4]]
    short = {"params": "N*", "tokens": "D*", "tokens_per_param": "D*/N*", "samples": "k*"}[name]
    return f"{short} {mid:.3g} (90 %: {low:.3g} to {high:.3g})"


def figures(result: Result) -> dict[str, "Figure"]:
    return {study.name.replace(", ", "-").replace("@", "-at-"): _figure(study) for study in result.studies}


def _figure(study: Study) -> "Figure":
    """Tokens per parameter, and below it the size or what the choice with samples gains."""
    figure, (above, below) = stacked(2, 1.75, sharex=True)
    if study.inference:
        _bands(above, study.train, study.once["tokens_per_param"], VERMILLION, "one sample")
    name = "with samples" if study.inference else "posterior"
    _bands(above, study.train, study.bands["tokens_per_param"], BLUE, name)
    above.set(yscale="log", ylabel="tokens per parameter")
    if study.gain is None:
        _bands(below, study.train, study.bands["params"], BLUE, name)
        below.set(yscale="log", ylabel="optimal parameters N*")
    else:
        _bands(below, study.train, study.gain, BLUE, name)
        below.axhline(0.0, color=BLACK, linewidth=0.6)
        below.set_ylabel("pass@k gained by the\nchoice with samples")
    for ax in (above, below):
        ax.set_xlim(study.train[0], study.train[-1])
        log_ticks(ax)
        unmeasured(ax, study.furthest)
    below.set_xlabel(AXIS_LABELS["train"])
    common_legend(figure)
    return figure


def _bands(ax: "Axes", train: np.ndarray, band: np.ndarray, colour: str, name: str) -> None:
    ax.fill_between(train, band[0], band[4], color=colour, alpha=0.25, linewidth=0, label=f"{name}, 90 %")
    ax.plot(train, band[2], color=colour, label=f"{name}, median")
    ax.set(xscale="log")


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
