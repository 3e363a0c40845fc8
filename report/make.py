"""The document of a report: first page, sections, method."""

from report.data.measured import MeasuredCase
from report.data.selection import GridTable
from report.document import Document, Figure, Section
from report.method import make_method
from report.sections import make_headlines, make_section
from report.title import make_about, make_title

MOST_SENTENCES = 7  # on the first page


def make_document(
    grid_tables: list[GridTable],
    title: str | None = None,
    author: str | None = None,
    *,
    with_figures: bool = False,
    with_details: bool = False,
) -> Document:
    """Return the document of these tables.

    Args:
        grid_tables: The tables, a section for each.
        title: Replaces the default title.
        author: Named in the title block and the file's metadata.
        with_figures: Draw figures, for formats that can show them.
        with_details: Make the appendix.
    """
    sections = [make_section(table, with_figures, with_details) for table in grid_tables]
    return Document(
        title=title or make_title(grid_tables),
        about=make_about(grid_tables, author),
        sections=sections,
        glance=_glance(grid_tables) if len(grid_tables) > 1 else (),
        glance_figure=_glance_figure(sections) if len(grid_tables) > 1 else None,
        method=make_method(_all_results(grid_tables)),
        author=author or "",
    )


def _glance(grid_tables: list[GridTable]) -> list[str]:
    """Return the best sentences of all tables: one of each, then the second of each."""
    found = [make_headlines(table) for table in grid_tables]
    longest = max(map(len, found), default=0)
    ranked = [
        (at, number) for at in range(longest) for number, h in enumerate(found) if at < len(h)
    ]
    kept = sorted(ranked[:MOST_SENTENCES], key=lambda place: (place[1], place[0]))
    return list(dict.fromkeys(found[number][at] for at, number in kept))


def _glance_figure(sections: list[Section]) -> Figure | None:
    """Return the first figure of the last section that has one: the widest question comes last."""
    drawn = [section.figures[0] for section in sections if section.figures]
    return drawn[-1] if drawn else None


def _all_results(grid_tables: list[GridTable]) -> list[MeasuredCase]:
    """Return every result once, however many tables show it."""
    found = {(t.profile, r.case): r for t in grid_tables for r in t.results}
    return list(found.values())
