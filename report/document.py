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
class Section:
    """One table with what must be known to read it above, and what follows from it below.

    `details` are the tables behind the answers.
    """

    title: str
    facts: Sequence[str]
    table: Table
    answers: Sequence[str]
    details: Sequence[Table] = ()


def make_rows(caption: str, rows: list[dict[str, str]]) -> Table:
    """A table of these rows; a column for every key, in the order of their coming."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    return Table(columns, [[row.get(c, UNKNOWN) for c in columns] for row in rows], caption)
