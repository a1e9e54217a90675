"""Sizes and losses of files that are possible and not plausible: asked about, or read with a note."""

import numpy as np
import pandas as pd
import pytest

from t2jax.tables.place import TableError
from t2jax.tables.read import read_with
from t2jax.tables.reading.options import Reading

SIZES, LENGTHS = [20000000, 66289080, 219712100, 728225700, 2413670500], [4e8, 1.3e9, 4.3e9, 1.4e10, 4.6e10]
N, D = (axis.ravel() for axis in np.meshgrid(np.array(SIZES, float), LENGTHS))
LOSS = 1.7 + 475 * N**-0.35 + 440 * D**-0.28


def read(folder, **changed):
    """Reads a file of 25 runs, with columns changed, and units that confirm them."""
    units = changed.pop("units", {})
    columns = {"params": N, "tokens": D, "loss": LOSS, **changed}
    path = folder / "runs.csv"
    pd.DataFrame(columns).to_csv(path, index=False)
    return read_with(path, Reading(units=units))


def with_cell(values, row, cell):
    return np.where(np.arange(len(values)) == row, cell, values)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"params": N / 100}, r"line 3, column 'params': found 662890\.8, expected a whole number of parameters"),
        ({"params": with_cell(N, 6, 660000.3)}, r"line 8, column 'params': found 660000\.3, expected a whole number"),
        ({"tokens": D * 1e4}, r"column 'tokens': found 4\.6e\+14 tokens of a measured run, expected at most 1e\+14"),
        (
            {"loss": with_cell(LOSS, 17, 12.0)},
            r"line 19, column 'loss': found 12, while a run with no more params and no",
        ),
        (
            {"loss": with_cell(LOSS, 18, 1.1)},
            r"line 20, column 'loss': found 1\.1, while a run with no fewer params and",
        ),
    ],
)
def test_possible_values_are_asked_about(changed, message, tmp_path):
    (column,) = changed
    with pytest.raises(TableError, match=message):
        read(tmp_path, **changed)
    believed = read(tmp_path, **changed, units={column: 1})
    np.testing.assert_allclose(believed[column], changed[column], rtol=1e-15)


@pytest.mark.parametrize("rows", [14, 19, 24])
def test_a_cell_a_power_of_ten_off_in_a_grid_that_is_cut_off(rows, tmp_path):
    """The sizes of each length are listed in turn, and 728,225,700 at 1.3e9 tokens is written as 7,282,257."""
    columns = {"params": with_cell(N, 8, 7282257)[:rows], "tokens": D[:rows], "loss": LOSS[:rows]}
    path = tmp_path / "runs.csv"
    pd.DataFrame(columns).to_csv(path, index=False)
    with pytest.raises(TableError, match=r"line 10, column 'params': found 7\.28226e\+06, .* lacks 7\.28226e\+08 here"):
        read_with(path, Reading())


@pytest.mark.parametrize(
    ("changed", "note"),
    [
        (
            {"tokens": with_cell(D, 13, 7e9)},
            "line 15 has 7e+09 tokens, where the other rows form a grid that lacks 4.3e+09",
        ),
        ({"tokens": D * 1e3}, "half of the rows have at least 2e+04 tokens for each param, and published tables have"),
        ({"loss": LOSS / 10}, "the least loss is 0.2"),
        ({"tokens": with_cell(D / 10, 3, 40000000.7)}, "some tokens have fractions, as 40000000.7"),
    ],
)
def test_what_some_tables_have_is_read_with_a_note(changed, note, tmp_path):
    table = read(tmp_path, **changed)
    assert any(sentence.startswith(note) for sentence in table.notes)
    assert len(table) == 25


def test_ordinary_tables_have_no_note(tmp_path):
    """Whole counts; digitised sizes with many digits; eighths of experts; noise; a run that diverged in a sweep."""
    rng = np.random.default_rng(0)
    ordinary = [
        {},
        {"params": N * rng.uniform(0.99, 1.01, 25), "tokens": D * rng.uniform(0.99, 1.01, 25)},
        {"params": N + rng.integers(0, 8, 25) / 8},
        {"loss": LOSS * rng.uniform(0.97, 1.03, 25)},
        {"loss": with_cell(LOSS, 17, 12.0), "lr": np.arange(25) * 1e-4},
    ]
    for changed in ordinary:
        assert read(tmp_path, **changed).notes == ()
