"""The provenance of a table."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Source:
    """Provenance of a table.

    Attributes:
        name: The file or data set.
        sha256: Hash of the file.
        url: Where the original data are published.
        licence: Licence of the original data.
        units: Factor of each column that was not in raw counts; 1.0 marks a column as raw.
        history: One step for each operation, such as "where task='arc': 120 of 240 rows".
        notes: Sentences on what was recognised or left out when the file was read. They are not written to files.
    """

    name: str = "a table from memory"
    sha256: str = ""
    url: str = ""
    licence: str = ""
    units: Mapping[str, float] = field(default_factory=dict)
    history: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def then(self, step: str) -> "Source":
        """Adds one step to the history."""
        return dataclasses.replace(self, history=(*self.history, step))
