"""`t2jax plan` with models that exist, accelerators of one's own, ranges of prices, tasks, and the inverse."""

import json
import re
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest

import t2jax as t2
from t2jax import cli
from t2jax.cli.law_source import draws_beside
from t2jax.cli.plan.command import change_budget
from t2jax.cli.plan.config import PlanConfig
from t2jax.cli.plan.prices import PriceOptions
from t2jax.cli.plan.ranges import plans_over_ranges
from t2jax.cli.words import cost, count
from t2jax.fitting.law_files import load_law
from t2jax.posterior.files import save_point

pytestmark = pytest.mark.usefixtures("settings_alone")
LAW = t2.laws.T2Loss(E=0.6, A=300.0, B=1500.0, alpha=0.34, beta=0.35, G=0.8, gamma=0.35)
HARD = t2.laws.T2Loss(E=1.0, A=500.0, B=2100.0, alpha=0.34, beta=0.35, G=2.0, gamma=0.3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table of two tasks, a third of a per cent off their laws."""
    path = tmp_path_factory.mktemp("models")
    grid = np.meshgrid(np.geomspace(2e7, 2e9, 3), np.geomspace(1e9, 5e10, 3), [1.0, 16.0, 256.0])
    params, tokens, samples = (axis.ravel() for axis in grid)
    noise = np.exp(0.003 * np.random.default_rng(0).standard_normal(len(params)))
    columns = {"params": params, "tokens": tokens, "samples": samples}
    frames = [
        pd.DataFrame({**columns, "task": task, "neg_log_pass": t2.evaluate(law, **columns) * noise})
        for task, law in (("easy", LAW), ("hard", HARD))
    ]
    pd.concat(frames).to_csv(path / "tasks.csv", index=False)
    return path


def test_tasks_and_the_inverse(folder, capsys):
    """The plan of the table's laws is the library's, and the inverse finds the budget of one of them."""
    limits = ["--train", "1e22", "--inference", "2e11"]
    command = ["plan", str(folder / "tasks.csv"), "--tasks", "easy=.7", "hard=.3", *limits, "--draws", "25"]
    assert cli.command([*command, "--json", "-o", str(folder / "plan")]) == 0
    answer = json.loads(capsys.readouterr().out)
    laws = {task: load_law(folder / "plan" / task / "law.json") for task in ("easy", "hard")}
    plan = t2.planning.plan_portfolio(laws, {"easy": 0.7, "hard": 0.3}, t2.Budget(train=1e22, inference=2e11))
    assert answer["plan"]["params"] == pytest.approx(plan.params, rel=1e-9)
    assert answer["tasks"][1]["samples"] == pytest.approx(plan.samples["hard"], rel=1e-9)
    assert "task  weight  k" in answer["words"]
    largest_run = pd.read_csv(folder / "tasks.csv").eval("6 * params * tokens").max()
    assert answer["beyond"]["compute"] == pytest.approx(1e22 / largest_run, rel=1e-9)
    assert "times the largest measured compute" in answer["words"].splitlines()[0]
    # each draw of both laws has an optimum of its own, and the plan lies among them
    for name in ("params", "tokens", "value"):
        low, high = (answer["intervals"][f"{name}_{end}"] for end in ("low", "high"))
        assert low < answer["plan"][name] < high < 2 * low
    for row in answer["tasks"]:
        assert row["samples_low"] < row["samples"] < row["samples_high"] and answer["no_intervals"] == ""
    assert cli.command(["report", str(folder / "plan")]) == 0
    assert "Written to" in capsys.readouterr().out
    page = (folder / "plan" / "report.html").read_text(encoding="utf-8")
    twice = t2.planning.plan_portfolio(laws, {"easy": 0.7, "hard": 0.3}, t2.Budget(train=1e22, inference=4e11))
    row = [f"{count(twice.params)}", f"{count(twice.tokens)}", f"{twice.value:.4g}", f"{twice.samples['easy']:.3g}"]
    assert re.search(
        r"<th scope=.row.>twice the serving budget</th>" + "".join(f"<td>{cell}</td>" for cell in row), page
    )
    assert "This page has no levers" in page and "easy/law.json" in page and "://" not in page.split("<script")[0]
    again = ["plan", "--law-file", str(folder / "plan"), "--tasks", "easy=7", "hard=3", *limits, "--report"]
    assert cli.command([*again, "--json", "-o", str(folder / "again")]) == 0
    assert json.loads(capsys.readouterr().out)["plan"] == pytest.approx(answer["plan"], rel=1e-9)
    assert "twice the weight of hard" in (folder / "again" / "report.html").read_text(encoding="utf-8")
    law_file = folder / "plan" / "easy" / "law.json"
    explain = ["plan", "--law-file", str(law_file), "--explain-model", "params=2e9", "tokens=3e12", "--json"]
    assert cli.command([*explain, "-o", str(folder / "explain")]) == 0
    explained = json.loads(capsys.readouterr().out)
    result = t2.planning.explain_model(load_law(law_file), 2e9, 3e12)
    assert explained["explanation"]["served_tokens"] == pytest.approx(result.served_tokens, rel=1e-9)
    assert "It is the best choice if it serves" in explained["words"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--tasks", "easy=.7", "sums=.3", "--train", "1e22"],
            "there is no task 'sums' in",
        ),
        (["--explain-model", "params=8e9"], "--explain-model: tokens is missing, as in params=8e9 tokens=15e12"),
        (["--explain-model", "params=8e9", "width=2"], "--explain-model: found 'width', expected params, tokens"),
        (["--train", "1e22", "--price", "2..4"], "--price is per device-hour, so it needs a device"),
        (
            ["--train", "1e9", "--accelerator", "H100", "--price", "4..2"],
            "--price: found '4..2', expected a range from",
        ),
        (["--train", "1e9", "--device-hours"], "--device-hours needs a device, such as --accelerator H100"),
        (
            ["--train", "1e9", "--device-hours", "--accelerator", "H100", "--price", "2"],
            "--device-hours is for costs without a price: leave out --price",
        ),
        (["--train", "1e9", "--accelerator", "H100", "--what-if", "device_hours=1"], "found 'device_hours', expected"),
        (["--train", "1e9", "--flops", "1e15"], "--flops needs --bandwidth too"),
        (["--train", "1e22", "--model-config", "c.json"], "--model-config needs --context"),
        (["--train", "1e22", "--accelerator", "my.toml"], "my.toml: there is no such file"),
    ],
)
def test_options_that_are_refused(folder, options, message, capsys):
    assert cli.command(["plan", str(folder / "tasks.csv"), *options]) == 1
    assert message in capsys.readouterr().err


def test_prices_of_options(tmp_path):
    """A config.json, an accelerator in a file with a price of its own, and devices given by their peaks."""
    (tmp_path / "mine.toml").write_text("flops = 1e15\nbandwidth = 4e12\nmemory = 1e11\nprice = 3.0", encoding="utf-8")
    llama = {"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8}
    llama |= {"intermediate_size": 14336, "vocab_size": 128256, "tie_word_embeddings": False}
    (tmp_path / "config.json").write_text(json.dumps(llama), encoding="utf-8")
    options = PriceOptions(
        context=8192.0, model_config=tmp_path, model_params=8.03e9, accelerator=str(tmp_path / "mine.toml"), devices=4.0
    )
    training, serving = options.costs()
    assert training is not None and serving is not None and serving.on is not None and serving.shape is not None
    assert (serving.on.name, serving.on.price, serving.on.devices) == ("mine", 3.0, 4.0)
    assert 2 * float(serving.shape.cached_numbers(8.03e9)) == pytest.approx(131072, rel=1e-5)
    serving = PriceOptions(flops=1e15, bandwidth=4e12, memory=1e11).costs()[1]
    assert serving is not None and serving.on is not None and serving.on.memory == 1e11


def test_levers_change_names_and_ranges():
    """Another device keeps the price, and a factor of a range applies to its middle."""
    config = PlanConfig(train=1e7, prices=PriceOptions(accelerator="H100", price="2..8"))
    other = change_budget(config, "accelerator=H200").prices[1].on
    assert other is not None and (other.name, other.price) == ("H200", pytest.approx(4.0))
    dearer = change_budget(config, "price=x2").prices[1].on
    assert dearer is not None and dearer.price == pytest.approx(8.0)


def test_factors_apply_to_what_a_file_gives(tmp_path):
    """The file costs 3 dollars an hour and has 4 devices, which no option says."""
    file = tmp_path / "mine.toml"
    file.write_text("flops = 1e15\nbandwidth = 4e12\nmemory = 1e11\nprice = 3.0\ndevices = 4", encoding="utf-8")
    config = PlanConfig(train=1e7, prices=PriceOptions(accelerator=str(file)))
    for text, name, value in (("price=x2", "price", 6.0), ("devices=x2", "devices", 8.0), ("price=5", "price", 5.0)):
        assert getattr(change_budget(config, text).prices[1].on, name) == value
    config = PlanConfig(train=1e7, prices=PriceOptions(accelerator=str(file), price=2.0))
    device = change_budget(config, "price=x2").prices[1].on
    assert device is not None and device.price == 4.0


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (
            439200.0,
            "device-seconds",
            "4.39e+05 device-seconds (122 device-hours)",
        ),  # a fleet's hours, taken for seconds
        (439200.0, "device-hours", "439,000 device-hours"),
        (12345.0, "dollars", "$12,345"),
        (1e22, "FLOPs", "1e+22 FLOPs"),
    ],
)
def test_costs_in_words(value, unit, words):
    assert cost(value, unit) == words


def test_costs_are_in_what_was_paid(folder, tmp_path, capsys):
    """300 H100s for two months, and queries without a prompt: 6ND at 40 % of 989 TFLOP/s in hours of a device."""
    rows = pd.read_csv(folder / "tasks.csv").query("task == 'easy'").drop(columns="task")
    columns = {str(name): np.asarray(rows[name]) for name in rows}
    table = t2.Table.from_columns(**columns)  # pyright: ignore[reportArgumentType]
    t2.save_law(tmp_path / "law.json", t2.fit(t2.laws.T2Loss, table, key=jax.random.key(0)), table)
    fleet = ["--total", "439200", "--device-hours", "--accelerator", "H100", "--queries", "1e8", "--prompt", "0"]
    more = ["--generated", "800", "--report", "--figures", "none"]
    command = ["plan", "--law-file", str(tmp_path / "law.json"), *fleet, *more, "-o", str(tmp_path / "plan"), "--json"]
    assert cli.command(command) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["unit"] == "device-hours" and "$" not in answer["words"]
    assert "; 439,000 device-hours together" in answer["words"]
    n, d = (answer["plan"][name]["value"] for name in ("params", "tokens"))
    assert answer["training_cost"] == pytest.approx(6 * n * d / (0.4 * 989e12) / 3600, rel=1e-6)
    page = (tmp_path / "plan" / "report.html").read_text(encoding="utf-8")
    assert "439,000 device-hours together" in page and '"unit":"device-hours"' in page


def test_ranges_are_spread_evenly_in_logs():
    """Each of 16 sixteenths of the log range holds one price, and the plan takes the geometric middle."""
    config = PlanConfig(train=1e7, prices=PriceOptions(accelerator="H100", price="2..8", utilisation="0.3..0.5"))
    serving = config.budget().prices[1]
    assert serving.on is not None and serving.on.price == pytest.approx(4.0)
    points = list(config.prices.over_ranges(16))
    for name, low, high in (("price", 2.0, 8.0), ("utilisation", 0.3, 0.5)):
        shares = np.log([point.value(name) / low for point in points]) / np.log(high / low)
        np.testing.assert_allclose(np.sort(shares), (np.arange(16) + 0.5) / 16, rtol=1e-9)
    assert abs(np.corrcoef([[p.value("price"), p.value("utilisation")] for p in points], rowvar=False)[0, 1]) < 0.6
    assert replace(config.prices, price=3.0).ranges() == {"utilisation": (0.3, 0.5)}


def test_a_range_of_prices_widens_the_intervals():
    """N rises with the power β/(α + β) of the FLOPs that a dollar buys, in each draw at its own price."""
    law = t2.laws.Chinchilla(E=1.8172, A=477.83, B=2143.4, alpha=0.34731, beta=0.36717)
    config = PlanConfig(train=1e6, prices=PriceOptions(accelerator="H100", price="1..4"))
    budgets = [replace(config, prices=prices).budget() for prices in config.prices.over_ranges(64)]
    params = plans_over_ranges(law, None, budgets).params
    share = 0.36717 / (0.34731 + 0.36717)
    prices = np.array([prices.value("price") for prices in config.prices.over_ranges(64)])
    np.testing.assert_allclose(params * prices**share, params[0] * prices[0] ** share, rtol=1e-8)
    drawn = jax.tree.map(lambda leaf: np.full(80, leaf), law)
    np.testing.assert_allclose(plans_over_ranges(law, drawn, budgets).params[64:], params[:16], rtol=1e-12)


@pytest.mark.long
def test_a_range_on_the_command_line(folder, capsys):
    """Prices from 1 to 4: the 5 and 95 % points of 64 prices are 90 % of the log range apart."""
    law = t2.laws.Chinchilla(E=1.8172, A=477.83, B=2143.4, alpha=0.34731, beta=0.36717)
    params, tokens = (axis.ravel() for axis in np.meshgrid(np.geomspace(5e7, 5e9, 4), np.geomspace(1e9, 1e11, 4)))
    runs = t2.Table.from_columns(params=params, tokens=tokens, loss=t2.evaluate(law, params=params, tokens=tokens))
    fit = t2.fit(t2.laws.Chinchilla, runs, key=jax.random.key(0))
    t2.save_law(folder / "range.json", fit, runs)
    options = ["--train", "1e6", "--accelerator", "H100", "--price", "1..4", "--json", "-o", str(folder / "range")]
    assert cli.command(["plan", "--law-file", str(folder / "range.json"), *options]) == 0
    answer = json.loads(capsys.readouterr().out)
    result, share = answer["plan"]["params"], 0.36717 / (0.34731 + 0.36717)
    assert np.log(result["high"] / result["low"]) == pytest.approx(0.9 * np.log(4) * share, rel=0.03)
    assert "The intervals include price 1 to 4, evenly in logs" in answer["words"]


def test_a_posterior_of_another_law_is_refused_for_a_task(tmp_path, capsys):
    """Draws beside a task's law are read as those beside a plan's: only if they are of that law."""
    params, tokens = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e8, 1e10, 3), np.geomspace(2e9, 2e11, 3)))
    noise = np.exp(0.01 * np.random.default_rng(0).standard_normal(9))
    values = {"A": 400.0, "B": 1800.0, "alpha": 0.34, "beta": 0.36}
    loss = t2.evaluate(t2.laws.Chinchilla(E=1.7, **values), params=params, tokens=tokens) * noise
    runs = t2.Table.from_columns(params=params, tokens=tokens, loss=loss)
    sizes: Any = {"chains": 2, "warmup": 100, "draws": 1500}
    post = t2.sample(t2.laws.Chinchilla, runs, key=jax.random.key(0), fixed={**values, "sigma": 0.01}, **sizes)
    path = tmp_path / "easy" / "law.json"
    path.parent.mkdir()
    save_point(path, post, runs)
    t2.posterior.save_posterior(path.with_name("posterior.nc"), post)
    draws, reason = draws_beside(path, load_law(path), print)
    assert reason == "" and draws is not None
    np.testing.assert_array_equal(draws.values()["E"], post.laws.values()["E"])
    content = json.loads(path.read_text(encoding="utf-8"))
    content["parameters"]["E"]["value"] += 1e-3
    path.write_text(json.dumps(content), encoding="utf-8")
    plan = ["plan", "--law-file", str(tmp_path), "--tasks", "easy=1", "--train", "1e22", "-o", str(tmp_path / "plan")]
    assert cli.command(plan) == 1
    said = capsys.readouterr().err
    assert "posterior.nc: the draws belong to another law than law.json in the same folder; sample again" in said
