"""--where keeps the rows that have a value, and refuses what no row has."""

import numpy as np
import pytest

from t2jax.cli.tables.options import ReadingOptions
from t2jax.tables.place import TableError
from t2jax.tables.table import Table


@pytest.fixture
def path(tmp_path):
    model = np.repeat(["a", "b"], 3)
    table = Table.from_columns(model=model, params=np.repeat([1e8, 2e8], 3), tokens=1e10, samples=[1, 2, 4] * 2)
    table.to_csv(tmp_path / "t.csv")
    return str(tmp_path / "t.csv")


def test_rows_of_a_model(path):
    rows = ReadingOptions(where=(("model=b", "samples=2"),)).read(path)
    assert len(rows) == 1 and rows["params"].tolist() == [2e8]
    assert len(ReadingOptions(where=(("params=1e8",),)).read(path)) == 3
    assert len(ReadingOptions().read(path)) == 6


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ("model=c", TableError, "where model='c': 0 of 6 rows, expected at least one row"),
        ("modle=a", TableError, "column 'modle', needed by where, is missing; .*did you mean 'model'"),
        ("params=many", ValueError, "where: found params='many', expected a number"),
        ("model", ValueError, "--where: found 'model', expected NAME=VALUE"),
    ],
)
def test_what_no_row_has(path, given, error, message):
    with pytest.raises(error, match=message):
        ReadingOptions(where=((given,),)).read(path)
