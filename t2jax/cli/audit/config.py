"""Options of `t2jax audit`."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

import tyro

from t2jax.cli.options import LAW_NAMES, HeldOptions, NoiseName
from t2jax.cli.output import FigureOptions
from t2jax.cli.tables.options import ReadingOptions


@dataclass(frozen=True)
class AuditConfig:
    """Fit laws below a cut in compute, size, tokens, their ratio or samples, and compare their predictions above it."""

    table: tyro.conf.Positional[str]
    """A .csv, .tsv, .jsonl, .xlsx or .parquet file of runs, or the name of a public data set (`t2jax data list`)."""
    law: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]],
        tyro.conf.arg(
            metavar="LAW",
            help=f"A law to audit; give --law again for each: {LAW_NAMES}. By default the one that predicts dearer runs"
            " best below the cut.",
        ),
    ] = ()
    cut: Annotated[str, tyro.conf.arg(metavar="compute|params|tokens|tokens-per-param|samples[=VALUE]")] = "compute"
    """Place of the cut: 6ND in FLOPs, N, D, D/N, or k; by default the middle of the table's range, on a log scale."""
    by: Literal["run", "size", "budget"] = "run"
    """Unit that cross-validation leaves out, among the rows below the cut (the column "left out" of the answer)."""
    folds: int = 10
    """Number of fits of the cross-validation; with as many groups or fewer, each fit leaves out one group."""
    train: float | None = None
    """Training FLOPs of the N* whose influences are computed; by default ten times the largest of the table."""
    within: float = 0.05
    """Budgets or sizes whose relative difference is smaller than this count as equal."""
    held_inputs: HeldOptions = field(default_factory=HeldOptions)
    noise: NoiseName = "default"
    """Noise model, as for `t2jax fit`; by default one that suits the law and the columns. Information criteria need a
    likelihood, which huber, the default for losses, does not have: use student-t."""
    reading: ReadingOptions = field(default_factory=ReadingOptions)
    starts: int = 8
    """Number of starts of each fit."""
    draws: int = 400
    """Bootstrap draws, which give the bands."""
    over: Literal["default", "rows", "runs"] = "default"
    """Unit of the bootstrap: rows, or whole runs, whose rows share errors; by default runs if `model` repeats."""
    seed: int = 0
    """Seed of the random starts, draws and folds."""
    output: FigureOptions = field(default_factory=FigureOptions)
    report: bool = False
    """Write report.html too: one file that opens anywhere."""
