"""`t2jax laws`: every law there is, with its formula."""

import inspect
import json
from dataclasses import dataclass

from t2jax import laws
from t2jax.cli.words import columns
from t2jax.laws.base import Law


@dataclass(frozen=True)
class LawsConfig:
    """List the laws, with what they predict, their formulas and how many parameters they have."""

    json: bool = False
    """Print the list as JSON on stdout, and nothing else there."""


def run(config: LawsConfig) -> int:
    """List the laws; returns 0."""
    if config.json:
        print(json.dumps({"laws": [_described(one) for one in laws.ALL]}, ensure_ascii=False))
        return 0
    rows = []
    for one in laws.ALL:
        formula = (inspect.getdoc(one) or "").splitlines()[0]
        rows.append((laws.name_of(one), one.response[0], str(len(one.declared())), formula))
    print(columns(("name", "predicts", "parameters", "formula"), rows))
    return 0


def _described(law: type[Law]) -> dict[str, object]:
    doc = inspect.getdoc(law) or ""
    return {
        "name": laws.name_of(law),
        "formula": doc.splitlines()[0],
        "about": " ".join(doc.splitlines()[1:]).strip(),
        "inputs": law.inputs(),
        "predicts": law.response,
        "parameters": {name: {"unit": one.unit, "doc": one.doc} for name, one in law.declared().items()},
    }
