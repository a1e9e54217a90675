"""Reads tables from CSV and Parquet files."""

import dataclasses
import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from t2jax.tables.checks import check_sizes, clean, multiplied
from t2jax.tables.csv_cells import csv_cells
from t2jax.tables.formats import CSV, METADATA_KEY, PARQUET, _sidecar, _with_suffix
from t2jax.tables.place import Place, TableError, unique_names
from t2jax.tables.source import Source
from t2jax.tables.table import Table, _from_clean_frame


def read_table(path: str | os.PathLike[str], units: Mapping[str, str | float] | None = None) -> Table:
    """Reads a table of measurements from a .csv, .csv.gz or .parquet file.

    Args:
        path: The file.
        units: Factor of each column that is not in raw counts: a number, a number as text ("1e6"), a letter
            ("K", "M", "B", "T") or a word ("millions"). Numbers of a column named here are accepted as they are.

    Returns:
        A checked table. Its source is the file, with the history from `to_csv` or `to_parquet`.

    Raises:
        TableError: The file cannot be read or is invalid. The message names file, line or row, column and value.

    Examples:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "runs.csv"
        >>> _ = path.write_text("params,tokens,loss\\n70,1.4,2.98\\n410,8.2,2.52\\n")
        >>> t2.read_table(path, units={"params": "M", "tokens": "B"})["params"]
        array([7.0e+07, 4.1e+08])
    """
    path = _with_suffix(path, *CSV, *PARQUET)
    data = _read_bytes(path)
    sha256 = hashlib.sha256(data).hexdigest()
    if not data:
        raise TableError(f"{path}: the file is empty, expected columns and rows")
    if path.name.lower().endswith(PARQUET):
        frame, earlier = _read_parquet(data, str(path))
        place = Place(str(path))
    else:
        frame, place = csv_cells(_unzipped(data, path), str(path))
        earlier = _read_sidecar(path, sha256)
    frame, factors = multiplied(frame, units or {}, place)
    source = dataclasses.replace(earlier, name=str(path), sha256=sha256, units={**earlier.units, **factors})
    scaled = "".join(f", {column} times {factor:g}" for column, factor in factors.items())
    source = source.then(f"read {path} (sha256 {sha256}){scaled}")
    frame = clean(frame, place, known_raw=source.units)
    check_sizes(frame, place)
    return _from_clean_frame(frame, source, place)


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error.strerror}), expected a file") from None


def _unzipped(data: bytes, path: Path) -> bytes:
    try:
        return gzip.decompress(data) if path.name.lower().endswith(".gz") else data
    except (OSError, EOFError, zlib.error) as error:
        raise TableError(f"{path}: not a whole gzip file ({error}), expected compressed CSV") from None


def _read_parquet(data: bytes, name: str) -> tuple[pd.DataFrame, Source]:
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        unique_names(file.schema_arrow.names, Place(name))
        frame = file.read().to_pandas()
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"{name}: not a whole Parquet file ({str(error).splitlines()[0]})") from None
    frame = frame.reset_index(level=[level for level in frame.index.names if level is not None])  # is a column too
    frame.columns = unique_names(frame.columns, Place(name))
    metadata = (file.schema_arrow.metadata or {}).get(METADATA_KEY)
    return frame, Source() if metadata is None else _source_from(metadata, name)


def _read_sidecar(path: Path, sha256: str) -> Source:
    sidecar = _sidecar(path)
    if not sidecar.exists():
        return Source()
    source = _source_from(_read_bytes(sidecar), str(sidecar))
    if source.sha256 == sha256:
        return source
    # Somebody edited or replaced the numbers: where they came from may still hold, their units need not.
    return dataclasses.replace(source, units={}).then(f"{path.name} changed after it was written")


def _source_from(text: bytes, name: str) -> Source:
    try:
        fields = json.loads(text)
        return Source(**{**fields, "history": tuple(fields["history"])})
    except (ValueError, TypeError, KeyError):
        raise TableError(f"{name}: found other provenance than to_csv or to_parquet write, expected theirs") from None
