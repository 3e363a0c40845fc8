"""Markdown."""

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from report.document import Listing, Section, Table, labelled
from study.text import one_line

ESCAPES = str.maketrans({c: f"\\{c}" for c in "\\|[*~`"} | {"<": "&lt;"})
EDGE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")  # an underscore between letters is harmless
CODE = re.compile(r"(`[^`|\\]+`)")
CHANGED = (*"\\|[*~`<_&", "  ", "\n ", " \n")  # besides what cannot be printed


ABOUT = ("Hardware", "Software", "Setting")  # of the title block, which only reports have


def render(
    sections: Sequence[Section],
    method: Sequence[str] = (),
    about: Sequence[tuple[str, str]] = (),
    checks: Sequence[str] = (),
) -> Iterator[str]:
    """Yield all sections piece by piece: tables may have many thousand lines.

    Args:
        sections: The sections.
        method: How the numbers were measured; comes last.
        about: The title block; what sections do not repeat comes first.
        checks: What checks of the models found; comes before the sections.
    """
    shared = [f"{name}: {value}." for name, value in about if name in ABOUT]
    if shared:
        yield " ".join(_escape_all(shared)) + "\n\n"
    if checks:
        yield "  \n".join(_escape_all(checks)) + "\n\n"
    for number, section in enumerate(sections):
        yield "\n\n" if number else ""
        yield from _section(section)
    if method:
        yield "\n\n## How it was measured\n\n" + "\n\n".join(_escape_all(method))
    yield "\n"


def _section(section: Section) -> Iterator[str]:
    yield f"## {escape(section.title)}"
    if section.facts:
        yield "\n\n" + "  \n".join(_escape_all(section.facts))
    for label, answer in labelled(section.answers):
        yield f"\n\n**{label} {escape(answer.question)}**" if label else ""
        yield _sentences(_escape_all(answer.sentences))
    if section.table.columns:
        yield "\n\n"
        yield from _table(section.table)
    for table in section.details.tables:
        yield "\n\n"
        yield from _table(table)
    for listing in (*section.listings, *section.details.listings):
        yield "\n\n" + _listing(listing)


def _sentences(texts: Sequence[str]) -> str:
    """Return one sentence as a paragraph, several as a list: no empty lines between them."""
    if len(texts) == 1:
        return f"\n\n{texts[0]}"
    return "\n\n" + "\n".join(f"- {text}" for text in texts) if texts else ""


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
    if table.notes:
        yield "\n\n" + "  \n".join(_escape_all(table.notes))


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
