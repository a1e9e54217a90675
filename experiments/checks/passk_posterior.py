"""Does T²'s law of pass@k, sampled from few samples, say how other questions go at many? GSM8K counts of Pythia.

`T2PassK` is sampled from 10 samples of each of half the questions (drawn without replacement out of all of them), three
times: as if every question were put to every checkpoint anew; with checkpoints that scatter about the law; and with
questions too that are hard for one checkpoint and the next. Every draw predicts pass@k of the *other* half of the
questions at each checkpoint. This is compared with their unbiased estimate from all samples. The bands include three
sources of error: the posterior, which questions they are, and the luck of their samples. Variants that read questions
are also compared by their density of a question that is left out (PSIS-LOO).

"Per checkpoint" is the coverage that a user meets. "Mean" is the coverage of the mean over checkpoints, which needs a
noise model in which questions go together. Scatter alone describes a checkpoint that the law does not fit: its draws
take the checkpoint's deviation from its fitted questions.

    python -m experiments.checks.passk_posterior [tiny] [-o FOLDER]
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import jax
import numpy as np
from scipy.special import ndtr
from scipy.stats import beta as beta_distribution

import t2jax as t2
from experiments.shared.pictures import common_legend, stacked
from experiments.shared.record import UNSAVED, command, stage
from t2jax.plot.style import BLACK, GREEN, PURPLE, VERMILLION

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ANEW, SCATTER, BOTH = "every checkpoint anew", "checkpoints scatter", "both"
VARIANTS: dict[str, t2.noise.Noise] = {
    ANEW: t2.noise.BetaBinomial(),
    SCATTER: t2.noise.RunScatter(),
    BOTH: t2.noise.CrossedEffects(),
}
LOOKS = {ANEW: ("counts alone", VERMILLION), SCATTER: ("RunScatter", GREEN), BOTH: ("CrossedEffects", PURPLE)}
LEAST = 1e-6  # tau, of variants without
NARROW = 1e9
"""Both parameters of a Beta above which it is taken for its mean (within 3e-5 of it): SciPy's quantiles end as NaN."""


@dataclass(frozen=True)
class Config:
    """Which checkpoints, how many samples of each question, how many splits and draws."""

    least_tokens: float = 1.99e9
    """Checkpoints trained on fewer tokens are left out; those named 2B are just above."""
    checkpoints: int | None = None
    """Of these, how many, evenly chosen; all by default."""
    questions: int | None = None
    """How many of the questions, the first ones; all by default."""
    fitted: int = 10
    """Samples of each question that the law is sampled from."""
    targets: tuple[int, ...] = (1, 10, 100)
    """The k at which other questions are predicted."""
    variants: tuple[str, ...] = tuple(VARIANTS)
    """Which noise models."""
    halves: int = 4
    """Halves of the questions fitted, to predict the others: the first, its complement, then of a new split."""
    draws: int = 600
    """Draws of each of four chains, after as many of warm-up."""
    prediction_draws: int = 1200
    """Draws that predictions are made from."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        few = {"checkpoints": 3, "questions": 16, "halves": 1, "draws": 20, "prediction_draws": 40}
        return cls(variants=(ANEW, BOTH), targets=(1, 100), **few)


@dataclass(frozen=True)
class Half:
    """Predictions of one half by the other, of one variant: (checkpoints, targets) unless said otherwise.

    agrees: whether the chains agree on every parameter; if not, nothing is printed of it. inside: whether 50 % and 90 %
    bands hold what was measured, (levels, checkpoints, targets); means: the same of the mean over checkpoints, (levels,
    targets). elpd: of each fitted question by the others, by name, none where chains failed; unsure: how many of them
    LOO cannot tell. rho, tau: 5, 50 and 95 % quantiles, zeros in variants without.
    """

    variant: str
    status: str
    agrees: bool
    observed: np.ndarray = field(metadata=UNSAVED)
    mid: np.ndarray = field(metadata=UNSAVED)
    inside: np.ndarray = field(metadata=UNSAVED)
    means: np.ndarray
    elpd: dict[str, float] = field(metadata=UNSAVED)
    unsure: int
    rho: np.ndarray
    tau: np.ndarray


@dataclass(frozen=True)
class Score:
    """One variant at one k over all halves; errors in points of pass@k.

    inside and means: share inside the 50 % and 90 % bands, per checkpoint and of the mean over checkpoints. error:
    inside's standard error over halves. absolute, bias: mean size of prediction less measurement, and mean.
    """

    variant: str
    samples: int
    inside: np.ndarray
    error: np.ndarray
    means: np.ndarray
    absolute: float
    bias: float


@dataclass(frozen=True)
class Result:
    """better: elpd of both less that of every checkpoint anew: mean over questions, standard error, how many."""

    models: tuple[str, ...]
    questions: int
    targets: tuple[int, ...]
    halves: tuple[Half, ...]
    scores: tuple[Score, ...]
    better: tuple[float, float, int]


def run(config: Config) -> Result:
    counts = t2.datasets.load("pythia-gsm8k")
    counts = counts.where(counts["tokens"] >= config.least_tokens)
    models = np.unique(counts["model"])
    if config.checkpoints:
        models = models[np.linspace(0, len(models) - 1, config.checkpoints).astype(int)]
        counts = counts.where(np.isin(counts["model"], models))
    questions = np.unique(counts["question"])[: config.questions]
    counts = counts.where(np.isin(counts["question"], questions))
    halves = [
        predict_half(name, i, counts, questions, config) for i in range(config.halves) for name in config.variants
    ]
    good = [half for half in halves if half.agrees]
    agreeing = [variant for variant in config.variants if any(half.variant == variant for half in good)]
    scores = tuple(score(good, variant, i, k) for variant in agreeing for i, k in enumerate(config.targets))
    by = {variant: [half for half in halves if half.variant == variant] for variant in config.variants}
    gained = compare_elpd(by[BOTH], by[ANEW])
    return Result(tuple(map(str, models)), len(questions), config.targets, tuple(halves), scores, gained)


def compare_elpd(those: list[Half], these: list[Half]) -> tuple[float, float, int]:
    """Mean over questions of the difference of elpd, its standard error, and the number of questions.

    A question that was fitted in several splits counts once, with its mean.
    """
    results: dict[str, list[float]] = {}
    for a, b in zip(those, these, strict=False):  # of the same halves, as far as both were fitted
        for name in a.elpd.keys() & b.elpd.keys():
            results.setdefault(name, []).append(a.elpd[name] - b.elpd[name])
    differences = np.array([np.mean(result) for _, result in sorted(results.items())])
    if len(differences) < 2:
        return float("nan"), float("nan"), len(differences)
    return float(differences.mean()), float(differences.std(ddof=1) / np.sqrt(len(differences))), len(differences)


def predict_half(variant: str, half: int, counts: t2.Table, questions: np.ndarray, config: Config) -> Half:
    rng = np.random.default_rng([config.seed, half // 2])
    fitted = np.array_split(rng.permutation(questions), 2)[half % 2]
    mine = np.isin(counts["question"], fitted)
    few, others = counts.where(mine), counts.where(~mine)
    right = few["correct"].astype(int)
    drawn = rng.hypergeometric(right, few["trials"].astype(int) - right, config.fitted)
    few = few.with_columns(trials=np.full(len(few), float(config.fitted)), correct=drawn.astype(float))
    with stage(f"half {half + 1}, {variant}"):
        post = t2.sample(
            t2.laws.T2PassK,
            few,
            VARIANTS[variant],
            key=jax.random.key(config.seed),
            draws=config.draws,
            warmup=config.draws,
            accept=0.95,
            unit="run" if variant == SCATTER else "question",
        )
    loo = t2.loo(post) if post.converged and variant != SCATTER else None
    rho, tau, z = read_scatter(post, few, jax.random.key(half))
    every = max(1, len(tau) // config.prediction_draws)
    laws, rho, tau, z = jax.tree.map(lambda leaf: leaf[::every], (post.laws, rho, tau, z))
    observed, again = measure(others, config.targets), simulate(laws, rho, tau, z, others, config, rng)
    side_of = np.quantile(again, [0.05, 0.25, 0.5, 0.75, 0.95], axis=0)
    inside = np.stack([(side_of[i] <= observed) & (observed <= side_of[-1 - i]) for i in (1, 0)])
    middle = np.quantile(again.mean(axis=1), [0.05, 0.25, 0.75, 0.95], axis=0)
    mean = observed.mean(axis=0)
    means = np.stack([(middle[i] <= mean) & (mean <= middle[-1 - i]) for i in (1, 0)])
    elpd = dict(zip(loo.names, map(float, loo.log_densities), strict=True)) if loo else {}
    agrees = all(map(post.diagnosis.agrees, post.diagnosis.r_hat))
    unsure = len(loo.unsure) if loo else 0
    shares = (np.quantile(draws, [0.05, 0.5, 0.95]) for draws in (rho, tau))
    return Half(variant, post.status, agrees, observed, side_of[2], inside, means, elpd, unsure, *shares)


def read_scatter(post: t2.Posterior, few: t2.Table, key: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of every draw rho and tau, (draws,), and how far off the law checkpoints by name are, (draws, checkpoints).

    Zero in variants without.
    """
    posterior = {str(name): values.values for name, values in post.idata["posterior"].items()}
    none = np.zeros(len(post.laws.E))
    rho, tau = (np.ravel(posterior[name]) if name in posterior else none for name in ("rho", "tau"))
    _, first = np.unique(few["model"], return_index=True)
    z = np.zeros((len(none), len(first)))
    if "deviation" in posterior:
        z = posterior["deviation"].reshape(len(none), -1)[:, few.runs()[first]]
    elif "tau" in posterior:
        z = t2.posterior.run_deviations(post.laws, tau, few, key=key)[:, few.runs()[first]]
    return rho, tau, z


def measure(counts: t2.Table, targets: tuple[int, ...]) -> np.ndarray:
    """Mean over questions of Chen et al.'s unbiased pass@k, (checkpoints, targets), checkpoints by name."""
    passed = []
    for model in np.unique(counts["model"]):
        rows = counts.where(model=model)
        passed.append(t2.forecasts.pass_from_counts(rows["trials"], rows["correct"], list(targets)).passed)
    return np.array(passed)


def simulate(
    laws: Any, rho: Any, tau: Any, z: Any, counts: t2.Table, config: Config, rng: np.random.Generator
) -> np.ndarray:
    """pass@k that the questions of a table should show, (draws, checkpoints, targets), checkpoints by name.

    rho: of ranks, (draws,). tau (draws,), z (draws, checkpoints): how far each checkpoint is off the law.
    Every draw gives a rank for each question and checkpoint, correlated by rho, and the Beta's chance there. From that
    follow how many of the question's own samples are correct, and their pass@k.
    """
    models, first, model = np.unique(counts["model"], return_index=True, return_inverse=True)
    names, question = np.unique(counts["question"], return_inverse=True)
    trials = np.zeros((len(models), len(names)))
    trials[model, question] = counts["trials"]
    with jax.enable_x64(True):
        alpha, beta = jax.vmap(lambda law: law.questions(counts["params"][first], counts["tokens"][first]))(laws)
        a, b = (np.asarray(x)[:, :, None] for x in t2.noise.deviated(alpha, beta, np.maximum(tau, LEAST)[:, None], z))
    shape = len(a), *trials.shape
    share = rho[:, None, None]
    rank = np.sqrt(share) * rng.normal(size=(len(a), 1, len(names))) + np.sqrt(1 - share) * rng.normal(size=shape)
    narrow = np.minimum(a, b) > NARROW
    chance = beta_distribution.ppf(ndtr(rank), np.where(narrow, 1.0, a), np.where(narrow, 1.0, b))
    correct = rng.binomial(trials.astype(int), np.where(narrow, a / (a + b), chance))
    passed = []
    with jax.enable_x64(True):
        for k in config.targets:
            chances = np.asarray(t2.special.pass_at_k_from_counts(np.maximum(trials, k)[None], correct, float(k)))
            passed.append(np.average(chances, axis=2, weights=np.broadcast_to(trials > 0, chances.shape)))
    return np.stack(passed, axis=2)


def score(halves: list[Half], variant: str, i: int, k: int) -> Score:
    mine = [half for half in halves if half.variant == variant]
    inside = np.array([half.inside[:, :, i].mean(axis=1) for half in mine])
    miss = 100 * np.array([half.mid[:, i] - half.observed[:, i] for half in mine])
    means = np.mean([half.means[:, i] for half in mine], axis=0)
    error = inside.std(axis=0, ddof=1) / np.sqrt(len(mine)) if len(mine) > 1 else np.full(2, np.nan)
    return Score(variant, k, inside.mean(axis=0), error, means, float(np.abs(miss).mean()), float(miss.mean()))


def words(result: Result) -> list[str]:
    lines = [f"{len(result.models)} checkpoints, {result.questions} questions"]
    beside = {
        "rho": "correlation of a question's rank from checkpoint to checkpoint",
        "tau": "deviation of checkpoints' arcsin √mean success from the law's",
    }
    for variant in VARIANTS:
        good = [half for half in result.halves if half.variant == variant and half.agrees]
        for name, what in beside.items():
            if good and np.any(low_mid_high := np.mean([getattr(half, name) for half in good], axis=0)):
                low, mid, high = low_mid_high
                lines.append(f"{variant}: {what}: {mid:.3f} ({low:.3f} to {high:.3f}, means over {len(good)} halves)")
    mean, error, count = result.better
    if count > 1:
        unsure = sum(half.unsure for half in result.halves if half.variant in (BOTH, ANEW))
        so = f"better than every checkpoint anew by {mean:.2f} ± {error:.2f} nats each; LOO is unsure of {unsure}"
        lines.append(f"{BOTH}: by {count} questions left out {so}")
    for scores in result.scores:
        lines.append(
            f"  {scores.variant:21s} pass@{scores.samples:<4d} 50 % band holds {scores.inside[0]:.1%}, 90 % band"
            f" {scores.inside[1]:.1%} ± {scores.error[1]:.1%} of checkpoints; of means {scores.means[0]:.0%} and"
            f" {scores.means[1]:.0%}; error {scores.absolute:.1f} points, bias {scores.bias:+.1f}"
        )
    lines += [f"  {half.variant}: {half.status}" for half in result.halves if not half.status.startswith("converged")]
    return lines


def figures(result: Result) -> dict[str, "Figure"]:
    """Shares of checkpoints inside the 50 % and 90 % bands, with standard errors over halves."""
    figure, (ax,) = stacked(1, 2.2)
    for place, (variant, (name, colour)) in enumerate(LOOKS.items()):
        scores = [score for score in result.scores if score.variant == variant]  # none if its chains disagree
        samples = [score.samples * 1.15 ** (place - 1) for score in scores]  # beside each other
        for level, marker in enumerate("s^"):
            shares = [100 * score.inside[level] for score in scores]
            errors = [100 * score.error[level] for score in scores]
            label = name if level else None
            ax.errorbar(samples, shares, errors, fmt=marker, color=colour, elinewidth=0.8, label=label)
    for level in (50, 90):
        ax.axhline(level, color=BLACK, linewidth=0.6, zorder=0)
        ax.text(32, level + 1, f"{level} % bands", ha="center")
    ax.set(xscale="log", xlim=(0.7 * min(result.targets), 1.5 * max(result.targets)), ylim=(0, 105))
    ax.set(xticks=result.targets, xticklabels=result.targets, xlabel="k", ylabel="checkpoints inside (%)")
    common_legend(figure, [ax])
    return {"inside": figure}


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
