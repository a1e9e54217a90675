"""Ctrl-C in the middle of a command: what was finished is printed, saved and marked, and the status is 130."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import t2jax as t2
from t2jax import cli
from t2jax.cli import fitting
from t2jax.cli.audit import command as audit_command
from t2jax.cli.frontier import allocations
from t2jax.cli.plan import command as plan_command
from tests.helpers.json_answers import checked_answer

pytestmark = pytest.mark.usefixtures("settings_alone")
LAW = t2.laws.Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)


def optimum(train: Any) -> Any:
    """N* of the law in closed form: (alpha A/(beta B))^(1/(alpha+beta)) (C/6)^(beta/(alpha+beta))."""
    return (0.35 * 480 / (0.37 * 2100)) ** (1 / 0.72) * (train / 6) ** (0.37 / 0.72)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Runs of the law without errors, and the file of the law that fits them."""
    folder = tmp_path_factory.mktemp("interrupts")
    params, tokens = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e7, 1e9, 4), np.geomspace(1e9, 1e11, 4)))
    columns: Any = {"params": params, "tokens": tokens}
    runs = t2.Table.from_columns(**columns, loss=LAW.predict(columns))
    pd.DataFrame({**columns, "loss": runs["loss"]}).to_csv(folder / "runs.csv", index=False)
    content = {"law": "chinchilla", "parameters": {name: {"value": value} for name, value in LAW.values().items()}}
    (folder / "law.json").write_text(json.dumps(content | {"converged": True, "status": "converged: by hand"}))
    return folder


def interrupt(*_, **__):
    raise KeyboardInterrupt


def interrupted_answer(args: list[str], out: Path, capsys: pytest.CaptureFixture[str]) -> tuple[dict, str]:
    """Runs a command that is interrupted, and returns its answer and what it prints for people."""
    assert cli.command([*args, "--json", "--figures", "none", "-o", str(out)]) == 130
    printed = capsys.readouterr()
    record = json.loads((out / "run.json").read_text())
    assert (record["exit_status"], record["partial"]) == (130, True)
    answer = checked_answer(printed.out, 130)
    assert answer["partial"] and answer["error"].startswith("interrupted; ")
    assert answer["files"] == record["files"] and set(answer["files"]) <= {path.name for path in out.iterdir()}
    assert f"Interrupted: this is without {answer['missing']}." in printed.err
    return answer, printed.err


def test_a_plan_without_its_intervals(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(plan_command, "draw_smooth_optima", interrupt)
    args = ["plan", "--law-file", str(folder / "law.json"), "--train", "6e20"]
    answer, text = interrupted_answer(args, tmp_path / "out", capsys)
    assert answer["plan"]["params"]["value"] == pytest.approx(optimum(6e20), rel=1e-6)
    assert "chinchilla predicts a loss of" in text
    assert answer["missing"] == "intervals, alternatives, elasticities, figures"
    frame = pd.read_csv(tmp_path / "out" / "plan.csv")
    assert frame["params"].to_list() == pytest.approx([optimum(6e20)], rel=1e-6)


def test_a_plan_without_one_of_its_changed_budgets(folder, tmp_path, capsys, monkeypatch):
    solve = plan_command.frontier

    def once(law, budget):
        monkeypatch.setattr(plan_command, "frontier", interrupt)
        return solve(law, budget)

    monkeypatch.setattr(plan_command, "frontier", once)
    args = ["plan", "--law-file", str(folder / "law.json"), "--train", "6e20"]
    answer, _ = interrupted_answer([*args, "--what-if", "train=x2", "--what-if", "train=x3"], tmp_path / "out", capsys)
    assert answer["what_if"]["train=x2"]["params"] == pytest.approx(optimum(1.2e21), rel=1e-6)
    assert answer["missing"] == "--what-if train=x3, figures"
    assert pd.read_csv(tmp_path / "out" / "plan.csv")["name"].iloc[-1] == "train=x2"


def test_a_frontier_of_the_budgets_that_were_solved(folder, tmp_path, capsys, monkeypatch):
    solve, calls = allocations.solve_with_draws, []

    def third_interrupted(*args):
        calls.append(args)
        return interrupt() if len(calls) == 3 else solve(*args)

    monkeypatch.setattr(allocations, "solve_with_draws", third_interrupted)
    monkeypatch.setattr(allocations, "PROBLEMS", 2)
    args = ["frontier", "--law-file", str(folder / "law.json"), "--train", "1e20:1e24:9"]
    answer, _ = interrupted_answer(args, tmp_path / "out", capsys)
    trains = np.geomspace(1e20, 1e24, 9)[:4]  # of nine budgets in chunks of 2, 2, 2, 2 and 1
    assert answer["frontier"]["train"] == pytest.approx(trains)
    assert answer["frontier"]["params"] == pytest.approx(optimum(trains), rel=1e-6)
    assert answer["missing"] == "the last 5 of 9 budgets, and figures"
    assert len(pd.read_csv(tmp_path / "out" / "frontier.csv")) == 4


def test_chunks_of_budgets_give_what_all_budgets_give(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(allocations, "PROBLEMS", 2)
    args = ["frontier", "--law-file", str(folder / "law.json"), "--train", "1e20:1e24:9", "--figures", "none", "--json"]
    assert cli.command([*args, "-o", str(tmp_path)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["frontier"]["params"] == pytest.approx(optimum(np.geomspace(1e20, 1e24, 9)), rel=1e-6)


def test_a_fit_prints_its_table(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(fitting, "bootstrap", interrupt)
    args = ["fit", str(folder / "runs.csv"), "--law", "chinchilla", "--starts", "2", "--draws", "30"]
    answer, text = interrupted_answer(args, tmp_path / "out", capsys)
    assert answer["parameters"]["alpha"]["value"] == pytest.approx(0.35, rel=1e-3)
    assert any(line.startswith("alpha  0.35") for line in text.splitlines())
    assert answer["missing"] == "30 of 30 bootstrap draws, and figures" and "law.json" in answer["files"]


def test_an_audit_of_the_laws_before(folder, tmp_path, capsys, monkeypatch):
    """In the cross-validation of the only law: its predictions beyond the cut are there."""
    monkeypatch.setattr(audit_command, "cross_validate", interrupt)
    args = ["audit", str(folder / "runs.csv"), "--law", "chinchilla", "--starts", "2", "--draws", "20"]
    answer, text = interrupted_answer(args, tmp_path / "out", capsys)
    assert [law["law"] for law in answer["laws"]] == ["chinchilla"]
    assert answer["laws"][0]["beyond"]["mean_absolute"] < 1e-3
    assert "No influence: the audit was interrupted before it" in text
    frame = pd.read_csv(tmp_path / "out" / "predictions.csv")
    np.testing.assert_allclose(frame["predicted"], frame["observed"], rtol=1e-3)


def test_a_signal_ends_a_process_with_what_it_had(folder, tmp_path):
    """The process stops itself with a real SIGINT while it draws the intervals."""
    code = """
import os, signal, sys
from t2jax import cli
from t2jax.cli.plan import command
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background jobs ignore
def wait(*args):
    os.kill(os.getpid(), signal.SIGINT)
    while True:
        signal.pause()
command.draw_smooth_optima = wait
sys.exit(cli.main())
"""
    args = ["plan", "--law-file", str(folder / "law.json"), "--train", "6e20", "-o", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": str(Path(t2.__file__).parent.parent)}
    done = subprocess.run(
        [sys.executable, "-c", code, *args], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 130
    assert "Interrupted: this is without intervals, alternatives, elasticities, figures." in done.stdout
    assert done.stderr.splitlines()[-1] == f"t2jax: interrupted; finished before that, in {tmp_path / 'out'}/: plan.csv"
