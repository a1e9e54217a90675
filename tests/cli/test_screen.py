"""What a command prints: on a screen, in a log, quietly and without colour."""

import os
import subprocess
import sys

import pandas as pd
import pytest

from t2jax import cli
from t2jax.cli.output import Output, OutputOptions
from t2jax.cli.process import progress

pytestmark = pytest.mark.usefixtures("settings_alone")


@pytest.fixture
def counts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = {"model": "a", "question": [f"q{i}" for i in range(6)], "trials": 8, "correct": [0, 1, 2, 4, 7, 8]}
    pd.DataFrame(rows).to_csv("counts.csv", index=False)
    return "counts.csv"


def test_a_log_has_whole_lines(capsys):
    times = iter([0.0, 10.0, 31.0, 50.0, 62.0, 70.0, 75.0])
    with progress.Lines("bootstrap", 400, clock=lambda: next(times)) as lines:
        for _ in range(5):
            lines.update(50)
    assert capsys.readouterr().err.splitlines() == [
        "bootstrap ...",
        "bootstrap: 100 of 400 after 31 s",
        "bootstrap: 200 of 400 after 62 s",
        "bootstrap: done in 75 s",
    ]


def test_a_phase_that_fails_is_not_done(capsys):
    with pytest.raises(ValueError, match="no"), progress.Lines("fitting", 1):
        raise ValueError("no")
    assert capsys.readouterr().err == "fitting ...\n"


def test_a_terminal_has_a_bar_and_a_log_no_carriage_returns(capsys, monkeypatch, tmp_path):
    out = Output("fit", OutputOptions(out=tmp_path / "new"), None)
    with out.progress("fitting") as bar:
        bar.update()
    assert "\r" not in capsys.readouterr().err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with out.progress("fitting") as bar:
        bar.update()
    assert "\rfitting: " in capsys.readouterr().err


def test_quiet_prints_nothing_but_the_answer(counts, capsys):
    assert cli.command(["passk", counts, "-q", "-o", "out"]) == 0
    assert capsys.readouterr() == ("", "")
    assert cli.command(["passk", counts, "-q", "--json", "-o", "out2"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith('{"command": "passk"') and printed.err == ""
    assert cli.command(["passk", "none.csv", "-q"]) == 1
    assert capsys.readouterr().err.startswith("t2jax: none.csv: cannot be read")
    assert cli.command(["passk", counts, "-q", "-v"]) == 1
    assert "--quiet and --verbose exclude each other" in capsys.readouterr().err


@pytest.mark.parametrize(("value", "coloured"), [("1", False), ("", True)])
def test_no_color(value, coloured, tmp_path):
    """The box around wrong usage has colours on a terminal, unless NO_COLOR is set."""
    code = """
import sys
sys.stdout.isatty = sys.stderr.isatty = lambda: True
from t2jax import cli
cli.command(["passk"])
"""
    environment = {**os.environ, "TERM": "xterm-256color", "NO_COLOR": value, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and ("\x1b[" in done.stderr) == coloured


def test_remarks_come_after_the_answer_or_after_a_failure(capsys, tmp_path):
    out = Output("plan", OutputOptions(out=tmp_path / "new"), None)
    out.answer_comes_first()
    out.say("the fit converged", "")
    out.say_answer("Train 1 billion parameters.")
    assert capsys.readouterr().out == "Train 1 billion parameters.\n\nthe fit converged\n"
    out.answer_comes_first()
    out.say("the fit did not converge")
    assert out.finish(1, {}) == 1
    assert capsys.readouterr().out == "the fit did not converge\n"
