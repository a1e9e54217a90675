"""Where a table comes from."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Source:
    """Where a table came from: a file or data set, its hash and licence, and what was done to it since.

    `url` and `licence` are those of the data it derives from. `units` holds what multiplied each column that was not in
    raw counts (1.0: told to be raw). `history` holds a step for each thing done: "where task='arc': 120 of 240 rows".
    """

    name: str = "a table from memory"
    sha256: str = ""
    url: str = ""
    licence: str = ""
    units: Mapping[str, float] = field(default_factory=dict)
    history: tuple[str, ...] = ()

    def then(self, step: str) -> "Source":
        """The same source with one more step in its history."""
        return dataclasses.replace(self, history=(*self.history, step))
