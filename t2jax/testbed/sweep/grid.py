"""Grids of model sizes and training budgets, from which isoFLOP curves follow without interpolation."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from t2jax.testbed.sweep.model import Shape
from t2jax.testbed.sweep.train import Recipe


@dataclass(frozen=True)
class Cell:
    """One checkpoint: a shape, a number of steps and its nominal training FLOPs `budget`."""

    shape: Shape
    steps: int
    budget: float


@dataclass(frozen=True)
class Run:
    """All checkpoints of one shape and seed, in order of steps; they share a trunk.

    Attributes:
        shape: Shape of the model.
        seed: Seed of the initial weights and of the order of the text.
        cells: The checkpoints.
        unique: Tokens of the text that are read, again and again; 0 is the whole text.
        factor: Factor of the recipe's rate.
    """

    shape: Shape
    seed: int
    cells: tuple[Cell, ...]
    unique: int = 0
    factor: float = 1.0

    @property
    def label(self) -> str:
        """Name of the run."""
        return f"w{self.shape.width}{self._arm}-seed{self.seed}"

    def name(self, cell: Cell) -> str:
        """Names a checkpoint, as in the column `model` of tables."""
        return f"w{cell.shape.width}{self._arm}-s{cell.steps}-seed{self.seed}"

    @property
    def _arm(self) -> str:
        unique = f"-u{self.unique}" if self.unique else ""
        return unique + (f"-x{self.factor:g}" if self.factor != 1 else "")


@dataclass(frozen=True)
class Grid:
    """Widths crossed with budgets C = first_budget·growth^j; every cell has 6ND = C up to rounding to whole steps.

    Cells with fewer than `shortest` tokens, or with more than the `longest` of their width, are left out.
    """

    widths: tuple[int, ...]
    longest: tuple[float, ...]
    shortest: float
    first_budget: float
    growth: float
    budgets: int
    seeds: tuple[int, ...]
    layers: int = 3
    heads: int = 2

    def __post_init__(self) -> None:
        _widest_first(self.widths, self.longest)

    def runs(self, recipe: Recipe, vocabulary: int) -> Iterator[Run]:
        """Yields every run of the grid, seed by seed and with the most expensive run of a seed first."""
        for seed in self.seeds:
            for width, longest in _widest_first(self.widths, self.longest):
                shape = Shape(width, self.layers, self.heads, vocabulary)
                cells = tuple(self._cells(shape, longest, recipe.tokens_per_step))
                if cells:
                    yield Run(shape, seed, cells)

    def _cells(self, shape: Shape, longest: float, tokens_per_step: int) -> Iterator[Cell]:
        for j in range(self.budgets):
            budget = self.first_budget * self.growth**j
            tokens = budget / (6 * shape.params)
            if self.shortest <= tokens <= longest:
                yield Cell(shape, round(tokens / tokens_per_step), budget)


@dataclass(frozen=True)
class Arm:
    """Widths crossed with lengths, numbers of unique tokens (0 for the whole text) and factors of the rate.

    Lengths above the `longest` of a width, or below the unique tokens of a run, are left out.
    """

    widths: tuple[int, ...]
    longest: tuple[float, ...]
    lengths: tuple[float, ...]
    seeds: tuple[int, ...]
    unique: tuple[int, ...] = (0,)
    factors: tuple[float, ...] = (1.0,)
    layers: int = 3
    heads: int = 2

    def __post_init__(self) -> None:
        _widest_first(self.widths, self.longest)

    def runs(self, recipe: Recipe, vocabulary: int) -> Iterator[Run]:
        """Yields every run of the arm, seed by seed and with the most expensive runs of a seed first."""
        for seed, (width, longest) in itertools.product(self.seeds, _widest_first(self.widths, self.longest)):
            shape = Shape(width, self.layers, self.heads, vocabulary)
            for unique, factor in itertools.product(self.unique, self.factors):
                lengths = [tokens for tokens in self.lengths if unique <= tokens <= longest]
                cells = [Cell(shape, round(n / recipe.tokens_per_step), 6 * shape.params * n) for n in lengths]
                if cells:
                    yield Run(shape, seed, tuple(cells), unique, factor)


def _widest_first(widths: tuple[int, ...], longest: tuple[float, ...]) -> list[tuple[int, float]]:
    """Returns each width with its longest run, the widest first.

    Raises:
        ValueError: There are not as many longest runs as widths.
    """
    if len(widths) != len(longest):
        raise ValueError(f"{len(widths)} widths need as many longest runs, not {len(longest)}")
    return sorted(zip(widths, longest, strict=True), reverse=True)
