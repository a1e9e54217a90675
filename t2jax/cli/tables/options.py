"""Options of every command that reads a table."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from t2jax import datasets
from t2jax.cli.process.wording import in_option_names
from t2jax.cli.tables.pairs import Pairs, items, pairs
from t2jax.tables.reading.loss_units import LossUnit
from t2jax.tables.reading.options import Reading

if TYPE_CHECKING:
    from t2jax.tables.table import Table

FILES_ONLY = ("columns", "units", "sep", "decimal", "encoding", "sheet", "missing", "loss_unit", "bytes_per_token")
FILES_ONLY += ("characters_per_token",)
"""Options on how a file is written, which do not apply to a public data set."""


@dataclass(frozen=True)
class ReadingOptions:
    """How a table is read."""

    columns: tyro.conf.UseAppendAction[Annotated[Pairs, tyro.conf.arg(metavar="THEIRS=OURS ...")]] = ()
    """Names of columns of the file that differ from those of t2jax: N=params D=tokens, flops=compute."""
    units: tyro.conf.UseAppendAction[Annotated[Pairs, tyro.conf.arg(metavar="COLUMN=UNIT ...")]] = ()
    """Units of columns that are not raw counts: params=M tokens=B pass_at_k=percent."""
    where: tyro.conf.UseAppendAction[Annotated[Pairs, tyro.conf.arg(metavar="COLUMN=VALUE ...")]] = ()
    """Rows to keep, by their value in a column: model=pythia-1b task=gsm8k."""
    best_of: Annotated[str | None, tyro.conf.arg(metavar="SETTING,...")] = None
    """Swept settings, such as lr,batch: keep the row of the lowest loss of each size."""
    stage: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """Stage of post-training, such as sft: keep its rows and base models, with a column tuned that is 1 and 0."""
    pooled: Annotated[str | None, tyro.conf.arg(metavar="COLUMN,...")] = None
    """Columns, such as task or lr, whose different values one law is meant to be fitted to all the same."""
    missing: tyro.conf.UseAppendAction[Annotated[tuple[tuple[str, ...], ...], tyro.conf.arg(metavar="WORD ...")]] = ()
    """Words of cells that mean that nothing was measured: diverged, or "" for empty cells. Such rows are left out."""
    loss_unit: LossUnit | None = None
    """Unit of the losses, by default nats per token. An accuracy becomes the column error."""
    bytes_per_token: float | None = None
    """Bytes of a token, for losses in bits per byte."""
    characters_per_token: float | None = None
    """Characters of a token, for losses in bits per character."""
    sep: Annotated[str | None, tyro.conf.arg(metavar="CHARACTER")] = None
    """Character between cells, or comma, semicolon, tab, pipe or space; by default that of the column names."""
    decimal: str | None = None
    """Decimal mark, "." or ","; by default found in the cells."""
    encoding: str | None = None
    """Encoding of a text file, such as cp1252; by default UTF-8."""
    sheet: str | None = None
    """Sheet of an Excel file with several."""

    def reading(self) -> Reading:
        """Returns the options as the reader takes them. It raises ValueError for one that is not NAME=VALUE."""
        return Reading(
            columns=pairs("--columns", self.columns),
            units=dict(pairs("--units", self.units)),
            separator=self.sep,
            decimal=self.decimal,
            encoding=self.encoding,
            sheet=self.sheet,
            missing=tuple(word for words in self.missing for word in words),
            where=dict(pairs("--where", self.where)),
            best_of=items("--best-of", self.best_of),
            loss_unit=self.loss_unit,
            bytes_per_token=self.bytes_per_token,
            characters_per_token=self.characters_per_token,
        )

    def read(self, name: str) -> "Table":
        """Reads a table by its path or the name of a public data set, and says on stderr what was recognised.

        It raises TableError, DatasetError, or ValueError for options that do not fit.
        """
        from t2jax.tables.read import read_with  # imports pandas, which --help need not
        from t2jax.tables.stages import mark_tuned
        from t2jax.tables.sweeps import best_rows

        reading = self.reading()
        if name not in datasets.names() and (Path(name).suffix or Path(name).exists()):
            table = read_with(name, reading)
        else:
            for option in FILES_ONLY:
                if getattr(self, option) not in (None, ()):
                    flag = f"--{option.replace('_', '-')}"
                    raise ValueError(f"{flag} applies to files; the data set {name!r} is in raw counts")
            table = datasets.load(name)
            table = _select_rows(table, self.where) if self.where else table
            table = best_rows(table, reading.best_of) if reading.best_of else table
        table = mark_tuned(table, self.stage) if self.stage else table
        for note in notes_of(table):
            print(f"t2jax: {table.source.name}: {note}", file=sys.stderr)
        return table

    def ask(self, table: "Table", law: str | None) -> None:
        """Says on stderr which columns nothing reads, before a law is fitted.

        It raises TableError for rows of several tasks or settings that nobody said to pool.
        """
        from t2jax.cli.tables.questions import refuse_pooled, unread_columns

        refuse_pooled(table, items("--pooled", self.pooled))
        unread = unread_columns(table, law)
        if unread and table.source.name not in datasets.names():
            print(f"t2jax: {table.source.name}: {unread}", file=sys.stderr)

    def read_rows(self, name: str, law: str | None) -> "Table":
        """Reads a table as `read`, and asks as `ask`."""
        table = self.read(name)
        self.ask(table, law)
        return table

    def read_points(self, path: Path, units: Pairs) -> "Table":
        """Reads a file of points without measurements, with the names of columns that are in it.

        It raises ValueError as `read`.
        """
        from t2jax.tables.read import column_names, read_with

        reading = self.reading()
        names = column_names(path, reading)
        points = Reading(
            columns={theirs: ours for theirs, ours in reading.columns.items() if theirs in names},
            units=dict(pairs("--units", units)),
            separator=reading.separator,
            decimal=reading.decimal,
            encoding=reading.encoding,
            sheet=reading.sheet,
        )
        table = read_with(path, points)
        for note in notes_of(table):
            print(f"t2jax: {table.source.name}: {note}", file=sys.stderr)
        return table


def _select_rows(table: "Table", where: Pairs) -> "Table":
    """Returns the rows with each value of `--where`. It raises TableError without such rows or columns."""
    wanted: dict[str, str | float] = {}
    for column, text in pairs("--where", where).items():
        table.require(column, needed_by="--where")
        try:
            wanted[column] = text if table[column].dtype == object else float(text)
        except ValueError:
            raise ValueError(f"--where: found {column}={text!r}, expected a number") from None
    return table.where(**wanted)


def notes_of(table: "Table") -> list[str]:
    """Returns what was recognised, converted or left out in a table, in the words of the command line."""
    return [in_option_names(note) for note in table.notes]
