"""What commands say and leave out where intervals would mislead: few or biased draws, open parameters, sweeps."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

import t2jax as t2
from t2jax import cli
from t2jax.cli import fitting
from tests.helpers.json_answers import checked_answer


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A Chinchilla-like table of 25 runs at three learning rates, the middle one the best."""
    rng, path = np.random.default_rng(0), tmp_path_factory.mktemp("runs") / "runs.csv"
    grid = np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e9, 1e11, 5), [-1, 0, 1])
    params, tokens, step = (axis.ravel() for axis in grid)
    loss = (1.8 + 480 * params**-0.35 + 2100 * tokens**-0.37) * np.exp(0.003 * rng.standard_normal(75))
    columns = {"params": params, "tokens": tokens, "lr": 1e-3 * 2.0**step, "loss": loss + 0.2 * step**2}
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def answer_of(capsys, *args: object) -> tuple[int, dict, str]:
    """Exit status, JSON and text of a command."""
    status = cli.command([*map(str, args), "--json", "--figures", "none"])
    printed = capsys.readouterr()
    return status, checked_answer(printed.out, status), printed.err


def test_few_draws_give_no_interval_and_everything_else(runs, tmp_path, capsys):
    options = ["--keep-best", "--draws", "5", "--starts", "2", "-o", tmp_path / "out"]
    status, answer, message = answer_of(capsys, "fit", runs, *options)
    assert status == 0 and "chinchilla on 25 rows" in message
    assert answer["draws"].startswith("5 draws are too few for the ends of a 90 % interval, which needs 20")
    assert all(estimate["low"] is None and estimate["high"] is None for estimate in answer["parameters"].values())
    assert answer["parameters"]["E"]["value"] == pytest.approx(1.8, abs=0.1)
    assert {"law.json", "draws.nc"} <= {path.name for path in (tmp_path / "out").iterdir()}
    residuals = answer["residuals"]
    assert 0 < residuals["median"] < 0.003 < residuals["p90"] < 0.01 and residuals["measure"] == "relative"
    assert "the law is within 0." in message and "of the measured loss in half of the rows" in message


def test_a_sweep_is_told_by_every_command_that_fits(runs, tmp_path, capsys):
    options = ["--draws", "0", "--starts", "2", "--train", "1e20", "-o", tmp_path / "out"]
    status, answer, _ = answer_of(capsys, "plan", runs, *options)
    assert (
        status == 1 and "differ in lr, as in a sweep: keep the best of each size with --best-of lr" in answer["error"]
    )
    status, answer, _ = answer_of(capsys, "plan", runs, *options, "--pooled", "lr")
    assert status == 0 and answer["fit"]["status"].startswith("25 pairs of (params, tokens) have several rows")


def test_biased_draws_give_no_band_of_a_plan(runs, tmp_path, capsys, monkeypatch):
    """Six of thirty draws are said to have failed, in the command that draws and in one that reads its files."""

    def failing(*args, draws, **options):
        return dataclasses.replace(t2.bootstrap(*args, draws=draws - 6, **options), draws=draws, failed=6)

    monkeypatch.setattr(fitting, "bootstrap", failing)
    out, reason = tmp_path / "out", "6 of 30 draws reached no optimum, so there are no intervals: they would be biased"
    # with a fixed parameter the bootstrap alone gives intervals
    options = ["--keep-best", "--fixed", "E=1.8", "--draws", "30", "--starts", "2", "--train", "1e20", "-o", out]
    status, answer, _ = answer_of(capsys, "plan", runs, *options)
    assert status == 0 and answer["no_intervals"] == reason and answer["fit"]["draws"].startswith(reason)
    assert answer["plan"]["params"]["value"] > 0 and answer["plan"]["params"]["low"] is None
    assert answer["delta_method"] == {} and f"No interval: {reason}." in answer["words"]
    assert len(pd.read_csv(out / "plan.csv")) > 0
    law = ["--law-file", out / "law.json", "--train", "1e20"]
    status, answer, message = answer_of(capsys, "plan", *law, "-o", tmp_path / "again")
    assert status == 0 and answer["no_intervals"] == reason and f"bootstrap: {reason}" in message
    status, answer, message = answer_of(capsys, "frontier", *law, "-o", tmp_path / "frontier")
    assert status == 0 and f"bootstrap: {reason}" in message and "params_low" not in answer["frontier"]


def test_one_size_has_no_plan(tmp_path, capsys):
    """How the loss falls with N is open, so each N is as good as another."""
    tokens = np.geomspace(2e8, 2e11, 12)
    path = tmp_path / "one_size.csv"
    pd.DataFrame({"params": 1.2e8, "tokens": tokens, "loss": 1.9 + 900 * tokens**-0.33}).to_csv(path, index=False)
    options = ["--law", "chinchilla", "--draws", "20", "--starts", "2", "-o", tmp_path / "out"]
    status, answer, message = answer_of(capsys, "plan", path, "--train", "1e21", *options)
    assert status == 1 and "no plan, because the rows do not determine A, alpha" in message
    open_parameters = answer["fit"]["undetermined"]
    assert "E" in open_parameters
    for name in open_parameters:
        assert [answer["fit"]["parameters"][name][key] for key in ("value", "low", "high")] == [None] * 3


def test_five_rows_for_five_parameters_give_a_wide_interval_and_no_absurd_plan(tmp_path, capsys):
    """A law through every row would be certain of anything; the priors hold the truth in the band."""
    law = t2.laws.Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
    params, tokens = np.array([2e7, 6e7, 2e8, 5e8, 1e9]), np.array([4e8, 6e9, 4e9, 5e10, 2e10])
    errors = 0.003 * np.random.default_rng(0).standard_normal(5)
    loss = t2.evaluate(law, params=params, tokens=tokens) * np.exp(errors)
    pd.DataFrame({"params": params, "tokens": tokens, "loss": loss}).to_csv(tmp_path / "five.csv", index=False)
    best = float(law.optimum(1e22)[0])
    table = [tmp_path / "five.csv", "--starts", "2", "-o", tmp_path / "out"]
    for source in (table, ["--law-file", tmp_path / "out" / "law.json", "-o", tmp_path / "again"]):
        status, answer, message = answer_of(capsys, "plan", *source, "--train", "1e22")
        size = answer["plan"]["params"]
        assert status == 0 and size["low"] < best < size["high"] and size["high"] / size["low"] > 1.5
        assert best / 3 < size["value"] < 3 * best
        assert "the most probable law under the priors" in message
    assert json.loads((tmp_path / "out" / "law.json").read_text())["status"].startswith("5 rows for 5 parameters")
