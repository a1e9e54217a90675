"""`t2jax quickstart`: its plans are spent and best, and a damaged table is one error."""

import os
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import betaln, expit

import t2jax as t2
from t2jax import cli
from t2jax.cli.quickstart import command as quickstart
from t2jax.datasets.files import DatasetError
from tests.helpers.json_answers import checked_answer

pytestmark = pytest.mark.usefixtures("settings_alone")


def test_quickstart_with_a_damaged_table_is_one_error(tmp_path, capsys, monkeypatch):
    def damaged(name, **_):
        raise DatasetError(f"{name}: this is not the published file")

    damaged.__globals__["__name__"] = "t2jax.datasets"
    monkeypatch.setattr(t2.datasets, "load", damaged)
    monkeypatch.chdir(tmp_path)
    assert cli.command(["quickstart"]) == 1
    assert capsys.readouterr().err == "t2jax: testbed: this is not the published file\n"
    assert os.listdir(tmp_path) == []


def test_quickstart(tmp_path, capsys):
    """Budgets are spent to the last FLOP, and N is where SciPy finds the maximum of the fitted law's pass@k."""
    assert cli.command(["quickstart", "--json", "-o", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr()
    result = checked_answer(printed.out)
    frontier = {name: np.array(values, float) for name, values in result["frontier"].items()}
    np.testing.assert_allclose(6 * frontier["params"] * frontier["tokens"], frontier["train"], rtol=1e-9)
    np.testing.assert_allclose(2 * frontier["params"] * frontier["samples"], quickstart.INFERENCE, rtol=1e-9)
    at = {name: estimate["value"] for name, estimate in result["fit"]["parameters"].items()}
    train = frontier["train"][4]

    def failed(log_n):
        n = np.exp(log_n)
        loss = at["E"] + at["A"] * n ** -at["alpha"] + at["B"] * (train / (6 * n)) ** -at["beta"]
        mean, size = (
            at["theta2"] * expit(-at["theta1"] * (loss - at["theta0"])),
            np.exp(at["theta3"] + at["theta4"] * loss),
        )
        a, b = mean * size, (1 - mean) * size
        return betaln(a, b + quickstart.INFERENCE / (2 * n)) - betaln(a, b)

    best: Any = minimize_scalar(failed, bounds=(np.log(1e3), np.log(1e5)), method="bounded", options={"xatol": 1e-9})
    assert frontier["params"][4] == pytest.approx(np.exp(best.x), rel=1e-4)
    assert frontier["value"][4] == pytest.approx(-np.expm1(best.fun), rel=1e-9)
    assert (frontier["params_high"] < frontier["chinchilla_params"]).all()  # T²'s claim, on our own measurements
    assert "samples" in printed.err and "tokens per parameter" in printed.err
    files = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert {"law.json", "draws.nc", "frontier.csv", "frontier.png", "isoflop.png", "run.json"} <= files
