"""Does a sweep survive being killed? SIGKILL at random moments, then on to the end: the table must be the same.

One sweep runs undisturbed; another is killed again and again, each time after a random part of a second up to
`longest` seconds of progress, and then let finish. Wall times aside, their tables must be equal.

    python -m experiments.testbed_kills [tiny] [-o FOLDER]
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

from experiments.record import command, stage
from t2jax.testbed.corpus import tiny
from t2jax.testbed.grid import Grid
from t2jax.testbed.sweep import sweep_at
from t2jax.testbed.tables import QUESTIONS, RUNS, write_tables
from t2jax.testbed.train import Recipe
from t2jax.testbed.workers import sweep_all

GRID = Grid(
    widths=(4, 8), longest=(2**18, 2**17), shortest=2**14, first_budget=7e7, growth=2.0, budgets=8, seeds=(0,), layers=1
)
CHILD = "import sys; from pathlib import Path; from experiments.testbed_kills import train; train(Path(sys.argv[1]))"


@dataclass(frozen=True)
class Config:
    """How often the sweep is killed."""

    kills: int = 10
    """Times that the sweep is killed."""
    longest: float = 12.0
    """Longest time in seconds that it is left alone, counted from when Python has started."""
    seed: int = 0
    """Seed of the moments."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(kills=1, longest=8.0)


@dataclass(frozen=True)
class Result:
    """kills that found the sweep running; cells finished at each; whether both tables ended up equal, times aside."""

    kills: int
    finished: list[int]
    cells: int
    equal: bool


def train(folder: Path) -> None:
    """The sweep in this process, from wherever the folder is."""
    sweep_all(sweep_at(folder, GRID, Recipe(), lambda: tiny(seed=0)), workers=0)
    write_tables(sweep_at(folder, GRID, Recipe(), lambda: tiny(seed=0)), folder)


def run(config: Config) -> Result:
    """Train undisturbed, train with kills, compare."""
    rng = np.random.default_rng(config.seed)
    with tempfile.TemporaryDirectory() as scratch:
        whole, killed = Path(scratch, "whole"), Path(scratch, "killed")
        with stage("undisturbed"):
            train(whole)
        finished = []
        for _ in range(config.kills):
            with stage("until the next kill"):
                if not _killed(killed, float(rng.uniform(1.0, config.longest))):
                    break
            finished.append(len(list((killed / "cells").glob("*.npz"))))
        with stage("the rest"):
            train(killed)
        runs = [pd.read_csv(folder / RUNS) for folder in (whole, killed)]
        answers = [pq.read_table(folder / QUESTIONS) for folder in (whole, killed)]
        same = runs[0].drop(columns="seconds").equals(runs[1].drop(columns="seconds")) and answers[0].equals(answers[1])
        return Result(len(finished), finished, len(runs[0]), same)


def words(result: Result) -> list[str]:
    """The result in sentences."""
    said = "equal to" if result.equal else "DIFFERENT from"
    return [
        f"{result.kills} kills, with {', '.join(map(str, result.finished))} of {result.cells} checkpoints finished:",
        f"the resumed sweep's tables are {said} those of the undisturbed one, wall times aside.",
    ]


def _killed(folder: Path, seconds: float) -> bool:
    """Start the sweep, kill it after some seconds, and say whether it was still running."""
    with subprocess.Popen([sys.executable, "-c", CHILD, str(folder)], cwd=Path(__file__).parents[1]) as process:
        began = time.monotonic()
        while process.poll() is None and time.monotonic() - began < seconds:
            time.sleep(0.05)
        running = process.poll() is None
        process.send_signal(signal.SIGKILL)
    return running


def main() -> None:
    """The command line."""
    command(Config, run, words)


if __name__ == "__main__":
    main()
