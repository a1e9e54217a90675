"""How fast is pass@k of counts, and how fast are bands beyond a table, beside other packages?

pass@k: 1,000 questions of 10,000 samples each at 13 values of k, with intervals by ours; passk-inference and a loop
over the product of Chen et al. 2021 (2107.03374) give the mean alone. Bands: Chinchilla's law with a smooth
discrepancy on 240 runs, and its band at 100 larger runs; simple-scaling-laws resamples its fit for the interval of a
new run.
Each side has processes of its own, which take turns on the same cores. Times are CPU seconds over all threads.

    python -m experiments.benchmarks.bench_passk [tiny] [-o FOLDER]
"""

from dataclasses import dataclass
from typing import Any, Self

import jax
import numpy as np

import t2jax as t2
from experiments.shared.processes import Comparison, Side, Work, alternate, over_ours
from experiments.shared.record import command

HERE = "experiments.benchmarks.bench_passk"
K = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)


@dataclass(frozen=True)
class Config:
    """How much is computed, and how often it is timed."""

    questions: int = 1000
    """Questions of the table of counts."""
    trials: int = 10_000
    """Samples of each question."""
    resamples: int = 1000
    """Resamples of simple-scaling-laws, its default."""
    rounds: int = 5
    """Processes of each side."""
    later: int = 3
    """Calls of a process after the first."""
    cores: int = 1
    """Cores, and threads of each library, of every process."""
    fresh: bool = True
    """Whether every process compiles, and leaves JAX's cache of compiled programs alone."""
    seed: int = 0
    """Unused: every round has its own seed."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(questions=50, trials=5000, resamples=20, rounds=1, later=1, fresh=False)


@dataclass(frozen=True)
class Task(Comparison):
    """One task by all sides, and whether their answers agree.

    Attributes:
        difference: Largest relative difference of the answer from ours, None where the answers are different things.
    """

    difference: dict[str, float | None]


@dataclass(frozen=True)
class Result:
    """Tasks: pass@k, and bands."""

    tasks: list[Task]


def run(config: Config) -> Result:
    counts = {"questions": config.questions, "trials": config.trials}
    passk = [
        Side("t2jax, with intervals", f"{HERE}:our_passk", counts, config.later),
        Side("passk-inference", f"{HERE}:their_passk", counts, config.later, ("passk_inference",)),
        Side("loop over the product", f"{HERE}:product_passk", counts, config.later),
    ]
    bands = [
        Side("t2jax, smooth discrepancy", f"{HERE}:our_band", {}, config.later),
        Side(
            "simple-scaling-laws, resamples",
            f"{HERE}:their_band",
            {"draws": config.resamples},
            config.later,
            ("simple_scaling_laws",),
        ),
    ]
    return Result([task("pass@k of counts", passk, config), task("bands of new runs", bands, config)])


def task(name: str, sides: list[Side], config: Config) -> Task:
    """Times the sides and compares them with the first."""
    timings = alternate(sides, config.rounds, config.cores, config.fresh)
    ours, *others = timings
    difference: dict[str, float | None] = {}
    for side in others:
        pairs = [(np.array(a), np.array(b)) for a, b in zip(ours.answers, side.answers, strict=True) if b is not None]
        difference[side.name] = max(float(np.max(np.abs(b / a - 1))) for a, b in pairs) if pairs else None
    return Task(name, timings, *over_ours(timings), difference)


def counts_of(questions: int, trials: int, seed: int) -> np.ndarray:
    """Draws correct samples of questions whose chances are Beta(0.3, 3), shape (questions,)."""
    random = np.random.default_rng(seed)
    return random.binomial(trials, random.beta(0.3, 3.0, questions))


def our_passk(questions: int, trials: int, seed: int) -> Work:
    correct = counts_of(questions, trials, seed)
    tried = np.full(questions, trials)
    return Work(lambda _: t2.forecasts.pass_from_counts(tried, correct, K), lambda estimate: estimate.passed)


def their_passk(questions: int, trials: int, seed: int) -> Work:
    import passk_inference  # pyright: ignore[reportMissingImports]

    correct = counts_of(questions, trials, seed)
    return Work(lambda _: [passk_inference.pass_at_k(correct, trials, k).mean() for k in K], lambda means: means)


def product_passk(questions: int, trials: int, seed: int) -> Work:
    correct = counts_of(questions, trials, seed)

    def chance_of_pass(c: int, k: int) -> float:
        return 1.0 if trials - c < k else 1.0 - float(np.prod(1.0 - k / np.arange(trials - c + 1, trials + 1)))

    return Work(lambda _: [np.mean([chance_of_pass(c, k) for c in correct]) for k in K], lambda means: means)


def larger_runs() -> tuple[np.ndarray, np.ndarray]:
    """Returns N and D of 100 runs, up to about ten times the table's compute."""
    return np.geomspace(1e9, 5e10, 100), np.geomspace(2e10, 1e12, 100)


def our_band(seed: int) -> Work:
    runs, (params, tokens) = t2.datasets.load("chinchilla-epoch"), larger_runs()
    rows = t2.Table.from_columns(params=params, tokens=tokens)

    def call(i: int) -> Any:
        key = jax.random.key(1000 * seed + i)
        return t2.predict_band(t2.extrapolation.fit_discrepancy(t2.laws.Chinchilla, runs, key=key), rows)

    return Work(call, lambda band: band.mean)


def their_band(draws: int, seed: int) -> Work:
    import simple_scaling_laws as peer  # pyright: ignore[reportMissingImports]
    from polars import DataFrame  # pyright: ignore[reportMissingImports]

    runs, (params, tokens) = t2.datasets.load("chinchilla-epoch"), larger_runs()
    table = DataFrame(
        {
            "model_size__n": runs["params"],
            "dataset_size__d": runs["tokens"],
            "test_loss__nats": runs["loss"],
            "training_run_id": [f"run{i}" for i in range(len(runs))],
        }
    )
    points = {"model_size__n": params, "dataset_size__d": tokens}

    def call(i: int) -> Any:
        return peer.fit(table, n_draws=draws, seed=1000 * seed + i).predict(points, kind="new-run")

    return Work(call, lambda _: None)


def words(result: Result) -> list[str]:
    lines = []
    for task in result.tasks:
        lines.append(task.headline)
        for name, warm in task.warm.items():
            apart = task.difference[name]
            differs = "" if apart is None else f"; answers differ by at most {apart:.1e}"
            cold = task.cold[name].mid
            lines.append(f"  {name}: {warm.mid:.2g} ({warm.low:.2g} to {warm.high:.2g}), first {cold:.2g}{differs}.")
    return lines


def main() -> None:
    command(Config, run, words)


if __name__ == "__main__":
    main()
