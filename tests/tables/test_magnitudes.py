"""Values in other units, or of another quantity, are refused with line, value and remedy; `units` believes them."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from t2jax.tables.place import TableError
from t2jax.tables.read import read_table
from t2jax.tables.source import Source
from t2jax.tables.table import Table
from tests.helpers.tables import small

N, D = np.geomspace(2e7, 8e9, 6), np.geomspace(3.4e8, 1.47e11, 6)
LOSS = np.linspace(3.0, 2.0, 6)


def table(units=(), **changed):
    columns = {"params": N, "tokens": D, "loss": LOSS, **changed}
    return Table(pd.DataFrame(columns), Source(units=dict.fromkeys(units, 1.0)))


def with_cell(values, cell, row=3):
    return np.where(np.arange(len(values)) == row, cell, values)


@pytest.mark.parametrize("cell", [0.5, 5.0, 1e-7, 1.3, 125.0])
@pytest.mark.parametrize("column", ["params", "tokens"])
def test_one_cell_in_other_units(column, cell):
    changed = {column: with_cell({"params": N, "tokens": D}[column], cell)}
    with pytest.raises(TableError, match=f"row 3, column '{column}': found {cell:g} among values from .*one unit"):
        table(**changed)
    assert table(units=[column], **changed)[column][3] == cell


def test_small_models_on_a_ladder_are_believed():
    """Kaplan et al. 2020 (2001.08361) train from 768 parameters to 1.5e9."""
    assert len(table(params=np.geomspace(768, 1.5e9, 6))) == 6


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("params", with_cell(N, 1e308)),
        ("tokens", D * 1e200),
        ("trials", np.full(6, 1e18)),
        ("samples", np.full(6, 1e13)),
        ("loss", with_cell(LOSS, 1e36)),
        ("loss", LOSS * 1e3),
        ("loss", LOSS * 1e-9),
        ("tokens", D / 1e3),
    ],
)
def test_beyond_anything_measured(column, values):
    with pytest.raises(
        TableError, match=f"column '{column}': .*units={{'{column}': 1}}, in commands --units {column}=1"
    ):
        table(**{column: values})
    np.testing.assert_array_equal(table(units=[column], **{column: values})[column], values)


def test_swapped_columns():
    with pytest.raises(TableError, match="no row has as many tokens as params: are tokens in thousands, or the two"):
        table(params=D, tokens=N)


def from_file(folder, columns, **options):
    path = folder / "runs.csv"
    pd.DataFrame(columns).to_csv(path, index=False)
    return read_table(path, **options)


@pytest.mark.parametrize(("swapped", "refused"), [(2, False), (3, True), (4, True)])
def test_columns_swapped_in_half_of_the_rows_of_a_file(tmp_path, swapped, refused):
    """D/N is from 17 to 18.4, so the ratio of a swapped row is 1/17 at most."""
    rows = np.arange(6) < swapped
    columns = {"params": np.where(rows, D, N), "tokens": np.where(rows, N, D), "loss": LOSS}
    if refused:
        with pytest.raises(TableError, match=r"half of the rows have at most 0\.05[89] tokens for each param"):
            from_file(tmp_path, columns)
    else:
        assert len(from_file(tmp_path, columns)) == 6
    assert len(table(**columns)) == 6  # what a script computes is believed


def test_both_columns_of_a_file_in_millions(tmp_path):
    """70 million to 70 billion parameters in millions are possible counts, but not beside so few tokens."""
    columns: dict[str, Any] = {"params": [70, 12000, 70000], "tokens": [2e4, 3e5, 1.4e6], "loss": [3.0, 2.3, 2.0]}
    with pytest.raises(
        TableError, match="line 4, column 'params': the largest params are 70000 and the largest tokens"
    ):
        from_file(tmp_path, columns)
    with pytest.raises(TableError, match="column 'tokens': the largest params are 70000"):
        from_file(tmp_path, columns, units={"params": 1})
    assert len(from_file(tmp_path, columns, units={"params": 1, "tokens": 1})) == 3
    assert len(Table.from_columns(**columns)) == 3
    columns["tokens"] = [2e4, 3e5, 1.1e7]
    assert len(from_file(tmp_path, columns)) == 3


def test_losses_of_tiny_models_may_be_large():
    """A table like the testbed's: at most 9e5 params, and a loss of 23 nats of an answer of two tokens."""
    tiny: dict[str, Any] = {"params": [2e3, 9e4, 9e5], "tokens": [1e6, 4e6, 2e7]}
    assert len(Table.from_columns(**tiny, loss=[23.0, 9.0, 5.0])) == 3
    with pytest.raises(TableError, match="found 26, expected at most 25 nats"):
        Table.from_columns(**tiny, loss=[26.0, 9.0, 5.0])
    with pytest.raises(TableError, match="found 16, expected at most 15 nats"):
        table(loss=with_cell(LOSS, 16.0))


def test_unmeasured_rows_may_have_few_tokens():
    assert len(Table.from_columns(params=7e10, tokens=1e9)) == 1


def test_perplexities(tmp_path):
    """The loss is at most ln V nats where a model guesses evenly: 12.5 for a vocabulary of 262,144."""
    path = tmp_path / "ppl.csv"
    perplexity = np.exp(np.linspace(2.3, 4.59, 6))  # from 10 to 98
    pd.DataFrame({"params": N, "tokens": D, "loss": perplexity}).to_csv(path, index=False)
    with pytest.raises(TableError, match=r"ppl.csv, line 3, column 'loss': found 15\.7683.*of a perplexity take"):
        read_table(path)
    believed = read_table(path, units={"loss": 1})
    np.testing.assert_allclose(np.log(believed["loss"][[0, -1]]), [2.3, 4.59])
    believed.to_csv(path)
    np.testing.assert_array_equal(read_table(path)["loss"], believed["loss"])


@pytest.mark.parametrize(
    ("columns", "hint"),
    [
        (["val_ppl"], "; the loss is the log of 'val_ppl'"),
        (["Perplexity"], "; the loss is the log of 'Perplexity'"),
        (["bpb"], "; the loss is 'bpb' times ln 2 times the bytes of a token"),
        (["bits_per_byte"], "; the loss is 'bits_per_byte' times ln 2 times the bytes of a token"),
        (["Loss", "train_loss"], "; did you mean 'Loss'?"),
        (["train_loss", "val_loss"], "; did you mean 'val_loss' or 'train_loss'?"),
    ],
)
def test_hints_of_losses(columns, hint):
    result = Table(pd.DataFrame({"params": N, "tokens": D, **dict.fromkeys(columns, LOSS)}))
    with pytest.raises(TableError) as refused:
        result.require("loss", needed_by="Chinchilla")
    assert str(refused.value).endswith(hint)


@pytest.mark.parametrize(
    ("columns", "hint"),
    [
        (
            ["active_params", "total_params"],
            "; did you mean 'total_params' or 'active_params'? Of a mixture of experts",
        ),
        (["params_non_embedding", "params_total"], "; did you mean 'params_total' or 'params_non_embedding'?"),
        (["pramas"], "; did you mean 'pramas'?"),
        (["compute"], "ComputeLoss (--law compute-loss) is a law of compute alone"),
        (["N"], "; rename column 'N'?"),
    ],
)
def test_hints_of_sizes(columns, hint):
    with pytest.raises(TableError) as refused:
        Table(pd.DataFrame({"tokens": D, "loss": LOSS, **dict.fromkeys(columns, N)}))
    assert hint in str(refused.value)


def test_a_model_of_a_file_has_one_size(tmp_path):
    small(model=["a", "b", "a"], params=[1e8, 2e8, 1e9]).to_csv(tmp_path / "two.csv")
    with pytest.raises(TableError, match=r"line 4, column 'params': found 1000000000\.0, expected 1e\+08 as in line 2"):
        read_table(tmp_path / "two.csv")
    small(model="a", params=1e8, tokens=[1e9, 2e9, 3e9]).to_csv(tmp_path / "one.csv")  # checkpoints
    assert len(read_table(tmp_path / "one.csv")) == 3


def test_long_cells_are_cut():
    with pytest.raises(TableError) as refused:
        small(params=["1" * 400 + "x", "1e8", "1e8"])
    assert len(str(refused.value)) < 200 and "... (403 characters)" in str(refused.value)


def test_columns_that_are_read_are_numbers(tmp_path):
    path = tmp_path / "moe.csv"
    pd.DataFrame({"params": N, "tokens": D, "loss": LOSS, "experts": [8, 8, 16, "e8", 8, 8]}).to_csv(path, index=False)
    result = read_table(path)
    expected = "moe.csv, line 5, column 'experts': found 'e8', expected a number, for MoE"
    for table in (result, result.where(lambda t: t["params"] > 1e8), result.with_columns(seed=1)):
        with pytest.raises(TableError, match=expected):
            table.require_numbers("params", "experts", needed_by="MoE")
    with pytest.raises(TableError, match=r"row 1, column 'experts': found an empty cell \(NaN\), expected a number"):
        small(experts=[1.0, np.nan, 2.0]).require_numbers("experts", needed_by="MoE")


GRID_N, GRID_D = (axis.ravel() for axis in np.meshgrid(np.geomspace(2e7, 2e9, 3), [1e9, 3e9, 1e10, 3e10]))


def written(path, params, tokens):
    pd.DataFrame({"params": params, "tokens": tokens, "loss": 3.0 - 0.01 * np.arange(len(params))}).to_csv(path)
    return path


@pytest.mark.parametrize(
    ("column", "factor"), [("params", 1e2), ("params", 1e-1), ("tokens", 1e2), ("tokens", 1e-2), ("tokens", 1e3)]
)
def test_a_cell_a_power_of_ten_off_in_a_grid_is_asked_about(column, factor, tmp_path):
    columns = {"params": GRID_N, "tokens": GRID_D}
    wrong = columns | {column: with_cell(columns[column], columns[column][4] * factor, row=4)}
    path = written(tmp_path / "runs.csv", **wrong)
    lacks = re.escape(f"lacks {columns[column][4]:g} here: is it a factor of {factor:g} off")
    with pytest.raises(TableError, match=f"line 6, column '{column}': found .*{lacks}"):
        read_table(path)
    assert read_table(path, units={column: 1})[column][4] == pytest.approx(columns[column][4] * factor)


def test_grids_and_ladders_that_are_meant_are_believed(tmp_path):
    """A grid, one with a run more on a ladder of tens, one with two cells missing, and runs along D = 20 N."""
    cases = [
        (GRID_N, GRID_D),
        (np.append(GRID_N, 2e10), np.append(GRID_D, 3e10)),
        (with_cell(GRID_N, 2e10, row=4)[1:], GRID_D[1:]),
        (np.geomspace(1e7, 1e12, 6), 20 * np.geomspace(1e7, 1e12, 6)),
    ]
    for params, tokens in cases:
        assert len(read_table(written(tmp_path / "runs.csv", params, tokens))) == len(params)
