"""How well does 100 samples per question forecast pass@1000? GSM8K counts of the Pythia checkpoints.

Of every checkpoint whose questions all have enough samples, 100 per question are drawn without replacement (so the
number correct is hypergeometric), several times. Each method forecasts pass@1000 from these, and is compared with the
unbiased estimate from all samples. The target is pass@1000 of the 128 questions that were asked, and no population's.

Of three groups, "trained" are checkpoints of at least 2e9 tokens, as in `passk_on_pythia`. "early" ones solve next to
nothing: the Beta then gives its prior, and the power law's band is 0 to 1. "simulated" are questions drawn from
the Beta that fits all samples of a trained checkpoint.

    python -m experiments.benchmarks.passk_forecast [tiny] [-o FOLDER]
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import jax
import numpy as np

import t2jax as t2
from experiments.shared.pictures import common_legend, small, stacked
from experiments.shared.record import UNSAVED, command, stage
from t2jax.plot.style import BLACK, BLUE, VERMILLION, log_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEVEL = 0.9
METHODS = ("Beta, these questions", "Beta, population", "power law", "power law from k = 10")
GROUPS = ("trained", "early", "simulated")


@dataclass(frozen=True)
class Config:
    """Which checkpoints, how many samples to forecast from, and how often."""

    least_tokens: float = 1.99e9
    """Checkpoints trained on fewer tokens are "early"; those named 2B are just above."""
    least_samples: int = 2000
    """Checkpoints with a question of fewer samples are left out; twice `target` gives the target an error too."""
    drawn: int = 100
    """Samples per question to forecast from."""
    target: int = 1000
    """The k to forecast."""
    repeats: int = 20
    """Draws of each checkpoint."""
    draws: int = 1000
    """Posterior draws and resamples behind each band."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(least_samples=15_000, repeats=1, draws=100)


@dataclass(frozen=True)
class Checkpoint:
    """The counts of one checkpoint, (questions,), and pass@k at the target from all of them with its 90 % interval."""

    model: str
    tokens: float
    trials: np.ndarray = field(metadata=UNSAVED)
    correct: np.ndarray = field(metadata=UNSAVED)
    truth: float
    low: float
    high: float


@dataclass(frozen=True)
class Trials:
    """Forecasts of one group. checkpoint, truth, solved: (forecasts,). low, passed, high: (methods, forecasts).

    solved: how many questions have a correct sample among those drawn.
    """

    group: str
    checkpoint: np.ndarray
    truth: np.ndarray
    solved: np.ndarray
    low: np.ndarray
    passed: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class Score:
    """How one method did in one group; errors in points of pass@k.

    absolute, bias: mean size of forecast minus target, and mean. relative: absolute by the mean target. coverage: share
    of targets inside the 90 % band, with its standard error over checkpoints; below and above: share of targets there.
    covered: coverage of each checkpoint. unsolved: share of forecasts without one correct sample; coverage_solved: of
    the others.
    """

    group: str
    method: str
    checkpoints: int
    forecasts: int
    absolute: float
    relative: float
    bias: float
    coverage: float
    coverage_error: float
    below: float
    above: float
    covered: np.ndarray
    unsolved: float
    coverage_solved: float


@dataclass(frozen=True)
class Curve:
    """pass@k of one checkpoint, (k,): from all samples (low, mid, high), and two forecasts from the samples drawn."""

    model: str
    samples: np.ndarray
    observed: np.ndarray
    beta: np.ndarray
    power_law: np.ndarray


@dataclass(frozen=True)
class Result:
    drawn: int
    target: int
    checkpoints: tuple[Checkpoint, ...]
    scores: tuple[Score, ...]
    trials: tuple[Trials, ...] = field(repr=False, metadata=UNSAVED)
    curves: tuple[Curve, ...] = field(repr=False, metadata=UNSAVED)


def run(config: Config) -> Result:
    models = checkpoints(t2.datasets.load("pythia-gsm8k"), config)
    trained = [model for model in models if model.tokens >= config.least_tokens]
    early = [model for model in models if model.tokens < config.least_tokens]
    groups = []
    for i, (group, members) in enumerate(zip(GROUPS, (trained, early, trained), strict=True)):
        with stage(f"{config.repeats} draws of {len(members)} checkpoints, {group}"):
            groups.append(repeat(group, members, config, i))
    # spread over the range of pass@k, of those sampled often enough to draw the curve beyond the target
    long = [model for model in trained if model.trials.min() >= 5 * config.target]
    long.sort(key=lambda model: model.truth)
    chosen = [long[i] for i in np.linspace(0, len(long) - 1, 5).round().astype(int)[1:]]
    with stage("curves"):
        curves = tuple(curve(model, config, i) for i, model in enumerate(chosen))
    scores = tuple(score(trials, i) for trials in groups for i in range(len(METHODS)))
    return Result(config.drawn, config.target, tuple(models), scores, tuple(groups), curves)


def checkpoints(counts: t2.Table, config: Config) -> list[Checkpoint]:
    """Every checkpoint whose questions were all sampled often enough, in the order of the table."""
    results, run = [], counts.runs()
    for i in range(run.max() + 1):
        rows = run == i
        n, c = counts["trials"][rows], counts["correct"][rows]
        if n.min() >= config.least_samples:
            truth = t2.forecasts.pass_from_counts(n, c, [config.target], LEVEL)
            ends = (float(values[0]) for values in (truth.passed, truth.questions.low, truth.questions.high))
            results.append(Checkpoint(counts["model"][rows][0], float(counts["tokens"][rows][0]), n, c, *ends))
    return results


def repeat(group: str, members: list[Checkpoint], config: Config, stream: int) -> Trials:
    """All forecasts of one group; `simulated` members give their questions new chances at every draw."""
    forecasts, about = [], []
    for i, member in enumerate(members):
        law = fit_beta(member, config) if group == "simulated" else None
        for j in range(config.repeats):
            rng = np.random.default_rng([config.seed, stream, i, j])
            if law is None:
                truth, correct = member.truth, thin(member, config.drawn, rng)
            else:
                chance = rng.beta(law.a, law.b, len(member.trials))
                truth = float(t2.forecasts.pass_from_p(chance, [config.target]).passed[0])
                correct = rng.binomial(config.drawn, chance)
            forecasts.append(forecast(correct, config, jax.random.key(int(rng.integers(2**31)))))
            about.append((i, truth, np.count_nonzero(correct)))
    checkpoint, truth, solved = (np.array(column) for column in zip(*about, strict=True))
    return Trials(group, checkpoint, truth, solved, *np.array(forecasts).transpose(2, 1, 0))


def thin(model: Checkpoint, drawn: int, rng: np.random.Generator) -> np.ndarray:
    """How many of `drawn` samples per question, taken without replacement out of all, are correct."""
    right = model.correct.astype(int)
    return rng.hypergeometric(right, model.trials.astype(int) - right, drawn)


def fit_beta(model: Checkpoint, config: Config) -> t2.laws.BetaTail:
    """The Beta in the middle of the posterior from all samples of a checkpoint."""
    key = jax.random.key(config.seed)
    laws = t2.forecasts.forecast_beta(model.trials, model.correct, [config.target], key=key, draws=config.draws).laws
    return jax.tree.map(lambda leaf: float(np.median(leaf)), laws)


def forecast(correct: np.ndarray, config: Config, key: jax.Array) -> list[tuple[float, float, float]]:
    """low, forecast and high of pass@k at the target by each of METHODS."""
    trials = np.full(len(correct), config.drawn)
    common = {"key": key, "draws": config.draws, "level": LEVEL}
    beta = t2.forecasts.forecast_beta(trials, correct, [config.target], **common)
    lines = [
        t2.forecasts.forecast_power_law(trials, correct, [config.target], first=first, **common) for first in (1, 10)
    ]
    bands = (beta.questions, beta.population, *(line.population for line in lines))
    passed = (beta.passed, beta.population.mid, *(line.passed for line in lines))
    return [(float(b.low[0]), float(p[0]), float(b.high[0])) for b, p in zip(bands, passed, strict=True)]


def score(trials: Trials, method: int) -> Score:
    error = 100 * (trials.passed[method] - trials.truth)
    below, above = trials.truth < trials.low[method], trials.truth > trials.high[method]
    covered = ~(below | above)
    count = np.bincount(trials.checkpoint)
    by_checkpoint = np.bincount(trials.checkpoint, covered) / count
    return Score(
        group=trials.group,
        method=METHODS[method],
        checkpoints=len(count),
        forecasts=len(error),
        absolute=float(np.abs(error).mean()),
        relative=float(np.abs(error).mean() / (100 * trials.truth.mean())),
        bias=float(error.mean()),
        coverage=float(covered.mean()),
        coverage_error=float(by_checkpoint.std() / np.sqrt(max(len(by_checkpoint) - 1, 1))),
        below=float(below.mean()),
        above=float(above.mean()),
        covered=by_checkpoint,
        unsolved=float(np.mean(trials.solved == 0)),
        coverage_solved=float(covered[trials.solved > 0].mean()) if trials.solved.any() else float("nan"),
    )


def curve(model: Checkpoint, config: Config, stream: int) -> Curve:
    """The empirical curve of a checkpoint, and what one draw of its samples makes of it."""
    k = np.unique(np.geomspace(1, 2.5 * config.target, 25).round())
    correct = thin(model, config.drawn, np.random.default_rng([config.seed, len(GROUPS), stream]))
    trials, key = np.full(len(correct), config.drawn), jax.random.key(config.seed)
    seen = t2.forecasts.pass_from_counts(model.trials, model.correct, list(k), LEVEL).questions
    beta = t2.forecasts.forecast_beta(trials, correct, list(k), key=key, draws=config.draws, level=LEVEL)
    line = t2.forecasts.forecast_power_law(trials, correct, list(k), key=key, draws=config.draws, level=LEVEL)
    spread = [np.stack([b.low, p, b.high]) for b, p in ((beta.questions, beta.passed), (line.population, line.passed))]
    return Curve(model.model, k, np.stack([seen.low, seen.mid, seen.high]), *spread)


def words(result: Result) -> list[str]:
    half = np.mean([50 * (checkpoint.high - checkpoint.low) for checkpoint in result.checkpoints])
    lines = [
        f"{len(result.checkpoints)} checkpoints, pass@{result.target} from {result.drawn} samples per question.",
        f"The target, from all samples, is itself known to {half:.1f} points on average (half of its 90 % interval).",
    ]
    for score in result.scores:
        if score.method == METHODS[0]:
            coverage = f"in the others the first band holds {score.coverage_solved:.1%}" if score.unsolved < 1 else ""
            lines.append(f"{score.group}: {score.checkpoints} checkpoints, {score.forecasts} forecasts;")
            lines.append(f"  in {score.unsolved:.0%} of them no sample was correct, {coverage}.")
        error = f"error {score.absolute:4.1f} points ({score.relative:.0%} of the mean), bias {score.bias:+5.1f}"
        coverage = f"90 % band holds {score.coverage:.1%} ± {score.coverage_error:.1%}"
        lines.append(f"  {score.method:22s} {error}; {coverage} ({score.below:.1%} below, {score.above:.1%} above)")
    return lines


def figures(result: Result) -> dict[str, "Figure"]:
    scatter, axes = stacked(2, 2.2, sharex=True, sharey=True)
    trained = result.trials[0]
    for ax, method, title in zip(axes, (2, 0), ("power law", "Beta distribution of questions"), strict=True):
        draw_forecasts(ax, trained, method)
        ax.set(title=title, ylabel=f"forecast from {result.drawn} samples")
    axes[-1].set_xlabel(f"pass@{result.target} from all samples (share of questions)")
    common_legend(scatter, columns=1)

    curves, axes = small(len(result.curves), height=1.4, sharex=True)
    for ax, forecasts in zip(axes, result.curves, strict=True):
        draw_curve(ax, forecasts, result.drawn)
    curves.supxlabel("samples k")
    curves.supylabel("pass@k (share of questions)")
    common_legend(curves, axes)
    return {"forecasts": scatter, "curves": curves}


def draw_forecasts(ax: "Axes", trials: Trials, method: int) -> None:
    """Forecast against target with 90 % bands: the first draw of each checkpoint."""
    first = np.unique(trials.checkpoint, return_index=True)[1]
    truth, passed = trials.truth[first], trials.passed[method][first]
    reach = passed - trials.low[method][first], trials.high[method][first] - passed
    label = "90 % band over resampled questions" if method else "90 % band of these questions"
    colour = VERMILLION if method else BLUE
    bars = (trials.solved[first] > 0) | (method < 2)  # the Beta has a bound where there is no line
    reach = np.maximum(reach, 0)[:, bars]
    ax.errorbar(truth[bars], passed[bars], reach, fmt="o", color=colour, markersize=3, elinewidth=0.8, label=label)
    ax.plot([0, 1], [0, 1], color=BLACK, linewidth=0.6, zorder=0, label="forecast = estimate from all samples")
    if not bars.all():
        ax.plot(truth[~bars], passed[~bars], "x", color=colour, label="nothing solved: band 0 to 1")
    ax.set(xlim=(-0.02, 1), ylim=(-0.02, 1))


def draw_curve(ax: "Axes", forecasts: Curve, drawn: int) -> None:
    """The empirical curve and both forecasts, with a mark where the samples that were drawn end."""
    for values, colour, label in (
        (forecasts.power_law, VERMILLION, "power law, 90 %"),
        (forecasts.beta, BLUE, "Beta distribution, 90 %"),
        (forecasts.observed, BLACK, "all samples, 90 %"),
    ):
        ax.plot(forecasts.samples, values[1], color=colour, label=label)
        ax.fill_between(forecasts.samples, values[0], values[2], color=colour, alpha=0.2, linewidth=0)
    ax.axvline(drawn, color=BLACK, linewidth=0.6, linestyle=":", label=f"{drawn} samples")
    ax.set(xscale="log", ylim=(0, None))
    *name, tokens = forecasts.model.split("_")  # such as Pythia_1B_20B
    ax.set_title(f"{' '.join(name)}, {tokens} tokens" if name else tokens, fontsize=7)
    log_ticks(ax)


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
