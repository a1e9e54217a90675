"""Options of `t2jax quickstart`."""

from dataclasses import dataclass, field

from t2jax.cli.output import FigureOptions


@dataclass(frozen=True)
class QuickstartConfig:
    """See what t2jax does, on a table of its own: fit, bootstrap, frontier and samples at test time, in a minute."""

    draws: int = 50
    """Bootstrap draws, over training runs."""
    seed: int = 0
    """Seed of the random starts and draws."""
    output: FigureOptions = field(default_factory=FigureOptions)
