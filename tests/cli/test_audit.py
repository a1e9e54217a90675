"""`t2jax audit`: words, JSON, files and figures, laws that fail, and what is refused before anything is fitted."""

import json
import os

import jax
import numpy as np
import pandas as pd
import pytest

import t2jax as t2
from t2jax import cli
from t2jax.cli.audit import command
from t2jax.evaluation.held_out import NoFit
from t2jax.evaluation.leave_groups_out import Influence, NoOptimum
from tests.helpers.json_answers import checked_answer

FIGURES = ["errors.png", "predicted.png"]


pytestmark = pytest.mark.usefixtures("settings_alone")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Five sizes at eight budgets, losses of Gadre's law one per cent off."""
    path = tmp_path_factory.mktemp("runs") / "runs.csv"
    params, flops = (x.ravel() for x in np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e17, 1e20, 8)))
    tokens = flops / (6 * params)
    loss = 1.7 + 120 / params**0.33 + 300 / tokens**0.33
    noisy = loss * np.exp(0.01 * np.random.default_rng(0).standard_normal(40))
    for name, column in (("runs.csv", noisy), ("exact.csv", loss)):
        pd.DataFrame({"params": params, "tokens": tokens, "loss": column}).to_csv(path.with_name(name), index=False)
    return path


def decided(law, table, train, **_):
    """An influence as it would come, for the one that takes an optimum's compilation."""
    fit = t2.fit(law, table, key=jax.random.key(0), noise=t2.noise.Gaussian(), starts=4)
    labels = tuple(f"{flops:.3g} FLOPs" for flops in (1e20, 1e17))
    return Influence(fit, train, 1e20, "budget", 2e9, labels, np.array([5, 5]), np.log([1.5, 0.8]), ())


def test_audit(runs, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(command, "influence", decided)
    out = tmp_path / "out"
    options = ["--noise", "gaussian", "--draws", "100", "--starts", "4", "--by", "size"]
    assert cli.command(["audit", str(runs), "--law", "shared-exponent", *options, "--json", "-o", str(out)]) == 0
    printed = capsys.readouterr()
    answer = checked_answer(printed.out)
    (law,) = answer["laws"]
    files = ["audit.json", "predictions.csv", "influence.csv", *FIGURES]
    assert answer["files"] == files and sorted(os.listdir(out)) == sorted([*files, "command.yaml", "run.json"])
    assert json.loads((out / "audit.json").read_text())["laws"] == answer["laws"]
    assert answer["cut"] == {"quantity": "compute", "value": pytest.approx(10**18.5), "unit": "FLOPs"}
    assert answer["failures"] == []

    # what is printed and answered is what the rows in the file say
    frame = pd.read_csv(out / "predictions.csv")
    held_out = frame["held_out"].to_numpy()
    assert len(frame) == 40 and np.sum(held_out) == 20
    np.testing.assert_array_equal(held_out, 6 * frame["params"] * frame["tokens"] > answer["cut"]["value"])
    error = (frame["predicted"] / frame["observed"] - 1).to_numpy()[held_out]
    beyond = {"mean_absolute": np.abs(error).mean(), "bias": error.mean(), "largest": np.abs(error).max()}
    assert {name: law["beyond"][name] for name in beyond} == pytest.approx(beyond)
    assert law["beyond"]["mean_absolute"] < 0.03
    inside = (frame["low"] <= frame["observed"]).to_numpy() & (frame["observed"] <= frame["high"]).to_numpy()
    assert law["coverage"] == pytest.approx(inside[held_out].mean())
    assert law["outside_hull"] == np.sum(frame["decades_outside"] > 0) == 40 - np.sum(frame["in_hull"]) == 20
    sizes, tokens = frame["params"].to_numpy(), frame["tokens"].to_numpy()
    assert law["out_of_range"] == np.sum(tokens > 1.01 * tokens[~held_out].max()) == 40 - np.sum(frame["in_ranges"])
    assert 0 < law["out_of_range"] < 20 and set(sizes[held_out]) == set(sizes[~held_out])
    assert sum(step["errors"]["rows"] for step in law["curve"]) == 20
    assert law["cross_validation"]["groups"] == law["cross_validation"]["folds"] == 5
    likely = law["criteria"]
    assert (likely["parameters"], likely["runs"]) == (5, 20)  # the rows below the cut alone
    assert likely["bic"] == pytest.approx(5 * np.log(20) - 2 * likely["log_likelihood"])
    assert law["influence"]["params"] == 2e9 and law["influence"]["train"] == pytest.approx(1e21)
    row = next(line for line in printed.err.splitlines() if line.startswith("shared-exponent  "))
    assert f"{law['beyond']['mean_absolute']:.2%}" in row and f"{likely['aic']:.1f}" in row
    assert "1e+20 FLOPs  5     +50.0%" in printed.err and "1e+17 FLOPs  5     -20.0%" in printed.err
    assert "runs.csv: fitted to 20 rows up to 3.162e+18 FLOPs, predicted 20 above it." in printed.err

    # a law that fails and a law without optimum are told, and the others answer all the same
    real = command.extrapolate

    def failing(law, *args, **rest):
        if law is t2.laws.Chinchilla:
            raise NoFit("chinchilla: the fit below the cut failed (for the test)")
        return real(law, *args, **rest)

    def flat(*_, **__):
        raise NoOptimum("shared-exponent has no optimum at 1e+21 FLOPs: for the test")

    monkeypatch.setattr(command, "extrapolate", failing)
    monkeypatch.setattr(command, "influence", flat)
    both = ["audit", str(runs), "--law", "chinchilla", "--law", "shared-exponent", *options]
    assert cli.command([*both, "-o", str(tmp_path / "both")]) == 1
    printed = capsys.readouterr()
    assert "t2jax: chinchilla: the fit below the cut failed (for the test)" in printed.err
    assert "No influence: shared-exponent has no optimum at 1e+21 FLOPs: for the test" in printed.out
    assert f"{law['beyond']['mean_absolute']:.2%}" in printed.out
    assert "influence.csv" not in os.listdir(tmp_path / "both")

    # without noise the law predicts the dearer half exactly
    exact = ["audit", str(runs.with_name("exact.csv")), "--law", "shared-exponent", *options]
    assert cli.command([*exact, "--json", "-o", str(tmp_path / "exact")]) == 0
    (law,) = json.loads(capsys.readouterr().out)["laws"]
    assert law["beyond"]["largest"] < 1e-8 and law["cross_validation"]["errors"]["largest"] < 1e-8
    assert law["parameters"] == pytest.approx({"E": 1.7, "A": 120.0, "B": 300.0, "alpha": 0.33}, rel=1e-6)


def test_refusals(runs, tmp_path, capsys):
    single = tmp_path / "one.csv"
    frame = pd.read_csv(runs)
    frame[:5].to_csv(single, index=False)
    few = ["--cut", "compute=1.1e17", "--law", "chinchilla", "--law", "kaplan"]
    for args, message in (
        (
            [single],
            "one.csv: all rows have one training budget, 1e+17 FLOPs, so there is none to extrapolate",
        ),
        (
            [runs, "--cut", "compute=1e25"],
            "all 40 rows are at or below the cut at 1e+25 FLOPs, expected one between",
        ),
        ([runs, "--cut", "tokens-per-param=1e-3"], "all 40 rows are above the cut at 0.001 tokens per parameter"),
        ([runs, *few], "runs.csv: 5 of 40 rows are left to fit, but Kaplan needs at least 6, one for each parameter"),
        ([runs, "--law", "gompertz"], "there is no law 'gompertz'; the laws are chinchilla, "),
        ([runs, "--law", "chinchilla", "--law", "t2-pass-k"], "compare laws of one response"),
        (
            [runs, "--cut", "width"],
            "--cut: found 'width', expected compute, params, tokens, tokens-per-param, samples, and perhaps",
        ),
        ([runs, "--cut", "compute=much"], "--cut: found 'compute=much', expected compute"),
        ([runs, "--folds", "1"], "found --draws 400 --starts 8 --folds 1, expected at least 1, 1 and 2"),
    ):
        assert cli.command(["audit", *map(str, args), "-o", str(tmp_path / "none")]) == 1
        printed = capsys.readouterr().err
        assert message in printed and printed.count("\n") == 1 and printed.startswith("t2jax: ")
    assert not (tmp_path / "none").exists()
