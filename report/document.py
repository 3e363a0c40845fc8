"""The document between results and a format: sections of facts, a table and sentences."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from report.wording.units import UNKNOWN


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


def make_rows(caption: str, rows: Iterable[dict[str, str]]) -> Table:
    """A table of these rows; a column for every key, in the order of their coming."""
    kinds: dict[tuple[str, ...], tuple[str, ...]] = {}
    # Rows come by the ten thousand and have few kinds of keys: of each row its cells are kept.
    kept = [(kinds.setdefault(tuple(row), tuple(row)), [*row.values()]) for row in rows]
    columns = tuple(dict.fromkeys(chain.from_iterable(kinds)))
    return Table(columns, [_filled(columns, keys, cells) for keys, cells in kept], caption)


def _filled(columns: Sequence[str], keys: Sequence[str], cells: list[str]) -> list[str]:
    if keys == columns:
        return cells
    found = dict(zip(keys, cells, strict=True))
    return [found.get(column, UNKNOWN) for column in columns]


def known_rows(caption: str, rows: Iterable[dict[str, str]]) -> Table:
    """The same without the columns of which nothing is known in any row."""
    table = make_rows(caption, rows)
    known = [
        at for at in range(len(table.columns)) if any(row[at] != UNKNOWN for row in table.rows)
    ]
    if len(known) == len(table.columns):
        return table
    cells = [[row[at] for at in known] for row in table.rows]
    return Table([table.columns[at] for at in known], cells, caption)
