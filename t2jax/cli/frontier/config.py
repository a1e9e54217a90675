"""Options of `t2jax frontier`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from t2jax.cli.options import FittingOptions, HeldOptions
from t2jax.cli.output import FigureOptions
from t2jax.cli.selection.options import SelectionOptions


@dataclass(frozen=True)
class FrontierConfig:
    """Find the compute-optimal parameters, tokens and samples at each training budget, with intervals."""

    table: tyro.conf.Positional[str | None] = None
    """Table to fit first, as for `t2jax fit`; or use --law-file."""
    law_file: Annotated[Path | None, tyro.conf.arg(metavar="law.json")] = None
    """Law written by `t2jax fit` or `sample`; rows.csv, draws.nc or posterior.nc beside it gives the intervals."""
    train: Annotated[str, tyro.conf.arg(metavar="FLOPS|FROM:TO:COUNT")] = "1e18:1e25:50"
    """Training FLOPs, 6ND: one number, or budgets spaced evenly on a log scale."""
    inference: float | None = None
    """Inference FLOPs per token served, 2Nk; by default one sample is drawn and serving is free."""
    params_min: float | None = None
    """Smallest number of parameters allowed."""
    params_max: float | None = None
    """Largest number of parameters allowed."""
    tokens_max: float | None = None
    """Largest number of training tokens."""
    unique_tokens: float | None = None
    """Number of unique tokens, for laws in which repeated tokens are worth less."""
    total_per_active: float | None = None
    """Total over active parameters of a mixture of experts, of which compute counts the active ones."""
    whole_samples: bool = False
    """Draw a whole number of samples."""
    selecting: SelectionOptions = field(default_factory=SelectionOptions)
    held_inputs: HeldOptions = field(default_factory=HeldOptions)
    fitting: FittingOptions = field(default_factory=FittingOptions)
    output: FigureOptions = field(default_factory=FigureOptions)
