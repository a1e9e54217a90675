"""Table: measurements in columns of fixed meaning and units, checked once; CSV and Parquet in and out."""

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
import pyarrow.parquet as pq

from t2jax.files import write_bytes
from t2jax.tables.checks import clean, to_numbers
from t2jax.tables.columns import NUMBERS, TEXTS
from t2jax.tables.formats import CSV, METADATA_KEY, PARQUET, _sidecar, _with_suffix
from t2jax.tables.magnitudes import doubts
from t2jax.tables.place import Place, TableError, missing_column
from t2jax.tables.source import Source


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Table:
    """Measurements of training runs, one row each; a table never changes: each method returns another one.

    `model`, `task`, `question`: text. `params` (N), `tokens` (D): raw counts, always there. `samples` (k): real, >= 1.
    `loss`: nats. `neg_log_pass`: mean of -log pass@k. `pass_at_k`: from 0 to 1. `trials`, `correct`: whole counts.
    `weight`: > 0. Columns of other names are kept as they are.

    Args: `frame`, copied; `source`, its provenance: a column named in its units is believed however small its numbers.
    Raises: TableError, in one sentence, if a column, a cell or a row is not what it should be.
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
        """A checked table of the given columns, each an array of shape (rows,) or one value for all rows."""
        source = Source() if source is None else source
        rows = next((len(values) for values in columns.values() if np.ndim(values)), 1)
        return cls(pd.DataFrame(_same_length(columns, rows, source), index=range(rows)), source)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(self._frame.columns)

    def __len__(self) -> int:
        return len(self._frame)

    def __contains__(self, name: object) -> bool:
        return name in self._frame.columns

    def __getitem__(self, name: str) -> np.ndarray:
        """A copy of one column, shape (rows,): float64 for numbers, else objects; TableError if it is not there."""
        if name not in self:
            raise missing_column(self._place, name, self.columns, "the caller")
        column = self._frame[name]
        return np.array(column.to_numpy(dtype=np.float64 if column.dtype.kind in "iuf" else object))

    def __repr__(self) -> str:
        ranges = [f"{name} {self[name].min():.4g} to {self[name].max():.4g}" for name in ("params", "tokens")]
        origin = f"from {self.source.name}, {len(self.source.history)} steps in .source.history"
        return "\n  ".join([f"Table of {len(self)} rows: {', '.join(self.columns)}", *ranges, origin])

    def require(self, *names: str, needed_by: str) -> None:
        """Raise TableError for the first of `names` that is not a column, on behalf of `needed_by` (a law, a noise)."""
        for name in names:
            if name not in self:
                raise missing_column(self._place, name, self.columns, needed_by)

    def require_numbers(self, *names: str, needed_by: str) -> None:
        """Raise TableError for the first of `names` that is no column, or has a cell that is no finite number."""
        self.require(*names, needed_by=needed_by)
        for name in names:
            if name not in NUMBERS:  # these were checked when the table was made
                cells: Any = self._frame[name]
                bad = ~np.isfinite(to_numbers(cells, self._place, name, needed_by))
                self._place.refuse(name, bad, cells, f"a number, for {needed_by}")

    def require_positive(self, name: str, needed_by: str) -> None:
        """Raise TableError for the first cell of the column `name` that is not above zero, on behalf of `needed_by`."""
        cells: Any = self._frame[name]
        self._place.refuse(name, self[name] <= 0, cells, f"a value > 0, for {needed_by}")

    def require_rows(self, least: int, needed_by: str) -> None:
        """Raise TableError if there are fewer than `least` rows, such as the parameters of the law to fit."""
        if len(self) < least:
            raise TableError(f"{self.source.name}: {len(self)} rows, but {needed_by} needs at least {least}")

    def where(self, condition: Any = None, /, **equal: Any) -> "Table":
        """The rows that meet every condition, in order.

        Args:
            condition: A boolean array (rows,), or a function from this table to one.
            equal: For each named column the value, or a list of the values, that is kept.

        Returns:
            A table whose history says how many rows were kept.

        Raises:
            TableError: A condition has another shape or type, a column is missing, or no row is left.
        """
        keep, said = np.ones(len(self), dtype=bool), []
        if condition is not None:
            mask = np.asarray(condition(self) if callable(condition) else condition)
            if mask.dtype != bool or mask.shape != keep.shape:
                raise TableError(
                    f"{self.source.name}: a condition of type {mask.dtype} and shape {mask.shape}, expected booleans of"
                    f" shape {keep.shape}"
                )
            keep &= mask
            said.append(getattr(condition, "__name__", "mask"))
        for name, wanted in equal.items():
            self.require(name, needed_by="where")
            values = np.asarray(wanted).ravel().tolist()
            keep &= self._frame[name].isin([str(value) for value in values] if name in TEXTS else values).to_numpy()
            said.append(f"{name}={reprlib.repr(wanted)}")
        step = f"where {' and '.join(said) or 'anything'}: {keep.sum()} of {len(self)} rows"
        if not keep.any():
            raise TableError(f"{self.source.name}: {step}, expected at least one row")
        frame = self._frame.loc[keep].reset_index(drop=True)
        return _from_clean_frame(frame, self.source.then(step), self._place.where(keep))

    def with_columns(self, **values: Any) -> "Table":
        """The table with columns added or replaced by arrays of shape (rows,) or by one value for all rows.

        Raises: TableError as for a new table, or where a length differs.
        """
        frame = self._frame.assign(**_same_length(values, len(self), self.source))
        raw = set(self.columns) - values.keys() | self.source.units.keys()
        source = self.source.then(f"with {', '.join(values)}")
        return _from_clean_frame(clean(frame, self._place, raw), source, self._place)

    def runs(self) -> np.ndarray:
        """The run of each row, numbered from 0 by first appearance: int array (rows,).

        Rows of one `model` are one run, whatever their task; without that column, rows of equal params and tokens.
        """
        if "model" in self:
            return pd.factorize(self["model"])[0]
        return pd.factorize(self["params"] + 1j * self["tokens"])[0]

    def weights(self) -> np.ndarray:
        """The column `weight`, shape (rows,), or ones where the table has none."""
        return self["weight"] if "weight" in self else np.ones(len(self))

    def compute(self) -> np.ndarray:
        """Training compute 6ND of each row in FLOPs, shape (rows,). Source: Kaplan et al. 2020 (2001.08361)."""
        return 6 * self["params"] * self["tokens"]

    def to_frame(self) -> pd.DataFrame:
        """A copy of the columns as a pandas DataFrame, rows numbered from 0."""
        return self._frame.copy()

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write a .csv or .csv.gz, floats exact to the last bit, and beside it the provenance as NAME.source.json.

        Raises: TableError for another suffix; OSError where it cannot be written, and an older file is then untouched.
        """
        path = _with_suffix(path, *CSV)
        numeric = [column.dtype.kind in "iufb" for _, column in self._frame.items()]
        blank = self._frame.astype(object).where(self._frame.notna() | numeric, "")  # a missing text is an empty cell
        text = blank.to_csv(None, index=False, na_rep="nan", lineterminator="\n").encode()
        data = gzip.compress(text, mtime=0) if path.name.lower().endswith(".gz") else text
        write_bytes(path, data)
        write_bytes(_sidecar(path), _as_written(self, path, hashlib.sha256(data).hexdigest()))

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write a .parquet that holds its provenance too. Raises as to_csv does."""
        path = _with_suffix(path, *PARQUET)
        table = pa.Table.from_pandas(self._frame, preserve_index=False)
        metadata = {**(table.schema.metadata or {}), METADATA_KEY: _as_written(self, path, sha256="")}
        sink = io.BytesIO()
        pq.write_table(table.replace_schema_metadata(metadata), sink)
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


def _as_written(table: Table, path: Path, sha256: str) -> bytes:
    source = table.source.then(f"{table.source.name} written as {path.name}")
    numbers = {name: table[name] for name in table.columns if name in NUMBERS}
    small = dict.fromkeys((one.column for one in doubts(numbers)), 1.0)  # believed here, so there too
    fields = dataclasses.asdict(
        dataclasses.replace(source, name=path.name, sha256=sha256, units={**small, **source.units})
    )
    return json.dumps(fields, indent=2, ensure_ascii=False).encode()
