"""Do laws of selection describe real answers? Votes and verifiers on the testbed's strongest wrong answers.

A law of selection knows Beta(a, b) of a task's success probabilities, and for a vote one share of the strongest wrong
answer. Real questions have wrong answers of many strengths. Here every checkpoint and task gets a and b by the mean and
the variance of its questions, and the share as their mean. The law's success at k is compared with that of the answers
themselves, over the same questions. Errors at one sample are therefore zero.

A verifier of given errors is measured in two ways. It judges every sample anew, as the law has it, or every distinct
answer once and for all. Answers beyond the measured ones are taken as all different, so that they never share a vote.

    python -m experiments.testbed.without_oracle [tiny] [-o FOLDER]
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import jax
import numpy as np
import pandas as pd

import t2jax as t2
from experiments.shared.pictures import common_legend, small
from experiments.shared.record import command, stage
from experiments.shared.shards import answer_files, read
from t2jax.plot.style import BLACK, BLUE, log_ticks
from t2jax.working_precision import scope

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = ("oracle", "verifier", "lasting verifier", "vote")
CHUNK = 100
"""Draws of votes at a time, which bounds the memory."""


@dataclass(frozen=True)
class Config:
    """Numbers of samples, the verifier, and how often votes are drawn."""

    samples: tuple[float, ...] = (1.0, 4.0, 16.0, 64.0, 256.0)
    """Values of k."""
    true_positive: float = 0.95
    """Probability that the verifier accepts a right answer."""
    false_positive: float = 0.02
    """Probability that it accepts a wrong one."""
    draws: int = 1000
    """Simulated votes of a question, and simulated verifiers that judge each answer once."""
    models: int = 1000
    """Checkpoints, at most."""
    seed: int = 0
    """Seed of every simulation."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(samples=(1.0, 16.0), draws=20, models=2)


@dataclass(frozen=True)
class Compared:
    """One selection at all k, over checkpoints and tasks.

    Attributes:
        kind: The selection.
        measured: Success of the answers themselves, (cells, samples).
        law: Success by the law.
        error: Mean absolute difference at each k, (samples,).
        bias: Mean of law - measured at each k.
        worst: Largest absolute difference.
    """

    kind: str
    measured: np.ndarray
    law: np.ndarray
    error: np.ndarray
    bias: np.ndarray
    worst: float


@dataclass(frozen=True)
class Result:
    """cells: checkpoint and task of each row. rival: mean share of the strongest wrong answer, (cells,).

    falls: in how many cells the vote is better at some k than at the largest one, as measured and by the law.
    """

    seeds: int
    checkpoints: int
    questions: int
    samples: np.ndarray
    cells: tuple[tuple[str, str], ...]
    rival: np.ndarray
    kinds: tuple[Compared, ...]
    falls: tuple[int, int]


def run(config: Config) -> Result:
    """The study of all shards that have wrong answers."""
    with stage("reading"):
        cells = read_cells(config.models)
    with stage("simulating"):
        return compare(cells, config)


def read_cells(models: int) -> dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]:
    """Right answers' probabilities (questions,) and wrong ones' (questions, ranks), of each checkpoint and task."""
    cells, shards = {}, read()
    place = {model: row for row, model in enumerate(shards.runs["model"])}
    wrong = pd.concat([pd.read_parquet(path) for path in answer_files()], ignore_index=True)
    ranked: Any = wrong.groupby(["model", "task"], observed=True, sort=False)
    chosen = list(dict.fromkeys(wrong["model"]))[:models]
    for name, part in ranked:
        if name[0] in chosen:
            ordered = part.sort_values(["question", "rank"])
            questions = ordered["question"].unique()
            right = shards.p["base", name[1]][place[name[0]], questions]
            cells[name] = right, ordered["p"].to_numpy(float).reshape(len(questions), -1)
    return cells


def compare(cells: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]], config: Config) -> Result:
    """Success of every selection in every cell, by its answers and by the laws."""
    k, rng = np.array(config.samples), np.random.default_rng(config.seed)
    fitted = [(p, fit_into_one(p, wrong)) for p, wrong in cells.values()]
    rivals = np.array([np.mean(wrong[:, 0] / (1 - p)) for p, wrong in fitted])
    measured = np.stack([measured_success(p, wrong, k, config, rng) for p, wrong in fitted], axis=1)
    laws = law_success(np.array([(p.mean(), p.var()) for p, _ in fitted]), rivals, k, config)
    kinds = tuple(summarise(kind, *pair) for kind, *pair in zip(KINDS, measured, laws, strict=True))
    vote = kinds[KINDS.index("vote")]
    falls = tuple(int((table[:, :-1].max(axis=1) > table[:, -1] + 1e-3).sum()) for table in (vote.measured, vote.law))
    models = {model for model, _ in cells}
    seeds = len({model.rpartition("-")[2] for model in models})
    questions = len(next(iter(cells.values()))[0])
    return Result(seeds, len(models), questions, k, tuple(cells), rivals, kinds, (falls[0], falls[1]))


def fit_into_one(p: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """Wrong answers' probabilities that leave room for the right one: both are rounded in the files."""
    room = np.minimum(1.0, (1 - p) / np.maximum(wrong.sum(axis=1), 1e-300))
    return wrong * room[:, None]


def measured_success(
    p: np.ndarray, wrong: np.ndarray, k: np.ndarray, config: Config, rng: np.random.Generator
) -> np.ndarray:
    """Success of each of KINDS at each k, a mean over the questions, (kinds, samples)."""
    rest = np.maximum(1 - p - wrong.sum(axis=1), 0.0)
    t, h = config.true_positive, config.false_positive
    oracle = -np.expm1(k * np.log1p(-np.minimum(p, 1 - 1e-15))[:, None])
    verifier = first_accepted(p, p * t, (1 - p) * h, k)
    right = p * (rng.random((config.draws, len(p))) < t)
    accepted = (wrong * (rng.random((config.draws, *wrong.shape)) < h)).sum(axis=-1) + rest * h
    lasting = first_accepted(p, right, accepted, k).mean(axis=0)
    votes = np.stack([vote_success(p, wrong, rest, int(number), config.draws, rng) for number in k], axis=-1)
    return np.stack([oracle, verifier, lasting, votes]).mean(axis=1)


def first_accepted(p: np.ndarray, right: np.ndarray, wrong: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Success of the first accepted sample of k, or of a rejected one at random; a last axis for k.

    right, wrong: probability that a sample is right or wrong and is accepted.
    """
    accepted = right + wrong
    none = np.exp((k - 1) * np.log1p(-np.minimum(accepted, 1 - 1e-15))[..., None])
    some = 1 - none * (1 - accepted)[..., None]
    share = np.divide(right, accepted, out=np.zeros_like(accepted), where=accepted > 0)
    return share[..., None] * some + (p - right)[..., None] * none


def vote_success(
    p: np.ndarray, wrong: np.ndarray, rest: np.ndarray, k: int, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Share of simulated votes of k samples that the right answer wins, ties at random, (questions,)."""
    shares = np.concatenate([p[:, None], wrong, rest[:, None]], axis=1)
    shares /= shares.sum(axis=1, keepdims=True)
    total = np.zeros(len(p))
    for start in range(0, draws, CHUNK):
        votes = rng.multinomial(k, shares, size=(min(CHUNK, draws - start), len(p)))
        most = np.maximum(votes[..., :-1].max(axis=-1), votes[..., -1] > 0)
        tied = (votes[..., :-1] == most[..., None]).sum(axis=-1) + np.where(most == 1, votes[..., -1], 0)
        total += np.where(votes[..., 0] == most, 1 / tied, 0.0).sum(axis=0)
    return total / draws


def law_success(moments: np.ndarray, rivals: np.ndarray, k: np.ndarray, config: Config) -> np.ndarray:
    """Success of each of KINDS by the laws, (kinds, cells, samples).

    moments: mean and variance of the success probabilities, which Beta(a, b) shares, (cells, 2). rivals: (cells,).
    """
    mean, variance = moments[:, :1], moments[:, 1:]
    total = mean * (1 - mean) / variance - 1
    verifier = t2.laws.Verifier(true_positive=config.true_positive, false_positive=config.false_positive)
    with scope():
        a, b, number = np.broadcast_arrays(mean * total, (1 - mean) * total, k)
        vote = t2.laws.MajorityVote(rival=np.broadcast_to(rivals[:, None], a.shape))
        oracle, verified = (np.asarray(jax.jit(law)(a, b, number)) for law in (t2.laws.Oracle(), verifier))
        voted = np.asarray(jax.jit(jax.vmap(jax.vmap(lambda law, *at: law(*at))))(vote, a, b, number))
    return np.stack([oracle, verified, verified, voted])


def summarise(kind: str, measured: np.ndarray, law: np.ndarray) -> Compared:
    """How far the law is from what was measured. measured, law: (cells, samples)."""
    off = law - measured
    return Compared(kind, measured, law, np.abs(off).mean(axis=0), off.mean(axis=0), float(np.abs(off).max()))


def words(result: Result) -> list[str]:
    """The result in sentences."""
    lines = [
        f"{len(result.cells)} cells: tasks of {result.checkpoints} checkpoints of {result.seeds} seed(s), "
        f"{result.questions} questions each. The strongest wrong answer has {result.rival.mean():.2f} of the wrong "
        f"samples on average ({result.rival.min():.2f} to {result.rival.max():.2f})."
    ]
    for compared in result.kinds:
        errors = ", ".join(
            f"{100 * error:.1f} at k = {k:g} (bias {100 * bias:+.1f})"
            for k, error, bias in zip(result.samples, compared.error, compared.bias, strict=True)
        )
        lines.append(
            f"{compared.kind}: the law is off by {errors} points of success, {100 * compared.worst:.1f} at most."
        )
    lines.append(
        f"The vote is best before the largest k in {result.falls[0]} cells as measured, in {result.falls[1]} by law."
    )
    return lines


def figures(result: Result) -> dict[str, "Figure"]:
    """Success by the law against that of the answers, a panel for each selection."""
    figure, axes = small(len(KINDS), height=1.5, sharex=True, sharey=True)
    least = 100 / result.questions / 10
    for ax, compared in zip(axes, result.kinds, strict=True):
        ax.plot([least, 100], [least, 100], color=BLACK, linewidth=0.6)
        for j, k in enumerate(result.samples[1:], 1):
            shade = 0.25 + 0.75 * j / (len(result.samples) - 1)
            at = np.maximum(100 * compared.measured[:, j], least), np.maximum(100 * compared.law[:, j], least)
            ax.plot(*at, "o", color=BLUE, alpha=shade, markersize=2, markeredgewidth=0, label=f"k = {k:g}")
        ax.set(xscale="log", yscale="log", title=compared.kind)
        log_ticks(ax)
    figure.supxlabel("success of the answers (per cent)")
    figure.supylabel("by the law (per cent)")
    common_legend(figure, axes, columns=4)
    return {"success": figure}


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
