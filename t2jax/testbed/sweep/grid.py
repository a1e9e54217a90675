"""Grids of model sizes and training budgets, from which isoFLOP curves follow without interpolation."""

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
    """All checkpoints of one shape and seed, in order of steps; they share a trunk."""

    shape: Shape
    seed: int
    cells: tuple[Cell, ...]

    @property
    def label(self) -> str:
        """Name of the run."""
        return f"w{self.shape.width}-seed{self.seed}"

    def name(self, cell: Cell) -> str:
        """Names a checkpoint, as in the column `model` of tables."""
        return f"w{cell.shape.width}-s{cell.steps}-seed{self.seed}"


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
        if len(self.widths) != len(self.longest):
            raise ValueError(f"{len(self.widths)} widths need as many longest runs, not {len(self.longest)}")

    def runs(self, recipe: Recipe, vocabulary: int) -> Iterator[Run]:
        """Yields every run of the grid, seed by seed and with the most expensive run of a seed first."""
        for seed in self.seeds:
            for width, longest in sorted(zip(self.widths, self.longest, strict=True), reverse=True):
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
