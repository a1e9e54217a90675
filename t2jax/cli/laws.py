"""`t2jax laws`: a list of all laws with their formulas."""

import dataclasses
import json
from dataclasses import dataclass

from t2jax.cli.words import columns
from t2jax.laws.catalogue import catalogue


@dataclass(frozen=True)
class LawsConfig:
    """List the laws, with what they predict, their formulas and how many parameters they have."""

    json: bool = False
    """Print the list as JSON on stdout, and nothing else there."""


def run(config: LawsConfig) -> int:
    """Prints the list of laws and returns 0."""
    entries = catalogue()
    if config.json:
        print(
            json.dumps(
                {"command": "laws", "laws": [dataclasses.asdict(entry) for entry in entries]}, ensure_ascii=False
            )
        )
        return 0
    rows = [(entry.name, entry.predicts[0], str(len(entry.parameters)), entry.formula) for entry in entries]
    print(columns(("name", "predicts", "parameters", "formula"), rows))
    return 0
