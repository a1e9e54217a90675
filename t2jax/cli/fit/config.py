"""Options of `t2jax fit`."""

from dataclasses import dataclass, field

import tyro

from t2jax.cli.options import FittingOptions
from t2jax.cli.output import FigureOptions


@dataclass(frozen=True)
class FitConfig:
    """Fit a scaling law to a table of runs: parameters with bootstrap intervals, files and figures."""

    table: tyro.conf.Positional[str]
    """A .csv, .tsv, .jsonl, .xlsx or .parquet file of runs, or the name of a public data set (`t2jax data list`)."""
    fitting: FittingOptions = field(default_factory=FittingOptions)
    output: FigureOptions = field(default_factory=FigureOptions)
    report: bool = False
    """Write report.html too: one file that opens anywhere, with levers that move."""
