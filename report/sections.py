"""One table of a grid as a section of a document."""

from report.answers import make_answers
from report.data.selection import Selection
from report.document import Figure, Section
from report.facts import make_facts
from report.listings import make_listings
from report.tables import make_details, make_table


def make_section(selection: Selection, with_figures: bool = False) -> Section:
    """Facts, table, answers and listings of one selection; figures only for who can show them."""
    return Section(
        title=selection.grid.title,
        facts=make_facts(selection),
        table=make_table(selection),
        answers=make_answers(selection),
        details=make_details(selection),
        figures=_figures(selection) if with_figures else (),
        listings=make_listings(selection),
    )


def _figures(selection: Selection) -> list[Figure]:
    from report.figures import make_figures  # here, since matplotlib takes half a second

    return make_figures(selection)
