"""The tables of several tasks: one for each by its name, and the runs that they have in common."""

from collections.abc import Mapping

import numpy as np

from t2jax.table import Table, TableError

RUN = "shared_run"
"""The column of `numbered`."""


def tasks_of(tables: Table | Mapping[str, Table], by: str) -> dict[str, Table]:
    """The table of each task by name, of one table in the order of first appearance. Raises as `sample_tasks`."""
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
    if len(found) < 2:
        raise ValueError(f"found {len(found)} task ({', '.join(found)}), expected at least 2; sample takes one alone")
    return found


def numbered(tables: Mapping[str, Table]) -> tuple[dict[str, Table], int]:
    """The tables with the column RUN, which numbers the runs of all of them together from 0, and how many these are.

    Runs are the same where their `model` is, in every table, else their params and tokens.
    """
    by_model = all("model" in table for table in tables.values())
    named = [table["model"] if by_model else table["params"] + 1j * table["tokens"] for table in tables.values()]
    runs, number = np.unique(np.concatenate(named), return_inverse=True)
    split = np.split(number.ravel().astype(float), np.cumsum([len(one) for one in named])[:-1])
    found = {of: table.with_columns(**{RUN: at}) for (of, table), at in zip(tables.items(), split, strict=True)}
    return found, len(runs)
