"""Documents: questions, answers and the evidence for them, which a format renders."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeVar

from report.wording.units import UNKNOWN

Cell = TypeVar("Cell")


@dataclass(frozen=True)
class Table:
    """Columns and rows of finished text; no cell is missing.

    `notes` are lines below the table: what the letters in its rows stand for.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Figure:
    """A self-contained SVG drawing.

    Attributes:
        caption: What it shows.
        svg: The drawing.
        alt: The same in words.
        headline: How much it says of the whole document; the greatest is on the first page.
        zooms: Has details too fine for the page.
    """

    caption: str
    svg: str
    alt: str
    headline: int = 0
    zooms: bool = False


@dataclass(frozen=True)
class Listing:
    """Source code with a caption."""

    caption: str
    code: str


@dataclass(frozen=True)
class Answer:
    """A question and its answer: the answer itself first, then numbers, reason and caution.

    Remarks that answer no question have an empty one.
    """

    question: str
    sentences: Sequence[str]


@dataclass(frozen=True)
class Details:
    """Evidence behind a section's answers that few readers need: an appendix, or left out."""

    facts: Sequence[str] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()
    listings: Sequence[Listing] = ()


@dataclass(frozen=True)
class Section:
    """Questions with their answers, then the table, figures and listings that show them.

    `facts` are lines to read before anything else: what was measured on what, and emulation.
    """

    title: str
    facts: Sequence[str]
    answers: Sequence[Answer]
    table: Table
    figures: Sequence[Figure] = ()
    listings: Sequence[Listing] = ()
    details: Details = Details()


@dataclass(frozen=True)
class Document:
    """A report.

    Attributes:
        title: Its title.
        about: Its title block, as names and values.
        warnings: What holds for the numbers of the first page, in a box: emulation, checks.
        checks: What checks of the models found, for formats without a first page.
        glance: The sentences that answer most, of all sections.
        glance_figure: The figure beside them.
        glance_title: Their heading.
        sections: One for each table.
        method: How the numbers were measured, said once for all sections.
        author: Part of the title block and of the file's metadata; empty where nobody is named.
    """

    title: str
    about: Sequence[tuple[str, str]]
    sections: Sequence[Section]
    warnings: Sequence[str] = ()
    checks: Sequence[str] = ()
    glance: Sequence[str] = ()
    glance_figure: Figure | None = None
    glance_title: str = "At a glance"
    method: Sequence[str] = ()
    author: str = ""


def labelled(answers: Sequence[Answer]) -> list[tuple[str, Answer]]:
    """Return each answer with its label: Q1, Q2, …; empty for a remark that answers nothing."""
    found, asked = [], 0
    for answer in answers:
        asked += bool(answer.question)
        found.append((f"Q{asked}" if answer.question else "", answer))
    return found


def join_cells(*parts: dict[str, Cell]) -> dict[str, Cell]:
    """Return the cells of a row, in order.

    Raises:
        ValueError: Two parts have a cell under the same heading; one of them would be lost.
    """
    row: dict[str, Cell] = {}
    for part in parts:
        if shared := row.keys() & part.keys():
            raise ValueError(f"two columns are called {', '.join(sorted(shared))}")
        row |= part
    return row


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
    return only_known(make_rows(caption, rows))


def only_known(table: Table) -> Table:
    """Return the table without columns in which nothing is known."""
    known = [
        at for at in range(len(table.columns)) if any(row[at] != UNKNOWN for row in table.rows)
    ]
    if len(known) == len(table.columns):
        return table
    cells = [[row[at] for at in known] for row in table.rows]
    return replace(table, columns=[table.columns[at] for at in known], rows=cells)
