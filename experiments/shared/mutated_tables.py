"""Tables of runs with one or two mistakes, and what `t2.read_table` makes of them."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from t2jax.tables.place import TableError
from t2jax.tables.read import read_with
from t2jax.tables.reading.options import Reading
from t2jax.tables.table import Table

HEADER = ["params", "tokens", "loss"]
GRID = np.meshgrid(np.geomspace(2e7, 8e9, 6), np.geomspace(4e8, 1.5e11, 6))
PARAMS, TOKENS = (np.round(axis.ravel()) for axis in GRID)
LOSS = np.round(1.7 + 475 * PARAMS**-0.35 + 440 * TOKENS**-0.28, 4)
ODD = ["", " ", "nan", "inf", "-inf", "n/a", "None", "-1", "0", "1e400", "0x10", "1_000", "1,000", "1.3B", "7b", "12 M"]
ODD += [
    "abc",
    "#REF!",
    "=1+1",
    "12%",
    "1e-300",
    "1e30",
    "½",
    "１２",
    "True",
    "\x00",
    '"',
    "3;4",
    "1.2.3",
    "--",
    "5e",
    "𝟙",
]


def cells():
    rows = zip(PARAMS, TOKENS, LOSS, strict=True)
    return [list(HEADER), *([f"{n:.0f}", f"{d:.0f}", f"{loss:g}"] for n, d, loss in rows)]


def odd_cell(table, rng):
    table[rng.integers(1, len(table))][rng.integers(3)] = str(rng.choice(ODD))


def scaled_cell(table, rng):
    row, column = rng.integers(1, len(table)), rng.integers(3)
    table[row][column] = f"{float(table[row][column]) * 10.0 ** rng.integers(-9, 10):.10g}"


def scaled_column(table, rng):
    column, factor = rng.integers(3), 10.0 ** rng.integers(-9, 10)
    for row in table[1:]:
        row[column] = f"{float(row[column]) * factor:.10g}" if _number(row[column]) else row[column]


def swapped_columns(table, rng):
    first, second = rng.choice(3, 2, replace=False)
    table[0][first], table[0][second] = table[0][second], table[0][first]


def renamed_column(table, rng):
    names = [
        "N",
        "D",
        "Loss",
        "params_M",
        "ppl",
        "bpb",
        "",
        "params",
        "val_loss",
        "x",
        "active_params",
        "accuracy",
        "#",
    ]
    table[0][rng.integers(3)] = str(rng.choice(names))


def dropped_cell(table, rng):
    row = table[rng.integers(len(table))]
    if row:
        row.pop(rng.integers(len(row)))


def added_cell(table, rng):
    table[rng.integers(len(table))].append(str(rng.choice(ODD)))


def repeated_row(table, rng):
    table.append(list(table[rng.integers(1, len(table))]))


def dropped_rows(table, rng):
    del table[rng.integers(1, len(table)) :]


def exchanged_cells(table, rng):
    row = table[rng.integers(1, len(table))]
    row[0], row[-1] = row[-1], row[0]


def comment(table, rng):
    table.insert(rng.integers(len(table)), [f"# {rng.choice(ODD)}"])


def empty_row(table, rng):
    table.insert(rng.integers(len(table) + 1), ["", "", ""])


MUTATIONS = [odd_cell, odd_cell, odd_cell, scaled_cell, scaled_cell, scaled_column, scaled_column, swapped_columns]
MUTATIONS += [renamed_column, renamed_column, dropped_cell, added_cell, repeated_row, dropped_rows, exchanged_cells]
MUTATIONS += [comment, empty_row]


def _number(text):
    try:
        return np.isfinite(float(text)) and "_" not in text
    except ValueError:
        return False


def mutated(rng):
    """Bytes of a table with one or two mistakes, written with one of four separators, and sometimes cut off."""
    table = cells()
    for _ in range(rng.integers(1, 3)):
        with contextlib.suppress(ValueError, IndexError):  # a second mistake need not apply to what the first one left
            rng.choice(MUTATIONS)(table, rng)
    separator = str(rng.choice([",", ",", ",", ",", ";", "\t", "|"]))
    data = "\n".join(separator.join(row) for row in table).encode() + b"\n"
    if rng.random() < 0.1:
        data = data[: rng.integers(len(data))]
    if rng.random() < 0.05:
        at = rng.integers(max(len(data), 1))
        data = data[:at] + bytes([rng.integers(256)]) + data[at + 1 :]
    return data


def nonsense(table):
    """Whether a row that was read is none of the true ones within a factor of two."""
    truth = np.log(np.stack([PARAMS, TOKENS, LOSS], axis=1))
    read = np.log(np.stack([table[name] for name in HEADER], axis=1))
    distance = np.abs(read[:, None] - truth[None]).max(axis=2).min(axis=1)
    return bool(np.any(distance > np.log(2)))


@dataclass(frozen=True)
class Attempt:
    """A mutated table and what became of it.

    Attributes:
        data: Bytes of the file.
        table: The table that was read, None where it was refused.
        refusal: The sentence of the refusal, empty where it was read.
    """

    data: bytes
    table: Table | None
    refusal: str = ""

    @property
    def kind(self) -> str:
        """The table is "refused", has "no loss", is "nonsense", also "doubted" with a note, or is "right"."""
        if self.table is None:
            return "refused"
        if "loss" not in self.table:
            return "no loss"
        if not nonsense(self.table):
            return "right"
        return "doubted" if self.doubts else "nonsense"

    @property
    def doubts(self) -> list[str]:
        """Notes of the table that ask whether a value is meant."""
        return [] if self.table is None else [note for note in self.table.notes if note.endswith("?")]


def attempts(path: Path, count: int, seed: int) -> list[Attempt]:
    """Writes mutated tables to a file and reads them. Any exception but a refusal is not caught."""
    rng, tried = np.random.default_rng(seed), []
    for _ in range(count):
        data = mutated(rng)
        path.write_bytes(data)
        try:
            tried.append(Attempt(data, read_with(path, Reading())))
        except TableError as refusal:
            tried.append(Attempt(data, None, str(refusal)))
    return tried
