"""Options of `t2jax next`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from t2jax.cli.options import FittingOptions, HeldOptions
from t2jax.cli.output import FigureOptions


@dataclass(frozen=True)
class NextConfig:
    """Choose the runs to train next that most reduce the uncertainty of N* at a target budget."""

    table: tyro.conf.Positional[str]
    """Table of the existing runs, as for `t2jax fit`."""
    train: float
    """Target budget: training FLOPs of the planned model."""
    inference: float | None = None
    """Inference FLOPs of the planned model per token served, 2Nk; by default one sample is drawn."""
    compute: float | None = None
    """Training FLOPs of all next runs together, or in the unit of the column cost of --pool; by default not limited."""
    count: int | None = None
    """Largest number of runs to choose; by default 1, and of --pool as many as --compute pays for."""
    largest: float | None = None
    """Largest training FLOPs of one run; by default the largest of the table."""
    candidates: Annotated[Path | None, tyro.conf.arg(metavar="runs.csv")] = None
    """Table of params and tokens to choose from; by default any run within the range of costs of the table."""
    pool: Annotated[Path | None, tyro.conf.arg(metavar="runs.csv")] = None
    """Table of params, tokens and perhaps cost, of which each run is chosen once at most, for the predicted loss."""
    targets: Annotated[Path | None, tyro.conf.arg(metavar="rows.csv")] = None
    """Table of params and tokens that runs of --pool are to predict, besides the planned model."""
    of: Literal["params", "tokens", "samples", "value"] = "params"
    """Quantity to make more certain: N*, D*, k*, or the loss or pass@k at the optimum."""
    scale: float | None = None
    """Standard deviation of one measurement, for a loss of its log; by default that of the residuals."""
    deviations: bool = False
    """Count how far runs may deviate from the law, so that runs near the target are worth more."""
    held_inputs: HeldOptions = field(default_factory=HeldOptions)
    fitting: FittingOptions = field(default_factory=FittingOptions)
    output: FigureOptions = field(default_factory=FigureOptions)
