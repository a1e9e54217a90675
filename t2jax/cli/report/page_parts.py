"""What a page is made of: paragraphs, tables, figures and levers, without a word of HTML."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class TablePart:
    """A table of a page.

    Attributes:
        caption: What the table shows, in a sentence.
        header: Names of the columns.
        rows: Cells of each row; the first names the row.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class FigurePart:
    """A figure of a page.

    Attributes:
        name: Name of the figure in the page, of letters and hyphens.
        title: Title.
        text: What there is to see, for those who cannot.
        data: Traces, as Plotly reads them. Colours are names of the page's palette, such as "c1".
        layout: Layout, as Plotly reads it.
    """

    name: str
    title: str
    text: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]


@dataclass(frozen=True)
class Section:
    """A section of a page.

    Attributes:
        name: Name of the section in the page, of letters and hyphens.
        title: Heading.
        paragraphs: Sentences, a paragraph each.
        tables: Tables below them.
        figures: Figures below the tables.
        listed: Whether the paragraphs are items of a list.
    """

    name: str
    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[TablePart, ...] = ()
    figures: tuple[FigurePart, ...] = ()
    listed: bool = False


@dataclass(frozen=True)
class Page:
    """A report as a whole.

    Attributes:
        title: Title of the page.
        lead: The recommendation, a paragraph each.
        words: Names of quantities for the levers: the law, its prediction and the units.
        levers: Data for the levers, or None without any.
        no_levers: Why there are no levers, or nothing for a page that never has any.
        sections: The other sections, in order.
        printed: What the command prints, for those who want to copy it.
    """

    title: str
    lead: tuple[str, ...]
    words: dict[str, Any] = field(default_factory=dict)
    levers: dict[str, Any] | None = None
    no_levers: str = ""
    sections: tuple[Section, ...] = ()
    printed: str = ""


def show(value: float | None, digits: int = 4) -> str:
    """Returns a number as a cell of a table; an absent one is an empty cell."""
    return "" if value is None or not np.isfinite(value) else f"{value:,.{digits}g}".replace("e+", "e")


def table(caption: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[TablePart, ...]:
    """Returns a table, or nothing without rows."""
    return (TablePart(caption, tuple(header), tuple(map(tuple, rows))),) if rows else ()
