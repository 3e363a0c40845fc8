"""Table of schedules on one GPU, which none of them can make faster."""

from collections.abc import Iterable, Sequence

from report.data.labels import Labels
from report.data.measured import MeasuredCase
from report.document import Table, join_cells, known_rows
from report.tables.cells import schedules, step
from report.tables.cells.field import Field
from report.wording.quantities import in_words
from report.wording.units import count_of

CAPTION = "Schedules on 1 GPU: what each costs where no other GPU shares the work"


def kept_apart(results: Sequence[MeasuredCase]) -> list[MeasuredCase]:
    """Return the cases on 1 GPU whose schedule takes several; none if nothing has several GPUs."""
    if all(result.case.gpus == 1 for result in results):
        return []
    return [r for r in results if r.case.gpus == 1 and r.case.schedule != "naive"]


def where_they_are(apart: Iterable[MeasuredCase]) -> list[str]:
    """Return a line for below the table that leaves these cases out."""
    count = len(list(apart))
    if not count:
        return []
    have = "has" if count == 1 else "have"
    return [
        f"{count_of(count, 'case')} on 1 GPU {have} a table in the details: a schedule on 1 GPU "
        "shows what it costs, and cannot gain."
    ]


def make_table(results: list[MeasuredCase]) -> Table:
    """Return a row for each of them."""
    field, labels = Field(results), Labels(results)
    apart = kept_apart(results)
    cells = in_words(step.step_time(r, field) | schedules.over_naive(r, field) for r in apart)
    rows = [join_cells(labels.of(r), found) for r, found in zip(apart, cells, strict=True)]
    return known_rows(CAPTION, rows)
