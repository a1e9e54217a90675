"""Parses JSON, JSON lines, YAML, CSV and zipped logs, and says in one sentence what is wrong with a file."""

import io
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from t2jax.results.csv_cells import csv_cells
from t2jax.results.part import Part
from t2jax.tables.checks import to_numbers
from t2jax.tables.place import Place, TableError
from t2jax.tables.reading.files.by_suffix import read_bytes

LARGEST = 4 << 30
"""Bytes of the largest file or unpacked log that is read."""
SUFFIXES = (".json", ".jsonl", ".yaml", ".yml", ".csv", ".eval")
BLANK_BYTES = 1 << 20


@dataclass(frozen=True)
class Document:
    """A parsed file.

    Attributes:
        path: The file.
        content: What JSON, YAML or a zipped log holds, or the rows of JSON lines as a list. None for CSV.
        cells: The cells of a CSV file, None for other files.
        origin: Lines of these cells, for messages. None for other files.
        text: The text of a CSV file, empty for other files.
    """

    path: Path
    content: Part
    cells: pd.DataFrame | None = None
    origin: Place | None = None
    text: str = ""

    @property
    def columns(self) -> list[str]:
        """Names of the columns of a CSV file, without any for other files."""
        return [] if self.cells is None else [str(name) for name in self.cells]

    def refuse(self, column: str, bad: np.ndarray, expected: str) -> None:
        """Raises TableError with the first cell of a column where `bad` (rows,) is true, if any."""
        assert self.cells is not None and self.origin is not None
        cells: Any = self.cells[column]
        self.origin.refuse(column, bad, cells, expected)

    def numbers(self, column: str) -> np.ndarray:
        """Returns a column as numbers, NaN for empty cells. It raises TableError for text."""
        assert self.cells is not None and self.origin is not None
        cells: Any = self.cells[column]
        return to_numbers(cells, self.origin, column)

    @property
    def rows(self) -> list[Part]:
        """The rows of JSON lines, without any for other files."""
        return self.content.items() if self.path.suffix.lower() == ".jsonl" else []


def load_document(path: Path) -> Document:
    """Reads and parses a file by its suffix. It raises TableError for a file that is not whole."""
    name, suffix = str(path), path.suffix.lower()
    if suffix not in SUFFIXES:
        raise TableError(f"{name}: found suffix {path.suffix!r}, expected one of {', '.join(SUFFIXES)}")
    data = _bytes_of_results(path)
    if not data.strip():
        raise TableError(f"{name}: the file is empty, expected results of an evaluation")
    if suffix == ".eval":
        return Document(path, Part(_unzipped_log(data, name), name))
    if suffix == ".csv":
        if not data.endswith((b"\n", b"\r")):
            raise TableError(f"{name}: the last line does not end, so the file may be cut off; if it is whole, end it")
        cells, place = csv_cells(data, name)
        if not len(cells):
            raise TableError(f"{name}: there are no rows below the column names, expected at least one")
        return Document(path, Part(None, name), cells, place, data.decode())
    text = _decoded(data, name)
    if suffix == ".jsonl":
        lines = [(i, line) for i, line in enumerate(text.split("\n"), 1) if line.strip()]
        rows = [parse_json(line, f"{name}, line {i}") for i, line in lines]
        return Document(path, Part(rows, name))
    return Document(path, Part(parse_json(text, name) if suffix == ".json" else _parse_yaml(text, name), name))


def parse_json(text: str, place: str) -> Any:
    """Parses JSON. It raises TableError for text that is not JSON, nested too deeply or with a name given twice."""
    try:
        return json.loads(text, object_pairs_hook=_without_repetition)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}" if "\n" in text.strip() else f"column {error.colno}"
        raise TableError(f"{place}: not whole JSON ({error.msg} at {where}); is the file cut off?") from None
    except RecursionError:
        raise TableError(f"{place}: nested too deeply for results of an evaluation") from None
    except ValueError as error:  # a name given twice, or a number of thousands of digits
        raise TableError(f"{place}: {str(error).splitlines()[0]}, expected results of an evaluation") from None


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice[:60]!r} is given twice in one object")
    return content


_SAFE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SAFE):
    """Loader of plain values, which refuses a name given twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        content = super().construct_mapping(node, deep)
        if len(content) < len(node.value):
            raise yaml.YAMLError("a name is given twice in one mapping")
        return content


def _parse_yaml(text: str, name: str) -> Any:
    try:
        return yaml.load(text, _Loader)  # a safe loader: plain values only
    except RecursionError:
        raise TableError(f"{name}: nested too deeply for results of an evaluation") from None
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, OverflowError) as error:
        cause = " ".join(str(error).split())[:120]
        raise TableError(f"{name}: not whole YAML ({cause}); is the file cut off?") from None


def _bytes_of_results(path: Path) -> bytes:
    """Reads a file that is not too large. It raises TableError for another."""
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise TableError(f"{path}: found {size / 1e9:.3g} GB, expected at most {LARGEST / 1e9:.3g} GB of results")
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error.strerror}), expected a file") from None
    return read_bytes(path)


def _decoded(data: bytes, name: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = f"byte 0x{data[error.start]:02x} at offset {error.start}"
        raise TableError(f"{name}, line {line}: found {byte}, expected a file in UTF-8") from None
    if "\0" in text[:BLANK_BYTES]:
        raise TableError(f"{name}: found zero bytes, expected text in UTF-8 (not UTF-16)")
    return text


def _unzipped_log(data: bytes, name: str) -> dict[str, Any]:
    """Joins header and samples of a zipped inspect_ai log into one object, as the JSON log has them."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > LARGEST:
                raise TableError(f"{name}: the log unpacks to more than {LARGEST / 1e9:.3g} GB")
            members = archive.namelist()
            if "header.json" not in members:
                raise TableError(f"{name}: found no header.json in the archive; did the evaluation end?")
            files = [member for member in members if member.startswith("samples/") and member.endswith(".json")]
            texts = {member: archive.read(member) for member in ("header.json", *files)}
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        if isinstance(error, TableError):
            raise
        raise TableError(f"{name}: not a whole zip archive ({error}), expected a log of inspect_ai") from None
    parsed = {
        member: parse_json(_decoded(text, f"{name}, {member}"), f"{name}, {member}") for member, text in texts.items()
    }
    header = Part(parsed.pop("header.json"), f"{name}, header.json").mapping()
    return {**header, "samples": list(parsed.values())}
