"""File formats of tables and the names of their files."""

import os
from pathlib import Path

from t2jax.tables.place import TableError

CSV = (".csv", ".csv.gz")
PARQUET = (".parquet",)
TEXT = (*CSV, ".tsv", ".tsv.gz", ".txt")
JSON_LINES = (".jsonl", ".jsonl.gz")
EXCEL = (".xlsx",)
READABLE = (*TEXT, *PARQUET, *JSON_LINES, *EXCEL)
METADATA_KEY = b"t2jax.source"
PROVENANCE = ".source.json"
"""Suffix of the file beside a .csv that holds its provenance."""


def _with_suffix(path: str | os.PathLike[str], *suffixes: str) -> Path:
    if not str(path).lower().endswith(suffixes):
        expected = " or ".join(suffixes) if len(suffixes) < 3 else f"one of {', '.join(suffixes)}"
        raise TableError(f"{path}: found suffix {Path(path).suffix!r}, expected {expected}")
    return Path(path)


def provenance_path(path: Path) -> Path:
    """Returns the path of the file beside a .csv that holds its provenance."""
    return path.with_name(path.name + PROVENANCE)
