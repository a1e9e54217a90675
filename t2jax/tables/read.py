"""Reads tables from text, Parquet, JSON Lines and Excel files."""

import dataclasses
import hashlib
import os
import warnings
from collections.abc import Mapping, Sequence

import pandas as pd

from t2jax.tables.checks import check_file, check_sizes, clean, multiplied, unit_factors
from t2jax.tables.doubts.remarks import remarks_on_a_file
from t2jax.tables.formats import READABLE, _with_suffix
from t2jax.tables.place import Place, TableError, unique_names
from t2jax.tables.reading.cells import is_number, normalised, style_of
from t2jax.tables.reading.files.by_suffix import raw_table, read_bytes
from t2jax.tables.reading.files.raw import RawTable
from t2jax.tables.reading.files.text import typed_cells
from t2jax.tables.reading.loss_units import LossUnit
from t2jax.tables.reading.losses import losses_in_nats
from t2jax.tables.reading.options import Reading
from t2jax.tables.reading.recognise import Recognised, recognise
from t2jax.tables.reading.rows import measured_rows, select_rows
from t2jax.tables.reading.wide import long_form, with_size_of_compute
from t2jax.tables.sweeps import best_rows
from t2jax.tables.table import Table, _from_clean_frame

MOST_IN_UNITS = 1e5
"""A column with a unit in its name, such as `params_M`, whose values are all larger holds raw counts."""


def read_table(
    path: str | os.PathLike[str],
    units: Mapping[str, str | float] | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    missing: Sequence[str] = (),
    where: Mapping[str, str | float | Sequence[str | float]] | None = None,
    best_of: Sequence[str] = (),
    loss_unit: LossUnit | None = None,
    bytes_per_token: float | None = None,
    characters_per_token: float | None = None,
) -> Table:
    """Reads a table of measurements from a .csv, .tsv, .txt, .jsonl, .xlsx or .parquet file; text may be gzipped.

    Well-known names such as `N`, `n_params` or `val_loss` are recognised, as are numbers such as "1.3B" and "1,234".
    What was recognised, converted or left out is told in a warning and in `table.notes`. Nothing is guessed between
    two candidates: the error names both.

    Args:
        path: The file.
        units: Factor of each column that is not in raw counts: a number, a number as text ("1e6"), a letter
            ("K", "M", "B", "T") or a word ("millions", "percent"). Numbers of a column named here are accepted as they
            are.
        columns: Names in t2jax by names in the file, as {"N": "params"}. `compute` means 6ND, of which a missing
            `params` or `tokens` is computed.
        separator: Character between cells, or its name ("semicolon", "tab"); by default that of the column names.
        decimal: Decimal mark, "." or ","; by default found in the cells.
        encoding: Encoding of a text file; by default UTF-8, or UTF-16 with a byte order mark.
        sheet: Sheet of an Excel file with several.
        missing: Words of cells that mean that nothing was measured, beside "n/a"; "" is an empty cell. Their rows are
            left out.
        where: Value, or list of values, of the rows to keep, by column. Other rows are not checked.
        best_of: Settings of a sweep, such as ("lr", "batch"): the row of the lowest loss of each size is kept.
        loss_unit: Unit of the losses: "nats" (per token), "bits-per-token", "bits-per-byte", "bits-per-character",
            "perplexity", or "accuracy", which becomes the column `error`.
        bytes_per_token: Bytes of a token, for bits per byte.
        characters_per_token: Characters of a token, for bits per character.

    Returns:
        A checked table. Its source is the file, with the history from `to_csv` or `to_parquet`.

    Raises:
        TableError: The file cannot be read or is invalid. The message names file, line or row, column and value.
        ValueError: An option has an impossible value.

    Examples:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "runs.csv"
        >>> _ = path.write_text("size,tokens,loss\\n70M,1.4B,2.98\\n410M,8.2B,2.52\\n")
        >>> t2.read_table(path, columns={"size": "params"})["params"]
        array([7.0e+07, 4.1e+08])
    """
    options = Reading(
        columns=columns or {},
        units=units or {},
        separator=separator,
        decimal=decimal,
        encoding=encoding,
        sheet=sheet,
        missing=tuple(missing),
        where=where or {},
        best_of=tuple(best_of),
        loss_unit=loss_unit,
        bytes_per_token=bytes_per_token,
        characters_per_token=characters_per_token,
    )
    table = read_with(path, options)
    if table.notes:
        warnings.warn(f"{path}: {'; '.join(table.notes)}", stacklevel=2)
    return table


def read_with(path: str | os.PathLike[str], reading: Reading) -> Table:
    """Reads a file as `read_table` does, with its options in one object, and without a warning.

    Args:
        path: The file.
        reading: The options.

    Returns:
        A checked table, whose `notes` tell what was recognised, converted or left out.

    Raises:
        TableError: The file cannot be read or is invalid.
        ValueError: An option has an impossible value.
    """
    reading.check()
    path = _with_suffix(path, *READABLE)
    data = read_bytes(path)
    if not data:
        raise TableError(f"{path}: the file is empty, expected columns and rows")
    sha256 = hashlib.sha256(data).hexdigest()
    raw = raw_table(data, path, sha256, reading)
    header = _columns(raw, reading)
    reading = reading.renamed(dict(zip(map(str, raw.frame), header.names, strict=True)))
    frame, place, steps = raw.frame.set_axis(list(header.names), axis=1), raw.place, [*raw.notes, *header.notes]
    frame, place, step = long_form(frame, place)
    steps.append(step)
    units = {**header.units, **reading.units}
    factors = unit_factors(frame, units, place)
    style = style_of(frame, reading.decimal, place)
    steps.append(style.note)
    frame, place, selected = select_rows(frame, reading.where, factors, style, place)
    frame, place, step = measured_rows(frame, reading.missing, style, place)
    steps.append(step)
    frame = normalised(frame, style, factors, place)
    _ask_about_units(frame, header.units, reading.units, place)
    frame = multiplied(typed_cells(frame, style.decimal), factors, place)
    frame, step = losses_in_nats(frame, header.loss_units, reading, place)
    steps.append(step)
    frame, step = with_size_of_compute(frame, place)
    believed = {**raw.earlier.units, **factors}
    frame = clean(frame, place, known_raw=believed)
    check_file(frame, place, known_raw=believed)
    check_sizes(frame, place)
    remarks = remarks_on_a_file({str(name): cells for name, cells in frame.items()}, place, known_raw=believed)
    notes = tuple(note for note in (*steps, step, *remarks) if note)
    source = dataclasses.replace(raw.earlier, name=str(path), sha256=sha256, units=believed, notes=notes)
    scaled = "".join(f", {column} times {factor:g}" for column, factor in factors.items())
    for step in (f"read {path} (sha256 {sha256}){scaled}", *notes, selected):
        source = source.then(step) if step else source
    table = _from_clean_frame(frame, source, place)
    return best_rows(table, reading.best_of) if reading.best_of else table


def column_names(path: str | os.PathLike[str], reading: Reading) -> tuple[str, ...]:
    """Reads the names of the columns of a file, as they are there.

    Args:
        path: The file.
        reading: The options, of which the separator, the encoding and the sheet count.

    Returns:
        The names.

    Raises:
        TableError: The file cannot be read.
    """
    path = _with_suffix(path, *READABLE)
    return tuple(raw_table(read_bytes(path), path, "", reading).frame.columns)


def _columns(raw: RawTable, reading: Reading) -> Recognised:
    """Returns the names of the columns in t2jax. Those of a file that t2jax wrote are as they should be."""
    names = [str(name) for name in raw.frame]
    if raw.by_t2jax and not reading.columns:
        return Recognised(tuple(names))
    header = recognise(names, reading.columns, raw.place)
    unique_names(header.names, raw.place)
    return header


def _ask_about_units(
    frame: pd.DataFrame, header_units: Mapping[str, str], given_units: Mapping[str, str | float], place: Place
) -> None:
    """Raises TableError where a column name holds a unit, but the cells are raw counts."""
    for name, unit in header_units.items():
        if name in given_units or name not in ("params", "tokens"):
            continue
        values = [float(cell) if is_number(cell) else 0.0 for cell in frame[name]]
        if min(values, default=0.0) > MOST_IN_UNITS:
            raise TableError(
                f"{place.name}, {place.row(0)}, column {name!r}: found {values[0]:g}, but the column's name says"
                f" units of {unit}: pass units={{{name!r}: 1}} if these are raw counts, or units={{{name!r}: {unit!r}}}"
                f" (in commands --units {name}=1 or {name}={unit})"
            )
