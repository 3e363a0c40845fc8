"""A job as one row of numbers and words: what a table of many cases is plotted from.

docs/results.md describes every column.
"""

from dataclasses import asdict, fields
from typing import Any

from report.analysis.metrics import Baselines, Metrics, metrics
from report.analysis.replay import COMPUTE_KINDS, spans_of, typical_step_s
from report.data.measured import MeasuredCase, measured
from report.data.selection import GridTable, Row
from study.models import UNSET_KEYS
from study.values.keys import KEYS

TRANSFERS = ("moves_forward", "moves_backward", "bytes_forward", "bytes_backward")
FIGURES = tuple(field.name for field in fields(Metrics))
OF_ALL = tuple(key for key in KEYS if key not in ("kind", *UNSET_KEYS))
COLUMNS = ("grid", "profile", "case_id", *OF_ALL, "outcome", "reason", "emulated", "hardware",
           "timed_steps", *FIGURES, *TRANSFERS, "bubble")  # fmt: skip


def tidy_rows(grid_table: GridTable) -> list[dict[str, Any]]:
    """Return a row for each job with all of COLUMNS; None is unknown, or not of the schedule."""
    baselines = Baselines(grid_table.results)
    return [
        {"grid": grid_table.grid.name, "profile": grid_table.profile} | _tidy(job, row, baselines)
        for row in grid_table.rows
        for job in row.jobs
    ]


def _tidy(job: Row, row: Row, baselines: Baselines) -> dict[str, Any]:
    case = job.case
    keys = {key: case.value(key) if case.has_key(key) else None for key in OF_ALL}
    found = {"case_id": case.case_id} | keys | {"outcome": job.outcome, "reason": job.reason}
    # Of several jobs each is a row of its own; the speed-up is over all jobs of the other case.
    own = None if job.result is None else measured(job.result) if row.repeats else row.measured
    if own is None:
        return found | dict.fromkeys(COLUMNS[COLUMNS.index("emulated") :])
    measurement = own.measurement
    return found | {
        "emulated": own.emulated,
        "hardware": own.hardware,
        "timed_steps": len(measurement.step_times_s),
        **asdict(metrics(own, baselines)),
        **{name: getattr(own.transfers, name) for name in TRANSFERS},
        "bubble": _bubble(own),
    }


def _bubble(result: MeasuredCase) -> float | None:
    """Return the mean share of a step in which a GPU computes nothing."""
    busy_s = sum(s.end_s - s.start_s for s in spans_of(result) if s.kind in COMPUTE_KINDS)
    return 1 - busy_s / (result.case.gpus * typical_step_s(result)) if spans_of(result) else None
