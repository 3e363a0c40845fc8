"""A document as Markdown."""

from collections.abc import Sequence

from report.document import Listing, Section, Table
from report.text import one_line

ESCAPES = str.maketrans({"\\": "\\\\", "|": "\\|", "[": "\\[", "<": "&lt;"})


def render(sections: list[Section]) -> str:
    """All sections, one after another."""
    return "\n\n".join(_section(section) for section in sections) + "\n"


def _section(section: Section) -> str:
    parts = [
        f"## {escape(section.title)}",
        "  \n".join(escape(fact) for fact in section.facts),
        _table(section.table),
        "\n\n".join(escape(answer) for answer in section.answers),
        *(_table(table) for table in section.details),
        *(_listing(listing) for listing in section.listings),
    ]
    return "\n\n".join(parts)


def _table(table: Table) -> str:
    """A pipe table in columns; cells are finished text, of which tabulate would guess the types."""
    columns = [[escape(cell) for cell in column] for column in zip(*table.rows, strict=True)]
    columns = columns or [[] for _ in table.columns]
    titles = [escape(title) for title in table.columns]
    widths = [max(3, *map(len, (title, *c))) for title, c in zip(titles, columns, strict=True)]
    lines = [titles, ["-" * width for width in widths], *zip(*columns, strict=True)]
    text = "\n".join(_line(cells, widths) for cells in lines)
    return f"**{escape(table.caption)}**\n\n{text}" if table.caption else text


def _line(cells: Sequence[str], widths: list[int]) -> str:
    return f"| {' | '.join(map(str.ljust, cells, widths))} |"


def _listing(listing: Listing) -> str:
    return f"**{escape(listing.caption)}**\n\n```python\n{listing.code}\n```"


def escape(text: str) -> str:
    """Text on one line that neither ends a table's cell nor becomes HTML."""
    return one_line(text).translate(ESCAPES)
