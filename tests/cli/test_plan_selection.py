"""`t2jax plan --selection`: a plan for a system that must pick among its samples without an oracle."""

import json
from pathlib import Path
from typing import Any

import pytest

import t2jax as t2
from t2jax import cli

pytestmark = pytest.mark.usefixtures("settings_alone")


def write_law(folder: Path) -> t2.Law:
    """Writes a law of pass@k for `--law-file`, and returns it on the verifier that the commands here name."""
    values = {"E": 0.5, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37, "theta0": 1.0, "theta1": 2.0}
    values |= {"theta2": 0.9, "theta3": 1.0, "theta4": 0.0}
    content: dict[str, Any] = {"law": "t2-pass-k", "converged": True, "status": "written by hand"}
    content["parameters"] = {name: {"value": value} for name, value in values.items()}
    (folder / "law.json").write_text(json.dumps(content))
    verifier = t2.laws.AbstainingVerifier(true_positive=0.9, false_positive=0.02, abstention=0.5)
    return t2.laws.select(t2.laws.T2PassK(**values), verifier)


def test_plan_with_a_selection(tmp_path, capsys):
    """A law of pass@k takes the selection of the command; the plan and its words are those of the library."""
    law = write_law(tmp_path)
    command = ["plan", "--law-file", str(tmp_path / "law.json"), "--train", "1e22", "--inference", "2e11"]
    more = ["--selection", "abstain=.9/.02/.5", "--figures", "none", "--json", "-o", str(tmp_path / "out")]
    assert cli.command([*command, *more]) == 0
    answer = json.loads(capsys.readouterr().out)
    best = t2.allocate(law, t2.Budget(train=1e22, inference=2e11))
    assert answer["law"] == "t2-pass-k-on-abstaining-verifier"
    assert answer["plan"]["samples"]["value"] == pytest.approx(float(best.samples), rel=1e-9)
    chosen = t2.planning.best_samples(law, float(best.params), float(best.tokens))
    assert answer["selection"]["best_samples"] == pytest.approx(chosen.samples, rel=1e-9)
    assert answer["selection"]["false_positive"] == 0.02
    worse = (
        f"With this selection more than {chosen.samples:.3g} samples make it worse: {chosen.success:.1%} is the best"
    )
    assert worse in answer["words"] and "predicts success of" in answer["words"]


def test_frontier_with_a_selection(tmp_path, capsys):
    """The optimum of a training budget is the plan's, and that of one sample has no use for a verifier."""
    law = write_law(tmp_path)
    command = ["frontier", "--law-file", str(tmp_path / "law.json"), "--train", "1e22", "--inference", "2e11"]
    more = ["--selection", "abstain=.9/.02/.5", "--figures", "none", "--json", "-o", str(tmp_path / "out")]
    assert cli.command([*command, *more]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["law"] == "t2-pass-k-on-abstaining-verifier"
    best = t2.allocate(law, t2.Budget(train=1e22, inference=2e11))
    single = t2.allocate(t2.laws.Chinchilla(E=0.5, A=480.0, B=2100.0, alpha=0.35, beta=0.37), t2.Budget(train=1e22))
    columns = {name: values[0] for name, values in answer["frontier"].items()}
    for name in ("params", "samples", "value"):
        assert columns[name] == pytest.approx(float(getattr(best, name)), rel=1e-9)
    assert columns["chinchilla_params"] == pytest.approx(float(single.params), rel=1e-9)


@pytest.mark.parametrize("command", ["plan", "frontier"])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("verifier=2/.02", "--selection: found a true positive of 2, expected a number from 0 to 1"),
        ("verifier=.9", "found 'verifier=.9', expected 2 numbers after verifier=: true_positive, false_positive"),
        ("verifier=.02/.9", "accepts wrong answers as often as right ones, expected T above H"),
        ("best-of=x", "--selection: found 'x' in 'best-of=x', expected a number"),
        ("judge", "--selection: found 'judge', expected oracle, verifier=T/H, abstain=T/H/W, vote=S or best-of=R"),
    ],
)
def test_selections_in_wrong_words(tmp_path, command, text, reason, capsys):
    limits = ["--train", "1e22", "--inference", "2e11", "--selection", text]
    assert cli.command([command, "--law-file", str(tmp_path / "law.json"), *limits]) == 1
    assert reason in capsys.readouterr().err
