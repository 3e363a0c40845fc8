"""Documents: sections of facts, tables, sentences and figures, which a format renders."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from report.wording.units import UNKNOWN


@dataclass(frozen=True)
class Table:
    """Columns and rows of finished text; no cell is missing."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


@dataclass(frozen=True)
class Figure:
    """A self-contained SVG drawing; `alt` describes it in words."""

    caption: str
    svg: str
    alt: str


@dataclass(frozen=True)
class Listing:
    """Source code with a caption."""

    caption: str
    code: str


@dataclass(frozen=True)
class Section:
    """One table, with the facts to read it above and the answers below.

    `details` are the tables behind the answers. Markdown leaves figures out.
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
    """A report; `about` is its title block, as names and values.

    The author is part of the title block and of the file's metadata; empty where nobody is named.
    """

    title: str
    about: Sequence[tuple[str, str]]
    sections: Sequence[Section]
    author: str = ""


def make_rows(caption: str, rows: Iterable[dict[str, str]]) -> Table:
    """Return a table of these rows, with a column for every key, in order of first appearance."""
    kinds: dict[tuple[str, ...], tuple[str, ...]] = {}
    # Ten thousand rows have few kinds of keys: keep the cells of each row, and the keys once.
    kept = [(kinds.setdefault(tuple(row), tuple(row)), [*row.values()]) for row in rows]
    columns = tuple(dict.fromkeys(chain.from_iterable(kinds)))
    return Table(columns, [_filled(columns, keys, cells) for keys, cells in kept], caption)


def _filled(columns: Sequence[str], keys: Sequence[str], cells: list[str]) -> list[str]:
    if keys == columns:
        return cells
    found = dict(zip(keys, cells, strict=True))
    return [found.get(column, UNKNOWN) for column in columns]


def known_rows(caption: str, rows: Iterable[dict[str, str]]) -> Table:
    """Return the same table without columns in which nothing is known."""
    table = make_rows(caption, rows)
    known = [
        at for at in range(len(table.columns)) if any(row[at] != UNKNOWN for row in table.rows)
    ]
    if len(known) == len(table.columns):
        return table
    cells = [[row[at] for at in known] for row in table.rows]
    return Table([table.columns[at] for at in known], cells, caption)
