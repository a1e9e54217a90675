"""Options of `t2jax sample`."""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from t2jax.cli.options import NoiseName
from t2jax.cli.output import FigureOptions
from t2jax.cli.tables.options import ReadingOptions
from t2jax.cli.tables.pairs import Pairs


@dataclass(frozen=True)
class SampleConfig:
    """Sample the posterior of a scaling law: parameters with intervals, whether to believe them, files and figures."""

    table: tyro.conf.Positional[str]
    """A .csv, .tsv, .jsonl, .xlsx or .parquet file of runs, or the name of a public data set (`t2jax data list`)."""
    law: Annotated[str | None, tyro.conf.arg(metavar="LAW")] = None
    """Name of the law in `t2jax laws`; by default the richest that the columns allow, as for `t2jax fit`."""
    noise: NoiseName = "default"
    """Noise model: gaussian, gaussian-log, student-t, discrepancy, binomial or beta-binomial, or your own, as
    my_noise.py:Cauchy. The default suits the law and the columns, with Student-t errors for losses."""
    reading: ReadingOptions = field(default_factory=ReadingOptions)
    fixed: tyro.conf.UseAppendAction[Annotated[Pairs, tyro.conf.arg(metavar="NAME=VALUE ...")]] = ()
    """Parameters of the law or the noise to fix: alpha=0.35 sigma=0.01."""
    priors: tyro.conf.UseAppendAction[Annotated[Pairs, tyro.conf.arg(metavar="NAME=PRIOR ...")]] = ()
    """Priors in place of the law's: "alpha=LogNormal(-1,0.2)"; also Normal, HalfNormal, Uniform, Gamma and Beta."""
    draws: int = 1000
    """Draws of each chain."""
    warmup: int = 500
    """Steps of each chain before the draws, which adapt the sampler."""
    chains: int = 4
    """Number of chains."""
    accept: float = 0.9
    """Acceptance rate to adapt to; values nearer to one give smaller steps."""
    seed: int = 0
    """Seed of the random starts and draws."""
    output: FigureOptions = field(default_factory=FigureOptions)
    report: bool = False
    """Write report.html too: one file that opens anywhere, with levers that move."""
