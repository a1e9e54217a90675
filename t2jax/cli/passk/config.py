"""Options of `t2jax passk`."""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from t2jax.cli.output import OutputOptions
from t2jax.cli.tables.pairs import Pairs


@dataclass(frozen=True)
class PasskConfig:
    """Estimate pass@k, pass^k and maj@k from counts, forecast beyond them, and compare two models."""

    table: tyro.conf.Positional[str]
    """Counts as `t2jax import` writes them: question, trials, correct; or a public data set of counts."""
    k: tuple[int, ...] = (1, 10, 100)
    """Numbers of samples."""
    target: float | None = None
    """pass@k to reach, between 0 and 1: the smallest k that does is given."""
    compare: Annotated[tuple[str, str] | None, tyro.conf.arg(metavar="MODEL MODEL")] = None
    """Two models to compare on their common questions: the first minus the second."""
    where: tyro.conf.UseAppendAction[Annotated[Pairs, tyro.conf.arg(metavar="COLUMN=VALUE ...")]] = ()
    """Rows to keep, by their value in a column: model=pythia-1b task=humaneval."""
    columns: tyro.conf.UseAppendAction[Annotated[Pairs, tyro.conf.arg(metavar="THEIRS=OURS ...")]] = ()
    """Names of columns of the file that differ from those of t2jax: drawn=trials passed=correct."""
    sep: Annotated[str | None, tyro.conf.arg(metavar="CHARACTER")] = None
    """Character between cells, or comma, semicolon, tab, pipe or space; by default that of the column names."""
    units: tyro.conf.UseAppendAction[Annotated[Pairs, tyro.conf.arg(metavar="COLUMN=UNIT ...")]] = ()
    """Units of columns that are not raw counts: trials=K."""
    decimal: str | None = None
    """Decimal mark, "." or ","; by default found in the cells."""
    encoding: str | None = None
    """Encoding of a text file, such as cp1252; by default UTF-8."""
    sheet: str | None = None
    """Sheet of an Excel file with several."""
    level: float = 0.9
    """Level of the intervals."""
    draws: int = 1000
    """Draws behind the bands of forecasts."""
    seed: int = 0
    """Seed of the draws."""
    output: OutputOptions = field(default_factory=OutputOptions)
