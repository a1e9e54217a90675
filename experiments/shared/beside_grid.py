"""How plans compare with the best points of a grid."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BesideGrid:
    """Plans of one kind of problem beside a grid.

    Attributes:
        kind: Kind of the problem.
        law: Name of the law.
        problems: Number of problems.
        solved: How many have an optimum.
        beaten: How many plans the grid beats by more than the tolerance of the check, relative to their value.
        gain: Largest relative gain of the grid over the plan. It is negative where the grid is worse everywhere.
        short: Relative gain of the plan over the grid, which tells how fine the grid is.
    """

    kind: str
    law: str
    problems: int
    solved: int
    beaten: int
    gain: float
    short: float
