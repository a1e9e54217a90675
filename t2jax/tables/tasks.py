"""The tables of several tasks: one for each by its name."""

from collections.abc import Mapping

from t2jax.tables.place import TableError
from t2jax.tables.table import Table


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
