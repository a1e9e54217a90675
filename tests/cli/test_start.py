"""Commands that only say what there is start without JAX, and what they say is what the modules say."""

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import t2jax
from t2jax import cli
from t2jax.laws.catalogue import catalogue, describe

WITHOUT_JAX = """
import json, sys
from t2jax.cli import command
for args in json.loads(sys.argv[1]):
    try:
        status = command(args)
    except SystemExit as stop:
        status = stop.code
    late = sorted({"jax", "numpyro", "pandas", "matplotlib"} & set(sys.modules))
    if status or late:
        sys.exit(f"{args}: status {status}, imported {late}")
"""


def test_what_only_lists_or_helps_does_not_import_jax():
    """In one process after each other: as none imports JAX after those before it, none does on its own."""
    lists = [["--help"], ["--version"], ["laws"], ["laws", "--json"], ["data", "list"]]
    every = json.dumps([*lists, *([name, "--help"] for name in cli.COMMANDS)])
    environment = {**os.environ, "PYTHONPATH": str(Path(t2jax.__file__).parent.parent)}
    command = [sys.executable, "-W", "error", "-c", WITHOUT_JAX, every]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"usage: t2jax {name} " in done.stdout for name in cli.COMMANDS)


def test_importing_the_package_does_not_import_jax():
    environment = {**os.environ, "PYTHONPATH": str(Path(t2jax.__file__).parent.parent)}
    code = "import sys, t2jax; dir(t2jax); sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-W", "error", "-c", code], env=environment).returncode == 0


def test_commands_are_listed_with_the_first_line_of_their_help(capsys):
    for name, command in cli.COMMANDS.items():
        assert command.purpose == (inspect.getdoc(command.load()) or "").splitlines()[0], name
    with pytest.raises(SystemExit) as stop:
        cli.command(["--help"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    assert all(f"  {name} " in printed and command.purpose in printed for name, command in cli.COMMANDS.items())


@pytest.mark.parametrize(
    ("args", "message"), [([], "expected a command"), (["ft"], "there is no command 'ft'; did you mean 'fit'?")]
)
def test_an_unknown_command_is_wrong_usage(args, message, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.command(args)
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith(f"t2jax: {message}\n\nusage: t2jax COMMAND")


def test_completion_of_the_shell_knows_every_command(capsys, tmp_path):
    """A bash that reads the script completes a command, an option and a value."""
    assert cli.command(["completion", "bash"]) == 0
    (tmp_path / "completion.bash").write_text(capsys.readouterr().out)

    def completed(*words: str) -> set[str]:
        line = f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}"
        code = f"source {tmp_path}/completion.bash; {line}; _tyro_t2jax; echo ${{COMPREPLY[@]}}"
        return set(subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True).stdout.split())

    assert completed("t2jax", '""') == {*cli.COMMANDS, "-h", "--help"} and completed("t2jax", "fro") == {"frontier"}
    assert completed("t2jax", "plan", "--tokens") == {"--tokens-min", "--tokens-max", "--tokens-per-param"}
    assert completed("t2jax", "fit", "--over", "r") == {"rows", "runs"}


def test_the_catalogue_says_what_the_classes_say():
    """Written again by `python -m t2jax.laws.catalogue`."""
    assert catalogue() == tuple(map(describe, t2jax.laws.ALL))
    assert t2jax.laws.names() == tuple(map(t2jax.laws.name_of, t2jax.laws.ALL))


def test_the_module_is_the_command_and_both_print_versions(capsys):
    with pytest.raises(SystemExit) as end:
        cli.command(["--version"])
    printed = capsys.readouterr().out
    assert end.value.code == 0 and printed.startswith(f"t2jax {t2jax.__version__}, jax ")
    environment = {**os.environ, "PYTHONPATH": str(Path(t2jax.__file__).parent.parent)}
    module = [sys.executable, "-m", "t2jax", "--version"]
    assert subprocess.run(module, env=environment, capture_output=True, text=True, check=True).stdout == printed
