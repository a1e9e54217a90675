"""Options of `t2jax predict`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from t2jax.cli.options import LAW_NAMES, HeldOptions
from t2jax.cli.output import FigureOptions
from t2jax.cli.tables.options import ReadingOptions
from t2jax.cli.tables.pairs import Pairs


@dataclass(frozen=True)
class PointOptions:
    """The points to predict: --at for a file of them, or --params and --tokens (or --compute) for one."""

    at: Annotated[Path | None, tyro.conf.arg(metavar="points.csv")] = None
    """File with columns params and tokens, and any others that the law reads, such as samples."""
    at_units: tyro.conf.UseAppendAction[Annotated[Pairs, tyro.conf.arg(metavar="COLUMN=UNIT ...")]] = ()
    """Units of the columns of --at, where they are not those of --units."""
    params: float | None = None
    """Parameters N of one run, a raw count such as 7e10."""
    tokens: float | None = None
    """Training tokens D of one run, a raw count such as 1.4e12."""
    samples: float | None = None
    """Samples k of one run, with --params and --tokens."""
    unique_tokens: float | None = None
    """Unique tokens U of one run, for laws in which repeated tokens are worth less."""
    compute: float | None = None
    """Training FLOPs of one run, in place of --params and --tokens, for laws of compute alone."""


@dataclass(frozen=True)
class PredictConfig:
    """Predict the loss or pass@k of runs beyond a table, with bands and their distance from what was measured."""

    table: tyro.conf.Positional[str | None] = None
    """Table to fit, as for `t2jax fit`; or use --law-file."""
    law_file: Annotated[Path | None, tyro.conf.arg(metavar="law.json")] = None
    """Law written by `t2jax fit`; rows.csv in the same folder has the rows that it was fitted to."""
    law: Annotated[
        str | None,
        tyro.conf.arg(
            metavar="LAW",
            help=f"The law to fit to the table, by default auto: several laws, each by how well it predicts dearer rows"
            f" from cheaper ones. The laws are {LAW_NAMES}.",
        ),
    ] = None
    points: PointOptions = field(default_factory=PointOptions)
    level: float = 0.9
    """Level of the bands."""
    reading: ReadingOptions = field(default_factory=ReadingOptions)
    held_inputs: HeldOptions = field(default_factory=HeldOptions)
    fixed: tyro.conf.UseAppendAction[Annotated[Pairs, tyro.conf.arg(metavar="NAME=VALUE ...")]] = ()
    """Parameters of --law to fix: alpha=0.35 beta=0.37."""
    seed: int = 0
    """Seed of the random starts."""
    output: FigureOptions = field(default_factory=FigureOptions)
