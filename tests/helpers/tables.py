"""What tests share: a small table, the refusal of a bad file, and how many programs JAX compiles."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import pytest

from t2jax.tables.place import TableError
from t2jax.tables.read import read_table
from t2jax.tables.table import Table


def refusal(path, **options):
    with pytest.raises(TableError) as caught:
        read_table(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def small(**columns) -> Table:
    defaults: dict[str, Any] = {"params": [1e7, 1e8, 1e9], "tokens": [1e9, 1e10, 1e11]}
    return Table.from_columns(**defaults | columns)


_compiled: list[str] = []


def _note(event: str, *_: Any, **__: Any) -> None:
    if event == "/jax/core/compile/backend_compile_duration":
        _compiled.append(event)


jax.monitoring.register_event_duration_secs_listener(_note)


@contextmanager
def count_compilations() -> Iterator[Callable[[], int]]:
    """How many programs were compiled since the block began, those from the cache on disk included."""
    before = len(_compiled)
    yield lambda: len(_compiled) - before
