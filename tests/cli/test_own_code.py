"""Laws and noise models of a user's own on the command line: fitted, saved, loaded again and planned with."""

import hashlib
import json
import shutil

import numpy as np
import pandas as pd
import pytest

import t2jax as t2
from t2jax import cli
from t2jax.cli.options import FittingOptions, noise_of
from t2jax.laws.user_code import load_class

CODE = '''
from dataclasses import dataclass

import t2jax as t2
from numpyro.distributions import LogNormal


@t2.law
class Experts(t2.Law):
    """L(N, D, experts) = E + (N experts^rho)^-0.3 + D^-0.3."""

    E: float = t2.param(LogNormal(0.5, 0.5), unit="nats", doc="irreducible loss")
    rho: float = t2.param(LogNormal(-1.0, 0.5), unit="1", doc="worth of an expert")

    def __call__(self, N, D, experts):
        return self.E + (N * experts**self.rho) ** -0.3 + D**-0.3


@t2.law
class Misspelt(t2.Law):
    """L(N) = E."""

    E: float = t2.param(LogNormal(0.5, 0.5), unit="nats", doc="irreducible loss")

    def __call__(self, N):
        return self.e


class Undecorated(t2.Law):
    pass


@dataclass(frozen=True)
class Narrow(t2.noise.Huber):
    delta: float = 1e-4


class NoDataclass(t2.noise.ResidualNoise):
    pass


@dataclass(frozen=True)
class Demanding(t2.noise.Huber):
    delta: float

    def __init__(self, delta):
        pass
'''
pytestmark = pytest.mark.usefixtures("settings_alone")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A file of code, a table without errors, and a fit of one to the other."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "my_laws.py").write_text(CODE)
    params, tokens, experts = (
        grid.ravel() for grid in np.meshgrid([1e6, 1e7, 1e8], [1e7, 1e8, 1e9], [1.0, 4.0])
    )  # fmt: skip
    loss = 1.8 + (params * np.sqrt(experts)) ** -0.3 + tokens**-0.3
    table = pd.DataFrame({"params": params, "tokens": tokens, "experts": experts, "loss": loss})
    table.to_csv(folder / "runs.csv", index=False)
    law = ["--law", f"{folder / 'my_laws.py'}:Experts", "--noise", f"{folder / 'my_laws.py'}:Narrow"]
    more = ["--draws", "0", "--starts", "2", "--figures", "none", "-o", str(folder / "fit")]
    assert cli.command(["fit", str(folder / "runs.csv"), *law, *more]) == 0
    return folder


def test_the_file_of_a_law_says_where_its_class_is(folder):
    content = json.loads((folder / "fit" / "law.json").read_text())
    sha256 = hashlib.sha256(CODE.encode()).hexdigest()
    file = str((folder / "my_laws.py").resolve())
    assert content["law"] == "Experts"
    assert content["origin"] == {"file": file, "class": "Experts", "sha256": sha256}
    assert content["noise"]["model"] == "Narrow" and content["noise"]["delta"] == 1e-4
    assert content["noise"]["origin"] == {"file": file, "class": "Narrow", "sha256": sha256}
    law = t2.load_law(folder / "fit" / "law.json")
    assert law.values() == pytest.approx({"E": 1.8, "rho": 0.5}, rel=1e-4)


def test_a_plan_holds_the_column(folder, tmp_path, capsys):
    """Both terms are the same power, so N sqrt(experts) = D, and 6ND = 6e20."""
    args = ["plan", "--law-file", str(folder / "fit" / "law.json"), "--train", "6e20", "--figures", "none"]
    assert cli.command([*args, "--hold", "experts=16", "--json", "-o", str(tmp_path / "plan")]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["plan"]["params"]["value"] == pytest.approx(5e9, rel=1e-3)
    assert "Held at one value: experts = 16." in printed.err
    assert cli.command([*args, "-o", str(tmp_path / "none")]) == 1
    assert (
        "Experts reads experts too: its inputs are N, D, experts; give its value in the plan, by --hold experts=VALUE"
        in capsys.readouterr().err
    )


def test_a_prediction_holds_the_column(folder, tmp_path, capsys):
    point = ["--params", "1e8", "--tokens", "1e9", "--hold", "experts=4", "--figures", "none"]
    args = ["predict", "--law-file", str(folder / "fit" / "law.json"), *point, "--json", "-o", str(tmp_path)]
    assert cli.command(args) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["predictions"][0]["mean"] == pytest.approx(1.8 + 2e8**-0.3 + 1e9**-0.3, rel=1e-4)


def test_a_file_that_moved_changed_or_went_away(folder, tmp_path, monkeypatch):
    shutil.copytree(folder / "fit", tmp_path / "fit")
    path = tmp_path / "fit" / "law.json"
    content = json.loads(path.read_text())
    content["origin"]["file"] = str(tmp_path / "elsewhere" / "my_laws.py")
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"law\.json: .*elsewhere/my_laws\.py is missing, which defines Experts"):
        t2.load_law(path)
    (path.parent / "my_laws.py").write_text(CODE)
    assert float(t2.load_law(path).E) == pytest.approx(1.8, rel=1e-4)
    (path.parent / "my_laws.py").write_text(CODE.replace("-0.3", "-0.4"))
    with pytest.raises(ValueError, match=r"my_laws\.py has changed since Experts was fitted; fit it again"):
        t2.load_law(path)


@pytest.mark.parametrize(
    ("law", "message"),
    [
        ("my_laws.py:Expert", "my_laws.py: no class 'Expert'; its classes of laws are Experts, Misspelt, Undecorated;"),
        ("my_laws.py:Narrow", "my_laws.py: Narrow is not a subclass of t2jax's Law"),
        ("my_laws.py", "my_laws.py: expected a class after a colon, as my_laws.py:Experts"),
        ("my_laws.py:Misspelt", "Misspelt(N) fails on columns of 4 rows: Misspelt has no attribute 'e'"),
        ("my_laws.py:Undecorated", "Undecorated is not decorated: write @t2.law above its class"),
        ("none.py:A", "none.py: cannot be read (No such file or directory), expected a file that defines a class"),
        ("wrong.py:A", "wrong.py, line 2: NameError: name 'undefined' is not defined"),
        ("syntax.py:A", "syntax.py, line 1: invalid syntax"),
        ("nomodule:A", "nomodule:A: there is no module 'nomodule', expected FILE.py:CLASS"),
        ("json:JSONDecoder", "json: JSONDecoder is not a subclass of t2jax's Law; it has no class of laws"),
    ],
)
@pytest.mark.parametrize("command", ["fit", "predict"])
def test_mistakes_in_a_law_are_one_sentence(command, law, message, folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_laws.py").write_text(CODE)
    (tmp_path / "wrong.py").write_text("import t2jax\nundefined(1)\n")
    (tmp_path / "syntax.py").write_text("class (:\n")
    point = [] if command == "fit" else ["--params", "1e9", "--tokens", "1e10"]
    assert cli.command([command, str(folder / "runs.csv"), "--law", law, *point]) == 1
    assert f"t2jax: {message}" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--law", "my_laws.py:Experts"], "its inputs are N, D, experts; give its value in the plan, by --hold"),
        (["--law", "my_laws.py:Experts", "--hold", "expert=8"], "--hold: expert cannot be held, because Experts"),
        (["--law", "my_laws.py:Experts", "--hold", "experts=x"], "--hold: found experts='x', expected a number"),
        (["--hold", "experts=8"], "--hold needs --law, because a law must read these columns"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["plan", "next", "frontier"])
def test_columns_are_asked_for_before_any_fit(command, args, message, folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    assert cli.command([command, "runs.csv", "--train", "1e20", *args]) == 1
    printed = capsys.readouterr().err
    assert message in printed and "fitting" not in printed


def test_noise_models_by_name_and_file(tmp_path):
    (tmp_path / "my.py").write_text(CODE)
    assert noise_of("default") is None and noise_of("huber") == t2.noise.Huber()
    narrow = FittingOptions(noise=f"{tmp_path / 'my.py'}:Narrow").noise_model()
    assert isinstance(narrow, t2.noise.Huber) and narrow.delta == 1e-4
    with pytest.raises(ValueError, match=r"--noise: found 'hubr', expected one of default, huber, .*or FILE\.py:CLASS"):
        noise_of("hubr")
    with pytest.raises(ValueError, match="expected one of default, gaussian, or"):
        noise_of("huber", ("gaussian",))
    with pytest.raises(ValueError, match="expected a frozen dataclass"):
        noise_of(f"{tmp_path / 'my.py'}:NoDataclass")
    with pytest.raises(ValueError, match="cannot be made without arguments"):
        noise_of(f"{tmp_path / 'my.py'}:Demanding")


def test_a_class_may_be_named_where_a_package_passes_it_on():
    assert load_class("t2jax.noise:CrossedEffects", t2.noise.Noise) is t2.noise.CrossedEffects
    assert load_class("t2jax.noise.crossed_effects:CrossedEffects", t2.noise.Noise) is t2.noise.CrossedEffects
