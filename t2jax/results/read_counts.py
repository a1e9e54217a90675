"""Reads a file of counts, whose columns may have other names, for `t2jax passk`."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from t2jax.results.counts_file import NAMES, QuestionCounts, counts_of
from t2jax.tables.checks import multiplied, unit_factors
from t2jax.tables.formats import READABLE
from t2jax.tables.place import TableError, unique_names
from t2jax.tables.reading.cells import normalised, style_of
from t2jax.tables.reading.files.by_suffix import raw_table, read_bytes
from t2jax.tables.reading.files.text import typed_cells
from t2jax.tables.reading.headers import folded, meaning_of
from t2jax.tables.reading.options import Reading
from t2jax.tables.reading.recognise import recognise
from t2jax.tables.reading.synonyms import COUNTS


@dataclass(frozen=True)
class CountsFile:
    """Counts of a file.

    Attributes:
        groups: Counts of each model and task, in order of appearance.
        notes: Sentences on columns that were recognised.
    """

    groups: list[QuestionCounts]
    notes: tuple[str, ...]


def read_counts(
    path: str | os.PathLike[str], where: Mapping[str, str] | None = None, reading: Reading | None = None
) -> CountsFile:
    """Reads counts by model and task from any file that `read_table` reads.

    Args:
        path: A table with `trials` and `correct` in a row for each question. Or a row for each sample has `answer`, and
            `correct` of 0 or 1. Columns model, task and question are optional, and sizes are not needed. Other names
            of these columns, such as n and c, are recognised.
        where: Values that rows must have, by column.
        reading: Names of columns, units, separator, decimal mark, encoding and sheet, as for `read_table`.

    Returns:
        The counts, and what was recognised.

    Raises:
        TableError: The file is not whole, a count is bad, a question is repeated, or no row is left.
    """
    reading = reading or Reading()
    reading.check()
    file = Path(path)
    if not file.name.lower().endswith(READABLE):
        raise TableError(f"{path}: found suffix {file.suffix!r}, expected one of {', '.join(READABLE)}")
    raw = raw_table(read_bytes(file), file, "", reading)
    names = [str(name) for name in raw.frame]
    counting = [name for name in names if name in reading.columns or _may_count(name)]
    all_there = all(name in names for name in reading.columns)
    recognised = recognise(counting if all_there else names, reading.columns, raw.place)
    ours = dict(zip(counting, recognised.names, strict=True))
    renamed = [ours.get(name, name) for name in names]
    unique_names(renamed, raw.place)
    frame = raw.frame.set_axis(renamed, axis=1)
    units = {**recognised.units, **{ours.get(name, name): unit for name, unit in reading.units.items()}}
    factors = unit_factors(frame, units, raw.place)
    counts = [name for name in ("trials", "correct") if name in frame]
    cells = frame.loc[:, counts]
    style = style_of(cells, reading.decimal, raw.place)
    written = normalised(cells, style, {name: factors[name] for name in counts if name in factors}, raw.place)
    frame = multiplied(typed_cells(frame.assign(**written), style.decimal), factors, raw.place)
    conditions = {ours.get(name, name): value for name, value in (where or {}).items()}
    return CountsFile(
        counts_of(frame, raw.place, conditions), (*raw.notes, *recognised.notes, *([style.note] if style.note else []))
    )


def _may_count(name: str) -> bool:
    """Tells whether a column may be one of counts, so that others, such as sizes, are not asked about."""
    meaning = meaning_of(name)
    counts = meaning is not None and meaning.column in (*NAMES, "trials", "correct")
    return counts or name in COUNTS or folded(name) == "task_id"
