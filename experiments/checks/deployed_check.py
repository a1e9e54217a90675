"""Is a plan with experts, few bits, repeated tokens or a selection among samples beaten by a grid? Random problems.

Each kind has one budget and random laws. The grid covers N over eleven decades and D up to the training budget, and for
selections k up to the serving budget. Nothing of the solver chooses its points.

    python -m experiments.checks.deployed_check [tiny] [-o FOLDER]
"""

from dataclasses import dataclass
from typing import Self

import jax
import numpy as np

import t2jax as t2
from experiments.shared.beside_grid import BesideGrid
from experiments.shared.deployed_problems import (
    KINDS,
    SELECTIONS,
    best_of_grid,
    draw,
    grid_of,
    overspent,
    samples_of,
)
from experiments.shared.record import command, stage

TOLERANCE = 1e-9
"""A plan is beaten where a grid point is better by more than this, relative to its value."""


@dataclass(frozen=True)
class Config:
    """How many problems, of which kinds, and how fine the grid."""

    problems: int = 200
    """Random problems of each kind."""
    kinds: tuple[str, ...] = (*KINDS, *SELECTIONS)
    """Kinds."""
    points: int = 441
    """Sizes of the grid, with two thirds as many tokens."""
    sampled_points: int = 40
    """Sizes of the grid with samples, with as many k and six tokens."""
    seed: int = 3
    """Seed of the random laws."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(problems=2, kinds=("bits in training",), points=60)


@dataclass(frozen=True)
class Checked(BesideGrid):
    """Problems of one kind. A plan is beaten by more than 1e-9, and `short` is the median of all problems.

    Attributes:
        points: Number of grid points.
        kkt: Largest residual of the optimality conditions.
        overspent: Largest relative excess of a plan over a limit.
        status: The planner's words.
    """

    points: int
    kkt: float
    overspent: float
    status: str


@dataclass(frozen=True)
class Result:
    """One entry for each kind of problem."""

    kinds: tuple[Checked, ...]


def run(config: Config) -> Result:
    kinds = []
    for name in config.kinds:
        with stage(name):
            kinds.append(check(name, config))
            print(_sentence(kinds[-1]), flush=True)
        jax.clear_caches()
    return Result(tuple(kinds))


def check(name: str, config: Config) -> Checked:
    """Solves the problems of one kind and searches a grid for better places."""
    kind = (KINDS | SELECTIONS)[name]
    places = (
        samples_of(kind.budget, config.sampled_points) if name in SELECTIONS else grid_of(kind.budget, config.points)
    )
    laws = draw(kind, config.problems, config.seed)
    plans = t2.frontier(laws, kind.budget)
    ok = np.asarray(plans.ok)
    solved = jax.tree.map(lambda leaf: np.asarray(leaf)[ok], laws)
    best, value = best_of_grid(solved, kind.budget, places), np.asarray(plans.value)[ok]
    gains = np.exp(-best) / value - 1 if name in SELECTIONS else 1 - best / value
    return Checked(
        kind=name,
        law=kind.law.__name__,
        problems=config.problems,
        solved=len(value),
        beaten=int(np.sum(gains > TOLERANCE)),
        gain=float(gains.max()),
        short=float(-np.median(gains)),
        points=len(places[0]),
        kkt=float(np.max(np.asarray(plans.kkt)[ok])),
        overspent=overspent(kind.budget, plans),
        status=plans.status,
    )


def words(result: Result) -> list[str]:
    return [_sentence(kind) for kind in result.kinds]


def _sentence(kind: Checked) -> str:
    return (
        f"{kind.kind} ({kind.law}): {kind.solved} of {kind.problems} solved, {kind.beaten} beaten by a grid of"
        f" {kind.points} points; it gains at most {kind.gain:.1e} and falls short by {kind.short:.1e} at the median;"
        f" KKT {kind.kkt:.1e}, limits exceeded by {kind.overspent:.1e}"
    )


def main() -> None:
    command(Config, run, words)


if __name__ == "__main__":
    main()
