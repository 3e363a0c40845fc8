"""Table of predictions, as the ledger has them from before the jobs ran, and measurements."""

from collections import Counter

from predict.forecast.accuracy import summary
from predict.forecast.pairs import Pair
from predict.forecast.words import interval_words, step_words
from report.data.labels import Labels
from report.data.selection import GridTable, Row
from report.document import Table, join_cells, make_rows
from report.tables.notes import letters
from report.wording.units import signed_percent

CAPTION = "Predicted before the jobs ran, and measured"


def make_tables(grid_table: GridTable) -> list[Table]:
    """Return the table of what was predicted, with a summary below it; none without predictions."""
    rows = [(row, job) for row in grid_table.rows for job in row.jobs if job.pair is not None]
    if not rows:
        return []
    labels = Labels(grid_table.results)
    pairs = [
        (row.measured, job.pair)
        for row, job in rows
        if row.measured is not None and job.pair is not None
    ]
    marks, lines = letters([_notes(pair) for _, pair in pairs])
    cells = [
        join_cells(labels.of(result), _cells(pair), {"notes": mark} if mark else {})
        for (result, pair), mark in zip(pairs, marks, strict=True)
    ]
    table = make_rows(CAPTION, cells)
    found = summary([pair for _, pair in pairs], _unpredicted(grid_table.rows))
    return [Table(table.columns, table.rows, table.caption, [*lines, *found])]


def _cells(pair: Pair) -> dict[str, str]:
    is_point = not pair.prediction.is_launch_bound
    return {
        "predicted (90 % interval)": interval_words(pair.prediction),
        "measured": step_words(pair.measured_s),
        "error": signed_percent(pair.error) if is_point else "–",
        "inside": "yes" if pair.is_inside else "no",
    }


def _notes(pair: Pair) -> list[str]:
    """Return what to know of a prediction, as lines that other rows may share."""
    other = [f"other {pair.other_machine}"] if pair.other_machine else []
    return [f"{text[0].upper()}{text[1:]}." for text in (*pair.prediction.labels, *other)]


def _unpredicted(rows: list[Row]) -> dict[str, int]:
    """Count the measured jobs without a prediction, by the reason."""
    measured = [job for row in rows for job in row.jobs if job.result and not job.result.error]
    return dict(
        Counter(
            job.unpredicted.partition("; run ")[0] or "no calibration was there"
            for job in measured
            if job.pair is None
        )
    )
