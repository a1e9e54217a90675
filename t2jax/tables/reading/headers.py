"""What the name of a column means: the column of t2jax, and the units that stand in the name."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from t2jax.tables.columns import NUMBERS, SHARES, TEXTS
from t2jax.tables.reading.synonyms import (
    EMBEDDING,
    LOSS_ENDINGS,
    OTHER_UNITS,
    PREFIXES,
    QUALIFIERS,
    SETTING_WORDS,
    SETTINGS,
    SYMBOLS,
    SYNONYMS,
    UNIT_WORDS,
)

BY_SYNONYM = {synonym: column for column, synonyms in SYNONYMS.items() for synonym in synonyms}
SCALED = ("params", "tokens", "unique_tokens", "samples", "trials", "correct")
"""Columns of counts, whose names may hold a unit."""


@dataclass(frozen=True)
class Meaning:
    """What a column's name means.

    Attributes:
        name: The name in the file.
        column: The column of t2jax.
        unit: Unit of counts or shares that the name holds, such as "M", empty without one.
        loss_unit: Unit of a loss that the name holds, empty without one.
        qualifiers: Words such as "active" that tell it from other columns of that meaning.
    """

    name: str
    column: str
    unit: str = ""
    loss_unit: str = ""
    qualifiers: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Writes how the column is read: "'Params (M)' is read as params in units of M"."""
        unit = f" in units of {self.unit}" if self.unit else ""
        return f"{self.name!r} is read as {self.column}{unit}"


def words_of(name: str) -> list[str]:
    """Splits a name into its words, in their case."""
    text = name.replace("%", " percent ").replace("@", "_at_")
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text)
    return [word for word in re.split(r"[^A-Za-z0-9]+", text) if word]


def folded(name: str) -> str:
    """Returns a name in lower case with `_` between words, without prefixes: `config.lr` becomes `lr`."""
    words = [word.lower() for word in words_of(name)]
    while len(words) > 1 and words[0] in PREFIXES and "_".join(words) not in BY_SYNONYM:
        words = words[1:]
    return "_".join(words)


def is_setting(name: str) -> bool:
    """Tells whether a column is a tuned setting, by its name, its part after the last dot, or words within it."""
    words = [word.lower() for word in words_of(name)]
    inside = any(tuple(words[i : i + len(wanted)]) == wanted for wanted in SETTING_WORDS for i in range(len(words)))
    return inside or folded(name) in SETTINGS or folded(re.split(r"[./]", name)[-1]) in SETTINGS


def meaning_of(name: str) -> Meaning | None:
    """Returns what a name means, None for a name that is not known."""
    words = words_of(name)
    if not words:
        return None
    for rest, unit in _with_and_without_unit(words):
        meaning = _meaning(name, rest, unit)
        if meaning is not None:
            return meaning
    return None


def exact(names: Iterable[str]) -> set[str]:
    """Returns the names that are columns of t2jax already."""
    return {name for name in names if name in NUMBERS or name in TEXTS}


def _with_and_without_unit(words: list[str]) -> Iterable[tuple[list[str], str]]:
    """Yields the words as they are, and then without a unit at their end."""
    yield words, ""
    last = words[-1].lower()
    if len(words) > 1 and (last in UNIT_WORDS or last == "percent"):
        rest = words[:-2] if words[-2].lower() == "in" else words[:-1]
        if rest:
            yield rest, UNIT_WORDS.get(last, last)


def _meaning(name: str, words: list[str], unit: str) -> Meaning | None:
    """Returns what a name means whose unit is known, None for a name or a unit that does not fit."""
    start = 0
    while start < len(words) - 1 and words[start].lower() in PREFIXES:
        start += 1
    for first in range(start + 1):  # a prefix such as `model` may be a part of the name
        rest = words[first:]
        if len(rest) == 1 and rest[0] in SYMBOLS:
            return _checked(Meaning(name, SYMBOLS[rest[0]], unit))
        lower = "_".join(word.lower() for word in rest)
        column, loss_unit = BY_SYNONYM.get(lower), OTHER_UNITS.get(lower, "")
        if column is None and loss_unit:
            column = "error" if loss_unit == "accuracy" else "loss"
        if column is None:
            column, loss_unit = _loss_with_unit(lower)
        if column is not None:
            return _checked(Meaning(name, column, unit, loss_unit))
        qualifiers = tuple(word.lower() for word in rest if word.lower() in QUALIFIERS)
        base = "_".join(word.lower() for word in rest if word.lower() not in QUALIFIERS)
        if qualifiers and not set(qualifiers) <= EMBEDDING and base in (*SYNONYMS["params"], "N", "n"):
            return _checked(Meaning(name, "params", unit, "", qualifiers))
    return None


def _loss_with_unit(lower: str) -> tuple[str | None, str]:
    """Returns the column and the unit of a name such as `val_loss_nats`."""
    for ending, unit in LOSS_ENDINGS.items():
        if lower.endswith(f"_{ending}") and BY_SYNONYM.get(lower.removesuffix(f"_{ending}")) == "loss":
            return "loss", "" if unit == "nats" else unit
    return None, ""


def _checked(meaning: Meaning) -> Meaning | None:
    """Returns a meaning whose unit is one of its column, else None."""
    percent_of_accuracy = meaning.unit == "percent" and (meaning.column in SHARES)
    fits = not meaning.unit or (meaning.column in SCALED and meaning.unit != "percent") or percent_of_accuracy
    return meaning if fits else None
