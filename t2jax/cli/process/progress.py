"""Progress of a command on stderr: a bar on a terminal, and whole lines in a log."""

import sys
import time
from collections.abc import Callable
from typing import Any, Protocol, Self

from tqdm import tqdm

SECONDS = 30.0
"""Shortest time between two lines of one phase in a log."""


class Progress(Protocol):
    """Progress of one phase, as a context."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: Any, error: Any, traceback: Any, /) -> object: ...

    def update(self, n: float | None = 1) -> object:
        """Moves on by n steps."""
        ...


def progress_of(phase: str, total: int, quiet: bool) -> Progress:
    """Returns the progress of a phase on stderr: nothing if quiet, a bar on a terminal, else lines."""
    if quiet:
        return Silence()
    if not sys.stderr.isatty():
        return Lines(phase, total)
    return tqdm(total=total, desc=phase, file=sys.stderr, bar_format="{desc}: {bar:20} {n_fmt}/{total_fmt}, {elapsed}")


class Silence:
    """Progress that nobody wants to see."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any, /) -> None:
        del kind, error, traceback

    def update(self, n: float | None = 1) -> None:
        """Does nothing."""
        del n


class Lines:
    """Progress as whole lines: at the start, at most every half minute, and at the end with the duration."""

    def __init__(self, phase: str, total: int, clock: Callable[[], float] = time.monotonic):
        self.phase, self.total, self.clock = phase, total, clock
        self.steps, self.start = 0.0, clock()
        self.last = self.start

    def __enter__(self) -> Self:
        print(f"{self.phase} ...", file=sys.stderr, flush=True)
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any, /) -> None:
        del error, traceback
        if kind is None:
            print(f"{self.phase}: done in {self.clock() - self.start:.0f} s", file=sys.stderr, flush=True)

    def update(self, n: float | None = 1) -> None:
        """Moves on by n steps, and says so if the last line is old enough."""
        self.steps += n or 0
        now = self.clock()
        if now - self.last >= SECONDS and self.steps < self.total:
            self.last = now
            after = f"after {now - self.start:.0f} s"
            print(f"{self.phase}: {self.steps:g} of {self.total} {after}", file=sys.stderr, flush=True)
