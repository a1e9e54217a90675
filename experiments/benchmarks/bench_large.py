"""How long does a table of a million counts take, and how much memory: to read, fit, resample and sample?

Random T² laws give every checkpoint a Beta(a, b) of chances, and each question some correct samples of 64. Tables of
half and of all rows are each read, fitted, resampled and sampled in a process of its own, whose peak memory is taken.
Time that grows with the rows should double.

    python -m experiments.benchmarks.bench_large [tiny] [-o FOLDER]
"""

import multiprocessing
import resource
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import jax
import numpy as np
import pandas as pd

import t2jax as t2
from experiments.shared.record import command, stage, timed

TRIALS = 64


@dataclass(frozen=True)
class Config:
    """How many rows, and what is done with them."""

    checkpoints: int = 1000
    """Checkpoints of the largest table; the other has half of them."""
    questions: int = 1000
    """Questions that every checkpoint answers 64 times."""
    resamples: int = 1000
    """Resamples of the largest number; half as many are timed too."""
    draws: int = 250
    """Draws of each of four chains, after as many of warm-up; 0 samples nothing."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(checkpoints=24, questions=50, resamples=4, draws=0)


@dataclass(frozen=True)
class Work:
    """Time of one piece of work on a table, in seconds.

    Attributes:
        name: What was done.
        rows: Rows of the table.
        first: Seconds of the first call, which compiles.
        wall: Seconds of the second call.
        cpu: CPU seconds of the second call, over all threads.
    """

    name: str
    rows: int
    first: float
    wall: float
    cpu: float


@dataclass(frozen=True)
class Result:
    """Works by table and name.

    Attributes:
        works: All of them; "resamples" and "half the resamples" differ in the number of resamples.
        gigabytes: Peak memory of the process of each table, in GB.
        converged: Whether both fits and all resamples converged.
        growth: CPU seconds of all rows over the CPU seconds of half of the rows, by name.
        more_resamples: CPU seconds of all resamples over the CPU seconds of half of them.
    """

    works: list[Work]
    gigabytes: list[float]
    converged: bool
    growth: dict[str, float]
    more_resamples: float


def run(config: Config) -> Result:
    works, gigabytes, good = [], [], True
    spawned = multiprocessing.get_context("spawn")
    for checkpoints in (config.checkpoints // 2, config.checkpoints):
        with stage(f"{checkpoints * config.questions:,} rows"), spawned.Pool(1) as pool:
            timings, peak, converged = pool.apply(measure, (checkpoints, config))
        works += timings
        gigabytes.append(peak)
        good &= converged
    half, whole = (
        {work.name: work.cpu for work in works if work.rows == config.questions * checkpoints}
        for checkpoints in (config.checkpoints // 2, config.checkpoints)
    )
    growth = {name: whole[name] / half[name] for name in whole}
    return Result(works, gigabytes, good, growth, whole["resamples"] / whole["half the resamples"])


def measure(checkpoints: int, config: Config) -> tuple[list[Work], float, bool]:
    """Does all works on one table and returns their times, the peak memory in GB, and whether all converged."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "counts.csv"
        write_counts(path, checkpoints, config)
        first, _ = timed(lambda: t2.read_table(path))
        again, table = timed(lambda: t2.read_table(path))
    rows, law, key = len(table), t2.laws.T2PassK, jax.random.key(config.seed)
    works = [Work("read", rows, first[0], *again)]

    def time_twice(name, call):
        first, _ = timed(call)
        again, value = timed(call)
        works.append(Work(name, rows, first[0], *again))
        return value

    fit = time_twice("fit", lambda: t2.fit(law, table, key=key))
    time_twice("half the resamples", lambda: t2.bootstrap(fit, table, draws=config.resamples // 2, key=key))
    boot = time_twice("resamples", lambda: t2.bootstrap(fit, table, draws=config.resamples, key=key))
    if config.draws:
        seconds, _ = timed(lambda: t2.sample(law, table, key=key, draws=config.draws, warmup=config.draws))
        works.append(Work("sample", rows, seconds[0], *seconds))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return works, peak, fit.converged and boot.failed == 0


def write_counts(path: Path, checkpoints: int, config: Config) -> None:
    """Writes a table of counts drawn from a T² law."""
    random = np.random.default_rng(config.seed)
    params, tokens = np.exp(random.uniform(np.log([1e7, 1e9]), np.log([3e9, 1e11]), (checkpoints, 2))).T
    law = t2.laws.T2PassK(
        E=0.5, A=480.0, B=2100.0, alpha=0.35, beta=0.37, theta0=2.0, theta1=2.0, theta2=0.9, theta3=1.0, theta4=0.5
    )
    a, b = (np.asarray(x, float)[:, None] for x in law.questions(N=params, D=tokens))
    chances = random.beta(a, b, (checkpoints, config.questions))
    counts = {
        "params": np.repeat(params, config.questions),
        "tokens": np.repeat(tokens, config.questions),
        "samples": 1,
        "question": np.tile(np.arange(config.questions), checkpoints),
        "trials": TRIALS,
        "correct": random.binomial(TRIALS, chances).ravel(),
    }
    pd.DataFrame(counts).to_csv(path, index=False)


def words(result: Result) -> list[str]:
    sentences = [
        f"{work.name}, {work.rows:,} rows: {work.first:.1f} s the first time, then {work.wall:.1f} s"
        f" ({work.cpu:.1f} CPU s)."
        for work in result.works
    ]
    growth = ", ".join(f"{name} {ratio:.2f}" for name, ratio in result.growth.items())
    return [
        *sentences,
        f"Peak memory: {' and '.join(f'{peak:.2f}' for peak in result.gigabytes)} GB.",
        f"All rows beside half of them, by CPU seconds: {growth}; twice the resamples: {result.more_resamples:.2f}.",
        f"Everything converged: {result.converged}.",
    ]


def main() -> None:
    command(Config, run, words)


if __name__ == "__main__":
    main()
