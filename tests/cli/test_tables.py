"""Reading options of commands: what they mean, what is said on stderr, and what is asked before a fit."""

import json
from typing import Any

import pytest

from t2jax import cli
from t2jax.cli.tables.options import ReadingOptions
from t2jax.tables.place import TableError

ROWS = [(2e7, 4e8, 4.7), (2e8, 6e9, 3.4), (8e8, 4e10, 2.8), (3e9, 1e11, 2.5)]


@pytest.fixture
def write(tmp_path):
    def write_file(header, rows=ROWS, separator=",", name="runs.csv"):
        text = "\n".join([header, *(separator.join(map(str, row)) for row in rows)])
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write_file


def test_options_of_a_command_line(write):
    """Each option arrives where it belongs."""
    given = "--columns size=params a=b=tokens --units params=M --where task=math --best-of lr,batch --sep tab"
    given += " --loss-unit bits-per-byte --bytes-per-token 4.2 --missing diverged --decimal . --pooled seed"
    reading = cli.parse(["fit", "runs.csv", *given.split(), "--missing", ""]).fitting.reading
    options = reading.reading()
    assert options.columns == {"size": "params", "a=b": "tokens"} and options.units == {"params": "M"}
    assert options.where == {"task": "math"} and options.best_of == ("lr", "batch")
    assert options.separator_character == "\t" and options.decimal == "."
    assert (options.loss_unit, options.bytes_per_token) == ("bits-per-byte", 4.2)
    assert options.missing == ("diverged", "") and reading.pooled == "seed"
    for command in ("sample", "audit", "predict"):
        assert cli.parse([command, "runs.csv", "--columns", "N=params"]).reading.columns == (("N=params",),)
    for command in ("plan", "frontier", "next"):
        parsed = cli.parse([command, "runs.csv", "--train", "1e22", "--columns", "N=params"])
        assert parsed.fitting.reading.columns == (("N=params",),)


def test_what_was_recognised_and_what_is_not_read_stand_on_stderr(write, capsys):
    path = write("N;D;val_loss;experts;host", [(*row, 8, "x") for row in ROWS], ";")
    table = ReadingOptions().read_rows(path, "chinchilla")
    assert table["params"].tolist() == [row[0] for row in ROWS]
    printed = capsys.readouterr().err.splitlines()
    assert printed[0] == f"t2jax: {path}: cells are separated by semicolons"
    assert "column 'N' is read as params, 'D' is read as tokens, 'val_loss' is read as loss" in printed[1]
    assert printed[2] == f"t2jax: {path}: columns 'experts', 'host' are not read"


def test_points_may_have_other_names_than_the_table(write):
    options = ReadingOptions(columns=(("size=params",),))
    assert len(options.read_points(write("size,tokens", [row[:2] for row in ROWS]), ())) == 4
    assert len(options.read_points(write("params,tokens", [row[:2] for row in ROWS]), ())) == 4
    assert len(options.read_points(write("N,D", [row[:2] for row in ROWS]), ())) == 4
    scaled = options.read_points(write("N,D", [(1, 2e9)]), (("params=B",),))
    assert scaled["params"].tolist() == [1e9]


def test_several_tasks_and_swept_settings_are_asked_about(write):
    tasks = write("N,D,loss,task", [(*row, task) for row in ROWS for task in ("math", "code", "qa")])
    with pytest.raises(TableError, match=r"3 tasks \(math, code, qa\), .*--where task=math, or .*--pooled task"):
        ReadingOptions().read_rows(tasks, None)
    assert len(ReadingOptions(where=(("task=qa",),)).read_rows(tasks, None)) == 4
    assert len(ReadingOptions(pooled="task").read_rows(tasks, None)) == 12
    swept = [(n, d, loss + 0.1 * i, lr, i) for n, d, loss in ROWS for i, lr in enumerate((3e-4, 1e-3))]
    path = write("N,D,loss,config.lr,host", swept)
    with pytest.raises(TableError, match=r"differ in config\.lr, as in a sweep: .*--best-of config\.lr"):
        ReadingOptions().read_rows(path, None)
    assert len(ReadingOptions(pooled="config.lr").read_rows(path, None)) == 8
    assert len(ReadingOptions(where=(("config.lr=0.001",),)).read_rows(path, None)) == 4
    seeds = write("N,D,loss,seed", [(n, d, loss + 0.01 * seed, seed) for n, d, loss in ROWS for seed in (1, 2)])
    tuned = write("N,D,loss,lr", [(*row, lr) for row, lr in zip(ROWS, (4e-4, 3e-4, 2e-4, 1e-4), strict=True)])
    for path in (seeds, tuned):  # seeds are repetitions, and a setting that is tuned to each size is no sweep
        ReadingOptions().read_rows(path, None)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"columns": (("N",),)}, "--columns: found 'N', expected NAME=VALUE"),
        ({"best_of": "lr,"}, "--best-of: found 'lr,', expected names with commas"),
        ({"pooled": "tusk"}, "column 'tusk', needed by --pooled, is missing"),
        ({"sep": "::"}, "separator: found '::'"),
    ],
)
def test_options_that_do_not_fit(write, options: dict[str, Any], part):
    with pytest.raises(ValueError, match=part):
        ReadingOptions(**options).read_rows(write("N,D,loss"), None)


def test_options_of_files_do_not_apply_to_public_tables():
    given: list[dict[str, Any]] = [{"units": (("params=M",),)}, {"sep": ";"}, {"loss_unit": "perplexity"}]
    for options in given:
        with pytest.raises(ValueError, match="applies to files; the data set 'chinchilla-epoch' is in raw counts"):
            ReadingOptions(**options).read("chinchilla-epoch")


def test_a_question_is_an_error_of_the_command(write, capsys, tmp_path):
    path = write("active_params,total_params,D,loss", [(n, 8 * n, d, loss) for n, d, loss in ROWS])
    assert cli.command(["fit", path, "--json", "-o", str(tmp_path / "out")]) == 1
    printed = capsys.readouterr()
    assert "'active_params' and 'total_params' could each be params" in json.loads(printed.out)["error"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name",
    ["peak_learning_rate", "max_learning_rate", "base_lr", "config.optim.lr", "train_batch_size", "maxLearningRate"],
)
def test_settings_under_other_names_are_asked_about(write, name):
    rows = [(n, d, loss + extra, lr) for n, d, loss in ROWS for extra, lr in ((0.0, 1e-3), (0.2, 3e-3))]
    path = write(f"N,D,loss,{name}", rows)
    with pytest.raises(TableError, match="as in a sweep"):
        ReadingOptions().read_rows(path, None)
    assert len(ReadingOptions(best_of=name).read_rows(path, None)) == 4


def test_a_setting_with_a_blank_is_quoted(write):
    rows = [(n, d, loss + extra, lr) for n, d, loss in ROWS for extra, lr in ((0.0, 1e-3), (0.2, 3e-3))]
    with pytest.raises(TableError, match=r'--best-of "peak lr", rows of one value with --where "peak lr=\.\.\."'):
        ReadingOptions().read_rows(write("N,D,loss,peak lr", rows), None)


@pytest.mark.parametrize("name", ["benchmark", "dataset", "domain", "split"])
def test_columns_that_may_hold_tasks_are_asked_about(write, name):
    rows = [(n, d, loss + i, task) for n, d, loss in ROWS for i, task in enumerate(("a", "b", "c"))]
    path = write(f"N,D,loss,{name}", rows)
    with pytest.raises(TableError, match=rf"column '{name}' has 3 values \(a, b, c\), .*--where {name}=a, .*--pooled"):
        ReadingOptions().read_rows(path, None)
    assert len(ReadingOptions(pooled=name).read_rows(path, None)) == 12
    assert len(ReadingOptions(where=((f"{name}=a",),)).read_rows(path, None)) == 4
    file = write(f"N,D,loss,{name}", [(*row, "a") for row in ROWS], name="one.csv")
    assert len(ReadingOptions().read_rows(file, None)) == 4


def test_columns_beside_one_of_that_meaning_are_named(write):
    rows = [(n, d, d, loss, loss) for n, d, loss in ROWS]
    notes = " ".join(ReadingOptions().read(write("params,tokens,D,loss,train_loss", rows)).notes)
    assert "tokens is read, and 'D' is not" in notes and "loss is read, and 'train_loss' is not" in notes


def test_an_accuracy_in_percent_names_the_flag(write):
    rows = [(n, d, 20.0 + i) for i, (n, d, _) in enumerate(ROWS)]
    path = write("N,D,accuracy", rows)
    with pytest.raises(TableError, match=r"found '20\.0', expected a share .*in commands --units error=percent"):
        ReadingOptions().read(path)
    table = ReadingOptions(units=(("error=percent",),)).read(path)
    assert table["error"].tolist() == pytest.approx([0.8, 0.79, 0.78, 0.77])
