"""The document between results and a format: sections of facts, a table and sentences."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Cells are finished text; a cell is never missing."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Section:
    """One table with what must be known to read it above, and what follows from it below."""

    title: str
    facts: Sequence[str]
    table: Table
    answers: Sequence[str]
