"""One table of a grid as a section of a document."""

from collections.abc import Sequence
from dataclasses import replace

from report.analysis.comparison import CANNOT
from report.calibrations import section as calibrations
from report.data.selection import GridTable
from report.document import Answer, Details, Figure, Section
from report.facts import Shared, make_facts, title_of
from report.kind import Kind, layer_figures, layer_tables, missing, remarks
from report.kinds import KINDS
from report.listings import make_listings
from report.tables.details import predictions
from report.tables.main import make_main_table
from report.wording.cautions import marks_in, numbered, spelled_out
from study.calibration.grid import NAME as CALIBRATION

SEVERAL = 2  # figures with a caution; from here on each has a number, and is said once


def make_section(
    grid_table: GridTable,
    with_figures: bool = False,
    with_details: bool = True,
    shared: Shared | None = None,
    columns: Sequence[str] | None = None,
    checks: Sequence[str] = (),
) -> Section:
    """Return what the table's kind shows of its results.

    Args:
        grid_table: The cases, measured or not.
        with_figures: Draw figures, for formats that can show them.
        with_details: Make the tables of the appendix.
        shared: What the title block of the document says already.
        columns: Keys of the columns of the main table, in place of the kind's.
        checks: Lines before all others: what checks of the models found.
    """
    if grid_table.grid.table == CALIBRATION:
        section = calibrations.make_section(grid_table)
        return replace(section, title=title_of(grid_table, shared or Shared()))
    kind, results = KINDS[grid_table.grid.table], grid_table.results
    return Section(
        title=title_of(grid_table, shared or Shared()),
        facts=[*checks, *make_facts(grid_table, shared), *(kind.facts(results) if results else ())],
        answers=_answers(grid_table, kind),
        table=make_main_table(grid_table, kind.columns, columns),
        figures=_drawn(kind.figures(results)) if with_figures and results else (),
        listings=make_listings(grid_table, kind.listings),
        details=_details(grid_table, kind, with_figures, with_details=with_details),
    )


def make_headlines(grid_table: GridTable) -> list[str]:
    """Return the sentences of the table's kind for the first page, best first."""
    if grid_table.grid.table == CALIBRATION:
        return []
    kind = KINDS[grid_table.grid.table]
    found = [answer.sentences[0] for answer in kind.opening(grid_table)]
    if grid_table.results:
        found += kind.headlines(grid_table.results)
    return [spelled_out(text) for text in found]


def _details(
    grid_table: GridTable, kind: Kind, with_figures: bool, *, with_details: bool
) -> Details:
    """Return the appendix; what was predicted is shown without it, too."""
    predicted = predictions.make_tables(grid_table)
    if not with_details:
        return Details(tables=predicted)
    results = grid_table.results
    tables = (
        predicted
        + [make_table(results) for make_table in kind.detail_tables]
        + layer_tables(results)
    )
    drawn = with_figures and results
    figures = [*kind.detail_figures(results), *layer_figures(results)] if drawn else []
    return Details(
        tables=[table for table in tables if table.rows],
        figures=_drawn(figures),
    )


def _drawn(figures: Sequence[Figure | None]) -> list[Figure]:
    return [figure for figure in figures if figure is not None]


def _answers(grid_table: GridTable, kind: Kind) -> list[Answer]:
    opening = kind.opening(grid_table)
    if not grid_table.results:
        nothing = [Answer("", [f"{kind.question} {CANNOT}: no case has been measured."])]
        return [*opening, *missing(grid_table)] if opening else nothing
    answers = _cautions_last([*opening, *kind.answers(grid_table.results)])
    return [*answers, *remarks(grid_table), *missing(grid_table)]


def _cautions_last(answers: Sequence[Answer]) -> list[Answer]:
    """Return the answers with each caution said once, below; a single one is said in words."""
    if marks_in(text for answer in answers for text in answer.sentences) < SEVERAL:
        return [replace(a, sentences=[spelled_out(text) for text in a.sentences]) for a in answers]
    numbers: dict[str, int] = {}
    found = [replace(a, sentences=numbered(a.sentences, numbers)) for a in answers]
    told = " ".join(f"Caution {n}: {text}." for text, n in numbers.items())
    return [*found, Answer("", [told])]
