"""Questions about a table before a law is fitted to it: several tasks, swept settings, columns that nothing reads."""

from collections.abc import Sequence

from t2jax import laws
from t2jax.results.votes import RIGHT, WRONG
from t2jax.tables.columns import NUMBERS, TEXTS
from t2jax.tables.place import TableError
from t2jax.tables.reading.headers import folded
from t2jax.tables.reading.recognise import shown
from t2jax.tables.reading.synonyms import TASK_WORDS
from t2jax.tables.sweeps import swept_settings
from t2jax.tables.table import Table

SHOWN = 5
"""Largest number of tasks or columns in a sentence."""


def refuse_pooled(table: Table, pooled: Sequence[str]) -> None:
    """Raises TableError for rows of several tasks, or of a swept setting, that nobody said to pool."""
    for name in pooled:
        table.require(name, needed_by="--pooled")
    tasks = list(dict.fromkeys(map(str, table["task"]))) if "task" in table else []
    if len(tasks) > 1 and "task" not in pooled:
        raise TableError(
            f"{table.source.name}: the rows are of {len(tasks)} tasks ({_first(tasks)}), and each task has its own law:"
            f" keep one with --where task={tasks[0]}, or fit one law to all of them with --pooled task"
        )
    for name in (name for name in table.columns if folded(name) in TASK_WORDS and name not in pooled):
        values = list(dict.fromkeys(map(str, table[name])))
        if "task" not in table and len(values) > 1:
            raise TableError(
                f"{table.source.name}: column {name!r} has {len(values)} values ({_first(values)}), which may be tasks,"
                f" and each task has its own law: keep one with --where {shown(f'{name}={values[0]}')}, or fit one law"
                f" to all of them with --pooled {shown(name)}"
            )
    swept = [name for name in swept_settings(table) if name not in pooled]
    if swept and "loss" in table:
        names, first = shown(",".join(swept)), shown(f"{swept[0]}=...")
        raise TableError(
            f"{table.source.name}: rows of equal params and tokens differ in {' and '.join(swept)}, as in a sweep: keep"
            f" the best of each size with --best-of {names}, rows of one value with --where {first}, or take all"
            f" rows as repetitions with --pooled {names}"
        )


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def unread_columns(table: Table, law: str | None) -> str:
    """Writes a sentence on columns that no law reads, or not the law of that name. It is empty without any."""
    classes = laws.ALL if law in (None, "auto") else (laws.by_name(law),)
    read = {*NUMBERS, *TEXTS, RIGHT, WRONG}.union(*(set(law_class.columns().values()) for law_class in classes))
    unread = [repr(name) for name in table.columns if name not in read]
    if not unread:
        return ""
    several, more = len(unread) > 1, len(unread) - SHOWN
    names = ", ".join(unread[:SHOWN]) + (f" and {more} more" if more > 0 else "")
    return f"column{'s' * several} {names} {'are' if several else 'is'} not read"
