"""Commands in their own process and in this one: exit status, words, files, JSON, and what a mistake leaves behind."""

import dataclasses
import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import h5py
import jax
import numpy as np
import pandas as pd
import pytest

import t2jax as t2
from t2jax import cli
from t2jax.cli import fitting, output
from t2jax.cli.fit import command as fit_command
from t2jax.cli.fit.config import FitConfig
from t2jax.cli.options import FittingOptions
from t2jax.cli.output import FigureOptions, OutputOptions
from t2jax.fitting.law_files import load_draws, load_law
from tests.helpers.json_answers import checked_answer

FIGURES = ["predicted.png", "residuals.png"]
ROWS = ["rows.csv", "rows.csv.source.json"]


pytestmark = pytest.mark.usefixtures("settings_alone")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A table of the T² loss law, one per cent off."""
    rng, path = np.random.default_rng(0), tmp_path_factory.mktemp("runs") / "runs.csv"
    params, flops, samples = (
        grid.ravel() for grid in np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e17, 1e20, 4), [1.0, 16.0, 256.0])
    )
    tokens = flops / (6 * params)
    loss = 0.6 + 120 / params**0.33 + 300 / tokens**0.33 + 1.2 / samples**0.35
    noisy = loss * np.exp(0.01 * rng.standard_normal(loss.shape))
    frame = pd.DataFrame({"params": params, "tokens": tokens, "samples": samples, "neg_log_pass": noisy})
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def fitted(runs, tmp_path_factory):
    """The folder of one `t2jax fit`."""
    out = tmp_path_factory.mktemp("fit") / "out"
    options = FittingOptions(law="t2-loss", draws=30, over="runs", starts=4, seed=3)
    assert fit_command.run(FitConfig(str(runs), options, FigureOptions(out))) == 0
    return out


def test_fit_writes_law_draws_figures_and_record(fitted, runs):
    assert sorted(os.listdir(fitted)) == sorted(["command.yaml", "draws.nc", "law.json", *ROWS, *FIGURES, "run.json"])
    law = load_law(fitted / "law.json")
    assert isinstance(law, t2.laws.T2Loss)
    assert law.gamma == pytest.approx(0.35, abs=0.05)
    draws = load_draws(fitted / "draws.nc", law)
    assert np.shape(draws.gamma) == (30,)
    low, high = np.quantile(draws.gamma, [0.05, 0.95])
    assert low < law.gamma < high
    record = json.loads((fitted / "run.json").read_text())
    assert record["command"] == "fit"
    assert record["seed"] == 3
    assert record["exit_status"] == 0
    assert record["arguments"]["table"] == str(runs)
    assert record["versions"]["t2jax"] == t2.__version__
    assert record["versions"]["jax"] == jax.__version__
    assert record["started"].endswith("+00:00")
    assert sorted(record["files"]) == sorted(["draws.nc", "law.json", *ROWS, *FIGURES])


def test_frontier_reads_the_law_and_its_draws(fitted, tmp_path, capsys):
    args = ["frontier", "--law-file", str(fitted / "law.json"), "--train", "1e18:1e20:3", "--inference", "2e9"]
    assert cli.command([*args, "--json", "-o", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr()
    answer = checked_answer(printed.out)
    assert "3 of 3 optimal: the global optimum, certified by convexity" in printed.err
    frame = pd.read_csv(tmp_path / "out" / "frontier.csv")
    # both budgets are spent, and the value is the law's own there
    np.testing.assert_allclose(6 * frame["params"] * frame["tokens"], [1e18, 1e19, 1e20], rtol=1e-9)
    np.testing.assert_allclose(2 * frame["params"] * frame["samples"], 2e9, rtol=1e-9)
    law = load_law(fitted / "law.json")
    value = law(*(frame[name].to_numpy() for name in ("params", "tokens", "samples")))
    np.testing.assert_allclose(answer["frontier"]["value"], value, rtol=1e-6)
    low, point, high, single = frame[["params_low", "params", "params_high", "chinchilla_params"]].to_numpy().T
    assert np.all((low < point) & (point < high) & (point < single))
    assert {"frontier.png", "isoflop.png"} <= set(answer["files"])
    assert not [name for name in os.listdir(tmp_path / "out") if name.endswith(".tmp")]


def test_no_budget_that_pays_is_a_failure(fitted, tmp_path, capsys):
    args = ["frontier", "--law-file", str(fitted / "law.json"), "--train", "1e18:1e20:3", "--inference", "1"]
    assert cli.command([*args, "--json", "-o", str(tmp_path / "out")]) == 1
    printed = capsys.readouterr()
    assert "no budget has an optimum: 3 of 3 infeasible: the inference budget" in printed.err
    assert checked_answer(printed.out, 1)["frontier"]["params"] == [None, None, None]


def test_fit_says_what_is_undetermined_and_keeps_stdout_for_json(runs, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(t2.Fit, "undetermined", ("G",))
    args = ["fit", str(runs), "--law", "t2-loss", "--draws", "0", "--starts", "4"]
    assert cli.command([*args, "--json", "-o", str(tmp_path / "a")]) == 0
    printed = capsys.readouterr()
    answer = checked_answer(printed.out)
    assert answer["parameters"]["G"]["value"] is None
    assert answer["parameters"]["gamma"]["value"] == pytest.approx(0.35, abs=0.05)
    assert answer["parameters"]["gamma"]["unit"] == "1"
    row = next(line for line in printed.err.splitlines() if line.startswith("G "))
    assert row.split()[:3] == ["G", "undetermined", "nats"]
    assert json.loads((tmp_path / "a" / "law.json").read_text())["parameters"]["G"]["value"] is None
    assert cli.command(["frontier", "--law-file", str(tmp_path / "a" / "law.json")]) == 1
    assert "the rows did not determine G (null)" in capsys.readouterr().err


def test_a_failed_fit_is_saved_and_exits_with_1(runs, tmp_path, capsys, monkeypatch):
    def failing(*args, **options):
        return dataclasses.replace(t2.fit(*args, **options), converged=False, status="not converged: at all")

    monkeypatch.setattr(fitting, "fit", failing)
    args = ["fit", str(runs), "--law", "t2-loss", "--draws", "30", "--starts", "4", "-o", str(tmp_path / "out")]
    assert cli.command(args) == 1
    assert "the fit failed (not converged: at all)" in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path / "out")) == ["command.yaml", "law.json", *ROWS, "run.json"]
    assert json.loads((tmp_path / "out" / "run.json").read_text())["exit_status"] == 1


def test_an_interrupt_keeps_what_was_finished(runs, tmp_path, capsys, monkeypatch):
    """In the third of four chunks: law.json and the draws of two are there, and one sentence says so."""
    chunks = []

    def interrupted(*args, **options):
        if len(chunks) == 2:
            raise KeyboardInterrupt
        chunks.append(t2.bootstrap(*args, **options))
        return chunks[-1]

    monkeypatch.setattr(fitting, "bootstrap", interrupted)
    monkeypatch.setattr(fitting, "LARGEST_CHUNK", 30)
    out = tmp_path / "out"
    args = ["fit", str(runs), "--law", "t2-loss", "--draws", "120", "--over", "runs", "--starts", "4", "-o", str(out)]
    assert cli.command(args) == 130
    printed = capsys.readouterr().err.splitlines()[-1]
    assert printed == (
        f"t2jax: interrupted; 60 of 120 bootstrap draws were made; finished before that, in {out}/: rows.csv,"
        " rows.csv.source.json, law.json, draws.nc"
    )
    law = load_law(out / "law.json")
    with pytest.warns(UserWarning, match="60 of 120 draws were made"):
        draws = load_draws(out / "draws.nc", law)
    for name, values in draws.values().items():
        np.testing.assert_array_equal(values, np.concatenate([chunk.laws.values()[name] for chunk in chunks]))
    with h5py.File(out / "draws.nc") as file:
        attributes = file["posterior"].attrs
        assert (attributes["asked"], attributes["made"]) == (120, 60)
    record = json.loads((out / "run.json").read_text())
    assert (record["exit_status"], record["files"]) == (130, [*ROWS, "law.json", "draws.nc"])


def test_runs_of_one_second_have_folders_of_their_own(tmp_path, monkeypatch):
    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 1, 2, 3, 4, 5, tzinfo=tz)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(output, "datetime", Clock)
    runs = [output.Output("fit", OutputOptions(), OutputOptions()) for _ in range(3)]
    for number, run in enumerate(runs):
        with run, run.file("law.json") as path:
            path.write_text(str(number))
    assert [run.folder.name for run in runs] == [f"t2jax-fit-20260102-030405{end}" for end in ("", "-2", "-3")]
    assert [(run.folder / "law.json").read_text() for run in runs] == ["0", "1", "2"]


def test_only_the_same_command_replaces_a_folder(fitted, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    law = str(fitted / "law.json")
    assert cli.command(["frontier", "--law-file", law, "-o", str(tmp_path)]) == 1
    assert f"{tmp_path}: the folder holds other files" in capsys.readouterr().err
    assert cli.command(["frontier", "--law-file", law, "-o", str(fitted)]) == 1
    assert f"{fitted}: the folder holds results of `t2jax fit`" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["notes.txt"]


def test_draws_of_another_fit_are_refused(fitted, tmp_path, capsys):
    content = json.loads((fitted / "law.json").read_text())
    content["parameters"]["E"]["value"] *= 1.01
    (tmp_path / "law.json").write_text(json.dumps(content))
    (tmp_path / "draws.nc").write_bytes((fitted / "draws.nc").read_bytes())
    assert cli.command(["frontier", "--law-file", str(tmp_path / "law.json"), "-o", str(tmp_path / "out")]) == 1
    assert "draws.nc: the draws belong to another fit" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["fit", "RUNS", "--law", "t3"], "there is no law 't3'; the laws are chinchilla"),
        (["fit", "RUNS", "--law", "t2-loss", "--fixed", "delta=1"], "T2Loss has no parameter 'delta' to fix"),
        (["fit", "RUNS", "--fixed", "alpha"], "--fixed: found 'alpha', expected NAME=VALUE"),
        (["fit", "RUNS", "--fixed", "alpha=x"], "--fixed: found alpha='x', expected a number"),
        (["fit", "RUNS", "--draws", "-1"], "--draws: found -1, expected at least 0"),
        (["fit", "RUNS", "--figures", "gif"], "--figures: found 'gif', expected none, or formats out of png, pdf"),
        (
            ["fit", "RUNS", "--law", "t2-loss", "--fixed", "alpha=-1"],
            "alpha cannot be fixed at -1, its domain is 0 to inf",
        ),
        (["fit", "RUNS", "--law", "t2-loss", "--fixed", "alpha=nan"], "alpha cannot be fixed at nan"),
        (["fit", "RUNS", "-o", "RUNS"], "runs.csv: found a file, expected a folder to write to"),
        (["fit", "RUNS", "-o", "RUNS/below"], "runs.csv: found a file, expected a folder to write to"),
        (["fit", "."], ".: found suffix '', expected one of .csv, .csv.gz, .tsv"),
        (["fit", "chinchila-epoch"], "did you mean 'chinchilla-epoch'?"),
        (["fit", "none.csv"], "none.csv: cannot be read"),
        (["frontier"], "frontier needs either a table to fit or --law-file"),
        (["frontier", "RUNS", "--train", "1e18:1e20"], "--train: found '1e18:1e20', expected FLOPs such as 1e24"),
        (
            ["frontier", "RUNS", "--train", "1e18:1e20:0"],
            "--train: found '1e18:1e20:0', but COUNT must be at least one",
        ),
        (["frontier", "RUNS", "--train", "-1"], "--train: found '-1', but training FLOPs must be positive and finite"),
        (["frontier", "RUNS", "--inference", "-1"], "--inference must be positive and finite, not -1"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(args, message, runs, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.command([arg.replace("RUNS", str(runs)) for arg in args]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("t2jax: ")
    assert message in last
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("none", []),
        ("pdf", ["predicted.pdf", "residuals.pdf"]),
        ("png,pdf,png", ["predicted.pdf", "predicted.png", "residuals.pdf", "residuals.png"]),
    ],
)
def test_figures_are_drawn_in_the_formats_asked_for(given, written, runs, tmp_path, capsys):
    folder = tmp_path / "out"
    assert cli.command(["fit", str(runs), "--draws", "0", "--figures", given, "--json", "-o", str(folder)]) == 0
    assert sorted(json.loads(capsys.readouterr().out)["files"]) == sorted(["law.json", *ROWS, *written])
    assert sorted(os.listdir(folder)) == sorted(["command.yaml", "law.json", *ROWS, *written, "run.json"])


def test_a_folder_that_cannot_be_written_to_is_told_before_any_work(runs, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    assert cli.command(["fit", str(runs), "-o", str(tmp_path / "new" / "out")]) == 1
    message = f"t2jax: {tmp_path}: the folder cannot be written to; name another one with -o\n"
    assert capsys.readouterr().err == message
    assert os.listdir(tmp_path) == []


def test_errors_of_libraries_keep_their_traceback(monkeypatch):
    monkeypatch.setattr(cli, "run", lambda config: np.linspace(0, 1, -1))
    with pytest.raises(ValueError, match="samples"):
        cli.command(["data", "list"])


def test_exit_status_of_the_process(tmp_path):
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    (tmp_path / "runs.csv").write_text("params,tokens,loss\n1e9,2e10,2.5\n1e9,4e10,2.4x\n")

    def t2jax(*args, before="pass"):
        code = f"import signal, sys; from t2jax import cli; {before}; sys.exit(cli.main())"
        command = [sys.executable, "-c", code, *args]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    bad = t2jax("fit", "runs.csv")
    assert bad.returncode == 1
    assert bad.stderr == "t2jax: runs.csv, line 3, column 'loss': found '2.4x', expected a number\n"
    assert bad.stdout == ""
    usage = t2jax("fit", "runs.csv", "--over", "none")
    assert usage.returncode == 2
    assert "Traceback" not in usage.stderr
    # a parent in the background may have had interrupts ignored, which children inherit
    heeded = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    interrupt = f"{heeded}; cli.run = lambda config: signal.raise_signal(signal.SIGINT)"
    interrupted = t2jax("data", "list", before=interrupt)
    assert (interrupted.returncode, interrupted.stderr) == (130, "t2jax: interrupted\n")
    assert set(os.listdir(tmp_path)) <= {"runs.csv", "cache"}


@pytest.mark.parametrize(
    "command",
    [[], ["quickstart"], ["fit"], ["predict"], ["frontier"], ["audit"], ["laws"], ["data", "list"], ["data", "get"]],
)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.command([*command, "--help"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    assert "--json" in printed


def test_laws_lists_every_law_with_its_formula(capsys):
    assert cli.command(["laws"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 1 + len(t2.laws.ALL)
    for law, line in zip(t2.laws.ALL, printed[1:], strict=True):
        assert line.split()[:3] == [t2.laws.name_of(law), law.response[0], str(len(law.declared()))]
        assert (law.__doc__ or "").splitlines()[0] in line
    assert cli.command(["laws", "--json"]) == 0
    (first, *_) = checked_answer(capsys.readouterr().out)["laws"]
    assert first["formula"].startswith("L(N, D) = E + A/N^α + B/D^β in nats per token.")
    assert first["parameters"]["alpha"] == {"unit": "1", "doc": "size exponent"}


def test_data_list(capsys):
    assert cli.command(["data", "list", "--json"]) == 0
    assert [dataset["name"] for dataset in checked_answer(capsys.readouterr().out)["datasets"]] == list(
        t2.datasets.names()
    )
    assert cli.command(["data", "list"]) == 0
    assert "2404.10102" in capsys.readouterr().out


def test_data_get_writes_a_table(tmp_path, capsys, monkeypatch):
    table = t2.Table.from_columns(params=[1e9, 2e9], tokens=[2e10, 3e10], loss=[2.5, 2.4])
    monkeypatch.setattr(t2.datasets, "load", lambda name: table)
    assert cli.command(["data", "get", "some", "--json", "-o", str(tmp_path / "out")]) == 0
    assert checked_answer(capsys.readouterr().out)["columns"] == ["params", "tokens", "loss"]
    assert sorted(os.listdir(tmp_path / "out")) == ["run.json", "some.csv", "some.csv.source.json"]
    np.testing.assert_array_equal(t2.read_table(tmp_path / "out" / "some.csv")["loss"], [2.5, 2.4])


def test_one_k_gives_no_plan_with_samples(runs, tmp_path, capsys):
    """With one k in the table G and γ are arbitrary, and so would be every k* planned with them."""
    frame = pd.read_csv(runs)
    frame[frame["samples"] == 16].to_csv(tmp_path / "one.csv", index=False)
    args = [
        "frontier",
        str(tmp_path / "one.csv"),
        "--law",
        "t2-loss",
        "--draws",
        "0",
        "--starts",
        "4",
        "--train",
        "1e20",
    ]
    assert cli.command([*args, "--inference", "1e11", "--json", "-o", str(tmp_path / "with")]) == 1
    printed = capsys.readouterr()
    assert "no plan with samples, because the rows do not determine" in printed.err
    assert {"G", "gamma"} <= set(json.loads(printed.out)["fit"]["undetermined"])
    assert cli.command([*args, "--json", "-o", str(tmp_path / "without")]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["fit"]["converged"] and np.isfinite(answer["frontier"]["params"][0])
