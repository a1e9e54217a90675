"""`t2jax predict`: the law of exact rows beyond them, the same from a table and from its fit, and wrong input."""

import json
import os
from typing import Any

import numpy as np
import pandas as pd
import pytest

import t2jax as t2
from t2jax import cli
from t2jax.fitting.fitted_rows import load_fitted_rows
from tests.helpers.json_answers import checked_answer

pytestmark = pytest.mark.usefixtures("settings_alone")
LAW = t2.laws.Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
PREDICTED = ["mean", "low", "high", "mean_low", "mean_high", "horizon_decades", "inside"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Exact runs of LAW, points inside and beyond them, a noisy table, and its fit as `t2jax fit` writes it."""
    path = tmp_path_factory.mktemp("predict")
    grid = np.meshgrid(np.geomspace(1e7, 1e9, 6), np.geomspace(1e9, 1e11, 4))
    params, tokens = (axis.ravel() for axis in grid)
    loss = t2.evaluate(LAW, params=params, tokens=tokens)
    columns: dict[str, Any] = {"params": params, "tokens": tokens, "loss": loss}
    pd.DataFrame(columns).to_csv(path / "exact.csv", index=False)
    columns["loss"] = loss * np.exp(0.003 * np.random.default_rng(0).standard_normal(len(loss)))
    pd.DataFrame(columns).to_csv(path / "runs.csv", index=False)
    points = {"name": ["inside", "ten", "thousand"], "params": [0.3, 10, 70], "tokens": [20, 100, 100_000]}
    pd.DataFrame(points).to_csv(path / "points.csv", index=False)
    args = ["--law", "chinchilla", "--draws", "0", "--figures", "none", "--fixed", "E=1.8"]
    assert cli.command(["fit", str(path / "runs.csv"), *args, "-o", str(path / "fit")]) == 0
    return path


def at_points(folder) -> list[str]:
    return ["--at", str(folder / "points.csv"), "--at-units", "params=B", "tokens=B"]


def test_exact_rows_predict_the_law_beyond_them(folder, tmp_path, capsys):
    args = ["predict", str(folder / "exact.csv"), "--law", "chinchilla", *at_points(folder)]
    assert cli.command([*args, "--json", "-o", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr()
    answer = checked_answer(printed.out)
    frame = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert list(frame) == ["name", "params", "tokens", *PREDICTED]
    expected = t2.evaluate(LAW, params=frame["params"].to_numpy(), tokens=frame["tokens"].to_numpy())
    np.testing.assert_allclose(frame["mean"], expected, rtol=1e-6)
    records = pd.DataFrame(answer["predictions"])
    pd.testing.assert_frame_equal(records, frame, check_exact=False, rtol=1e-14, check_dtype=False)
    # the dearest runs have 1e9 parameters, 1e11 tokens and 6e20 FLOPs
    np.testing.assert_allclose(frame["horizon_decades"], [0, 1, np.log10(70e9 * 1e14 / 1e20)], rtol=1e-12)
    assert frame["inside"].tolist() == [True, False, False]
    assert (answer["response"], answer["level"]) == ("loss", 0.9) and answer["widening"] >= 1
    (law,) = answer["laws"]
    assert (law["law"], law["weight"]) == ("chinchilla", 1.0)
    assert law["parameters"]["alpha"] == pytest.approx(0.35, rel=1e-6)
    first = next(line for line in printed.err.splitlines() if "decades beyond what" in line)
    assert first.startswith("1 of 3 points lie more than 2 decades beyond what was measured, by 4.85 at most")
    assert printed.err.index(first) < printed.err.index("no smooth deviation from Chinchilla")
    assert sorted(answer["files"]) == ["predictions.csv", "predictions.png"]


def test_a_law_file_predicts_as_the_table_does(folder, tmp_path, capsys):
    file = ["--law-file", str(folder / "fit" / "law.json")]
    table = [str(folder / "runs.csv"), "--law", "chinchilla", "--fixed", "E=1.8"]
    answers = []
    for source in (file, table):
        args = ["predict", *source, "--params", "7e10", "--tokens", "1.4e12", "--level", "0.5", "--figures", "none"]
        assert cli.command([*args, "--json", "-o", str(tmp_path / str(len(answers)))]) == 0
        printed = capsys.readouterr()
        answers.append(json.loads(printed.out))
    assert answers[0]["predictions"] == answers[1]["predictions"]
    assert answers[0]["laws"] == answers[1]["laws"]
    assert answers[0]["laws"][0]["parameters"]["E"] == 1.8
    (at,) = answers[0]["predictions"]
    assert at["low"] < at["mean_low"] < at["mean"] < at["mean_high"] < at["high"]
    assert answers[0]["level"] == 0.5 and "50 % of one run" in printed.err


def test_auto_weighs_several_laws(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("t2jax.cli.predict.command.candidates", lambda _: (t2.laws.Chinchilla, t2.laws.SharedExponent))
    monkeypatch.chdir(tmp_path)
    args = ["predict", str(folder / "runs.csv"), "--params", "1e10", "--tokens", "2e11"]
    assert cli.command([*args, "--json"]) == 0
    printed = capsys.readouterr()
    answer = json.loads(printed.out)
    assert sum(law["weight"] for law in answer["laws"]) == pytest.approx(1.0)
    assert sorted(law["law"] for law in answer["laws"]) == ["chinchilla", "shared-exponent"]
    assert "predicts dearer rows best" in printed.err and "predicts dearer rows best" in answer["choice"]
    assert (tmp_path / answer["folder"] / "predictions.png").exists()


def test_many_points_are_shown_in_part(folder, tmp_path, capsys):
    pd.DataFrame({"params": np.geomspace(1e8, 1e10, 40), "tokens": 1e10}).to_csv(tmp_path / "many.csv", index=False)
    args = ["predict", str(folder / "exact.csv"), "--law", "chinchilla", "--at", str(tmp_path / "many.csv")]
    assert cli.command([*args, "-o", str(tmp_path / "out"), "--figures", "none"]) == 0
    printed = capsys.readouterr().out
    assert "12 of 40 rows; predictions.csv has all" in printed
    assert len(pd.read_csv(tmp_path / "out" / "predictions.csv")) == 40


ONE = ["--params", "1e10", "--tokens", "2e11"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([*ONE], "predict needs either a table to fit or --law-file"),
        (["RUNS", "--law-file", "LAW", *ONE], "predict needs either a table to fit or --law-file"),
        (["RUNS"], "predict needs the points to predict: either --at points.csv, or --params and --tokens"),
        (["RUNS", *ONE, "--at", "POINTS"], "predict needs the points to predict: either --at points.csv"),
        (["RUNS", "--params", "1e10"], "predict needs both --params and --tokens; --tokens is missing"),
        (["RUNS", "--params", "-1", "--tokens", "1e9"], "--params: found -1, expected a finite number > 0"),
        (["RUNS", *ONE, "--samples", "0.5"], "--samples: found 0.5, expected a number of at least 1"),
        (["RUNS", "--params", "1e18", "--tokens", "1e18"], "--params and --tokens: found 1e+18 and 1e+18, 6e+36 FLOPs"),
        (["RUNS", *ONE, "--level", "90"], "--level: found 90, expected a number between 0 and 1"),
        (["RUNS", *ONE, "--law", "t3"], "there is no law 't3'"),
        (["RUNS", *ONE, "--fixed", "E=1"], "--fixed needs --law LAW"),
        (
            ["RUNS", *ONE, "--law", "chinchilla", "--fixed", "G=1"],
            "Chinchilla has no parameter 'G' to fix; it has E, A",
        ),
        (
            ["RUNS", *ONE, "--law", "chinchilla", "--fixed", "alpha=-1"],
            "alpha cannot be fixed at -1, its domain is 0 to",
        ),
        (["RUNS", *ONE, "--law", "data-constrained"], "column 'unique_tokens', needed by DataConstrained, is missing"),
        (["--law-file", "LAW", "--law", "kaplan", *ONE], "--law does not apply to --law-file"),
        (["--law-file", "none.json", *ONE], "none.json: cannot be read (No such file or directory)"),
        (["--law-file", "POINTS", *ONE], "points.csv: not a law that t2jax wrote"),
        (["none.csv", *ONE], "none.csv: cannot be read"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(args, message, folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    places = {"RUNS": folder / "runs.csv", "LAW": folder / "fit" / "law.json", "POINTS": folder / "points.csv"}
    assert cli.command(["predict", *(str(places.get(arg, arg)) for arg in args)]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("t2jax: ") and message in last
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("params,tokens\n1e9,2e10\n-1,2e10\n", "points.csv, line 3, column 'params': found '-1', expected"),
        ("params,tokens\n1e9,2e10\n1e10,2x\n", "points.csv, line 3, column 'tokens': found '2x', expected a number"),
        ("params\n1e9\n", "points.csv: column 'tokens', needed by"),
        ("params,tokens,low\n1e9,2e10,1\n", "points.csv: column 'low' has the name of a prediction; rename it"),
        (
            "params,tokens\n1e9,2e10\n\n9e14,9e20\n",
            "points.csv, line 4, column 'tokens': found 9e+20, expected at most 1e+18",
        ),
    ],
)
def test_bad_points_are_told_by_file_line_and_column(text, message, folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "points.csv").write_text(text)
    assert cli.command(["predict", str(folder / "runs.csv"), "--at", "points.csv"]) == 1
    assert message in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["points.csv"]


def test_absurd_compute_of_a_file_names_its_line(folder, tmp_path, capsys):
    (tmp_path / "points.csv").write_text("params,tokens\n1e9,2e10\n1e17,1e19\n")
    args = [
        "predict",
        str(folder / "runs.csv"),
        "--at",
        str(tmp_path / "points.csv"),
        "--units",
        "params=1",
        "tokens=1",
    ]
    assert cli.command(args) == 1
    message = (
        "points.csv, line 3, columns 'params' and 'tokens': found 1e+17 and 1e+19, 6e+36 FLOPs, expected at most 1e+35"
    )
    assert message in capsys.readouterr().err


def test_rows_beside_a_law(folder, tmp_path, capsys):
    """They come back exactly; rows that are missing, changed or not named are told."""
    fit = folder / "fit"
    fitted, original = load_fitted_rows(fit / "law.json"), t2.read_table(folder / "runs.csv")
    assert (fitted.law, fitted.fixed) == (t2.laws.Chinchilla, {"E": 1.8})
    pd.testing.assert_frame_equal(fitted.table.to_frame(), original.to_frame(), check_exact=True)
    assert isinstance(t2.load_law(fit / "law.json"), t2.laws.Chinchilla)

    law, rows = tmp_path / "law.json", tmp_path / "rows.csv"
    law.write_bytes((fit / "law.json").read_bytes())

    def stderr() -> str:
        assert cli.command(["predict", "--law-file", str(law), *ONE]) == 1
        return capsys.readouterr().err

    assert "rows.csv: is missing, but law.json names it as the rows that were fitted; fit the table again" in stderr()
    rows.write_text((fit / "rows.csv").read_text().replace("1000000000.0", "1000000001.0"))
    assert "rows.csv: the rows have changed since law.json was fitted to them; fit the table again" in stderr()
    content = json.loads(law.read_text())
    assert content.pop("rows").keys() == {"file", "sha256"}
    law.write_text(json.dumps(content))
    assert "law.json: the file does not name the rows that were fitted" in stderr()
    law.write_text(json.dumps(content | {"converged": False, "status": "failed: no"}))
    assert "law.json: the fit failed (failed: no)" in stderr()
