"""Splits a table of several tasks into one table per task."""

from collections.abc import Mapping

from t2jax.tables.place import TableError
from t2jax.tables.table import Table


def tasks_of(tables: Table | Mapping[str, Table], by: str) -> dict[str, Table]:
    """Splits by task as `named_tables`; raises ValueError for fewer than two tasks."""
    tables = named_tables(tables, by)
    if len(tables) < 2:
        raise ValueError(f"found {len(tables)} task ({', '.join(tables)}), expected at least 2; sample takes one alone")
    return tables


def named_tables(tables: Table | Mapping[str, Table], by: str) -> dict[str, Table]:
    """Splits a table by the column `by`, or checks a mapping of tables; tasks are in the order of first appearance."""
    if isinstance(tables, Table):
        tables.require(by, needed_by="sample_tasks")
        names = list(dict.fromkeys(tables[by].tolist()))
        if absent := [name for name in names if name is None or name != name]:
            raise TableError(f"{tables.source.name}: column {by!r} has {absent[0]!r} in a row, expected a name in each")
        by_name = {f"{name:g}" if isinstance(name, float) else str(name): tables.where(**{by: name}) for name in names}
    else:
        by_name = dict(tables)
    for name, table in by_name.items():
        if not isinstance(table, Table) or not len(table):
            description = "a table without rows" if isinstance(table, Table) else repr(type(table).__name__)
            raise ValueError(f"task {name!r}: found {description}, expected a Table with rows")
    return by_name
