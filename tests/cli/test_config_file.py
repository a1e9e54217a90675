"""Options in a file: what a command writes beside its result repeats it, and mistakes are one sentence."""

import json

import pandas as pd
import pytest
import yaml

from t2jax import cli
from t2jax.cli.process.config_file import write_command

pytestmark = pytest.mark.usefixtures("settings_alone")
COMMAND_LINES = [
    ["quickstart"],
    ["fit", "runs.csv", "--columns", "N=params", "D=tokens", "--fixed", "alpha=0.35", "--missing", "diverged", ""],
    ["predict", "--law-file", "law.json", "--params", "7e10", "--tokens", "1.4e12", "--hold", "experts=8"],
    ["passk", "counts.csv", "--k", "1", "10", "--target", "0.8", "--compare", "a b", "c", "--where", "task=x y"],
    ["sample", "runs.csv", "--priors", "alpha=LogNormal(-1,0.2)", "--chains", "2"],
    ["frontier", "runs.csv", "--train=1e18:1e20:3", "--whole-samples", "--params-min", "1e8"],
    ["plan", "runs.csv", "--train", "1e22", "--what-if", "train=x2", "--what-if", "k=3", "--accelerator", "TPU v5e"],
    ["next", "runs.csv", "--train", "1e22", "--count", "3", "--candidates", "more.csv"],
    ["audit", "runs.csv", "--law", "chinchilla", "--law", "kaplan", "--cut", "compute=1e20", "--by", "size"],
]


@pytest.mark.parametrize("args", COMMAND_LINES, ids=" ".join)
def test_the_file_of_a_command_has_all_its_options(args, tmp_path):
    config = cli.parse(args)
    path = tmp_path / "command.yaml"
    write_command(path, args[0], config)
    again = cli.parse([args[0], "--config", str(path)])
    assert again.output.config == path
    object.__setattr__(again.output, "config", None)
    assert again == config


def test_every_command_with_a_folder_of_results_is_tried():
    assert {args[0] for args in COMMAND_LINES} == set(cli.COMMANDS) - {
        "laws",
        "import",
        "data",
        "testbed",
        "completion",
        "report",
    }


def test_options_on_the_command_line_come_first(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text("train: 1e22\nwhole_samples: true\nsizes: [1e9, 2e9]\nwhat-if: [train=x2]\nunits: {params: M}\n")
    config = cli.parse(["plan", "runs.csv", "--config", str(path)])
    assert (config.table, config.train, config.whole_samples, config.sizes) == ("runs.csv", 1e22, True, (1e9, 2e9))
    assert config.what_if == ("train=x2",) and config.fitting.reading.units == (("params=M",),)
    other = ["--train", "3e22", "--no-whole-samples", "--what-if", "train=x3", "--sizes", "5e9"]
    config = cli.parse(["plan", "runs.csv", f"--config={path}", *other])
    assert (config.train, config.whole_samples, config.sizes) == (3e22, False, (5e9,))
    assert config.what_if == ("train=x3",)


def test_what_the_file_lacks_must_be_given(tmp_path, capsys):
    (tmp_path / "next.yaml").write_text("count: 3\n")
    with pytest.raises(SystemExit) as end:
        cli.parse(["next", "--config", str(tmp_path / "next.yaml")])
    assert end.value.code == 2 and "--train" in capsys.readouterr().err
    config = cli.parse(["next", "runs.csv", "--train", "1e22", "--config", str(tmp_path / "next.yaml")])
    assert (config.table, config.train, config.count) == ("runs.csv", 1e22, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trian: 1e22\n", "plan.yaml: `t2jax plan` has no option 'trian'; did you mean 'train'?"),
        ("command: fit\n", "plan.yaml: the options are of `t2jax fit`, not of `t2jax plan`"),
        ("train: [1e22, 2e22]\n", "plan.yaml: train: found ['1e22', '2e22'], expected one value"),
        ("train: 1e22\n  total: 3\n", "plan.yaml, line 2: not YAML (mapping values are not allowed here)"),
        ("1e22\n", "plan.yaml: expected lines such as train: 1e22"),
        (None, "plan.yaml: cannot be read (No such file or directory), expected a file of options"),
    ],
)
def test_mistakes_in_a_file_are_one_sentence(text, message, tmp_path, capsys):
    if text is not None:
        (tmp_path / "plan.yaml").write_text(text)
    assert cli.command(["plan", "runs.csv", "--config", str(tmp_path / "plan.yaml")]) == 1
    assert message in capsys.readouterr().err


def test_a_result_is_repeated_from_the_file_beside_it(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = {"model": "a", "question": [f"q{i}" for i in range(6)], "trials": 8, "correct": [0, 1, 2, 4, 7, 8]}
    pd.DataFrame(rows).to_csv("counts.csv", index=False)
    assert cli.command(["passk", "counts.csv", "--k", "1", "4", "20", "--seed", "5", "--json", "-o", "first"]) == 0
    first = json.loads(capsys.readouterr().out)
    content = yaml.safe_load((tmp_path / "first" / "command.yaml").read_text())
    assert (content["command"], content["table"], content["k"], content["seed"]) == (
        "passk",
        "counts.csv",
        [1, 4, 20],
        5,
    )
    assert not {"out", "json", "config"} & set(content)
    assert cli.command(["passk", "--config", "first/command.yaml", "--json", "-o", "second"]) == 0
    second = json.loads(capsys.readouterr().out)
    assert second == first | {"folder": "second"}
    assert cli.command(["data", "get", "some", "--config", "first/command.yaml"]) == 1
    assert "--config: `t2jax data` takes no file of options" in capsys.readouterr().err
