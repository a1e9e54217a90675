"""Reads the cells of a JSON Lines file."""

import json
from typing import Any

import numpy as np
import pandas as pd

from t2jax.tables.place import Place, TableError, unique_names
from t2jax.tables.reading.files.raw import RawTable, with_types


def json_lines_cells(data: bytes, name: str) -> RawTable:
    """Reads a file with one JSON object on each line. Fields of inner objects get names with dots: `config.lr`.

    Args:
        data: Bytes of the file.
        name: Name of the file, for messages.

    Returns:
        The cells, with the line of each row.

    Raises:
        TableError: A line is no JSON object, or has one key twice.
    """
    records, lines = [], []
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line, object_pairs_hook=_unique_keys)
        except (ValueError, RecursionError) as error:
            raise TableError(f"{name}, line {number}: {error}, expected one JSON object on each line") from None
        if not isinstance(record, dict):
            raise TableError(f"{name}, line {number}: found {str(record)[:40]!r}, expected a JSON object")
        records.append(_flat(record))
        lines.append(number)
    if not records:
        raise TableError(f"{name}: the file is empty, expected one JSON object on each line")
    place = Place(name, np.array(lines, dtype=int))
    titles = list(dict.fromkeys(key for record in records for key in record))
    columns = {title: pd.Series([record.get(title, np.nan) for record in records], dtype=object) for title in titles}
    frame = pd.DataFrame(columns, index=range(len(records)))
    frame.columns = unique_names(titles, place)
    return RawTable(with_types(frame), place)


def _flat(record: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in record.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) and value else {f"{prefix}{key}": value}
    return flat


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise ValueError(f"the key {key!r} is there {keys.count(key)} times")
    return dict(pairs)
