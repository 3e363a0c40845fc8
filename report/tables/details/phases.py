"""Table of the phases of a step, which only instrumented steps can tell apart."""

from report.data.labels import Labels
from report.data.measured import MeasuredCase
from report.document import Table, join_cells, known_rows
from report.tables.cells.step import phases
from report.wording.quantities import in_words

CAPTION = "Phases of a step, medians of instrumented steps"


def make_table(results: list[MeasuredCase]) -> Table:
    """Return a row for each case in which phases were seen."""
    labels = Labels(results)
    seen = [r for r in results if any(job.measurement.forward_s for job in r.jobs)]
    rows = zip(seen, in_words(map(phases, seen)), strict=True)
    return known_rows(CAPTION, (join_cells(labels.of(r), cells) for r, cells in rows))
