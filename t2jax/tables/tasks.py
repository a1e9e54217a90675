"""The tables of several tasks: one for each by its name, and the runs that they have in common."""

from collections.abc import Mapping

import numpy as np

from t2jax.tables.place import TableError
from t2jax.tables.table import Table

RUN = "run (shared)"
"""The column of `numbered`, which no file is likely to have."""


def tasks_of(tables: Table | Mapping[str, Table], by: str) -> dict[str, Table]:
    """The table of each of two tasks or more by name, in the order of first appearance. Raises as `sample_tasks`."""
    found = named_tables(tables, by)
    if len(found) < 2:
        raise ValueError(f"found {len(found)} task ({', '.join(found)}), expected at least 2; sample takes one alone")
    return found


def named_tables(tables: Table | Mapping[str, Table], by: str) -> dict[str, Table]:
    """The table of each task by name, as `tasks_of` but of any number of tasks."""
    if isinstance(tables, Table):
        tables.require(by, needed_by="sample_tasks")
        names = list(dict.fromkeys(tables[by].tolist()))
        if absent := [name for name in names if name is None or name != name]:
            raise TableError(f"{tables.source.name}: column {by!r} has {absent[0]!r} in a row, expected a name in each")
        found = {f"{name:g}" if isinstance(name, float) else str(name): tables.where(**{by: name}) for name in names}
    else:
        found = dict(tables)
    for name, table in found.items():
        if not isinstance(table, Table) or not len(table):
            given = "a table without rows" if isinstance(table, Table) else repr(type(table).__name__)
            raise ValueError(f"task {name!r}: found {given}, expected a Table with rows")
    return found


def numbered(tables: Mapping[str, Table]) -> tuple[dict[str, Table], int]:
    """The tables with the column RUN, which numbers the runs of all of them together from 0, and how many these are.

    Runs are the same where their `model` is, else their params and tokens. Raises TableError for tables of which some
    have a `model`, and for a model that has more than one params or tokens: it is more than one checkpoint.
    """
    with_model = [of for of, table in tables.items() if "model" in table]
    if with_model and len(with_model) < len(tables):
        without = next(of for of in tables if of not in with_model)
        raise TableError(f"task {without!r} has no column 'model', {with_model[0]!r} has: expected it in all or none")
    columns = ("params", "tokens")
    both = [np.concatenate([table[name] for table in tables.values()]) for name in columns]
    named = np.concatenate([table["model"] for table in tables.values()]) if with_model else both[0] + 1j * both[1]
    runs, first, number = np.unique(named, return_index=True, return_inverse=True)
    number = number.ravel()
    for name, values in zip(columns, both, strict=True):
        if np.any(bad := values != values[first][number]):
            i = int(bad.argmax())
            raise TableError(
                f"model {runs[number[i]]!s} has {name} = {values[i]:g} in one row and {values[first][number[i]]:g} in"
                " another, expected one checkpoint a model"
            )
    split = np.split(number.astype(float), np.cumsum([len(table) for table in tables.values()])[:-1])
    found = {of: table.with_columns(**{RUN: at}) for (of, table), at in zip(tables.items(), split, strict=True)}
    return found, len(runs)
