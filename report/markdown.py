"""A document as Markdown."""

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from report.document import Listing, Section, Table
from report.text import one_line

ESCAPES = str.maketrans({"\\": "\\\\", "|": "\\|", "[": "\\[", "<": "&lt;"})
CHANGED = re.compile(r"[\\|\[<]|  |^ | $", re.MULTILINE)  # besides what cannot be printed


def render(sections: list[Section]) -> str:
    """All sections, one after another."""
    return "\n\n".join(part for section in sections for part in _parts(section)) + "\n"


def _parts(section: Section) -> Iterator[str]:
    yield f"## {escape(section.title)}"
    yield "  \n".join(escape(fact) for fact in section.facts)
    yield _table(section.table)
    yield "\n\n".join(escape(answer) for answer in section.answers)
    yield from map(_table, section.details)
    yield from map(_listing, section.listings)


def _table(table: Table) -> str:
    """A pipe table in columns; cells are finished text, of which tabulate would guess the types."""
    columns = [_escape_all(column) for column in zip(*table.rows, strict=True)]
    columns = columns or [[] for _ in table.columns]
    titles = [escape(title) for title in table.columns]
    widths = [
        max(map(len, chain(["---", title], c))) for title, c in zip(titles, columns, strict=True)
    ]
    lines = chain([titles, ["-" * width for width in widths]], zip(*columns, strict=True))
    text = "\n".join(_line(cells, widths) for cells in lines)
    return f"**{escape(table.caption)}**\n\n{text}" if table.caption else text


def _escape_all(texts: Sequence[str]) -> Sequence[str]:
    """Each of them escaped; most columns stay as they are, which is seen at a glance."""
    together = "\n".join(texts)
    as_they_are = together.count("\n") == len(texts) - 1 and not CHANGED.search(together)
    if as_they_are and together.replace("\n", "").isprintable():
        return texts
    return [escape(text) for text in texts]


def _line(cells: Sequence[str], widths: list[int]) -> str:
    return f"| {' | '.join(map(str.ljust, cells, widths))} |"


def _listing(listing: Listing) -> str:
    return f"**{escape(listing.caption)}**\n\n```python\n{listing.code}\n```"


def escape(text: str) -> str:
    """Text on one line that neither ends a table's cell nor becomes HTML."""
    return one_line(text).translate(ESCAPES)
