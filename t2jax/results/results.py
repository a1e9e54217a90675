"""Results of evaluation tools as one frame, and their files."""

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from t2jax.files import write_bytes
from t2jax.tables.formats import CSV, PARQUET
from t2jax.tables.place import TableError
from t2jax.tables.source import Source
from t2jax.tables.table import Table


@dataclass(frozen=True, repr=False, eq=False)
class Results:
    """Result of `read_results`.

    Attributes:
        kind: What a row is: "counts" of a question, "pass_at_k" or "scores" of a task, or "losses" of a run.
        frame: The rows. Counts have the columns model, task, question, trials and correct, and params, tokens and step
            where they are known.
        tools: The tools that wrote the files.
        files: The files that were read.
        notes: Sentences on what the files leave open.
        units: Factors of params and tokens that were not in raw counts; 1 marks raw ones that look small.
    """

    kind: str
    frame: pd.DataFrame
    tools: tuple[str, ...]
    files: tuple[str, ...]
    notes: tuple[str, ...]
    units: Mapping[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Writes what was read, then a line for each note."""
        frame = self.frame
        models = len(set(frame["model"]))
        first = f"Results of {', '.join(self.tools)}: {len(frame)} rows of {self.kind}, models: {models}"
        return "\n  ".join([first, *self.notes])

    @property
    def unknown_sizes(self) -> tuple[str, ...]:
        """Those of params and tokens that are not known for every row; a fit needs both."""
        columns = ("params", "tokens")
        complete = [size for size in columns if size in self.frame and not np.isnan(self._sizes(size)).any()]
        return tuple(size for size in columns if size not in complete)

    def _sizes(self, name: str) -> np.ndarray:
        return np.array(self.frame[name], dtype=float)

    def table(self) -> Table:
        """Returns the rows as a table to fit.

        Raises:
            TableError: The params or tokens of a model are not known, or a row is invalid.
        """
        if self.unknown_sizes:
            raise TableError(
                f"{self.files[0]}: {' and '.join(self.unknown_sizes)} of the models are not known; give a table with"
                " model, params and tokens: models=..., in commands --models"
            )
        name = self.files[0] if len(self.files) == 1 else f"{len(self.files)} files of {', '.join(self.tools)}"
        source = Source(
            name=name, units=self.units, history=(f"read {', '.join(self.files[:8])} by {', '.join(self.tools)}",)
        )
        return Table(self.frame.drop(columns=[name for name in ("step",) if name in self.frame]), source)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the rows as .csv, .csv.gz or .parquet, completely or not at all.

        Args:
            path: The file. Its suffix determines the format. With params and tokens it is a table that
                `read_table` reads.

        Raises:
            TableError: The suffix is another, or a row is invalid.
            OSError: The file cannot be written.
        """
        target = checked_target(path)
        parquet = target.name.lower().endswith(PARQUET)
        if not self.unknown_sizes:
            table = self.table()
            return table.to_parquet(target) if parquet else table.to_csv(target)
        buffer = io.BytesIO()
        if parquet:
            self.frame.to_parquet(buffer, index=False)
        else:
            packing = "gzip" if target.name.lower().endswith(".gz") else None
            self.frame.to_csv(buffer, index=False, compression=packing, lineterminator="\n")
        return write_bytes(target, buffer.getvalue())


def checked_target(path: str | os.PathLike[str]) -> Path:
    """Returns the path of a table to write. It raises TableError for a suffix of another format."""
    target = Path(path)
    if not target.name.lower().endswith((*CSV, *PARQUET)):
        raise TableError(f"{path}: found suffix {target.suffix!r}, expected {' or '.join((*CSV, *PARQUET))}")
    return target
