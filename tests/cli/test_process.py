"""Commands as processes: interrupts at any time, readers that go away, full disks, and errors as JSON."""

import os
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from t2jax import cli
from t2jax.cli.process.errors import show_warning
from tests.helpers.json_answers import checked_answer

CODE = "import sys; from t2jax import cli; sys.exit(cli.main())"


@pytest.mark.parametrize("args", [("laws",), ("plan", "--help")])
def test_a_reader_that_goes_away_is_no_error(args, tmp_path):
    """The pipe has no reader by the time that anything is written."""
    command = f'("{sys.executable}" -c "{CODE}" {" ".join(args)}; echo $? >&2) | true'
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr == f"{128 + signal.SIGPIPE}\n"


def test_an_interrupt_that_a_library_swallows_is_not_lost(tmp_path):
    """As in a callback of XLA, whose exceptions are printed and forgotten."""
    code = """
import contextlib, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from t2jax import cli
def swallowing(config):
    with contextlib.suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    return 0
cli.run = swallowing
sys.exit(cli.main())
"""
    done = subprocess.run(
        [sys.executable, "-c", code, "laws"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (130, "t2jax: interrupted; the results are complete\n")


def test_an_interrupt_that_a_callback_reports_and_drops_ends_the_command(tmp_path):
    """As in the callback that XLA has run with each garbage collection: a command of half a minute ends at once."""
    code = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from t2jax import cli
class Callback:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)
def swallowing(config):
    Callback()
    for _ in range(6000):
        time.sleep(0.005)
    return 0
cli.run = swallowing
sys.exit(cli.main())
"""
    run = [sys.executable, "-c", code, "laws"]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=45)
    assert (done.returncode, done.stderr) == (130, "t2jax: interrupted\n")


def test_nothing_slow_is_imported_before_interrupts_are_watched_for():
    code = "import sys, t2jax.cli; sys.exit(bool({'tyro', 'jax', 'numpy', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_bad_input_is_an_object_with_json(tmp_path, capsys):
    assert cli.command(["fit", str(tmp_path / "none.csv"), "--json"]) == 1
    printed = capsys.readouterr()
    assert (
        printed.err == f"t2jax: {checked_answer(printed.out, 1)['error']}\n"
        and "none.csv: cannot be read" in printed.err
    )


def test_of_two_options_the_wrong_one_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"params": np.geomspace(1e7, 1e9, 9), "tokens": 1e10, "loss": 3.0}).to_csv("runs.csv")
    assert cli.command(["fit", "runs.csv", "--draws", "-5"]) == 1
    assert capsys.readouterr().err.endswith("t2jax: --draws: found -5, expected at least 0\n")
    assert cli.command(["fit", "runs.csv", "--starts", "0"]) == 1
    assert capsys.readouterr().err.endswith("t2jax: --starts: found 0, expected at least 1\n")


def test_optional_numbers_are_shown_as_numbers(capsys):
    with pytest.raises(SystemExit):
        cli.command(["plan", "--help"])
    printed = capsys.readouterr().out
    assert "{None}" not in printed and "--price NUMBER|LOW..HIGH" in printed


FULL = """
import resource, sys
import numpy as np, pathlib, t2jax as t2
from t2jax.fitting.law_files import save_draws
law = t2.laws.Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
draws = t2.laws.Chinchilla(**{name: np.full(20_000, value) for name, value in law.values().items()})
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    save_draws(pathlib.Path("draws.nc"), draws, law, "bootstrap", asked=20_000, tried=20_000)
except OSError as error:
    sys.exit(f"{error.filename}: {error.strerror}")
"""


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path):
    done = subprocess.run([sys.executable, "-c", FULL], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "draws.nc: cannot be written (File too large)\n")
    assert os.listdir(tmp_path) == []


def test_warnings_are_sentences(tmp_path, capsys):
    show_warning(UserWarning("draws.nc: 3 of 5 draws were made"), UserWarning, "known.py", 60)
    show_warning("overflow encountered in power", RuntimeWarning, "frontier.py", 3)
    assert capsys.readouterr().err == "t2jax: draws.nc: 3 of 5 draws were made\n"
