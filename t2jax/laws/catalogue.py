"""The catalogue of `t2jax laws` as a JSON file, since importing the laws imports JAX.

`python -m t2jax.laws.catalogue` writes the file; a test compares it with the classes.
"""

import dataclasses
import inspect
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from t2jax import laws
from t2jax.files import save_json

if TYPE_CHECKING:
    from t2jax.laws.base import Law

FILE = Path(__file__).with_name("catalogue.json")


@dataclass(frozen=True)
class Quantity:
    """Unit and meaning of a parameter."""

    unit: str
    doc: str


@dataclass(frozen=True)
class LawEntry:
    """One law of the catalogue.

    Attributes:
        name: The law's name on the command line.
        formula: The first line of its docstring.
        about: The rest of its docstring without the example.
        inputs: Names of its inputs, such as N, D and k.
        predicts: Columns that it can be fitted to.
        parameters: Unit and meaning of its parameters by name.
    """

    name: str
    formula: str
    about: str
    inputs: tuple[str, ...]
    predicts: tuple[str, ...]
    parameters: dict[str, Quantity]


def catalogue() -> tuple[LawEntry, ...]:
    """Reads the catalogue without importing the laws."""
    entries = json.loads(FILE.read_text(encoding="utf-8"))["laws"]
    return tuple(
        LawEntry(
            name=entry["name"],
            formula=entry["formula"],
            about=entry["about"],
            inputs=tuple(entry["inputs"]),
            predicts=tuple(entry["predicts"]),
            parameters={name: Quantity(**quantity) for name, quantity in entry["parameters"].items()},
        )
        for entry in entries
    )


def describe(law: "type[Law]") -> LawEntry:
    """Makes the catalogue's entry of a law class."""
    formula, *about = (inspect.getdoc(law) or "").partition("\nExamples:\n")[0].splitlines()
    return LawEntry(
        name=laws.name_of(law),
        formula=formula,
        about=" ".join(filter(None, about)),
        inputs=law.inputs(),
        predicts=law.response,
        parameters={name: Quantity(param.unit, param.doc) for name, param in law.declared().items()},
    )


if __name__ == "__main__":
    save_json(FILE, {"laws": [dataclasses.asdict(describe(law)) for law in laws.ALL]})
