"""A value inside a result file that knows its place, so that every message names it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from t2jax.tables.place import TableError

LONGEST = 60
"""Largest number of characters of a value in a message."""


MOST = 600
"""Largest number of characters of a message."""


@dataclass(frozen=True)
class Part:
    """A value of a parsed file.

    Attributes:
        value: The value, as JSON, YAML or CSV gives it.
        place: File and path of the value, as "a.json, eval['HumanEval/0'][2]".
    """

    value: Any
    place: str

    def refuse(self, expected: str) -> NoReturn:
        """Raises TableError that names the place, what was found and what was expected."""
        raise TableError(f"{self.place}: found {described(self.value)}, expected {expected}")

    def has(self, *keys: str) -> bool:
        """Checks that the value is a mapping with all of these keys."""
        return isinstance(self.value, dict) and all(key in self.value for key in keys)

    def __getitem__(self, key: str) -> "Part":
        """Returns the value of a key. It raises TableError without one."""
        self.mapping()
        if key not in self.value:
            raise TableError(f"{self.place}: found no {key!r}, expected it beside {described(list(self.value))}")
        return self._below(key, self.value[key])

    def get(self, key: str) -> "Part":
        """Returns the value of a key, None without one."""
        return self._below(key, self.mapping().get(key))

    def mapping(self) -> dict[str, Any]:
        """Returns the value as a mapping. It raises TableError for anything else."""
        if not isinstance(self.value, dict):
            self.refuse("an object with names")
        return self.value

    def entries(self) -> Iterator[tuple[str, "Part"]]:
        """Yields each name and value of a mapping."""
        for key, value in self.mapping().items():
            yield key, self._below(key, value)

    def items(self) -> "list[Part]":
        """Returns the entries of a list. It raises TableError for anything else."""
        if not isinstance(self.value, list):
            self.refuse("a list")
        return [Part(value, f"{self.place}[{i}]") for i, value in enumerate(self.value)]

    def text(self) -> str:
        """Returns a name. It raises TableError for anything but text that is not blank."""
        if not isinstance(self.value, str) or not self.value.strip():
            self.refuse("a name")
        return self.value

    def identifier(self) -> str:
        """Returns the text of a name or of a whole number, as questions have them."""
        if isinstance(self.value, int) and not isinstance(self.value, bool):
            return str(self.value)
        return self.text()

    def boolean(self) -> bool:
        """Returns true or false. It raises TableError for anything else."""
        if not isinstance(self.value, bool):
            self.refuse("true or false")
        return self.value

    def number(self) -> float:
        """Returns a finite number. It raises TableError for anything else."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float) or not _finite(self.value):
            self.refuse("a number")
        return float(self.value)

    def whole(self) -> int:
        """Returns a whole number >= 0. It raises TableError for anything else."""
        number = self.number()
        if number < 0 or number != math.floor(number):
            self.refuse("a whole number >= 0")
        return int(self.value)

    def zero_or_one(self) -> int:
        """Returns 1 for a right sample and 0 for a wrong one. It raises TableError for any other score."""
        if isinstance(self.value, bool):
            return int(self.value)
        number = self.number()
        if number not in (0.0, 1.0):
            self.refuse("0 or 1, because only a sample that is right or wrong can be counted")
        return int(number)

    def _below(self, key: str, value: Any) -> "Part":
        return Part(value, f"{self.place}, {key}" if key.isidentifier() else f"{self.place}, {described(key)}")


def described(value: Any) -> str:
    """Writes a value for a message, in at most 60 characters."""
    if isinstance(value, dict):
        return f"an object with {len(value)} names"
    if isinstance(value, list) and not all(isinstance(item, str) for item in value):
        return f"a list of {len(value)}"
    if value is None:
        return "null"
    if isinstance(value, int) and not isinstance(value, bool) and not _finite(value):
        return "a number beyond every count"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text)} characters)"


def _finite(value: int | float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond float64
        return False


def one_sentence(text: str) -> str:
    """Writes a message on one line of at most 600 characters, without its middle where it is longer."""
    line = " ".join(text.split())
    return line if len(line) <= MOST else f"{line[: MOST // 2]} ... {line[-MOST // 2 :]}"
