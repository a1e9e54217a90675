"""`t2jax report`: its own script finds the optima, and the page holds what it must and runs nothing it must not."""

import contextlib
import dataclasses
import io
import json
import re
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import t2jax as t2
from t2jax import cli
from t2jax.cli.plan.config import PlanConfig
from t2jax.cli.process.config_file import config_of_record
from tests.helpers.json_answers import checked_answer
from tests.helpers.page_levers import solved

pytestmark = pytest.mark.usefixtures("settings_alone")
LAW = t2.laws.Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
NASTY = "<script>window.stolen=1</script><img src=x onerror=window.stolen=1>"
EVIL = "</script>" + NASTY


def closed_form(train: Any, cap: Any = np.inf, most: Any = np.inf) -> tuple[np.ndarray, np.ndarray]:
    """N and D of the Chinchilla law (Hoffmann et al. 2022, eq. 4) with at most `cap` tokens and N at most `most`."""
    g = (0.35 * 480.0 / (0.37 * 2100.0)) ** (1 / 0.72)
    n = np.minimum(np.maximum(g * (train / 6) ** (0.37 / 0.72), train / 6 / cap), most)
    return n, np.minimum(train / 6 / n, cap)


def test_script_finds_the_closed_form_of_chinchilla():
    rng = np.random.default_rng(0)
    train, cap = 10 ** rng.uniform(19.1, 22.9, 40), 10 ** rng.uniform(10.0, 11.0, 40)
    served, tokens = 10 ** rng.uniform(8.5, 10.5, 40), rng.uniform(1.0, 10.0, 40)
    cap[:20] = np.inf
    positions = [
        {"train": t, "inference": i, "tokens": k} | ({"cap": c} if np.isfinite(c) else {})
        for t, i, k, c in zip(train, served, tokens, cap, strict=True)
    ]
    answers = [answer for answer, _ in solved(LAW, t2.Budget(train=1e21, inference=3e9), positions)]
    n, d = closed_form(train, cap, served / (2 * tokens))
    inside = np.array([answer["ok"] for answer in answers])
    assert inside.mean() > 0.8
    optima = np.array([[answer["params"], answer["tokens"], answer["value"]] for answer in answers if answer["ok"]])
    value = 1.8 + 480.0 * n**-0.35 + 2100.0 * d**-0.37
    np.testing.assert_allclose(optima, np.stack([n, d, value], axis=1)[inside], rtol=2e-4)
    # what is refused lies outside: at an end of the levers only
    assert all(answer["reason"] == "beyond" for answer in answers if not answer["ok"])


def test_script_divides_one_purse_between_training_and_samples():
    """Against SciPy on costs written out: a query of 500 + 300k tokens, 6ND to train, an H100 at 40 % of 989 TFLOP/s.

    Decoding is limited by arithmetic: a batch of 512 shares one reading of the weights, which takes less.
    """
    law = t2.laws.T2Loss(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37, G=0.3, gamma=0.3)
    chip = t2.accelerator("H100", price=2.0)
    serving = t2.Serving(prompt=500.0, generated=300.0, batch=512.0, on=chip)
    budget = t2.Budget(total=1e6, queries=1e8, training=t2.Training(on=chip), serving=serving)
    rng = np.random.default_rng(1)
    columns = np.exp(rng.uniform(np.log([3e4, 1e7, 1.0, 400.0]), np.log([3e7, 1e9, 4.0, 1600.0]), (12, 4)))
    names = ("total", "queries", "price", "tokens")
    answers = solved(law, budget, [dict(zip(names, row, strict=True)) for row in columns.tolist()])
    for (total, queries, price, tokens), (plan, _) in zip(columns, answers, strict=True):
        per_flop = price / 3600 / (0.4 * 989e12)

        def samples(x, total=total, queries=queries, tokens=tokens, per_flop=per_flop):
            left = total / per_flop - 6 * np.exp(x[0] + x[1])
            return (left / queries / (2 * np.exp(x[0])) - tokens * 5 / 8) / (tokens * 3 / 8)

        def cost(x, samples=samples):
            n, d, k = np.exp(x[0]), np.exp(x[1]), samples(x)
            return np.inf if k < 1 else 1.8 + 480 * n**-0.35 + 2100 * d**-0.37 + 0.3 * k**-0.3

        start = np.log([0.7 * plan["params"], plan["tokens"]])
        best = minimize(cost, start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-14, "maxiter": 4000})
        sizes = [plan["params"], plan["tokens"], plan["samples"], plan["value"]]
        assert sizes == pytest.approx([*np.exp(best.x), samples(best.x), best.fun], rel=2e-3)


def test_script_keeps_samples_fixed_and_draws_bands():
    """At k fixed N is limited by 2Nk; each draw of laws that differ in E alone has the same N and a loss of its own."""
    law = t2.laws.T2Loss(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37, G=0.3, gamma=0.3)
    floors = np.linspace(1.7, 1.9, 41)
    laws = t2.laws.T2Loss(**{name: np.full(41, value) for name, value in law.values().items()} | {"E": floors})
    (free, bands), (fixed, _) = solved(law, t2.Budget(train=1e21, inference=1e11), [{}, {"samples": 64.0}], laws)
    n, d = closed_form(1e21, most=1e11 / 128)
    assert (fixed["params"], fixed["tokens"], fixed["samples"]) == pytest.approx((n, d, 64.0), rel=1e-4)
    low, mid, high = bands["value"]
    assert (low - free["value"], mid - free["value"], high - free["value"]) == pytest.approx(
        (-0.09, 0.0, 0.09), abs=2e-4
    )
    assert bands["params"] == pytest.approx([free["params"]] * 3, rel=0.02)


def test_script_says_what_lies_beyond():
    far, poor, best = (
        answer
        for answer, _ in solved(LAW, t2.Budget(train=1e21, inference=3e9), [{"train": 1e30}, {"inference": 1.0}, {}])
    )
    assert not far["ok"] and far["reason"] == "beyond"
    assert not poor["ok"] and poor["reason"] == "infeasible"
    assert best["params"] == pytest.approx(1.5e9, rel=1e-6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A fit of rows with an evil name, and its page."""
    path = tmp_path_factory.mktemp("report")
    size, data = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e9, 4), np.geomspace(1e9, 1e11, 4)))
    loss = LAW(size, data) * np.exp(0.003 * np.random.default_rng(0).standard_normal(16))
    table = t2.Table.from_columns(params=size, tokens=data, loss=loss)
    fit = t2.fit(t2.laws.Chinchilla, table, key=jax.random.key(0))
    table.to_csv(path / "rows.csv")
    t2.save_law(path / "law.json", fit, table, path / "rows.csv")
    content = json.loads((path / "law.json").read_text())
    content["table"] |= {"name": EVIL, "url": "https://example.org/runs.csv"}
    content["status"] += EVIL
    content["parameters"]["E"]["doc"] = EVIL
    (path / "law.json").write_text(json.dumps(content))
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert cli.command(["report", str(path), "--train", "1e21", "--json"]) == 0
    (path / "answer.json").write_text(printed.getvalue())
    return path


def test_the_answer_is_as_the_guide_says(folder):
    answer = checked_answer((folder / "answer.json").read_text())
    assert answer["file"] == str(folder / "report.html") and answer["levers"]
    assert answer["bytes"] == (folder / "report.html").stat().st_size


def test_page_is_whole_and_names_no_address(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert len(text) < 6e6
    assert not re.search(r"https?:|src\s*=\s*[\"']?[^\"' d]|@import|url\(", text.replace("src=x", ""))
    assert NASTY not in text and "default-src 'none'" in text
    for title in ("Move a lever", "How sure", "What would change it", "What the table cannot say", "Where this comes"):
        assert title in text
    law = t2.load_law(folder / "law.json")
    plan = t2.allocate(law, t2.Budget(train=1e21))
    assert f"{plan.params / 1e9:.3g} billion parameters" in text
    (packed,) = re.findall(r'id="data">(.*?)</script>', text)
    data = json.loads(packed)
    assert data["levers"]["start"]["train"] == 1e21 and len(data["levers"]["checks"]) >= 10


def test_wrong_folders_are_told_in_a_sentence(folder, tmp_path, capsys):
    (tmp_path / "own.py").write_text("x = 1\n")
    cases = [
        ([str(tmp_path / "none")], "there is no such folder"),
        ([str(tmp_path)], "found no law.json, expected a folder that t2jax fit, sample or plan wrote"),
        ([str(folder), "--law-class", "nothing.py"], "expected a file that defines a class"),
        ([str(folder), "--law-class", f"{tmp_path / 'own.py'}:Mine"], "no class 'Mine'"),
    ]
    for args, message in cases:
        assert cli.command(["report", *args]) == 1
        error = capsys.readouterr().err
        assert message in error and error.strip().count("\n") == 0
    (tmp_path / "run.json").write_text("[]")
    assert cli.command(["report", str(tmp_path)]) == 1
    assert "not a record that t2jax wrote" in capsys.readouterr().err


def test_a_page_that_fails_leaves_the_earlier_one(folder, monkeypatch, capsys):
    before = (folder / "report.html").read_bytes()
    names = sorted(path.name for path in folder.iterdir())

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    assert cli.command(["report", str(folder)]) == 1
    assert (folder / "report.html").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == names
    capsys.readouterr()


def test_options_of_a_plan_come_back_from_its_record():
    budget = ["--total", "1e6", "--queries", "1e8", "--sizes", "1e9", "2e9", "--what-if", "price=x2"]
    prices = ["--accelerator", "H100", "--price", "2.5", "--seed", "3", "-o", "out"]
    config = cli.parse(["plan", "--law-file", "x/law.json", *budget, *prices])
    record = json.loads(json.dumps(dataclasses.asdict(config), default=str))
    assert config_of_record(PlanConfig, record) == config
    assert config_of_record(PlanConfig, {"train": 1e21, "unknown": 1}) == PlanConfig(train=1e21)


def test_page_of_an_audit_has_its_errors(tmp_path, capsys):
    """Two fitted rows and one beyond the cut that is 4 % too low, of a law with a name that must not run."""
    errors = {"rows": 1, "mean_absolute": 0.04, "bias": -0.04, "median": 0.04, "largest": 0.04}
    audit = {
        "law": EVIL,
        "status": "fitted",
        "fitted": errors | {"mean_absolute": 0.01},
        "beyond": errors,
        "level": 0.9,
        "coverage": 0.0,
        "half_width": 0.02,
        "outside_hull": 1,
        "out_of_range": 1,
        "curve": [{"low": 1.0, "high": 10.0, "errors": errors, "coverage": 0.0}],
        "cross_validation": {"none": "the table has only one run"},
    }
    (tmp_path / "audit.json").write_text(json.dumps({"cut": {"quantity": "compute"}, "laws": [audit]}))
    (tmp_path / "run.json").write_text(json.dumps({"command": "audit", "arguments": {"draws": 25}}))
    frame = pd.DataFrame({"params": [1e8, 1e9, 1e10], "tokens": 1e10, "ratio": [0.1, 1.0, 10.0]})
    frame["relative_error"], frame["held_out"], frame["law"] = [0.01, -0.01, -0.04], [False, False, True], EVIL
    frame.to_csv(tmp_path / "predictions.csv", index=False)
    assert cli.command(["report", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["levers"] is False
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert NASTY not in text and "errs by 4\u00a0% on average" in text and "Move a lever" not in text
    (packed,) = re.findall(r'id="data">(.*?)</script>', text)
    fitted, held_out = json.loads(packed)["figures"]["errors"]["data"]
    # measured over predicted is 1/(1 - 0.04), as the prediction is 4 % too low
    assert held_out["y"] == pytest.approx([100 / 0.96 - 100]) and held_out["x"] == [10.0]
    assert fitted["y"] == pytest.approx([100 / 1.01 - 100, 100 / 0.99 - 100])
    (tmp_path / "audit.json").write_text("{}")
    assert cli.command(["report", str(tmp_path)]) == 1
    assert "not an audit that t2jax wrote" in capsys.readouterr().err
