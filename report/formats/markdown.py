"""Markdown."""

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from report.document import Listing, Section, Table
from study.text import one_line

ESCAPES = str.maketrans({c: f"\\{c}" for c in "\\|[*~`"} | {"<": "&lt;"})
EDGE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")  # an underscore between letters is harmless
CODE = re.compile(r"(`[^`|\\]+`)")
CHANGED = (*"\\|[*~`<_&", "  ", "\n ", " \n")  # besides what cannot be printed


def render(sections: list[Section]) -> Iterator[str]:
    """Yield all sections piece by piece: tables may have many thousand lines."""
    for number, section in enumerate(sections):
        yield "\n\n" if number else ""
        yield from _section(section)
    yield "\n"


def _section(section: Section) -> Iterator[str]:
    yield f"## {escape(section.title)}\n\n"
    yield "  \n".join(_escape_all(section.facts)) + "\n\n"
    if section.table.columns:
        yield from _table(section.table)
        yield "\n\n"
    yield "\n\n".join(_escape_all(section.answers))
    for table in section.details:
        yield "\n\n"
        yield from _table(table)
    for listing in section.listings:
        yield "\n\n" + _listing(listing)


def _table(table: Table) -> Iterator[str]:
    """Yield a pipe table; cells are finished text, whose types tabulate would guess."""
    columns = [_escape_all(column) for column in zip(*table.rows, strict=True)]
    columns = columns or [[] for _ in table.columns]
    titles = [escape(title) for title in table.columns]
    widths = [
        max(map(len, chain(["---", title], c))) for title, c in zip(titles, columns, strict=True)
    ]
    lines = chain([titles, ["-" * width for width in widths]], zip(*columns, strict=True))
    yield f"**{escape(table.caption)}**\n\n" if table.caption else ""
    for number, cells in enumerate(lines):
        yield "\n" if number else ""
        yield f"| {' | '.join(map(str.ljust, cells, widths))} |"


def _escape_all(texts: Sequence[str]) -> Sequence[str]:
    """Escape each text; most columns need none, which one look at all texts shows."""
    return texts if _stay(texts) else [escape(text) for text in texts]


def _stay(texts: Sequence[str]) -> bool:
    """Return True if every text is its own escape."""
    together = "\n".join(["", *texts, ""])
    if any(map(together.__contains__, CHANGED)):
        return False
    on_one_line = together.count("\n") == len(texts) + 1
    return on_one_line and together.replace("\n", "").isprintable()


def _listing(listing: Listing) -> str:
    return f"**{escape(listing.caption)}**\n\n```python\n{listing.code}\n```"


def escape(text: str) -> str:
    """Return text on one line that neither ends a cell nor becomes HTML or emphasis.

    Text between backticks is code, which Markdown shows unchanged.
    """
    parts = CODE.split(one_line(text))
    return "".join(part if at % 2 else _plain(part) for at, part in enumerate(parts))


def _plain(text: str) -> str:
    """Escape everything that has a meaning in Markdown."""
    escaped = re.sub(r"&(?=#?\w+;)", "&amp;", text).translate(ESCAPES)
    return EDGE.sub(r"\\_", escaped)
