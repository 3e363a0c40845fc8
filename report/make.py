"""The document of a report: first page, sections, method."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from report.data.measured import MeasuredCase
from report.data.selection import GridTable
from report.document import Document, Figure, Section
from report.facts import Shared, emulation, find_shared, title_of, told_apart
from report.kind import checks
from report.method import make_method
from report.sections import make_headlines, make_section
from report.title import make_about, make_title
from study.text import one_line

MOST_SENTENCES = 7  # on the first page


def make_document(
    grid_tables: list[GridTable],
    title: str | None = None,
    author: str | None = None,
    *,
    with_figures: bool = False,
    with_details: bool = False,
    columns: Sequence[str] | None = None,
) -> Document:
    """Return the document of these tables.

    Args:
        grid_tables: The tables, a section for each.
        title: Replaces the default title.
        author: Named in the title block and the file's metadata.
        with_figures: Draw figures, for formats that can show them.
        with_details: Make the appendix.
        columns: Keys of the columns of the main tables, in place of their kinds'.
    """
    shared, results = find_shared(grid_tables), _all_results(grid_tables)
    several, found = len(grid_tables) > 1, checks(results)
    sections = [
        make_section(table, with_figures, with_details, shared, columns, () if several else found)
        for table in grid_tables
    ]
    glance = _Glance(grid_tables, shared)
    figure = _glance_figure(grid_tables, sections) if several else None
    titled = None if figure is None else _titled(figure, sections)
    if figure is not None:
        sections = [_without(section, figure) for section in sections]
    return Document(
        title=title or make_title(grid_tables),
        about=make_about(grid_tables, author, shared.words),
        sections=sections,
        warnings=_warnings(results, found) if several else (),
        checks=found if several else (),
        glance=glance.sentences if several else (),
        glance_title=glance.title if several else Document.glance_title,
        glance_figure=titled,
        method=make_method(results),
        author=author or "",
    )


def _warnings(results: list[MeasuredCase], found: list[str]) -> list[str]:
    """Return what holds for the numbers of the first page."""
    emulated = [emulation(results)] if any(result.emulated for result in results) else []
    return [*found, *emulated]


@dataclass(frozen=True)
class _Glance:
    """The best sentences of a document: one of each table, then the second of each."""

    grid_tables: list[GridTable]
    shared: Shared

    @cached_property
    def _kept(self) -> list[tuple[GridTable, str]]:
        """The sentences that the first page has, with their tables, in their order."""
        told = [make_headlines(table) for table in self.grid_tables]
        longest = max(map(len, told), default=0)
        ranked = [
            (at, number) for at in range(longest) for number, h in enumerate(told) if at < len(h)
        ]
        kept = sorted(ranked[:MOST_SENTENCES], key=lambda place: (place[1], place[0]))
        return [(self.grid_tables[number], told[number][at]) for at, number in kept]

    @property
    def sentences(self) -> list[str]:
        """The sentences; what tells a table from the others begins them."""
        return list(dict.fromkeys(f"{self._label(table)}{text}" for table, text in self._kept))

    def _label(self, table: GridTable) -> str:
        """Return what begins the sentences of a table: its title, or else the keys that differ.

        A title of its user's says it best, if only this table has it and no cluster is named; one
        with a colon would be followed by another. Empty where nothing differs.
        """
        keys = told_apart(table, [speaking for speaking, _ in self._kept], self.shared)
        title = title_of(table, self.shared)
        is_only = [title_of(other, self.shared) for other in self.grid_tables].count(title) == 1
        is_given = title == table.grid.title != table.grid.name and ":" not in title
        return f"{one_line(title)}: " if keys and is_only and is_given else keys

    @property
    def title(self) -> str:
        """The heading, with the cluster of all sentences where the document has others, too."""
        every, those = (
            {table.profile for table in tables if table.profile is not None}
            for tables in (self.grid_tables, [table for table, _ in self._kept])
        )
        one = f" ({those.pop()})" if len(every) > 1 and len(those) == 1 else ""
        return f"{Document.glance_title}{one}"


def _glance_figure(grid_tables: list[GridTable], sections: list[Section]) -> Figure | None:
    """Return the figure that says most, of equal ones the last.

    Of several profiles, that with most tables has it: the first sentences are about its tables.
    """
    counts = Counter(table.profile for table in grid_tables)
    most = max(counts.values(), default=0)
    figures = [
        figure
        for table, section in zip(grid_tables, sections, strict=True)
        for figure in _figures(section)
        if counts[table.profile] == most
    ]
    return max(reversed(figures), key=lambda figure: figure.headline, default=None)


def _figures(section: Section) -> list[Figure]:
    return [*section.details.figures, *section.figures]


def _titled(figure: Figure, sections: list[Section]) -> Figure:
    """Return the figure with the title of its section in its caption."""
    section = next(s for s in sections if any(f is figure for f in _figures(s)))
    return replace(figure, caption=f"{section.title}. {figure.caption}")


def _without(section: Section, figure: Figure) -> Section:
    """Return the section without a figure that the first page shows; a fact says where it is."""
    shown = [f for f in section.figures if f is not figure]
    details = [f for f in section.details.figures if f is not figure]
    if len(shown) == len(section.figures):
        return replace(section, details=replace(section.details, figures=details))
    facts = [*section.facts, "Figure 1, at a glance, belongs to this section."]
    return replace(section, facts=facts, figures=shown)


def _all_results(grid_tables: list[GridTable]) -> list[MeasuredCase]:
    """Return every result once, however many tables show it."""
    found = {(t.profile, r.case): r for t in grid_tables for r in t.results}
    return list(found.values())
