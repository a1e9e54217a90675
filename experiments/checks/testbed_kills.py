"""Does a sweep survive being killed? SIGKILL at random moments, then on to the end: the table must be the same.

One sweep runs undisturbed; another is killed again and again, each time a random time after a random number of further
checkpoints, and then let finish. Wall times aside, their tables must be equal.

    python -m experiments.checks.testbed_kills [tiny] [-o FOLDER]
"""

import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from experiments.shared.record import command, stage
from t2jax.testbed.sweep.grid import Grid
from t2jax.testbed.sweep.sweep import sweep_at
from t2jax.testbed.sweep.tables import QUESTIONS, RUNS, write_tables
from t2jax.testbed.sweep.train import Recipe
from t2jax.testbed.sweep.workers import sweep_all
from t2jax.testbed.text.corpus import Source, tiny

CHILD = (
    "import sys; from pathlib import Path; from experiments.checks.testbed_kills import train;"
    "train(Path(sys.argv[1]), int(sys.argv[2]))"
)


@dataclass(frozen=True)
class Config:
    """The sweep, and how often it is killed."""

    doubling: int = 8
    """Budgets of the sweep in each doubling; at 1 it has six checkpoints, at 8 forty-two."""
    kills: int = 10
    """Times that the sweep is killed."""
    further: int = 2
    """Most checkpoints that it is left to finish before a kill."""
    longest: float = 0.8
    """Longest time in seconds that it is left alone after those."""
    start: float = 8.0
    """Longest time in seconds that it is left alone after Python has started, where there are none of those."""
    seed: int = 0
    """Seed of the moments."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(doubling=1, kills=1, longest=0.1)


@dataclass(frozen=True)
class Result:
    """kills that found the sweep running; cells finished at each; whether both tables ended up equal, times aside."""

    kills: int
    finished: list[int]
    cells: int
    equal: bool


def grid(doubling: int) -> Grid:
    """Two sizes of one layer, and so many budgets in each doubling."""
    growth, budgets, longest = 2 ** (1 / doubling), 8 * doubling, (2**18, 2**17)
    return Grid((4, 8), longest, 2**14, first_budget=7e7, growth=growth, budgets=budgets, seeds=(0,), layers=1)


def train(folder: Path, doubling: int) -> None:
    """The sweep in this process, from wherever the folder is."""
    sweep = sweep_at(folder, grid(doubling), Recipe(), Source("tiny", lambda: tiny(seed=0)))
    sweep_all(sweep, workers=0)
    write_tables(sweep, folder)


def run(config: Config) -> Result:
    """Train undisturbed, train with kills, compare."""
    rng = np.random.default_rng(config.seed)
    with tempfile.TemporaryDirectory() as scratch:
        whole, killed = Path(scratch, "whole"), Path(scratch, "killed")
        with stage("undisturbed"):
            train(whole, config.doubling)
        finished = []
        for _ in range(config.kills):
            with stage("until the next kill"):
                more = int(rng.integers(config.further + 1))
                if not _killed(
                    killed, config.doubling, more, rng.uniform(0.0, config.longest if more else config.start)
                ):
                    break
            finished.append(_finished(killed))
        with stage("the rest"):
            train(killed, config.doubling)
        runs = [pd.read_csv(folder / RUNS) for folder in (whole, killed)]
        answers = [pq.read_table(folder / QUESTIONS) for folder in (whole, killed)]
        same = runs[0].drop(columns="seconds").equals(runs[1].drop(columns="seconds")) and answers[0].equals(answers[1])
        return Result(len(finished), finished, len(runs[0]), same)


def words(result: Result) -> list[str]:
    """The result in sentences."""
    message = "equal to" if result.equal else "DIFFERENT from"
    return [
        f"{result.kills} kills, with {', '.join(map(str, result.finished))} of {result.cells} checkpoints finished:",
        f"the resumed sweep's tables are {message} those of the undisturbed one, wall times aside.",
    ]


def _finished(folder: Path) -> int:
    return len(list((folder / "cells").glob("*.npz")))


def _killed(folder: Path, doubling: int, further: int, seconds: float) -> bool:
    """Start the sweep, kill it after further checkpoints and some seconds, and say whether it was still running."""
    wanted = _finished(folder) + further
    child = [sys.executable, "-c", CHILD, str(folder), str(doubling)]
    with subprocess.Popen(child, cwd=Path(__file__).parents[2]) as process:
        while process.poll() is None and _finished(folder) < wanted:
            time.sleep(0.05)
        until = time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        running = process.poll() is None
        process.send_signal(signal.SIGKILL)
    return running


def main() -> None:
    """The command line."""
    command(Config, run, words)


if __name__ == "__main__":
    main()
