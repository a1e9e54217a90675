"""Options of a command in a YAML file, such as the command.yaml beside every result, which repeats the command."""

import dataclasses
import difflib
import os
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import tyro
import yaml

from t2jax import __version__
from t2jax.files import whole

COMMAND_FILE = "command.yaml"
NOT_WRITTEN = ("out", "json", "quiet", "verbose", "config")
"""Options on where a result goes and what is printed, which another run has for itself."""


@dataclass(frozen=True)
class Option:
    """One option of a command.

    Attributes:
        name: Its name without dashes, such as "law-file".
        group: Names of the fields that lead to it, the last one its own.
        several: Whether it takes several values.
        repeated: Whether it may be given again, which adds to its values.
        nested: Whether one use of it takes several values too.
        required: Whether it must be given.
        positional: Whether it has no dashes.
    """

    name: str
    group: tuple[str, ...]
    several: bool
    repeated: bool
    nested: bool
    required: bool
    positional: bool


def options_of(config: type, group: tuple[str, ...] = ()) -> Iterator[Option]:
    """Lists the options of a config class, with those of the groups inside it."""
    hints = get_type_hints(config, include_extras=True)
    for field in dataclasses.fields(config):
        hint = hints[field.name]
        marks, bare = str(getattr(hint, "__metadata__", ())), hint
        while hasattr(bare, "__metadata__"):
            bare = bare.__origin__
        if isinstance(bare, type) and dataclasses.is_dataclass(bare):
            yield from options_of(bare, (*group, field.name))
            continue
        parts = [part for part in (get_args(bare) or (bare,)) if part is not type(None)]
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        several = any(get_origin(part) is tuple for part in (bare, *parts))
        nested = get_origin(bare) is tuple and any("tuple" in str(part) for part in get_args(bare))
        yield Option(
            field.name.replace("_", "-"),
            (*group, field.name),
            several,
            "UseAppendAction" in marks,
            nested,
            required,
            "Positional" in marks,
        )


def write_command(path: Path, command: str, config: Any) -> None:
    """Writes the options of a command as YAML, with its defaults, so that `--config` repeats it."""
    content: dict[str, Any] = {"command": command}
    for option in options_of(type(config)):
        value = config
        for name in option.group:
            value = getattr(value, name)
        if option.name not in NOT_WRITTEN and value is not None and value != ():
            content[option.name] = _plain(value)
    about = f"# t2jax {command} --config {path.name} repeats this. Options beside it come first.\n"
    about += f"# Written by t2jax {__version__} in {os.getcwd()}, where paths begin.\n"
    with whole(path) as unfinished:
        unfinished.write_text(about + yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")


def config_path(args: Sequence[str]) -> Path | None:
    """Returns the file of --config among the arguments of a command, or None."""
    for i, argument in enumerate(args):
        if argument == "--config" and i + 1 < len(args):
            return Path(args[i + 1])
        if argument.startswith("--config="):
            return Path(argument.partition("=")[2])
    return None


def arguments_of(path: Path, command: str, config: type, args: Sequence[str]) -> tuple[list[str], list[Option]]:
    """Reads a file of options.

    Args:
        path: The file.
        command: Name of the command.
        config: Its config class.
        args: Arguments beside the file. An option that may be repeated is left out of the file's if it is among them.

    Returns:
        The options as arguments, and the required options that the file lacks, which have any value there.

    Raises:
        ValueError: The file is no YAML of options, is of another command, or has an unknown option.
    """
    options = {option.name: option for option in options_of(config)}
    if "config" not in options:
        raise ValueError(f"--config: `t2jax {command}` takes no file of options")
    content = _read(path)
    given = {str(name).replace("_", "-"): value for name, value in content.items()}
    if (other := given.pop("command", command)) != command:
        raise ValueError(f"{path}: the options are of `t2jax {other}`, not of `t2jax {command}`")
    for name in given:
        if name not in options or name == "config":
            similar = difflib.get_close_matches(name, options, n=1)
            hint = f"; did you mean {similar[0]!r}?" if similar else ""
            raise ValueError(f"{path}: `t2jax {command}` has no option {name!r}{hint}")
    beside = {argument.partition("=")[0] for argument in args}
    arguments, missing = [], []
    for name, option in options.items():
        if name in given and given[name] is not None and not (option.repeated and f"--{name}" in beside):
            arguments += _arguments(path, option, given[name])
        elif option.required:
            missing.append(option)
            arguments += ["0"] if option.positional else [f"--{name}=0"]
    return arguments, missing


def without(config: Any, options: Sequence[Option]) -> Any:
    """Returns a config whose required `options` must still be given."""
    return dataclasses.replace(config, **{option.group[0]: tyro.MISSING for option in options})


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}), expected a file of options") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f", line {mark.line + 1}"
        problem = getattr(error, "problem", None) or "no text"
        raise ValueError(f"{path}{where}: not YAML ({problem}), expected lines such as train: 1e22") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected lines such as train: 1e22")
    return content


def _arguments(path: Path, option: Option, value: Any) -> list[str]:
    """Writes an option of a file as arguments. It raises ValueError for a value of another form."""
    dashes = f"--{option.name}"
    if isinstance(value, Mapping) and option.several:
        value = [f"{name}={text}" for name, text in value.items()]
    if isinstance(value, bool):
        return [dashes] if value else []
    if isinstance(value, list) and option.several:
        texts = [str(text) for text in value]
    elif isinstance(value, list | Mapping):
        raise ValueError(f"{path}: {option.name}: found {value}, expected one value")
    else:
        texts = [str(value)]
    if option.positional:
        return texts
    if option.repeated and not option.nested:
        return [part for text in texts for part in (dashes, text)]
    return [dashes, *texts] if option.several else [f"{dashes}={texts[0]}"]


def _plain(value: Any) -> Any:
    """Returns an option's value as YAML has it. Pairs of several uses of an option become one list."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        inner = [part for item in value for part in (item if isinstance(item, tuple) else (item,))]
        return [_plain(item) for item in inner]
    return value


def config_of_record(config: Any, values: dict[str, Any]) -> Any:
    """Makes a config from its record in run.json.

    Args:
        config: The config class.
        values: Its fields as JSON has them. Options that another version of t2jax lacked have their defaults.

    Returns:
        The config.
    """
    hints = get_type_hints(config)
    named = {field.name for field in dataclasses.fields(config) if field.init}
    return config(**{name: _typed(hints[name], value) for name, value in values.items() if name in named})


def _typed(hint: Any, value: Any) -> Any:
    """Turns a value of JSON into an option's type: a nested config, a path or a tuple."""
    if get_origin(hint) in (Union, types.UnionType):
        options = [option for option in get_args(hint) if option is not type(None)]
        return None if value is None else _typed(options[0], value)
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return config_of_record(hint, value)
    if hint is Path and isinstance(value, str):
        return Path(value)
    return _tuples(value)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
