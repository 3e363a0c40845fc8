"""One table of a grid as a section of a document."""

from report.analysis.comparison import CANNOT
from report.data.selection import GridTable, Row
from report.document import Section
from report.facts import make_facts
from report.kinds import KINDS, Kind
from report.listings import make_listings
from report.tables.main import make_main_table
from report.wording.names import schedule_name
from report.wording.units import count_of
from study.case import Case

NAMED = 5  # failed cases; of more, only the number is given


def make_section(grid_table: GridTable, with_figures: bool = False) -> Section:
    """Return what the table's kind shows of its results; figures only for who can show them."""
    kind, results = KINDS[grid_table.grid.table], grid_table.results
    details = [make_table(results) for make_table in kind.details]
    figures = kind.figures(results) if with_figures and results else ()
    return Section(
        title=grid_table.grid.title,
        facts=[*make_facts(grid_table), *(kind.facts(results) if results else ())],
        table=make_main_table(grid_table, kind.rows(results), kind.headings),
        answers=_answers(grid_table, kind),
        details=[table for table in details if table.rows],
        figures=[figure for figure in figures if figure is not None],
        listings=make_listings(grid_table, kind.listings),
    )


def _answers(grid_table: GridTable, kind: Kind) -> list[str]:
    if not grid_table.results:
        return [f"{kind.question} {CANNOT}: no case has been measured."]
    return [*kind.answers(grid_table.results), *_missing(grid_table.rows)]


def _missing(rows: list[Row]) -> list[str]:
    """Say how many cases are missing, and which of them failed, the first few by name."""
    missing = [row for row in rows if row.measured is None]
    if not missing:
        return []
    failed = [f"{_name(row.case)} ({row.outcome})" for row in missing if row.outcome is not None]
    more = f" and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
    named = f" Failed: {', '.join(failed[:NAMED])}{more}." if failed else ""
    return [f"Missing from this answer: {len(missing)} of {len(rows)} cases.{named}"]


def _name(case: Case) -> str:
    how = "" if case.schedule == "naive" else f" as {schedule_name(case)}"
    return f"depth {case.depth} on {count_of(case.gpus, 'GPU')}{how}"
