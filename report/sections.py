"""One table of a grid as a section of a document."""

from report.answers import make_answers
from report.data.selection import GridTable
from report.document import Figure, Section
from report.facts import make_facts
from report.listings import make_listings
from report.tables import make_details, make_table


def make_section(grid_table: GridTable, with_figures: bool = False) -> Section:
    """Facts, table, answers and listings of one selection; figures only for who can show them."""
    return Section(
        title=grid_table.grid.title,
        facts=make_facts(grid_table),
        table=make_table(grid_table),
        answers=make_answers(grid_table),
        details=make_details(grid_table),
        figures=_figures(grid_table) if with_figures else (),
        listings=make_listings(grid_table),
    )


def _figures(grid_table: GridTable) -> list[Figure]:
    from report.figures import make_figures  # here, since matplotlib takes half a second

    return make_figures(grid_table)
