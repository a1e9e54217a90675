"""The table of measurements: columns of fixed meaning and units, checked once, with CSV and Parquet in and out."""

import dataclasses
import gzip
import hashlib
import io
import json
import os
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from t2jax.files import write_bytes
from t2jax.tables.checks import clean, to_numbers
from t2jax.tables.columns import COMPUTE, NUMBERS, REQUIRED, SIZE, TEXTS, of_compute_alone, with_compute
from t2jax.tables.doubts.magnitudes import doubts
from t2jax.tables.formats import CSV, METADATA_KEY, PARQUET, _with_suffix, provenance_path
from t2jax.tables.place import Place, TableError, missing_column
from t2jax.tables.source import Source


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Table:
    """Measurements of training runs, one per row.

    A table never changes: each method returns a new one. A table has `params` (N) and `tokens` (D) in raw counts, or
    `compute` in FLOPs where neither is known. Other columns of fixed meaning are optional:

    - `model`, `task`, `question`: text.
    - `samples` (k): a number >= 1.
    - `loss`: nats. `loss_se`: the standard error of the loss of each row, in nats, > 0.
    - `neg_log_pass`: the mean of -log pass@k. `pass_at_k`, `error`: numbers from 0 to 1.
    - `unique_tokens` (U): a raw count > 0.
    - `trials`, `correct`: whole counts.
    - `weight`: a number > 0.

    Columns of other names are stored without checks.

    Args:
        frame: The columns. They are copied.
        source: Provenance of the data. Columns named in its `units` may hold small numbers.

    Raises:
        TableError: A column, a cell or a row is invalid. The message is one sentence.

    Examples:
        >>> import pandas as pd
        >>> t2.Table(pd.DataFrame({"params": [1e8, 1e9], "tokens": [2e9, 2e10], "loss": [3.3, 2.5]}))
        Table of 2 rows: params, tokens, loss
          params 1e+08 to 1e+09
          tokens 2e+09 to 2e+10
          from a table from memory, 0 steps in .source.history
    """

    source: Source
    _frame: pd.DataFrame
    _place: Place

    def __init__(self, frame: pd.DataFrame, source: Source | None = None):
        source = Source() if source is None else source
        place = Place(source.name)
        self.__dict__.update(source=source, _frame=clean(frame, place, known_raw=source.units), _place=place)

    @classmethod
    def from_columns(cls, *, source: Source | None = None, **columns: Any) -> "Table":
        """Makes a checked table from columns.

        Args:
            source: Provenance of the data.
            columns: Columns by name, each an array of shape (rows,) or one value for all rows.

        Returns:
            The table.

        Raises:
            TableError: A column, a cell or a row is invalid, or a length differs.

        Examples:
            >>> t2.Table.from_columns(params=[1e8, 1e9], tokens=2e10).columns
            ('params', 'tokens')
        """
        source = Source() if source is None else source
        rows = next((len(values) for values in columns.values() if np.ndim(values)), 1)
        return cls(pd.DataFrame(_same_length(columns, rows, source), index=range(rows)), source)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(self._frame.columns)

    @property
    def has_sizes(self) -> bool:
        """Whether the table has params and tokens, rather than compute alone."""
        return not of_compute_alone(self.columns)

    def __len__(self) -> int:
        return len(self._frame)

    def __contains__(self, name: object) -> bool:
        return name in self._frame.columns

    def __getitem__(self, name: str) -> np.ndarray:
        """Copies one column of shape (rows,): float64 for numbers, else objects; raises TableError if it is missing."""
        if name not in self:
            raise missing_column(self._place, name, self.columns, "the caller")
        column = self._frame[name]
        return np.array(column.to_numpy(dtype=np.float64 if column.dtype.kind in "iuf" else object))

    def __repr__(self) -> str:
        sizes = REQUIRED if self.has_sizes else (COMPUTE.name,)
        ranges = [f"{name} {self[name].min():.4g} to {self[name].max():.4g}" for name in sizes]
        origin = f"from {self.source.name}, {len(self.source.history)} steps in .source.history"
        return "\n  ".join([f"Table of {len(self)} rows: {', '.join(self.columns)}", *ranges, origin, *self.notes])

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what was recognised, converted or left out when the file was read."""
        return self.source.notes

    def require(self, *names: str, needed_by: str) -> None:
        """Checks that columns exist.

        Args:
            names: Names of columns.
            needed_by: Who reads them, such as the name of a law, for the message.

        Raises:
            TableError: A column is missing.
        """
        for name in names:
            if name not in self:
                raise missing_column(self._place, name, self.columns, needed_by)

    def require_numbers(self, *names: str, needed_by: str) -> None:
        """Checks that columns exist and hold finite numbers.

        Args:
            names: Names of columns.
            needed_by: Who reads them, for the message.

        Raises:
            TableError: A column is missing, or a cell is no finite number.
        """
        self.require(*names, needed_by=needed_by)
        for name in names:
            if name not in NUMBERS:  # these were checked when the table was made
                cells: Any = self._frame[name]
                bad = ~np.isfinite(to_numbers(cells, self._place, name, needed_by))
                self._place.refuse(name, bad, cells, f"a number, for {needed_by}")

    def require_positive(self, name: str, needed_by: str) -> None:
        """Checks that a column is above zero in every row.

        Args:
            name: Name of the column.
            needed_by: Who reads it, for the message.

        Raises:
            TableError: A cell is not above zero.
        """
        cells: Any = self._frame[name]
        self._place.refuse(name, self[name] <= 0, cells, f"a value > 0, for {needed_by}")

    def place(self, row: int) -> str:
        """Names a row for a message.

        Args:
            row: Number of the row, from 0.

        Returns:
            The file and the line, as "runs.csv, line 7".
        """
        return f"{self._place.name}, {self._place.row(row)}"

    def require_rows(self, least: int, needed_by: str) -> None:
        """Checks that the table has enough rows, such as one for each parameter of a law.

        Args:
            least: The smallest number of rows.
            needed_by: Who reads them, for the message.

        Raises:
            TableError: The table has fewer rows.
        """
        if len(self) < least:
            raise TableError(f"{self.source.name}: {len(self)} rows, but {needed_by} needs at least {least}")

    def where(self, condition: Any = None, /, **equal: Any) -> "Table":
        """Selects the rows that meet every condition, in order.

        Args:
            condition: A boolean array of shape (rows,), or a function from this table to one.
            equal: The value, or a list of the values, to select in each named column.

        Returns:
            A table whose history gives the number of selected rows.

        Raises:
            TableError: A condition has another shape or type, a column is missing, or no row is left.

        Examples:
            >>> len(runs.where(lambda table: table["loss"] < 2.6, params=1e9))
            2
        """
        selected, conditions = np.ones(len(self), dtype=bool), []
        if condition is not None:
            mask = np.asarray(condition(self) if callable(condition) else condition)
            if mask.dtype != bool or mask.shape != selected.shape:
                raise TableError(
                    f"{self.source.name}: a condition of type {mask.dtype} and shape {mask.shape}, expected booleans of"
                    f" shape {selected.shape}"
                )
            selected &= mask
            conditions.append(getattr(condition, "__name__", "mask"))
        for name, value in equal.items():
            self.require(name, needed_by="where")
            values = np.asarray(value).ravel().tolist()
            selected &= self._frame[name].isin([str(value) for value in values] if name in TEXTS else values).to_numpy()
            conditions.append(f"{name}={reprlib.repr(value)}")
        step = f"where {' and '.join(conditions) or 'anything'}: {selected.sum()} of {len(self)} rows"
        if not selected.any():
            raise TableError(f"{self.source.name}: {step}, expected at least one row")
        frame = self._frame.loc[selected].reset_index(drop=True)
        return _from_clean_frame(frame, self.source.then(step), self._place.where(selected))

    def keep_lowest(self, name: str, *also: str) -> "Table":
        """Keeps the row of the lowest value of each training run's size, as the best of a sweep of settings.

        Rows are of one size if they have the same params, tokens, unique_tokens, samples, task and question.

        Args:
            name: Name of the column, such as "loss".
            also: Further columns that tell sizes apart, such as "experts".

        Returns:
            A table whose history gives the number of kept rows, in the order of this one.

        Raises:
            TableError: A column is missing, or `name` holds a value that is no number.

        Examples:
            >>> swept = t2.Table.from_columns(params=[1e8, 1e8, 1e9], tokens=2e10, loss=[3.1, 2.9, 2.5])
            >>> swept.keep_lowest("loss")["loss"]
            array([2.9, 2.5])
        """
        self.require(*also, needed_by="keep_lowest")
        self.require_numbers(name, needed_by="keep_lowest")
        size = [column for column in dict.fromkeys((*with_compute(SIZE, self.columns), *also)) if column in self]
        lowest = (
            self._frame[name].astype(float).groupby([self._frame[column] for column in size], dropna=False).idxmin()
        )
        lowest_row = np.isin(np.arange(len(self)), lowest.to_numpy())
        step = f"keep the lowest {name} of each size: {lowest_row.sum()} of {len(self)} rows"
        frame = self._frame.loc[lowest_row].reset_index(drop=True)
        return _from_clean_frame(frame, self.source.then(step), self._place.where(lowest_row))

    def with_columns(self, **values: Any) -> "Table":
        """Adds or replaces columns.

        Args:
            values: Columns by name, each an array of shape (rows,) or one value for all rows.

        Returns:
            A new checked table.

        Raises:
            TableError: A column, a cell or a row is invalid, or a length differs.
        """
        frame = self._frame.assign(**_same_length(values, len(self), self.source))
        raw = set(self.columns) - values.keys() | self.source.units.keys()
        source = self.source.then(f"with {', '.join(values)}")
        return _from_clean_frame(clean(frame, self._place, raw), source, self._place)

    def runs(self) -> np.ndarray:
        """Numbers the training run of each row, by first appearance.

        Rows of one `model` are one run, whatever their task. Without that column, rows of equal params and tokens are,
        or of equal compute in a table without these.

        Returns:
            Run indices from 0, integers of shape (rows,).
        """
        if "model" in self:
            return pd.factorize(self["model"])[0]
        if not self.has_sizes:
            return pd.factorize(self["compute"])[0]
        return pd.factorize(self["params"] + 1j * self["tokens"])[0]

    def weights(self) -> np.ndarray:
        """Reads the column `weight`.

        Returns:
            Weights of shape (rows,); ones if the column is missing.
        """
        return self["weight"] if "weight" in self else np.ones(len(self))

    def compute(self) -> np.ndarray:
        """Computes the training compute 6ND. Source: Kaplan et al. 2020 (2001.08361).

        A table without params and tokens has a column of it.

        Returns:
            FLOPs of each row, shape (rows,).
        """
        return 6 * self["params"] * self["tokens"] if self.has_sizes else self["compute"]

    def to_frame(self) -> pd.DataFrame:
        """Copies the table to a pandas DataFrame.

        Returns:
            The columns, with rows numbered from 0.
        """
        return self._frame.copy()

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Writes a .csv or .csv.gz with floats exact to the last bit, and the provenance beside it as NAME.source.json.

        Args:
            path: The file. Its suffix determines the format.

        Raises:
            TableError: The file has another suffix.
            OSError: The file cannot be written. An older file then does not change.
        """
        path = _with_suffix(path, *CSV)
        numeric = [column.dtype.kind in "iufb" for _, column in self._frame.items()]
        blank = self._frame.astype(object).where(self._frame.notna() | numeric, "")  # a missing text is an empty cell
        text = blank.to_csv(None, index=False, na_rep="nan", lineterminator="\n").encode()
        data = gzip.compress(text, mtime=0) if path.name.lower().endswith(".gz") else text
        write_bytes(path, data)
        write_bytes(provenance_path(path), _provenance_bytes(self, path, hashlib.sha256(data).hexdigest()))

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Writes a .parquet that includes the provenance.

        Args:
            path: The file.

        Raises:
            TableError: The file has another suffix.
            OSError: The file cannot be written. An older file then does not change.
        """
        from pyarrow import parquet  # slow to load

        path = _with_suffix(path, *PARQUET)
        table = pa.Table.from_pandas(self._frame, preserve_index=False)
        metadata = {**(table.schema.metadata or {}), METADATA_KEY: _provenance_bytes(self, path, sha256="")}
        sink = io.BytesIO()
        parquet.write_table(table.replace_schema_metadata(metadata), sink)
        write_bytes(path, sink.getvalue())


def _from_clean_frame(frame: pd.DataFrame, source: Source, place: Place) -> Table:
    table = object.__new__(Table)
    table.__dict__.update(source=source, _frame=frame, _place=place)
    return table


def _same_length(columns: Mapping[str, Any], rows: int, source: Source) -> dict[str, Any]:
    # As NumPy arrays: pandas would align a Series by its index.
    for name, values in columns.items():
        if np.ndim(values) and np.shape(values) != (rows,):
            raise TableError(f"{source.name}: column {name!r} has shape {np.shape(values)}, expected ({rows},)")
    return {name: np.asarray(values)[()] for name, values in columns.items()}


def _provenance_bytes(table: Table, path: Path, sha256: str) -> bytes:
    source = table.source.then(f"{table.source.name} written as {path.name}")
    numbers = {name: table[name] for name in table.columns if name in (*NUMBERS, COMPUTE.name)}
    # values that this table accepts are accepted in the file too
    small = dict.fromkeys((doubt.column for doubt in doubts(numbers)), 1.0)
    fields = dataclasses.asdict(
        dataclasses.replace(source, name=path.name, sha256=sha256, units={**small, **source.units})
    )
    del fields["notes"]  # they are about the file that was read
    return json.dumps(fields, indent=2, ensure_ascii=False).encode()
