"""Table of predictions, as the ledger has them from before the jobs ran, and measurements."""

from collections import Counter
from collections.abc import Sequence

from predict.forecast.accuracy import given_as_points, spread_of
from predict.forecast.pairs import Pair
from predict.forecast.words import interval_words, step_words
from report.data.labels import Labels
from report.data.rows import Row
from report.data.selection import GridTable
from report.document import Table, join_cells, make_rows
from report.tables.notes import letters
from report.wording.units import UNKNOWN, count_of, plural, signed_percent
from study.storage.prediction import launching_of

CAPTION = "Predicted before the jobs ran, and measured"
LAUNCHING = (
    "Launching, calibrated: what launching the kernels of a step takes the slowest process, by the "
    "calibration. It is no lower bound, since a host may launch faster in another job."
)


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
    held_up = any(launching_of(pair.prediction.labels) for _, pair in pairs)
    cells = [
        join_cells(
            labels.of(result),
            _cells(pair),
            _launching(pair) if held_up else {},
            {"notes": mark} if mark else {},
        )
        for (result, pair), mark in zip(pairs, marks, strict=True)
    ]
    table = make_rows(CAPTION, cells)
    told = _summary([pair for _, pair in pairs], _unpredicted(grid_table.rows))
    told += [LAUNCHING] if held_up else []
    return [Table(table.columns, table.rows, table.caption, [*lines, *told])]


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
    labels = [label for label in pair.prediction.labels if not launching_of([label])]
    return [f"{text[0].upper()}{text[1:]}." for text in (*labels, *other)]


def _launching(pair: Pair) -> dict[str, str]:
    """Return what launching takes by the calibration, where it may hold a step up."""
    return {"launching, calibrated": launching_of(pair.prediction.labels) or UNKNOWN}


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


def _summary(pairs: Sequence[Pair], unpredicted: dict[str, int]) -> list[str]:
    """Return in sentences how well predictions agreed, and how many cases had none.

    Args:
        pairs: predicted and measured.
        unpredicted: how many cases had no prediction, by the reason.
    """
    told = [*_points(given_as_points(pairs)), *_bounds(pairs)]
    for differs in dict.fromkeys(p.other_machine for p in pairs if p.other_machine):
        count = sum(p.other_machine == differs for p in pairs)
        told.append(f"{count} not counted: calibrated and measured differ in {differs}.")
    return [*told, *(f"{count} without a prediction: {why}." for why, count in unpredicted.items())]


def _points(points: Sequence[Pair]) -> list[str]:
    spread = spread_of([pair.error for pair in points])
    if spread is None:
        return []
    inside = sum(pair.is_inside for pair in points)
    largest = f"{100 * spread.largest:.1f} %"
    error = f"{100 * spread.mean:.1f} % on average, {largest} at most"
    return [
        f"Error of {count_of(spread.count, 'predicted step')}: "
        f"{error if spread.count > 1 else largest}. Measured within the 90 % interval: "
        f"{inside} of {spread.count}."
    ]


def _bounds(pairs: Sequence[Pair]) -> list[str]:
    """Say how many steps that the host's launching may hold up took no less than predicted."""
    bounds = [pair for pair in pairs if pair.prediction.is_launch_bound]
    if not bounds:
        return []
    held, count = sum(pair.is_inside for pair in bounds), len(bounds)
    has = plural(count, "is launch-bound and has", "are launch-bound and have")
    return [
        f"{count_of(count, 'step')} {has} only a lower bound (at least). Measured no faster than "
        f"that: {held} of {count}."
    ]
