"""What the tests of tables share: a small table, and the refusal of a bad file."""

from typing import Any

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
