"""The options with which a table is read, the same in Python and on the command line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from t2jax.tables.reading.loss_units import LOSS_UNITS, LossUnit

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|", "space": " "}
"""Words for separators that a shell makes hard to type."""


@dataclass(frozen=True)
class Reading:
    """Options with which a file becomes a table. Whatever an option gives is not guessed.

    Attributes:
        columns: Name of each column of the file that has another one in t2jax, as {"N": "params"}.
        units: Factor of each column that is not in raw counts, by its name in t2jax.
        separator: Character between cells, or its name such as "tab"; None finds it in the line of column names.
        decimal: Decimal mark, "." or ","; None finds it in the cells.
        encoding: Encoding of a text file; None is UTF-8, or UTF-16 with a byte order mark.
        sheet: Sheet of an .xlsx file; None is the only one.
        missing: Words of cells that mean that nothing was measured, such as "diverged"; "" is an empty cell.
        where: Value, or a list of values, of the rows to keep, by column.
        best_of: Settings of a sweep, of which the row of the lowest loss of each size is kept.
        loss_unit: Unit of the losses.
        bytes_per_token: Bytes of a token, which losses in bits per byte need.
        characters_per_token: Characters of a token, which losses in bits per character need.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str | float] = field(default_factory=dict)
    separator: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    missing: tuple[str, ...] = ()
    where: Mapping[str, str | float | Sequence[str | float]] = field(default_factory=dict)
    best_of: tuple[str, ...] = ()
    loss_unit: LossUnit | None = None
    bytes_per_token: float | None = None
    characters_per_token: float | None = None

    def check(self) -> None:
        """Raises ValueError for an option that no file could be read with."""
        separator = self.separator_character
        if separator is not None and (len(separator) != 1 or separator in '"\r\n#'):
            words = ", ".join(word for word in SEPARATORS if word.isalpha())
            raise ValueError(f"separator: found {self.separator!r}, expected one character, or one of {words}")
        if self.decimal not in (None, ".", ","):
            raise ValueError(f"decimal: found {self.decimal!r}, expected '.' or ','")
        if self.loss_unit is not None and self.loss_unit not in LOSS_UNITS:
            raise ValueError(f"loss_unit: found {self.loss_unit!r}, expected one of {', '.join(LOSS_UNITS)}")
        for name in ("bytes_per_token", "characters_per_token"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 1e6:
                raise ValueError(f"{name}: found {value}, expected a number > 0, such as 4.4")
        if self.encoding is not None:
            try:
                "".encode(self.encoding)  # base64 and the like are no encodings of text
            except LookupError:
                raise ValueError(f"encoding: found {self.encoding!r}, expected one such as utf-8 or cp1252") from None
        targets = list(self.columns.values())
        for target in targets:
            if targets.count(target) > 1:
                raise ValueError(f"columns: {targets.count(target)} columns are named {target!r}, expected one")

    def renamed(self, names: Mapping[str, str]) -> "Reading":
        """Returns the options with the columns of `units`, `where` and `best_of` by their names in t2jax.

        Args:
            names: Name in t2jax of each column, by its name in the file.

        Returns:
            The options.
        """
        ours = {theirs: name for theirs, name in names.items() if theirs not in names.values()}
        return replace(
            self,
            units={ours.get(name, name): unit for name, unit in self.units.items()},
            where={ours.get(name, name): value for name, value in self.where.items()},
            best_of=tuple(ours.get(name, name) for name in self.best_of),
        )

    @property
    def separator_character(self) -> str | None:
        """The separator as a character, None to find it."""
        return None if self.separator is None else SEPARATORS.get(self.separator, self.separator)
