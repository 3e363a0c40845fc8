"""A job as one row of numbers and words: what a table of many cases is plotted from.

docs/results.md describes every column.
"""

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from report.analysis.metrics import Baselines, Metrics, metrics
from report.analysis.replay import COMPUTE_KINDS, spans_of, typical_step_s
from report.analysis.time_use import is_unlike_graph
from report.data.labels import keys_of
from report.data.measured import MeasuredCase, measured
from report.data.rows import Row
from report.data.selection import GridTable
from study.models import UNSET_KEYS
from study.results.program import ProgramRun
from study.values.keys import KEYS

TRANSFERS = ("moves_forward", "moves_backward", "bytes_forward", "bytes_backward")
OF_MODELS = ("item", "items_per_s", "items_per_s_per_gpu", "gpu_hours_per_1e9", "mfu",
             "share_of_fastest", "memory_bytes")  # fmt: skip
OF_PROGRAMS = ("told_by", "wall_s", "sampled_peak_bytes_max")
FIGURES = tuple(field.name for field in fields(Metrics) if field.name not in OF_MODELS)
OF_ALL = tuple(key for key in KEYS if key not in ("kind", *UNSET_KEYS))
RESULTS = ("emulated", "hardware", "timed_steps", *FIGURES, *TRANSFERS, "bubble")
COLUMNS = ("grid", "profile", "case_id", *OF_ALL, "outcome", "reason", *RESULTS)


def columns_of(grid_tables: Sequence[GridTable]) -> tuple[str, ...]:
    """Return COLUMNS, and where a case is no linear stack, those of its kind of model, too."""
    cases = [job.case for table in grid_tables for row in table.rows for job in row.jobs]
    others = [case for case in cases if case.kind != "linear"]
    if not others:
        return COLUMNS
    own = [key for key in keys_of(others) if key not in OF_ALL]
    having = [key for key in own if any(case.has_key(key) for case in others)]
    at = COLUMNS.index("outcome")
    programs = OF_PROGRAMS if any(case.kind == "program" for case in others) else ()
    return (*COLUMNS[:at], *having, *COLUMNS[at:], *OF_MODELS, *programs)


def tidy_rows(grid_table: GridTable, columns: Sequence[str] = COLUMNS) -> list[dict[str, Any]]:
    """Return a row for each job with all of these columns; None is unknown, or not of the case."""
    baselines = Baselines(grid_table.results)
    rows = (
        {"grid": grid_table.grid.name, "profile": grid_table.profile} | _tidy(job, row, baselines)
        for row in grid_table.rows
        for job in row.jobs
    )
    return [{key: row.get(key) for key in columns} for row in rows]


def _tidy(job: Row, row: Row, baselines: Baselines) -> dict[str, Any]:
    case = job.case
    keys = {key: case.value(key) for key in keys_of([case]) if case.has_key(key)}
    kind = {"kind": case.kind}
    found = {"case_id": case.case_id} | keys | kind
    found |= {"outcome": job.outcome, "reason": job.reason}
    # Of several jobs each is a row of its own; the speed-up is over all jobs of the other case.
    own = None if job.result is None else measured(job.result) if row.repeats else row.measured
    if own is None:
        return found
    measurement = own.measurement
    return found | {
        "emulated": own.emulated,
        "hardware": own.hardware,
        "timed_steps": len(measurement.step_times_s),
        **asdict(metrics(own, baselines)),
        **{name: _moved(own, name) for name in TRANSFERS},
        "bubble": _bubble(own),
        "item": None if own.model is None else own.model.item,
        **_of_program(own.program),
    }


def _of_program(run: ProgramRun | None) -> dict[str, Any]:
    if run is None:
        return {}
    peaks = [gpu.peak_used_bytes for gpu in run.gpus if gpu.peak_used_bytes is not None]
    values = (run.told_by, run.wall_s, max(peaks, default=None))
    return {"item": run.item, **dict(zip(OF_PROGRAMS, values, strict=True))}


def _moved(result: MeasuredCase, name: str) -> int | None:
    """Return a count of moves; None of a program, which nobody saw move anything."""
    moved: int = getattr(result.transfers, name)
    return moved if result.program is None else None


def _bubble(result: MeasuredCase) -> float | None:
    """Return the mean share of a step in which a GPU computes nothing."""
    if is_unlike_graph(result):
        return None
    busy_s = sum(s.end_s - s.start_s for s in spans_of(result) if s.kind in COMPUTE_KINDS)
    return 1 - busy_s / (result.case.gpus * typical_step_s(result)) if spans_of(result) else None
