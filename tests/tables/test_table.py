"""Tables: what is read, what is refused and in which words, and that nothing is lost between memory and disk."""

import dataclasses
import gzip

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from t2jax.tables.place import TableError
from t2jax.tables.read import read_table
from t2jax.tables.source import Source
from t2jax.tables.table import Table
from tests.helpers.tables import refusal, small

GOOD = """model,params,tokens,task,loss,samples
a,1e7,2e8,arc,3.5,1
a,1e7,2e8,arc,3.4,2.5
b,1e8,2e9,qa,2.5,1
"""


@pytest.fixture
def write(tmp_path):
    """Writes text or bytes to runs.csv, or another name, and gives back its path."""

    def write_file(content, name="runs.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


def test_reads_columns_in_their_types(write):
    table = read_table(write(GOOD))
    assert len(table) == 3
    assert table.columns == ("model", "params", "tokens", "task", "loss", "samples")
    assert table["params"].dtype == np.float64
    assert table["samples"].tolist() == [1.0, 2.5, 1.0]
    assert table["model"].tolist() == ["a", "a", "b"]
    assert (table["task"] == "arc").tolist() == [True, True, False]
    assert "loss" in table and "weight" not in table
    assert table.source.history[0].startswith(f"read {table.source.name} (sha256 ")
    for part in ("3 rows", "1e+07 to 1e+08", "2e+08 to 2e+09", "runs.csv", "loss"):
        assert part in repr(table)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace("\n", "\n\n").encode(),
        GOOD.replace(",", " ,", 5).encode(),
        GOOD.rstrip().encode(),
    ],
    ids=["byte order mark", "Windows lines", "blank lines", "blanks around names", "no last line break"],
)
def test_reads_harmless_variants(write, content):
    plain, variant = read_table(write(GOOD, "plain.csv")), read_table(write(content))
    pd.testing.assert_frame_equal(plain.to_frame(), variant.to_frame())


def test_reads_compressed(write):
    assert len(read_table(write(gzip.compress(GOOD.encode()), "runs.csv.gz"))) == 3


def test_other_columns_are_kept(write):
    text = "params,tokens,loss,seed,flops,note,id,gap\n1e7,1e9,3,1,1e17,x,007,\n1e8,1e9,2,2,,y,008,\n"
    table = read_table(write(text))
    frame = table.to_frame()
    assert frame["seed"].tolist() == [1, 2] and frame["seed"].dtype == np.int64
    assert frame["flops"].iloc[0] == 1e17 and np.isnan(table["flops"][1])
    assert table["note"].tolist() == ["x", "y"]
    assert table["id"].tolist() == ["007", "008"]
    assert table["gap"].tolist() == ["", ""]


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("b,1e8", "b,7G", ["line 4, column 'params': found '7G'", "expected a number"]),
        ("b,1e8", 'b,"100,00,000"', ["line 4, column 'params': found '100,00,000'", "without commas"]),
        ("b,1e8", "b,1_000_000", ["line 4, column 'params': found '1_000_000', expected a number"]),
        ("b,1e8", "b,", ["line 4, column 'params': found an empty cell, expected a number of parameters > 0"]),
        ("b,1e8", "b,nan", ["line 4, column 'params': found 'nan'"]),
        ("b,1e8", "b,0", ["line 4, column 'params': found '0'"]),
        ("2e9", "-2e9", ["line 4, column 'tokens': found '-2e9', expected a number of training tokens > 0"]),
        ("2e9", "inf", ["line 4, column 'tokens': found 'inf'"]),
        ("2e9", "1e999", ["line 4, column 'tokens': found '1e999'"]),
        (",2.5,1\n", ",-0.1,1\n", ["line 4, column 'loss': found '-0.1', expected a loss > 0 in nats"]),
        (",2.5,1\n", ",2.5,0.5\n", ["line 4, column 'samples': found '0.5', expected a number of samples >= 1"]),
        ("b,1e8", " ,1e8", ["line 4, column 'model': found an empty cell, expected a name"]),
        ("arc,3.4,2.5", "arc,3.4,1", ["line 3: repeats line 2", "model='a'", "samples=1.0", "one row for each"]),
        ("arc,3.4,2.5", "arc,3.4", ["line 3: found 5 cells, expected 6; the row is ragged"]),
        ("arc,3.4,2.5", "arc,3.4,2.5,9", ["line 3: found 7 cells, expected 6; the row is ragged"]),
        (",qa,2.5,1\n", ",qa", ["line 4: found 4 cells, expected 6; the file may be cut off"]),
        ("qa", '"qa', ["line 4: unexpected end of data, expected CSV with every quotation mark closed"]),
        ("task", "loss ", ["found 2 columns named 'loss', expected one"]),
        (
            "params",
            "pramas",
            ["column 'params', needed by every table, is missing", "'model', 'pramas'", "did you mean"],
        ),
    ],
)
def test_refuses_a_csv_in_one_sentence(write, old, new, parts):
    message = refusal(write(GOOD.replace(old, new, 1)))
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("columns", "values", "parts"),
    [
        ("neg_log_pass", "-0.5", ["column 'neg_log_pass': found '-0.5'", ">= 0"]),
        ("pass_at_k", "1.01", ["column 'pass_at_k': found '1.01', expected a probability from 0 to 1"]),
        ("weight", "0", ["column 'weight': found '0', expected a weight > 0"]),
        ("trials", "0", ["column 'trials': found '0', expected a whole number of trials >= 1"]),
        ("trials", "2.5", ["column 'trials': found '2.5'"]),
        ("trials,correct", "5,2.5", ["column 'correct': found '2.5', expected a whole number"]),
        ("trials,correct", "5,-1", ["column 'correct': found '-1'"]),
        ("trials,correct", "5,6", ["column 'correct': found 6.0, expected no more than the trials of that row, 5.0"]),
        ("correct", "6", ["column 'trials', needed by column 'correct', is missing"]),
    ],
)
def test_refuses_values_outside_a_column(write, columns, values, parts):
    message = refusal(write(f"params,tokens,{columns}\n1e7,1e9,{values}\n"))
    for part in parts:
        assert part in message
    if len(values.split(",")) == len(columns.split(",")) and columns != "correct":
        assert "line 2" in message


def test_says_how_many_rows_are_bad(write):
    rows = "".join(f"1e{7 + i},1e9,{loss}\n" for i, loss in enumerate([3, -1, 2, 0, "nan"]))
    message = refusal(write("params,tokens,loss\n" + rows))
    assert "line 3, column 'loss': found '-1'" in message and "(and 2 more such rows)" in message


def test_counts_lines_through_quoted_line_breaks(write):
    message = refusal(write('params,tokens,note,loss\n1e7,1e9,"two\nlines",3\n1e8,1e9,x,-2\n'))
    assert "line 4, column 'loss': found '-2'" in message


@pytest.mark.parametrize(
    ("content", "name", "part"),
    [
        ("", "runs.csv", "the file is empty"),
        ("\n\n", "runs.csv", "the file is empty"),
        ("params,tokens,loss\n", "runs.csv", "there are no rows"),
        (
            b"params,tokens,note\n1e7,1e9,caf\xe9\n",
            "runs.csv",
            "line 2: found byte 0xe9 at offset 30, expected a file in UTF-8",
        ),
        (GOOD.encode("utf-16")[:-1], "runs.csv", "expected a file in utf-16"),
        (gzip.compress(GOOD.encode(), mtime=0)[:-12], "runs.csv.gz", "not a whole gzip file"),
        (GOOD, "runs.csv.gz", "not a whole gzip file"),
        (b"PAR1 and no more", "runs.parquet", "not a whole Parquet file"),
        (b"", "runs.parquet", "the file is empty"),
        (GOOD, "runs.xls", "found suffix '.xls', expected one of .csv, .csv.gz, .tsv"),
    ],
)
def test_refuses_files(write, content, name, part):
    assert part in refusal(write(content, name))


def test_refuses_what_is_no_file(tmp_path):
    assert "cannot be read (No such file or directory)" in refusal(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "cannot be read (Is a directory)" in refusal(tmp_path / "folder.csv")


def test_refuses_a_cut_parquet(write, tmp_path):
    small().to_parquet(tmp_path / "whole.parquet")
    whole = (tmp_path / "whole.parquet").read_bytes()
    assert "not a whole Parquet file" in refusal(write(whole[: len(whole) // 2], "half.parquet"))


def test_parquet_of_other_programs(tmp_path):
    frame = pd.DataFrame({"params": [10**7, 10**8], "tokens": [10**9] * 2, "question": [3, 4], "loss": [3.0, None]})
    frame.set_index("params").to_parquet(tmp_path / "runs.parquet")
    message = refusal(tmp_path / "runs.parquet")
    assert "row 1, column 'loss': found an empty cell (NaN)" in message
    for index in (["params"], ["params", "tokens"]):
        frame.drop(columns="loss").set_index(index).to_parquet(tmp_path / "runs.parquet")
        table = read_table(tmp_path / "runs.parquet")
        assert table["params"].tolist() == [1e7, 1e8] and table["question"].tolist() == ["3", "4"]
    frame.drop(columns="loss").iloc[::-1].to_parquet(tmp_path / "runs.parquet")
    assert read_table(tmp_path / "runs.parquet").columns == ("params", "tokens", "question")
    twice = pa.Table.from_arrays([pa.array([1e7])] * 3, names=["params", "tokens", "tokens "])
    pq.write_table(twice, tmp_path / "runs.parquet")
    assert "found 2 columns named 'tokens'" in refusal(tmp_path / "runs.parquet")


def test_values_in_millions_need_units(write):
    path = write("params,tokens,loss\n70,2,3\n410,20,2\n")
    message = refusal(path)
    for part in ("line 3, column 'params'", "410", "units={'params': \"M\"}", "units={'params': 1}"):
        assert part in message
    table = read_table(path, units={"params": "M", "tokens": "billions"})
    assert table["params"].tolist() == [70e6, 410e6] and table["tokens"].tolist() == [2e9, 20e9]
    assert table.source.units == {"params": 1e6, "tokens": 1e9}
    assert table.source.history[-1].endswith("params times 1e+06, tokens times 1e+09")
    assert read_table(path, units={"params": 1, "tokens": "1e9"})["params"].tolist() == [70, 410]


@pytest.mark.parametrize(
    ("units", "part"),
    [
        ({"params": "lots"}, "found units 'lots' for column 'params', expected a number > 0 or one of k, m, b"),
        ({"params": -1}, "found units -1"),
        ({"param": "M"}, "column 'param', which is not there; did you mean 'params'?"),
        ({"model": "M"}, "column 'model', which holds text"),
    ],
)
def test_refuses_units(write, units, part):
    assert part in refusal(write(GOOD), units=units)


def test_units_do_not_excuse_a_suffix(write):
    assert "found '7B', expected a number" in refusal(write(GOOD.replace("b,1e8", "b,7B")), units={"params": "B"})


def test_repeated_measurements_without_models(write):
    assert len(read_table(write("params,tokens,loss\n1e7,1e9,3.0\n1e7,1e9,3.1\n"))) == 2
    message = refusal(write("params,tokens,loss\n1e7,1e9,3.0\n1e8,1e9,2.0\n1e7,1e9,3.00\n"))
    assert "line 4: repeats line 2" in message


def test_from_columns_and_frames():
    table = small(loss=[3, 2, 1], task="arc", weight=np.float32(2))
    assert table["weight"].tolist() == [2, 2, 2] and table["task"].tolist() == ["arc"] * 3
    with pytest.raises(TableError, match=r"^mine, row 1, column 'loss': found -1, expected a loss > 0"):
        small(loss=[1, -1, 2], source=Source(name="mine"))
    with pytest.raises(TableError, match=r"column 'loss' has shape \(2,\), expected \(3,\)"):
        small(loss=[1, 2])
    with pytest.raises(TableError, match="found True, expected a number"):
        small(loss=[True, False, True])
    with pytest.raises(TableError, match="row 1, column 'task': found an empty cell"):
        small(task=["a", None, "b"])
    with pytest.raises(TableError, match="found 2 columns named 'loss'"):
        Table(pd.DataFrame([[1e7, 1e9, 1, 2]], columns=["params", "tokens", "loss", "loss "]))
    with pytest.raises(TableError, match="no rows"):
        small(params=[], tokens=[])
    with pytest.raises(TableError, match="raw counts"):
        small(params=[1, 2, 3])
    assert len(small(params=[1, 2, 3], source=Source(units={"params": 1.0}))) == 3
    shuffled = pd.DataFrame({"params": [1e7, 1e8], "tokens": [1e9, 1e9]}, index=[5, 3])
    assert Table(shuffled)["params"].tolist() == [1e7, 1e8]


def test_a_table_never_changes():
    frame = pd.DataFrame({"params": [1e7], "tokens": [1e9]})
    table = Table(frame)
    frame.loc[0, "params"] = 5.0
    table["params"][0] = 6.0
    copy = table.to_frame()
    copy.loc[0, "params"] = 7.0
    assert table["params"].tolist() == [1e7]
    with pytest.raises(dataclasses.FrozenInstanceError):
        table.source = Source()  # pyright: ignore[reportAttributeAccessIssue]


def test_missing_columns_are_named():
    table = small(Loss=[3, 2, 1], n_samples=[1, 2, 3])
    with pytest.raises(
        TableError, match=r"'loss', needed by T2Loss, is missing; columns there: .*did you mean 'Loss'\?"
    ):
        table.require("params", "loss", needed_by="T2Loss")
    with pytest.raises(TableError, match=r"did you mean 'n_samples'\?"):
        table.require("samples", needed_by="T2Loss")
    with pytest.raises(TableError, match="column 'colour'"):
        table["colour"]
    with pytest.raises(TableError, match="column 0"):
        list(table)  # no sequence of rows  # pyright: ignore[reportArgumentType]
    table.require("params", "tokens", needed_by="Chinchilla")
    with pytest.raises(TableError, match="3 rows, but Chinchilla needs at least 5"):
        table.require_rows(5, needed_by="Chinchilla")
    table.require_rows(3, needed_by="Chinchilla")


def test_where(write):
    table = read_table(write(GOOD))
    by_mask, by_function = table.where(table["params"] > 2e7), table.where(lambda t: t["params"] > 2e7)
    assert by_mask["model"].tolist() == by_function["model"].tolist() == ["b"]
    assert by_mask.source.history[-1] == "where mask: 1 of 3 rows"
    assert len(table.where(task="arc")) == 2
    assert len(table.where(task=["arc", "qa"])) == 3
    both = table.where(lambda t: t["loss"] < 3.45, task="arc", samples=2.5)
    assert both["loss"].tolist() == [3.4]
    assert both.source.history[-1] == "where <lambda> and task='arc' and samples=2.5: 1 of 3 rows"
    assert both.source.history[0] == table.source.history[0]
    with pytest.raises(TableError, match="where task='mmlu': 0 of 3 rows"):
        table.where(task="mmlu")
    with pytest.raises(TableError, match=r"column 'tsk', needed by where, is missing; .*did you mean 'task'"):
        table.where(tsk="arc")
    with pytest.raises(TableError, match=r"int64 and shape \(2,\), expected booleans of shape \(3,\)"):
        table.where(np.array([0, 1]))


def test_keep_lowest_keeps_the_best_row_of_each_size():
    """Sizes differ in params, tokens, k or task; `experts` counts where it is named. Order and line numbers stay."""
    columns = {"params": [1e8, 1e8, 1e9, 1e8, 1e8], "tokens": 2e10, "task": ["a", "a", "a", "b", "a"]}
    table = Table.from_columns(**columns, loss=[3.1, 2.9, 2.5, 2.0, 3.0], experts=[1, 1, 1, 1, 8])
    assert table.keep_lowest("loss")["loss"].tolist() == [2.9, 2.5, 2.0]
    assert table.keep_lowest("loss", "experts")["loss"].tolist() == [2.9, 2.5, 2.0, 3.0]
    assert table.keep_lowest("loss").source.history[-1] == "keep the lowest loss of each size: 3 of 5 rows"
    for name in ("los", "task"):
        with pytest.raises(TableError):
            table.keep_lowest(name)


def test_where_and_with_columns_believe_small_models():
    table = small(params=[5000.0, 1e6, 1e9]).where(lambda t: t["params"] < 1e4)
    assert table.with_columns(loss=2.0)["params"].tolist() == [5000.0]
    with pytest.raises(TableError, match="raw counts"):
        table.with_columns(params=5.0)


def test_with_columns():
    table = small().with_columns(loss=[3, 2, 1], task="arc")
    assert table["loss"].tolist() == [3, 2, 1] and table.columns[-1] == "task"
    assert table.source.history[-1] == "with loss, task"
    assert table.with_columns(loss=pd.Series([1, 2, 3], index=[2, 1, 0]))["loss"].tolist() == [1, 2, 3]
    with pytest.raises(TableError, match="row 1, column 'loss': found 0, expected"):
        table.with_columns(loss=[1, 0, 2])
    with pytest.raises(TableError, match=r"column 'loss' has shape \(2,\), expected \(3,\)"):
        table.with_columns(loss=[1, 2])


def test_runs():
    by_size = small(params=[1e8, 1e7, 1e8], tokens=[1e9, 1e9, 1e9], loss=[1, 2, 3], task=["a", "a", "b"])
    assert by_size.runs().tolist() == [0, 1, 0]
    by_model = by_size.with_columns(model=["x", "y", "z"])
    assert by_model.runs().tolist() == [0, 1, 2]
    assert by_model.runs().dtype.kind == "i"
