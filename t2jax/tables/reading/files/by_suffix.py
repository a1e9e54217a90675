"""Reads the cells of a file by its suffix."""

import dataclasses
import gzip
import json
import zlib
from pathlib import Path

import pyarrow as pa

from t2jax.tables.formats import EXCEL, JSON_LINES, METADATA_KEY, PARQUET, provenance_path
from t2jax.tables.place import Place, TableError, unique_names
from t2jax.tables.reading.files.excel import excel_cells
from t2jax.tables.reading.files.json_lines import json_lines_cells
from t2jax.tables.reading.files.raw import RawTable
from t2jax.tables.reading.files.text import text_cells
from t2jax.tables.reading.options import Reading
from t2jax.tables.source import Source


def raw_table(data: bytes, path: Path, sha256: str, reading: Reading) -> RawTable:
    """Reads the cells of a file.

    Args:
        data: Bytes of the file.
        path: The file, whose suffix tells the format.
        sha256: Hash of the bytes, by which the file beside it knows its own.
        reading: The options.

    Returns:
        The cells, with the provenance that t2jax wrote with them.

    Raises:
        TableError: The file is damaged, or has another format or encoding.
    """
    name, suffix = str(path), path.name.lower()
    if suffix.endswith(PARQUET):
        return _parquet_cells(data, name)
    if suffix.endswith(EXCEL):
        return excel_cells(data, name, reading.sheet)
    text = _unzipped(data, path)
    if suffix.endswith(JSON_LINES):
        return json_lines_cells(text, name)
    raw = text_cells(text, name, reading.separator_character, reading.encoding)
    earlier = _read_sidecar(path, sha256)
    by_t2jax = earlier.sha256 == sha256 != ""
    return dataclasses.replace(raw, earlier=earlier, by_t2jax=by_t2jax)


def read_bytes(path: Path) -> bytes:
    """Returns the bytes of a file; raises TableError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error.strerror}), expected a file") from None


def _unzipped(data: bytes, path: Path) -> bytes:
    try:
        return gzip.decompress(data) if path.name.lower().endswith(".gz") else data
    except (OSError, EOFError, zlib.error) as error:
        raise TableError(f"{path}: not a whole gzip file ({error}), expected compressed CSV") from None


def _parquet_cells(data: bytes, name: str) -> RawTable:
    from pyarrow import parquet  # slow to load

    try:
        file = parquet.ParquetFile(pa.BufferReader(data))
        unique_names(file.schema_arrow.names, Place(name))
        frame = file.read().to_pandas()
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"{name}: not a whole Parquet file ({str(error).splitlines()[0]})") from None
    frame = frame.reset_index(level=[level for level in frame.index.names if level is not None])  # is a column too
    frame = frame.reset_index(drop=True)
    frame.columns = unique_names(frame.columns, Place(name))
    metadata = (file.schema_arrow.metadata or {}).get(METADATA_KEY)
    if metadata is None:
        return RawTable(frame, Place(name))
    return RawTable(frame, Place(name), _source_from(metadata, name), by_t2jax=True)


def _read_sidecar(path: Path, sha256: str) -> Source:
    sidecar = provenance_path(path)
    if not sidecar.exists():
        return Source()
    source = _source_from(read_bytes(sidecar), str(sidecar))
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
