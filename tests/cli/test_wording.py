"""Messages of the library on the command line: none names Python, and each names options that there are."""

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest

import t2jax as t2
from t2jax import cli
from t2jax.cli.next_runs.config import NextConfig
from t2jax.cli.plan.config import PlanConfig, PriceOptions
from t2jax.cli.process.wording import ARGUMENTS, READING, in_option_names
from t2jax.cli.tables.options import ReadingOptions
from t2jax.planning.budget import LIMITS

ROOT = Path(t2.__file__).parent
PYTHON = re.compile(
    r"\bt2\.|\b(?:Budget|Serving|Training|Accelerator|Shape|Table)\b[.(]"
    r"|(?<![-\w])[a-z_]{2,}=(?=[\s,;)'\"{\[]|$)|\(\.\.\.\)|\bNone\b"
)
"""What only Python has: names of classes, arguments with an equals sign, calls."""
SHOWN = {"name": "latency", "quantity": "params", "given": "total", "missing": "queries", "needs": "bytes_per_token"}
"""Text for some values of messages; any other value is an X."""
NOT_REACHED = {
    ("noise/by_unit.py", "sample: unit="): "no command has a unit of the likelihood",
    ("posterior/sample.py", "sample: unit="): "no command has a unit of the likelihood",
    ("posterior/leave_one_out.py", ": sample both with unit="): "no command compares posteriors",
    ("planning/frontier.py", "Budget.stops"): "no command stops at an accepted answer",
    ("planning/prices/costs.py", "Serving.flops_per_byte"): "no command prices memory traffic in FLOPs",
    ("planning/next_runs/region.py", "Region."): "`t2jax next` gives costs alone",
}
"""Messages that no command can come to, with the reason."""


def text_of(node: ast.AST) -> str:
    """The text of a message in the code, with an X for each value."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(map(text_of, node.values))
    if isinstance(node, ast.BinOp):
        return text_of(node.left) + text_of(node.right)
    if isinstance(node, ast.IfExp):
        return text_of(node.body)
    return SHOWN.get(ast.unparse(node.value), "X") if isinstance(node, ast.FormattedValue) else "X"


def messages() -> list[tuple[str, str]]:
    """File and text of every error, and of every note with both forms, in folders that commands call."""
    texts = []
    for path in sorted(ROOT.rglob("*.py")):
        place = path.relative_to(ROOT).as_posix()
        if place.startswith(("cli/", "testbed/", "plot/")):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                if ast.unparse(node.exc.func) != "TypeError":  # a mistake in a program, which no option makes
                    texts.append((place, text_of(node.exc.args[0])))
            elif isinstance(node, ast.JoinedStr) and re.search(r"in commands \S", text_of(node)):
                texts.append((place, text_of(node)))
    return texts


def test_no_message_names_python():
    texts = messages()
    assert len(texts) > 300 and any("Budget.total needs Budget.queries" in text for _, text in texts)
    unseen = set(NOT_REACHED)
    for place, text in texts:
        expected = [key for key in NOT_REACHED if key[0] == place and key[1] in text]
        unseen -= set(expected)
        reworded = in_option_names(text)
        plain = re.sub(r"--[\w-]+ \S+", "", reworded)  # --where task=math is the command's own
        assert expected or not PYTHON.search(plain), f"{place}: {reworded}"
        assert "in commands" not in reworded and "--X" not in reworded, f"{place}: {reworded}"
    assert not unseen


def test_arguments_are_options():
    options = {field.name for config in (PlanConfig, PriceOptions, NextConfig) for field in fields(config)}
    assert set(ARGUMENTS) <= options and set(LIMITS) <= set(ARGUMENTS)
    assert set(ARGUMENTS) >= {field.name for field in fields(PriceOptions)}
    assert set(READING) <= {field.name for field in fields(ReadingOptions)}


@pytest.mark.parametrize(
    ("text", "reworded"),
    [
        (
            "Budget.params_min=1e+10 must be below Budget.params_max=1e+09",
            "--params-min 1e+10 must be below --params-max",
        ),
        ("Serving.batch must be positive and finite, not -1", "--batch must be positive and finite, not -1"),
        ("separator: found '::', expected one", "--sep: found '::', expected one"),
        ("runs.csv: pass units={'N': \"M\"} or \"B\", or units={'N': 1} (in commands --units N=M)", "pass --units N=M"),
        ("not converged: warm up longer, with accept=0.95; take draws=607", "with --accept 0.95; take --draws 607"),
        ("bands of t2.predict_band (t2jax predict) include this", "bands of `t2jax predict` include this"),
        ("needed by best_of (--best-of), is missing", "needed by --best-of, is missing"),
        ("no row has model=c (--where)", "no row has model=c (--where)"),
        ("column 'unique_tokens' is missing", "column 'unique_tokens' is missing"),
        ("column 'tokens_max' is not read", "column 'tokens_max' is not read"),
        ("--units params=1 or params=M", "--units params=1 or params=M"),
    ],
)
def test_arguments_become_options_and_columns_stay(text, reworded):
    assert reworded in in_option_names(text)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "a budget needs --train, or --total and --queries, or a --target to reach"),
        (["--total", "1e24"], "--total needs --queries too: training + queries x serving <= total"),
        (["--train", "1e22", "--queries", "0"], "--queries must be positive and finite, not 0"),
        (["--train", "1e22", "--latency", "2"], "--latency needs a device, such as --accelerator H100"),
        (["--train", "1e22", "--samples-max", "8"], "give --inference, --queries or --total as well"),
        (["--train", "1e22", "--params-min", "2e9", "--params-max", "1e9"], "--params-min 2e+09 must be below"),
        (["--train", "1e22", "--sizes", "-1"], "--sizes must be a list of positive numbers"),
        (["--train", "1e22", "--accelerator", "H100", "--batch", "-1"], "--batch must be positive and finite, not -1"),
        (["--train", "1e22", "--accelerator", "H100", "--utilisation", "2"], "--utilisation is a share of the peak"),
    ],
)  # fmt: skip
def test_plans_are_refused_in_the_words_of_the_command(args, message, capsys):
    assert cli.command(["plan", "runs.csv", *args]) == 1
    printed = capsys.readouterr().err
    assert message in printed and not PYTHON.search(printed)
