"""`t2jax data`: a list of the public tables, and one of them as a CSV file."""

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
    """Lists or downloads, and returns 0. It raises DatasetError if a file is not available."""
    return _list(config.action) if isinstance(config.action, ListConfig) else _get(config.action)


def _list(config: ListConfig) -> int:
    """Prints the data sets."""
    entries = [datasets.info(name) for name in datasets.names()]
    if config.json:
        keys = ("name", "description", "citation", "licence")
        print(
            json.dumps(
                {"command": "data list", "datasets": [{key: getattr(entry, key) for key in keys} for entry in entries]}
            )
        )
        return 0
    rows = [(entry.name, entry.description, entry.citation, entry.licence) for entry in entries]
    print(columns(("name", "what", "source", "licence"), rows))
    return 0


def _get(config: GetConfig) -> int:
    """Writes a data set as a CSV file."""
    table = datasets.load(config.name)
    with Output("data get", config.output, config) as out:
        name = f"{config.name}.csv"
        with out.file(name) as path, out.file(f"{name}.source.json"):
            table.to_csv(path)  # writes both files
        out.say(repr(table))
        return out.finish(0, {"name": config.name, "rows": len(table), "columns": list(table.columns)})
