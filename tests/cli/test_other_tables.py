"""Tables of compute alone, of experts, of multiple choice and of post-trained models, from the file to the plan."""

import json

import numpy as np
import pandas as pd
import pytest

import t2jax as t2
from t2jax.cli import command
from t2jax.laws.held_inputs import held_values


def write(path, **columns):
    names, rows = ",".join(columns), zip(*(map(float, column) for column in columns.values()), strict=True)
    path.write_text("\n".join([names, *(",".join(map(repr, row)) for row in rows)]) + "\n")
    return str(path)


def printed_answer(capsys):
    return json.loads(capsys.readouterr().out)


def test_compute_alone_is_fitted_and_cannot_be_planned(tmp_path, capsys):
    flops = np.geomspace(1e17, 1e22, 9)
    table = write(tmp_path / "runs.csv", flops=flops, loss=1.75 + 60 * flops**-0.09)
    fitted = tmp_path / "fit"
    assert command(["fit", table, "-o", str(fitted), "--draws", "0", "--json"]) == 0
    answer = printed_answer(capsys)
    assert answer["law"] == "compute-loss"
    values = [answer["parameters"][name]["value"] for name in ("E", "A", "alpha")]
    np.testing.assert_allclose(values, [1.75, 60.0, 0.09], rtol=1e-9)
    law = str(fitted / "law.json")
    assert command(["plan", "--law-file", law, "--train", "1e22", "-o", str(tmp_path / "plan")]) == 1
    assert (
        "ComputeLoss does not read N and D" in (error := capsys.readouterr().err) and "cannot choose N and D" in error
    )


def test_a_curve_of_one_size_reports_its_sum(tmp_path, capsys):
    tokens = np.geomspace(1e9, 1e12, 9)
    table = write(tmp_path / "runs.csv", params=np.full(9, 1e8), tokens=tokens, loss=2.5 + 2100 * tokens**-0.37)
    assert command(["fit", table, "--law", "chinchilla", "-o", str(tmp_path / "fit"), "--draws", "0", "--json"]) == 0
    answer = printed_answer(capsys)
    assert answer["sums"] == {"E + A/N^alpha": pytest.approx(2.5, rel=1e-6)}
    assert answer["parameters"]["E"]["value"] is None and answer["undetermined"] == ["E", "A", "alpha"]


def test_errors_without_losses_name_their_laws(tmp_path, capsys):
    table = write(tmp_path / "runs.csv", params=[1e8, 2e8, 4e8], tokens=[1e9, 2e9, 9e9], error=[0.7, 0.6, 0.5])
    assert command(["fit", table, "-o", str(tmp_path / "fit")]) == 1
    error = capsys.readouterr().err
    assert "column 'loss', needed by Chinchilla, is missing" in error and "--law multiple-choice" in error


def test_multiple_choice_is_recovered_from_exact_rows(tmp_path, capsys):
    """Floor, gain, steepness and midpoint beside the law of the loss, from losses and errors."""
    params, tokens = (axis.ravel() for axis in np.meshgrid(np.geomspace(2e7, 7e9, 5), np.geomspace(1e9, 3e11, 5)))
    loss = 1.8 + 470 * params**-0.345 + 2000 * tokens**-0.365
    error = 1 - (0.25 + 0.5 / (1 + np.exp(4 * (loss - 2.6))))
    table = write(tmp_path / "runs.csv", params=params, tokens=tokens, loss=loss, error=error)
    options = ["--law", "multiple-choice", "--draws", "0", "--starts", "4", "--json"]
    assert command(["fit", table, "-o", str(tmp_path / "fit"), *options]) == 0
    results = {name: estimate["value"] for name, estimate in printed_answer(capsys)["parameters"].items()}
    exact = {"E": 1.8, "A": 470, "B": 2000, "alpha": 0.345, "beta": 0.365}
    exact |= {"floor": 0.25, "gain": 0.5, "steepness": 4, "midpoint": 2.6}
    assert results == pytest.approx(exact, rel=1e-5)


def test_experts_are_asked_about_and_planned(tmp_path, capsys):
    """Two counts of params are named both; compute counts the active ones, and memory all of them."""
    active, tokens = (axis.ravel() for axis in np.meshgrid(np.geomspace(2e7, 2e9, 4), np.geomspace(5e8, 8e10, 4)))
    share = np.tile([1.0, 0.5, 0.2, 0.1], 4)
    loss = 1.0 + 9000 * (active / share) ** -0.58 + 5400 * tokens**-0.395 + 0.45 * share**0.17
    loss = loss + 17 * share**-0.16 * (active / share) ** -0.16
    table = write(tmp_path / "runs.csv", active_params=active, tokens=tokens, loss=loss, total_params=active / share)
    assert command(["fit", table, "-o", str(tmp_path / "fit")]) == 1
    assert "'active_params' and 'total_params' could each be params" in capsys.readouterr().err
    fixed = ["E=1", "C=.45", "lam=-.17", "delta=.16"]
    options = ["--columns", "active_params=params", "--law", "mixture-of-experts", "--draws", "0", "--fixed", *fixed]
    limits = ["--train", "1e22", "--total-per-active", "8", "--json"]
    assert command(["plan", table, "-o", str(tmp_path / "plan"), *options, *limits]) == 0
    plan = {name: quantity["value"] for name, quantity in printed_answer(capsys)["plan"].items()}
    assert 6 * plan["params"] * plan["tokens"] == pytest.approx(1e22, rel=1e-9)
    total = 8 * plan["params"]
    expected = (
        1.0 + 9000 * total**-0.58 + 5400 * plan["tokens"] ** -0.395 + 0.45 * 8**-0.17 + 17 * 8**0.16 * total**-0.16
    )
    assert plan["value"] == pytest.approx(expected, rel=1e-6)


def test_a_plan_after_post_training_from_base_runs_and_six_tuned_ones(tmp_path, capsys):
    """Exact rows of a law give the plan of that law with `tuned` at 1; what the table lacks is said."""
    shift = {"scale": 0.6, "power": 1.2, "drift": 0.03}
    law = t2.laws.PostTrained(E=1.2, A=300.0, B=1500.0, alpha=0.33, beta=0.36, G=0.9, gamma=0.4, **shift)
    axes = (1e8, 3e8, 1e9, 3e9), (5.0, 20.0, 80.0, 320.0), (1.0, 8.0, 64.0), (0.0, 1.0)
    params, ratio, samples, tuned = (axis.ravel() for axis in np.meshgrid(*axes, indexing="ij"))
    few = (tuned == 0) | (np.isin(params, (3e8, 1e9)) & (ratio != 80))
    params, tokens, samples, tuned = (axis[few] for axis in (params, ratio * params, samples, tuned))
    rows = {"params": params, "tokens": tokens, "samples": samples, "stage": np.where(tuned == 1, "sft", "base")}
    table = str(tmp_path / "runs.csv")
    pd.DataFrame(rows).assign(neg_log_pass=np.asarray(law(params, tokens, samples, tuned))).to_csv(table, index=False)
    limits = ["--train", "1e21", "--inference", "1e11", "--draws", "0", "--starts", "4", "--json"]
    assert command(["plan", table, "--stage", "sft", *limits, "-o", str(tmp_path / "plan")]) == 0
    plan = {name: quantity["value"] for name, quantity in printed_answer(capsys)["plan"].items()}
    best = t2.allocate(t2.laws.hold(law, tuned=1.0), t2.Budget(train=1e21, inference=1e11))
    for name in ("params", "tokens", "samples", "value"):
        assert plan[name] == pytest.approx(float(getattr(best, name)), rel=1e-4)
    assert command(["fit", table, "--stage", "rl", "-o", str(tmp_path / "fit")]) == 1
    assert "column 'stage': found base, sft, expected rows of 'rl' too" in capsys.readouterr().err
    assert command(["fit", table, "--stage", "base", "-o", str(tmp_path / "fit")]) == 1
    assert "--stage: found 'base', expected a stage after it" in capsys.readouterr().err


def test_next_runs_are_planned_for_the_post_trained_model(tmp_path, monkeypatch):
    """The command stops before the fit, which the plan above has."""
    fitted = []

    def stop(law, *_):
        fitted.append(law)
        raise ValueError("stopped before the fit")

    monkeypatch.setattr("t2jax.cli.next_runs.command.fit_and_save", stop)
    rows = {"params": [1e8, 3e8, 1e8], "tokens": [2e9, 6e9, 2e9], "samples": 1.0, "stage": ["base", "base", "sft"]}
    pd.DataFrame(rows).assign(neg_log_pass=[3.0, 2.5, 2.0]).to_csv(tmp_path / "runs.csv", index=False)
    given = ["--stage", "sft", "--train", "1e21", "-o", str(tmp_path / "next")]
    with pytest.raises(ValueError, match="stopped before the fit"):
        command(["next", str(tmp_path / "runs.csv"), *given])
    (law,) = fitted
    assert issubclass(law, t2.laws.PostTrained) and held_values(law) == {"tuned": 1.0}
