"""Sides of a benchmark in processes of their own, which take turns: the first call of each process, and later ones.

In one process, threads of two libraries compete for the cores, and a side that others have warmed is not cold. Here
each round starts every side anew, with the same cores and without any stored compiled program. Seconds are of the CPU,
over all threads and child processes of a side. Other work on the machine disturbs these less than wall time.
"""

import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.shared.record import plain, stage

ROOT = Path(__file__).parents[2]


class Work(NamedTuple):
    """What a side prepares in its process before anything is timed.

    Attributes:
        call: The call that is timed. Its arguments are the number of the call, from 0, so that seeds can differ.
        answer: What is reported of the last value that `call` returned.
    """

    call: Callable[[int], Any]
    answer: Callable[[Any], Any]


@dataclass(frozen=True)
class Side:
    """One side of a benchmark.

    Attributes:
        name: Name in words.
        prepare: "module:function" of a function of `arguments` that returns a `Work`.
        arguments: Arguments of the function, as JSON can hold them.
        later: Number of calls after the first.
        needs: Packages that must be installed; without them the side is left out.
    """

    name: str
    prepare: str
    arguments: dict[str, Any]
    later: int
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Timing:
    """Seconds of a side, one entry for each round.

    Attributes:
        name: Name of the side.
        first: CPU seconds of the first call of a process, which loads and compiles.
        later: CPU seconds of a later call, the median of its process.
        wall: Wall seconds of a later call, the median of its process.
        answers: What the side reported.
    """

    name: str
    first: list[float]
    later: list[float]
    wall: list[float]
    answers: list[Any]


@dataclass(frozen=True)
class Range:
    """Smallest value, median and largest value over rounds."""

    low: float
    mid: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """One task by all sides, ours first.

    Attributes:
        name: What was done.
        sides: Times of every side, scaled to the same work.
        warm: CPU seconds of a later call over ours, by side.
        cold: CPU seconds of the first call over ours, by side.
    """

    name: str
    sides: list[Timing]
    warm: dict[str, Range]
    cold: dict[str, Range]

    @property
    def headline(self) -> str:
        """Our seconds, and what the numbers of others mean."""
        ours = self.sides[0]
        return (
            f"{self.name}: {np.median(ours.later):.4f} CPU s, {np.median(ours.first):.2f} s the first time."
            " Others' CPU seconds over ours, median and range of rounds:"
        )


def over_ours(sides: Sequence[Timing]) -> tuple[dict[str, Range], dict[str, Range]]:
    """Divides the seconds of other sides by those of the first, for later calls and for first ones, by side."""
    ours, *others = sides
    return (
        {side.name: ratios(side.later, ours.later) for side in others},
        {side.name: ratios(side.first, ours.first) for side in others},
    )


def alternate(sides: Sequence[Side], rounds: int, cores: int, fresh: bool = True) -> list[Timing]:
    """Runs the sides in turn, each in a new process on `cores` cores, and returns their times.

    Args:
        sides: The sides. One whose packages are missing is left out, and named on stderr.
        rounds: Number of processes of each side.
        cores: Number of cores, and of threads of each library that reads its number from the environment.
        fresh: Whether processes leave JAX's cache of compiled programs alone, so that each compiles.

    Returns:
        One timing for each side that ran.
    """
    present = [side for side in sides if all(map(installed, side.needs))]
    for side in sides:
        if side not in present:
            print(f"left out, not installed: {side.name}", file=sys.stderr)
    reports: dict[str, list[Any]] = {side.name: [] for side in present}
    for i in range(rounds):
        with stage(f"round {i + 1} of {rounds}"):
            for side in present:
                reports[side.name].append(_run(side, i, cores, fresh))
    return [
        Timing(
            name,
            [report["cpu"][0] for report in of_side],
            [float(np.median(report["cpu"][1:] or report["cpu"])) for report in of_side],
            [float(np.median(report["wall"][1:] or report["wall"])) for report in of_side],
            [report["answer"] for report in of_side],
        )
        for name, of_side in reports.items()
    ]


def installed(package: str) -> bool:
    """Checks whether a package can be imported."""
    return find_spec(package) is not None


def ratios(over: Sequence[float], under: Sequence[float]) -> Range:
    """Divides the numbers of two sides round by round, and returns the range."""
    values = np.asarray(over) / np.asarray(under)
    return Range(float(values.min()), float(np.median(values)), float(values.max()))


def used() -> float:
    """Returns the CPU seconds of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _run(side: Side, seed: int, cores: int, fresh: bool) -> dict[str, Any]:
    """Runs one side in a new process and returns its report."""
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    environment = {
        **{name: value for name, value in os.environ.items() if not (fresh and name.startswith("JAX_"))},
        **dict.fromkeys(threads, str(cores)),
        "JAX_PLATFORMS": os.environ.get("JAX_PLATFORMS", "cpu"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    with tempfile.TemporaryDirectory() as folder:
        environment["PYTENSOR_FLAGS"] = f"base_compiledir={folder}"  # PyMC compiles anew too
        job = json.dumps([side.prepare, {**side.arguments, "seed": seed}, side.later, cores])
        command = [sys.executable, "-m", "experiments.shared.processes", job, f"{folder}/report.json"]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        return json.loads(Path(folder, "report.json").read_text(encoding="utf-8"))


def _work(job: str, path: str) -> None:
    """Does the work of one side, and writes its report."""
    prepare, arguments, later, cores = json.loads(job)
    if hasattr(os, "sched_setaffinity"):  # XLA's pool of threads has the size of this set
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    module, _, function = prepare.partition(":")
    work = getattr(importlib.import_module(module), function)(**arguments)
    cpu, wall, value = [], [], None
    for i in range(1 + later):
        started = used(), time.perf_counter()
        value = work.call(i)
        cpu.append(used() - started[0])
        wall.append(time.perf_counter() - started[1])
    report = {"cpu": cpu, "wall": wall, "answer": plain(work.answer(value))}
    Path(path).write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    _work(*sys.argv[1:])
