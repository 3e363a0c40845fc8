"""A document as Markdown."""

from tabulate import tabulate

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
    rows = [[escape(cell) for cell in row] for row in table.rows]
    headers = list(table.columns)
    text = str(tabulate(rows, headers=headers, tablefmt="pipe", disable_numparse=True))
    return f"**{escape(table.caption)}**\n\n{text}" if table.caption else text


def _listing(listing: Listing) -> str:
    return f"**{escape(listing.caption)}**\n\n```python\n{listing.code}\n```"


def escape(text: str) -> str:
    """Text on one line that neither ends a table's cell nor becomes HTML."""
    return one_line(text).translate(ESCAPES)
