"""`t2jax data`: which public tables there are, and one of them as a CSV file."""

import json
from dataclasses import dataclass, field
from typing import Annotated

import tyro

from t2jax import datasets
from t2jax.cli.output import Output, OutputOptions
from t2jax.cli.words import columns


@dataclass(frozen=True)
class ListConfig:
    """List the public data sets, with what they are and where they come from."""

    json: bool = False
    """Print the list as JSON on stdout, and nothing else there."""


@dataclass(frozen=True)
class GetConfig:
    """Download a public data set, check its hash, and write it as a CSV file with the columns of a table."""

    name: tyro.conf.Positional[str]
    """Its name in `t2jax data list`."""
    output: OutputOptions = field(default_factory=OutputOptions)


@dataclass(frozen=True)
class DataConfig:
    """Public tables of runs, by name."""

    action: Annotated[ListConfig, tyro.conf.subcommand("list")] | Annotated[GetConfig, tyro.conf.subcommand("get")]


def run(config: DataConfig) -> int:
    """List or get; returns 0. Raises DatasetError where a file cannot be had."""
    return _list(config.action) if isinstance(config.action, ListConfig) else _get(config.action)


def _list(config: ListConfig) -> int:
    entries = [datasets.info(name) for name in datasets.names()]
    if config.json:
        keys = ("name", "description", "citation", "licence")
        print(json.dumps({"datasets": [{key: getattr(one, key) for key in keys} for one in entries]}))
        return 0
    rows = [(one.name, one.description, one.citation, one.licence) for one in entries]
    print(columns(("name", "what", "source", "licence"), rows))
    return 0


def _get(config: GetConfig) -> int:
    table = datasets.load(config.name)
    with Output("data get", config.output, config) as out:
        name = f"{config.name}.csv"
        with out.file(name) as path, out.file(f"{name}.source.json"):
            table.to_csv(path)  # both
        out.say(repr(table))
        return out.finish(0, {"name": config.name, "rows": len(table), "columns": list(table.columns)})
