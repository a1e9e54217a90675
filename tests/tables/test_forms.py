"""The same runs as people write them down: what is read as it is, what with one option, and what is asked."""

import warnings

import numpy as np
import pandas as pd
import pytest

from experiments.shared.table_forms import (
    AS_THEY_ARE,
    DECIMAL,
    JSON,
    LOSS,
    OTHER_FORMATS,
    PARAMS,
    PLAIN,
    ROWS,
    TOKENS,
    WITH_EMPTY,
    WITH_ONE_OPTION,
    csv,
)
from t2jax.tables.place import TableError
from t2jax.tables.read import read_table, read_with
from t2jax.tables.reading.options import Reading


def compare(table):
    for name, wanted in (("params", PARAMS), ("tokens", TOKENS), ("loss", LOSS)):
        np.testing.assert_allclose(table[name], wanted, rtol=1e-12)


@pytest.fixture
def write(tmp_path):
    def write_file(content, name="runs.csv"):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / name

    return write_file


@pytest.mark.parametrize("content", AS_THEY_ARE.values(), ids=AS_THEY_ARE)
def test_read_as_they_are(write, content):
    compare(read_with(write(content), Reading()))


@pytest.mark.parametrize(("name", "content"), OTHER_FORMATS.items(), ids=OTHER_FORMATS)
def test_other_formats(write, name, content):
    compare(read_with(write(content, name), Reading()))


def test_parquet_of_other_programs_has_other_names_too(tmp_path):
    pd.DataFrame({"N": PARAMS, "D": TOKENS, "val_loss": LOSS}).to_parquet(tmp_path / "runs.parquet")
    compare(read_with(tmp_path / "runs.parquet", Reading()))


def asked(path, **options):
    with pytest.raises(TableError) as refused:
        read_with(path, Reading(**options))
    return str(refused.value)


@pytest.mark.parametrize("form", WITH_ONE_OPTION, ids=[form.name for form in WITH_ONE_OPTION])
def test_one_option_answers_the_question(write, form):
    path = write(form.content)
    assert form.question in asked(path)
    if form.options.get("decimal"):  # the file has 3 decimals of each loss
        np.testing.assert_allclose(read_with(path, Reading(**form.options))["loss"], np.round(LOSS, 3))
    else:
        compare(read_with(path, Reading(**form.options)))


def test_a_perplexity_as_small_as_a_loss_is_asked_about(write):
    """A name such as ppl says one thing and values of 2 to 4 another; `--loss-unit nats` keeps the values."""
    path = write(csv("params,tokens,ppl"))
    assert "--loss-unit perplexity or --loss-unit nats" in asked(path)
    np.testing.assert_allclose(read_with(path, Reading(loss_unit="perplexity"))["loss"], np.log(LOSS))
    compare(read_with(path, Reading(columns={"ppl": "loss"}, loss_unit="nats")))


def test_what_was_recognised_is_told(write):
    path = write(csv("N;D;val_loss;seed", [(n, d, str(x).replace(".", ","), 1) for n, d, x in ROWS], ";"))
    with pytest.warns(
        UserWarning, match="column 'N' is read as params, 'D' is read as tokens, 'val_loss' is read as loss"
    ):
        table = read_table(path)
    assert table.notes[0] == "cells are separated by semicolons"
    assert "commas are decimal marks, as in '3,724' (line 2" in " ".join(table.notes) or "'3,6293'" in table.notes[-1]
    assert table.notes[1] in repr(table) and table.notes[1] in table.source.history
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_table(write(PLAIN))  # nothing to tell
    table.to_csv(path.with_name("again.csv"))
    again = read_with(path.with_name("again.csv"), Reading())
    assert again.notes == () and set(table.source.history) < set(again.source.history)


def test_lines_count_comments_blank_lines_and_removed_rows(write):
    text = "# a\nparams,tokens,loss\n\n1e8,2e9,n/a\n# b\n,,\n1e8,2e9,3.1\n1e8,3e9,-3\n"
    assert "line 8, column 'loss': found '-3'" in asked(write(text))
    assert "line 1 and" not in asked(write(text))


def test_a_header_in_a_comment_is_not_lost(write):
    assert "line 2: found numbers, expected column names; if they stand in line 1" in asked(write("# " + PLAIN))


def test_rows_that_are_not_asked_for_are_not_checked(write):
    rows = [(*row, "finished") for row in ROWS] + [(10**8, 10**9, "", "crashed"), ("?", 5, "x", "crashed")]
    table = read_with(write(csv("params,tokens,loss,State", rows)), Reading(where={"State": "finished"}))
    compare(table)
    assert "where State='finished': 4 of 6 rows" in table.source.history
    assert "where State='done': 0 of 6 rows" in asked(write(csv("N,D,loss,State", rows)), where={"State": "done"})
    many = read_with(write(csv("N,D,loss")), Reading(where={"N": ["2e7", 320e6]}))
    assert many["params"].tolist() == [2e7, 3.2e8]


def test_pass_at_k_in_columns_of_its_own_becomes_rows(write):
    text = "model,N,D,pass@1,pass@10\na,1e8,2e9,0.1,0.5\nb,1e9,2e10,0.2,0.7\n"
    table = read_with(write(text), Reading())
    assert table["samples"].tolist() == [1, 10, 1, 10] and table["pass_at_k"].tolist() == [0.1, 0.5, 0.2, 0.7]
    assert table["model"].tolist() == ["a", "a", "b", "b"] and table["params"].tolist() == [1e8, 1e8, 1e9, 1e9]
    percent = write("model,N,D,pass@1,pass@10\na,1e8,2e9,10,50\nb,1e9,2e10,20,70\n")
    assert "line 2, column 'pass_at_k': found '10'" in asked(percent) and "--units pass_at_k=percent" in asked(percent)
    np.testing.assert_allclose(
        read_with(percent, Reading(units={"pass_at_k": "percent"}))["pass_at_k"], [0.1, 0.5, 0.2, 0.7]
    )
    signed = read_with(write("N,D,k,pass_at_k\n1e8,2e9,1,10%\n1e9,2e10,1,2.5 %\n"), Reading())
    np.testing.assert_allclose(signed["pass_at_k"], [0.1, 0.025])


def test_counts_of_evaluation_tools(write):
    text = "model,N,D,task_id,n,c\na,1e8,2e9,HumanEval/0,200,3\na,1e8,2e9,HumanEval/1,200,0\n"
    table = read_with(write(text), Reading())
    assert table.columns == ("model", "params", "tokens", "question", "trials", "correct")
    assert table["correct"].tolist() == [3, 0]


def test_accuracy_becomes_the_error(write):
    table = read_with(write("N,D,accuracy\n1e8,2e9,0.25\n1e9,2e10,0.5\n"), Reading())
    assert table["error"].tolist() == [0.75, 0.5] and "loss" not in table and "error is 1 - accuracy" in table.notes
    beside = read_with(write("N,D,loss,accuracy\n1e8,2e9,3,0.25\n1e9,2e10,2,0.5\n"), Reading())
    assert beside.columns == ("params", "tokens", "loss", "accuracy")


def test_errors_of_rows_are_read_in_the_unit_of_the_loss(write):
    rows = [(*row, 0.01) for row in ROWS]
    assert np.all(read_with(write(csv("N,D,loss,val_loss_se", rows)), Reading())["loss_se"] == 0.01)
    bits = read_with(write(csv("N,D,loss,loss_se", rows)), Reading(loss_unit="bits-per-token"))
    np.testing.assert_allclose(bits["loss_se"], 0.01 * np.log(2))
    perplexity = read_with(write(csv("N,D,loss,loss_se", rows)), Reading(loss_unit="perplexity"))
    np.testing.assert_allclose(perplexity["loss_se"], [0.01 / loss for *_, loss in ROWS])


def test_spreads_of_losses_are_asked_about(write):
    text = csv("N,D,loss,loss_std", [(*row, 0.01) for row in ROWS])
    table = read_with(write(text), Reading())
    assert any("'loss_std' is not read" in note and "--columns loss_std=loss_se" in note for note in table.notes)
    assert "loss_se" in read_with(write(text), Reading(columns={"loss_std": "loss_se"})).columns
    with pytest.raises(TableError, match=r"column 'loss_se': found '0', expected a standard error of the loss > 0"):
        read_with(write(csv("N,D,loss,loss_se", [(*row, 0) for row in ROWS])), Reading())


@pytest.mark.parametrize(
    ("content", "options", "part"),
    [
        (
            csv("N,n_params,D,loss", [(n, *row) for n, *_ in ROWS for row in ROWS[:1]]),
            {},
            "'N' and 'n_params' could each",
        ),
        (csv("params_non_embedding,params_total,D,loss", [(n, *r) for n, *_ in ROWS for r in ROWS]), {}, "embeddings"),
        (PLAIN, {"columns": {"params": "N"}}, "column 'params', needed by every table, is missing"),
        (csv("N,D,loss"), {"columns": {"params": "N"}}, "did you mean N=params?"),
        (
            csv("N,params,D,loss", [(n, *r) for n, *_ in ROWS for r in ROWS]),
            {"columns": {"N": "params"}},
            "is there too",
        ),
        (csv("params_M,tokens,loss"), {}, "found 2e+07, but the column's name says units of M"),
        (csv("params;tokens;loss", [*DECIMAL, ('"1,234,567"', "1e9", 3)], ";"), {}, "with a decimal comma, but"),
        (csv("params;tokens;loss", [(n, "1.234", x) for n, _, x in DECIMAL], ";"), {}, "a number with a decimal comma"),
        (PLAIN, {"bytes_per_token": 4.0}, "bytes_per_token is given, which losses in nats do not need"),
        (csv("params,tokens"), {"loss_unit": "perplexity"}, "found 3 cells, expected 2"),
        (
            csv("params,tokens,word_perplexity"),
            {"loss_unit": "perplexity"},
            "needed by loss_unit (--loss-unit), is missing",
        ),
        (csv("N,D,perplexity", [(n, d, 0.5) for n, d, _ in ROWS]), {}, "a perplexity of a token > 1"),
        (WITH_EMPTY.format("n/a").replace("20000000", "n/a"), {}, "column 'params': found 'n/a'"),
        (csv("params,tokens,loss", [(n, d, "n/a") for n, d, _ in ROWS]), {}, "no row has all measurements"),
        (csv("D,N,loss"), {}, "the two columns swapped?"),
        (csv("N,D,loss", [(n, d / 1e3, x) for n, d, x in ROWS]), {}, "are tokens in thousands"),
        (
            csv("N,D,loss", [(n, d, 2 * x) for n, d, x in ROWS[:2]] + [(5e8, 6e9, 6.3)]),
            {},
            "of a perplexity take the log",
        ),
    ],
)
def test_what_is_not_clear_is_asked(write, content, options, part):
    assert part in asked(write(content), **options)


def test_several_losses_are_named_and_none_is_taken(write):
    table = read_with(write(csv("N,D,train_loss,val_loss", [(*row, 3.0) for row in ROWS])), Reading())
    assert "loss" not in table
    assert any("'train_loss' and 'val_loss' could each be loss" in note for note in table.notes)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"separator": "::"}, "separator: found '::'"),
        ({"separator": '"'}, "separator: found '\"', expected one character"),
        ({"decimal": ";"}, "decimal: found ';'"),
        ({"encoding": "base64"}, "encoding: found 'base64'"),
        ({"encoding": "klingon"}, "encoding: found 'klingon'"),
        ({"loss_unit": "dits"}, "loss_unit: found 'dits', expected one of nats, "),
        ({"bytes_per_token": -1.0}, "bytes_per_token: found -1.0"),
        ({"columns": {"N": "params", "M": "params"}}, "2 columns are named 'params'"),
    ],
)
def test_impossible_options(write, options, part):
    with pytest.raises(ValueError, match=part.replace("(", r"\(")):
        read_table(write(PLAIN), **options)


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("{", "line 2: "),
        ("[1]", "line 2: found"),
        ('{"N": 1, "N": 2}', "the key 'N' is there 2 times"),
        ("nul", "line 2"),
    ],
)
def test_json_lines_are_objects(write, line, part):
    assert part in asked(write("\n".join([JSON[0], line, JSON[1]]), "runs.jsonl"))
    assert "the file is empty" in asked(write("\n", "runs.jsonl"))


def test_excel(tmp_path):
    pytest.importorskip("openpyxl")
    path = tmp_path / "runs.xlsx"
    frame = pd.DataFrame({"N": PARAMS, "D": [f"{d / 1e9:.9g}B" for d in TOKENS], "loss": LOSS, "when": pd.Timestamp(0)})
    with pd.ExcelWriter(path) as book:
        frame.to_excel(book, sheet_name="runs", index=False, startrow=1)
    compare(read_with(path, Reading()))
    with pd.ExcelWriter(path) as book:
        frame.to_excel(book, sheet_name="runs", index=False)
        frame.to_excel(book, sheet_name="notes", index=False)
    assert "found sheets 'runs', 'notes', expected one: say sheet='runs', in commands --sheet" in asked(path)
    compare(read_with(path, Reading(sheet="notes")))
    assert "there is no sheet 'run'" in asked(path, sheet="run")
    path.write_bytes(path.read_bytes()[:-100])
    assert "not a whole Excel file" in asked(path)


def test_excel_without_its_package(write, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    assert "Excel files need the package openpyxl (pip install 't2jax[excel]')" in asked(write(b"x", "runs.xlsx"))


def test_the_best_of_a_sweep(write):
    rows = [(n, d, lr, seed, x + lr + seed) for n, d, x in ROWS for lr in (0.1, 0.0, 0.2) for seed in (0.05, 0.0)]
    path = write(csv("N,D,lr,seed,loss", rows))
    assert "differ in column 'seed': is that a swept setting too?" in asked(path, best_of=("lr",))
    compare(read_with(path, Reading(best_of=("lr", "seed"))))
    compare(read_with(path, Reading(best_of=("lr",), where={"seed": 0})))
    assert "column 'batch', needed by best_of (--best-of), is missing" in asked(path, best_of=("lr", "batch"))
