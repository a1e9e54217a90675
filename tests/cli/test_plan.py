"""`t2jax plan` and `t2jax next`: what they recommend is the library's optimum, and their rivals cost the same."""

import json
import textwrap
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest

import t2jax as t2
from t2jax import cli
from t2jax.cli.frontier.command import budgets
from t2jax.cli.plan.figures import other_sizes, sizes_to_draw
from t2jax.cli.plan.report import PlanReport
from t2jax.cli.plan.words import plan_text
from t2jax.laws.pass_at_k.t2_loss import T2Loss
from t2jax.planning.plan import Plan
from t2jax.planning.rivals import models, rivals
from tests.helpers.json_answers import checked_answer

pytestmark = pytest.mark.usefixtures("settings_alone")
LAW = T2Loss(E=0.6, A=300.0, B=1500.0, alpha=0.34, beta=0.35, G=0.8, gamma=0.35)
TRAIN, INFERENCE = 1e22, 2e11


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table of LAW, half a per cent off, and its fit as `t2jax fit` writes it."""
    path = tmp_path_factory.mktemp("plan")
    grid = np.meshgrid(np.geomspace(2e7, 2e9, 4), np.geomspace(1e9, 5e10, 4), [1.0, 16.0, 256.0])
    params, tokens, samples = (axis.ravel() for axis in grid)
    exact = t2.evaluate(LAW, params=params, tokens=tokens, samples=samples)
    cost = exact * np.exp(0.005 * np.random.default_rng(0).standard_normal(len(params)))
    columns = {"params": params, "tokens": tokens, "samples": samples, "neg_log_pass": cost}
    pd.DataFrame(columns).to_csv(path / "runs.csv", index=False)
    assert cli.command(["fit", str(path / "runs.csv"), "--draws", "25", "-o", str(path / "out")]) == 0
    return path


def lines_on_screen(text: str) -> int:
    """Number of lines on a terminal of 80 columns."""
    return sum(max(1, len(textwrap.wrap(line, 80))) for line in text.splitlines())


def test_plan(folder, capsys):
    file = ["--law-file", str(folder / "out" / "law.json")]
    limits = ["--train", str(TRAIN), "--inference", str(INFERENCE)]
    more = ["--what-if", "inference=x2", "--json", "-o", str(folder / "plan")]
    assert cli.command(["plan", *file, *limits, *more]) == 0
    printed = capsys.readouterr()
    answer = checked_answer(printed.out)
    law = t2.load_law(folder / "out" / "law.json")
    best = t2.allocate(law, t2.Budget(train=TRAIN, inference=INFERENCE))
    result = answer["plan"]
    for name in ("params", "tokens", "samples", "value"):
        assert result[name]["value"] == pytest.approx(float(getattr(best, name)), rel=1e-9)
        assert result[name]["low"] < result[name]["value"] < result[name]["high"]
    assert answer["training_cost"] == pytest.approx(TRAIN) and answer["query_cost"] == pytest.approx(INFERENCE)
    mine, ruled, once = answer["choices"]
    for choice in (mine, ruled, once):  # all cost the same
        assert 6 * choice["params"] * choice["tokens"] == pytest.approx(TRAIN, rel=1e-9)
        assert 2 * choice["params"] * choice["samples"] == pytest.approx(INFERENCE, rel=1e-9)
        value = t2.evaluate(law, **{name: choice[name] for name in ("params", "tokens", "samples")})
        assert choice["value"] == pytest.approx(float(value), rel=1e-9) and choice["value"] >= mine["value"]
    assert ruled["tokens"] / ruled["params"] == pytest.approx(20, rel=1e-9)
    values = law.values()
    ratio = (values["alpha"] * values["A"] / values["beta"] / values["B"]) ** (1 / (values["alpha"] + values["beta"]))
    share = values["beta"] / (values["alpha"] + values["beta"])
    assert once["params"] == pytest.approx(ratio * (TRAIN / 6) ** share, rel=1e-8)  # Chinchilla's closed form
    twice = t2.allocate(law, t2.Budget(train=TRAIN, inference=2 * INFERENCE))
    assert answer["what_if"]["inference=x2"]["params"] == pytest.approx(float(twice.params), rel=1e-9)
    moved = np.log(float(twice.params / best.params)) / np.log(2)
    assert answer["elasticities"]["params"]["inference"] == pytest.approx(moved, rel=0.1)
    words = answer["words"]
    brief = printed.err[printed.err.index("Train ") : printed.err.index("figures ...")]
    assert lines_on_screen(brief) <= 24 < lines_on_screen(words)
    assert "90% intervals: N " in brief and "inference=x2" in brief and "With -v: " in brief
    assert "one per cent more" in words and "one per cent more" not in brief
    assert words.startswith("Train ") and "20 tokens per parameter" in words and "90% intervals" in words
    # the dearest run has 6·2e9·5e10 = 6e20 FLOPs
    assert answer["beyond"]["compute"] == pytest.approx(TRAIN / 6e20) and 1.2 < answer["horizon_decades"] < 2
    assert words.index(" This is 16.7 times the largest measured compute") < words.index("Training costs")
    frame = pd.read_csv(folder / "plan" / "plan.csv")
    assert frame["name"].tolist() == ["this plan", "20 tokens per parameter", "best for one sample", "inference=x2"]
    assert (folder / "plan" / "plan.png").exists() and (folder / "plan" / "moves.png").exists()


@pytest.mark.long
def test_plan_of_a_table_in_dollars(folder, capsys):
    """The delta method's band is the library's, and a device moves training and serving together."""
    purse = ["--total", "1e7", "--queries", "1e9", "--accelerator", "H100", "--price", "2.5", "--generated", "300"]
    run = ["plan", str(folder / "runs.csv"), *purse, "--draws", "0", "--json", "-o", str(folder / "dollars")]
    assert cli.command(run) == 0
    answer = json.loads(capsys.readouterr().out)
    table = t2.read_table(folder / "runs.csv")
    fit = t2.fit(T2Loss, table, key=jax.random.split(jax.random.key(0))[0])
    on = t2.accelerator("H100", price=2.5)
    budget = t2.Budget(
        total=1e7, queries=1e9, training=t2.Training(on=on), serving=t2.Serving(generated=300.0, on=on, batch=1.0)
    )
    band = t2.planning.delta_band(fit, budget, 0.9)
    for name in ("params", "tokens", "samples"):
        assert answer["delta_method"][name]["low"] == pytest.approx(float(getattr(band, name).low), rel=1e-5)
        assert answer["delta_method"][name]["high"] == pytest.approx(float(getattr(band, name).high), rel=1e-5)
    assert "delta method" in answer["words"] and "fit with --draws or sample" in answer["words"]
    rows = {line.split()[0]: line.split()[1] for line in answer["words"].splitlines() if line.endswith("%")}
    assert float(rows["price"]) == pytest.approx(-float(rows["total"]), abs=0.002)  # money buys so much less
    assert not any(".on." in name for name in rows)


def test_rivals_split_one_purse_as_suits_them_best():
    """Twenty tokens per parameter under one budget for all: no other size on the ray serves better, none costs less."""
    total, queries = 1e22, 1e12
    sizes = np.geomspace(1e8, 9e9, 4001)
    plan = t2.allocate(LAW, t2.Budget(total=total, queries=queries))
    result: Any = rivals(LAW, t2.Budget(total=total, queries=queries), plan)
    ruled, once = result
    samples = (total - 120 * sizes**2) / queries / 2 / sizes
    values = t2.evaluate(LAW, params=sizes, tokens=20 * sizes, samples=np.maximum(samples, 1))
    assert ruled.value == pytest.approx(np.min(values[samples >= 1]), rel=1e-3)
    for rival in (ruled, once):
        assert rival.spent == pytest.approx(
            6 * rival.params * rival.tokens + queries * 2 * rival.params * rival.samples
        )
        assert rival.spent == pytest.approx(total, rel=1e-6) and rival.value > plan.value
    assert ruled.tokens / ruled.params == pytest.approx(20) and once.value < ruled.value


def drawn(law: Any, budget: t2.Budget) -> tuple[Plan, PlanReport]:
    """A plan as the pictures take it."""
    plan = t2.allocate(law, budget)
    costs = models(law, budget, plan.params, plan.tokens, plan.samples)
    worth = t2.planning.shadow_prices(law, budget)
    costs = float(costs.training[0]), float(costs.query[0])
    return plan, PlanReport(law, None, budget, plan, None, *costs, (), None, worth)


@pytest.mark.parametrize("case", [0, 1, pytest.param(2, marks=pytest.mark.long)])
def test_every_drawn_size_is_paid_for_and_none_is_better_than_the_plan(case):
    asked: Any = (
        {"total": 1e22, "queries": 1e12},
        {"train": 2.56e19, "inference": 2e9, "tokens_max": 1e11},
        {"total": 1e22, "queries": 1e12, "train": 5e21, "samples_max": 10.0},
    )
    limits = asked[case]
    plan, result = drawn(LAW, t2.Budget(**limits))
    sizes = np.append(np.geomspace(plan.params / 30, plan.params * 30, 31), plan.params)
    there = other_sizes(result, sizes)
    params, tokens, samples = (there[name] for name in ("params", "tokens", "samples"))
    assert 10 < len(params) <= 32
    train, query = 6 * params * tokens, 2 * params * samples
    assert (train <= limits.get("train", np.inf) * (1 + 1e-6)).all()
    assert (query <= limits.get("inference", np.inf) * (1 + 1e-6)).all()
    assert (train + limits.get("queries", 0.0) * query <= limits.get("total", np.inf) * (1 + 1e-6)).all()
    assert (tokens <= limits.get("tokens_max", np.inf) * (1 + 1e-6)).all()
    assert (samples <= limits.get("samples_max", np.inf) * (1 + 1e-6)).all() and (samples >= 1 - 1e-9).all()
    values = t2.evaluate(LAW, **there)
    assert (values >= plan.value * (1 - 1e-9)).all()
    assert values[-1] == pytest.approx(plan.value, rel=1e-7)  # the plan's own size is drawn last


def test_of_listed_sizes_no_other_is_drawn():
    law = t2.laws.Chinchilla(E=1.5, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
    plan, result = drawn(law, t2.Budget(train=1e22, sizes=(7e9, 1e9, 3e9)))
    sizes = sizes_to_draw(result)
    np.testing.assert_array_equal(sizes, [1e9, 3e9, 7e9])
    there = other_sizes(result, sizes)
    np.testing.assert_allclose(there["tokens"], 1e22 / 6 / sizes)
    assert t2.evaluate(law, **there).min() == pytest.approx(plan.value)
    plan, result = drawn(law, t2.Budget(train=1e22))
    sizes = sizes_to_draw(result)
    assert sizes[0] < plan.params / 30 and sizes[-1] > plan.params * 30 and len(sizes) > 100


def test_laws_without_samples_have_no_column_of_them():
    law = t2.laws.Chinchilla(E=1.5, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
    plan, result = drawn(law, t2.Budget(train=1e22))
    moves = t2.planning.elasticities(law, t2.Budget(train=1e22))
    words = plan_text(replace(result, moves=moves))
    (header,) = [line for line in words.splitlines() if line.startswith("one per cent more")]
    assert header.split() == ["one", "per", "cent", "more", "N", "D", "loss"] and plan.samples == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1e20:1e25:1", "'1e20:1e25:1', but a range needs at least two budgets"),
        ("-1e20:1e25:3", "'-1e20:1e25:3', but training FLOPs must be positive and finite"),
        ("1e20:1e25:0", "'1e20:1e25:0', but COUNT must be at least one"),
        ("1e20:1e25", "expected FLOPs such as 1e24, or FROM:TO:COUNT"),
    ],
)
def test_wrong_grids_of_budgets_are_told(text, message):
    with pytest.raises(ValueError, match=r"^--train: found ") as refusal:
        budgets(text)
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--count", "0"], "--count must be at least one run, not 0"),
        (["--compute", "1"], "--compute 1 does not pay for the cheapest run to choose from: 1.2e+17 FLOPs"),
    ],
)
def test_next_refuses_before_it_fits(folder, tmp_path, capsys, given, message):
    options = ["next", str(folder / "runs.csv"), "--train", "1e22", "-o", str(tmp_path / "none"), *given]
    assert cli.command(options) == 1
    assert message in capsys.readouterr().err and not (tmp_path / "none").exists()


@pytest.mark.long
def test_rivals_reach_a_target_at_a_price():
    budget = t2.Budget(target=1.9, queries=1e12, params_max=2e8)
    plan = t2.allocate(LAW, budget)
    result: Any = rivals(LAW, budget, plan)
    ruled, once = result
    loss = 1.9 - LAW.E - LAW.A * ruled.params**-LAW.alpha - LAW.B * ruled.tokens**-LAW.beta
    assert ruled.samples == pytest.approx((LAW.G / loss) ** (1 / LAW.gamma), rel=1e-6)
    assert ruled.beyond == once.beyond == ("params_max",) and min(ruled.spent, once.spent) > plan.spent
    most = t2.Budget(target=1.9, total=1e23)
    result = rivals(LAW, most, t2.allocate(LAW, most))
    ruled = result[0]
    query = 2 * ruled.params * ruled.samples
    assert ruled.queries == pytest.approx((1e23 - 120 * ruled.params**2) / query)
    result = rivals(LAW, t2.Budget(target=0.59, queries=1.0), t2.allocate(LAW, budget))  # below E
    never = result[0]
    assert np.isnan(never.value) and np.isnan(never.spent)


@pytest.mark.long
def test_what_if_prices(folder, tmp_path, capsys):
    """Twice the price is half the money; another device has its own speeds."""
    prices = ["--total", "5e6", "--queries", "1e9", "--accelerator", "H100", "--price", "2.5", "--draws", "0"]
    more = ["--what-if", "price=x2", "--what-if", "accelerator=A100", "--json", "-o", str(tmp_path)]
    assert cli.command(["plan", str(folder / "runs.csv"), *prices, *more]) == 0
    answer = json.loads(capsys.readouterr().out)
    for text, name, price, total in (("price=x2", "H100", 2.5, 2.5e6), ("accelerator=A100", "A100", 2.5, 5e6)):
        on = t2.accelerator(name, price=price)
        budget = t2.Budget(total=total, queries=1e9, training=t2.Training(on=on), serving=t2.Serving(on=on))
        law = t2.load_law(tmp_path / "law.json")
        assert answer["what_if"][text]["params"] == pytest.approx(float(t2.allocate(law, budget).params), rel=1e-6)
    assert "Assumptions: 8 H100 serve a model together and reach 40 %" in answer["words"]
    assert "attention and the KV cache are not counted without --context" in answer["words"]
    assert answer["plan"]["spent"]["value"] == pytest.approx(5e6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--train", "1e60"], "--train: found 1e+60, expected at most 1e+35 FLOPs"),
        (["--train", "1e22", "--what-if", "depth=x2"], "--what-if: found 'depth', expected one of train, inference"),
        (["--train", "1e22", "--what-if", "total=x2"], "--what-if total=x2: the budget has no total to multiply"),
        (
            ["--train", "1e22", "--price", "2"],
            "--price is per device-hour, so it needs a device, such as --accelerator H100",
        ),
        (
            ["--train", "1e22", "--accelerator", "H1000"],
            "unknown accelerator 'H1000': expected one of H100, H200, A100",
        ),
        (["--train", "1e22", "--queries", "0"], "--queries must be positive and finite, not 0"),
        (["--total", "1e24"], "--total needs --queries too"),
        ([], "a budget needs --train, or --total and --queries, or a --target to reach"),
    ],
)
def test_wrong_plans_are_told(folder, capsys, given, message):
    assert cli.command(["plan", "--law-file", str(folder / "out" / "law.json"), *given]) == 1
    assert message in capsys.readouterr().err


def test_far_beyond_the_rows_the_distance_comes_first(folder, tmp_path, capsys):
    """1e24 FLOPs are 1,667 times the 6e20 of the dearest run, so more than two decades."""
    file = ["--law-file", str(folder / "out" / "law.json"), "--train", "1e24", "--inference", str(INFERENCE)]
    assert cli.command(["plan", *file, "-o", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("This is 1,667 times the largest measured compute")


def test_models_too_large_to_serve_have_no_band(folder, tmp_path, capsys):
    """The paper's budgets: from some 40 times N* on, not one sample can be paid for, and the picture ends there."""
    file = ["--law-file", str(folder / "out" / "law.json"), "--train", "2.56e19", "--inference", "2e9"]
    assert cli.command(["plan", *file, "--json", "-o", str(tmp_path)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["plan"]["samples"]["value"] < 36 and (tmp_path / "plan.png").stat().st_size > 10_000


@pytest.mark.parametrize("case", [0, *(pytest.param(i, marks=pytest.mark.long) for i in range(1, 6))])
def test_rivals_keep_to_what_may_be_spent(case):
    """Of a law without samples too, and of a target; none that keeps to every limit is better than the plan."""
    chinchilla = t2.laws.Chinchilla(E=1.5, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
    on = t2.accelerator("H100")
    timed: dict[str, Any] = {"training": t2.Training(on=on), "serving": t2.Serving(generated=500.0, on=on)}
    asked: Any = (
        (chinchilla, {"total": 1e24, "queries": 1e12}),
        (chinchilla, {"train": 1e22, "inference": 2e9}),
        (chinchilla, {"target": 2.2, "queries": 1e12, "train": 1e22}),
        (LAW, {"total": 1e22, "queries": 1e12, "train": 5e21}),
        (LAW, {"target": 1.2, "queries": 1e10, "inference": 5e11}),
        (LAW, {"train": 1e11, "inference": 1e4, "latency": 100.0} | timed),
    )
    law, limits = asked[case]
    budget = t2.Budget(**limits)
    plan = t2.allocate(law, budget)
    assert plan.ok, plan.status
    result = rivals(law, budget, plan)
    assert [rival.name for rival in result][1].startswith("best ")
    for rival in result:
        if np.isnan(rival.value):
            continue
        training, serving = budget.prices
        cost = float(training(rival.params, rival.tokens))
        query = float(serving(rival.params, rival.samples))
        assert cost <= limits.get("train", np.inf) * (1 + 1e-5)
        assert query <= limits.get("inference", np.inf) * (1 + 1e-5)
        assert cost + limits.get("queries", 0.0) * query <= limits.get("total", np.inf) * (1 + 1e-5)
        if not rival.beyond:
            better = rival.spent < plan.spent * (1 - 1e-5) if budget.target else rival.value < plan.value * (1 - 1e-7)
            assert not better


def test_a_model_that_devices_cannot_hold_says_so():
    on = t2.accelerator("TPU v5e", devices=1.0)  # 16 GB: eight billion parameters of two bytes
    budget = t2.Budget(train=1e11, latency=100.0, training=t2.Training(on=on), serving=t2.Serving(on=on))
    plan = t2.allocate(t2.laws.Chinchilla(E=1.5, A=480.0, B=2100.0, alpha=0.35, beta=0.37), budget)
    assert plan.params == pytest.approx(8e9, rel=1e-6) and "limited by memory" in plan.status
    assert [rival.beyond for rival in rivals(LAW, budget, plan) if rival.params > 8.1e9] == [("memory",)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--batch", "8"], "--batch needs a device, such as --accelerator H100"),
        (["--bandwidth-utilisation", "0.5"], "--bandwidth-utilisation needs a device"),
        (["--kv-share", "0.125"], "--kv-share needs --context, which adds the KV cache"),
        (["--what-if", "devices=x2"], "--devices needs a device"),
    ],
)
def test_options_that_would_do_nothing_are_refused(folder, tmp_path, capsys, options, message):
    limits = ["--train", str(TRAIN), "--inference", str(INFERENCE)]
    file = ["plan", "--law-file", str(folder / "out" / "law.json"), "-o", str(tmp_path / "out")]
    assert cli.command([*file, *limits, *options]) == 1
    assert message in capsys.readouterr().err


def test_a_target_out_of_reach_is_no_plan(folder, tmp_path, capsys):
    file = ["plan", "--law-file", str(folder / "out" / "law.json"), "-o", str(tmp_path / "out")]
    assert cli.command([*file, "--target", "0.1", "--queries", "1e9"]) == 1
    assert "there is no plan: infeasible: the target is beyond what the law reaches" in capsys.readouterr().err
    assert cli.command([*file, "--target", "0.9"]) == 1
    assert "one sample is drawn, since samples have no price: give --queries too" in capsys.readouterr().err


@pytest.mark.long
def test_next(folder, capsys):
    options = ["--law", "t2-loss", "--train", str(TRAIN), "--compute", "1e21", "--count", "3", "--draws", "0"]
    assert cli.command(["next", str(folder / "runs.csv"), *options, "--json", "-o", str(folder / "next")]) == 0
    answer = checked_answer(capsys.readouterr().out)
    runs = answer["runs"]
    assert 1 <= len(runs) <= 3 and sum(run["cost"] for run in runs) <= 1e21
    table = t2.read_table(folder / "runs.csv")
    fit = t2.fit(T2Loss, table, key=jax.random.split(jax.random.key(0))[0])
    cost = table.compute()
    region = t2.planning.Region(cost.min(), cost.max())
    chosen = t2.next_runs(fit, table, t2.Budget(train=TRAIN), candidates=region, count=3, compute=1e21)
    np.testing.assert_allclose([run["params"] for run in runs], chosen.params, rtol=1e-6)
    assert answer["log_error_before"] > runs[-1]["log_error_after"]
    assert runs[-1]["log_error_after"] == pytest.approx(np.sqrt(chosen.after[-1]), rel=1e-6)
    assert (folder / "next" / "next.png").exists()
