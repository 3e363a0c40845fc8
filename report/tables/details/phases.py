"""Table of the phases of a step, which only instrumented steps can tell apart."""

from dataclasses import replace

from report.analysis.time_use import longer_than_timed
from report.data.labels import Labels
from report.data.measured import MeasuredCase
from report.document import Table, join_cells, known_rows
from report.tables.cells.step import phases
from report.wording.quantities import in_words
from report.wording.units import signed_percent

CAPTION = "Phases of a step, medians of instrumented steps"
NOTICEABLE = 0.01  # of a timed step


def make_table(results: list[MeasuredCase]) -> Table:
    """Return a row for each case in which phases were seen."""
    labels = Labels(results)
    seen = [r for r in results if any(job.measurement.forward_s for job in r.jobs)]
    rows = zip(seen, in_words(map(phases, seen)), strict=True)
    table = known_rows(CAPTION, (join_cells(labels.of(r), cells) for r, cells in rows))
    return replace(table, notes=_notes(seen))


def _notes(seen: list[MeasuredCase]) -> list[str]:
    """Say how instrumented steps differ from timed ones, so that nobody adds up the phases."""
    costs = [cost for cost in map(longer_than_timed, seen) if cost is not None]
    if all(abs(cost) < NOTICEABLE for cost in costs):
        return []
    low, high = signed_percent(min(costs)), signed_percent(max(costs))
    longer = low if low == high else f"{low} to {high}"
    return [f"Instrumented steps took {longer} compared with timed ones; their phases may, too."]
