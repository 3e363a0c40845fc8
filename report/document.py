"""The document between results and a format: sections of facts, a table and sentences."""

from collections.abc import Sequence
from dataclasses import dataclass

from report.units import UNKNOWN


@dataclass(frozen=True)
class Table:
    """Cells are finished text; a cell is never missing."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


@dataclass(frozen=True)
class Figure:
    """A drawing as SVG text, self-contained; `alt` says in words what it shows."""

    caption: str
    svg: str
    alt: str


@dataclass(frozen=True)
class Listing:
    """Source code that ran."""

    caption: str
    code: str


@dataclass(frozen=True)
class Section:
    """One table with what must be known to read it above, and what follows from it below.

    `details` are the tables behind the answers. Figures and listings are for documents that can
    show them; Markdown leaves figures out.
    """

    title: str
    facts: Sequence[str]
    table: Table
    answers: Sequence[str]
    details: Sequence[Table] = ()
    figures: Sequence[Figure] = ()
    listings: Sequence[Listing] = ()


@dataclass(frozen=True)
class Document:
    """A finished report; `about` is its title block, a name and a value a line.

    The author stands there, too, and in what a file tells of itself; empty where nobody is named.
    """

    title: str
    about: Sequence[tuple[str, str]]
    sections: Sequence[Section]
    author: str = ""


def make_rows(caption: str, rows: list[dict[str, str]]) -> Table:
    """A table of these rows; a column for every key, in the order of their coming."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    return Table(columns, [[row.get(c, UNKNOWN) for c in columns] for row in rows], caption)


def known_rows(caption: str, rows: list[dict[str, str]]) -> Table:
    """The same without the columns of which nothing is known in any row."""
    known = {column for row in rows for column, cell in row.items() if cell != UNKNOWN}
    return make_rows(caption, [{c: row[c] for c in row if c in known} for row in rows])
