"""The main table of each kind: which columns it has and what stands in a cell."""

from collections.abc import Callable

from report.analysis.step_time import step_time
from report.data.measured import MeasuredCase
from report.data.selection import GridTable, Row
from report.document import Table
from report.tables import schedules
from report.tables.notes import notes_on
from report.wording.names import gpu_count, key_name, key_text
from report.wording.units import UNKNOWN, data_size, runs, seconds, seconds_with_interval
from study.statistics.samples import estimate

Cells = dict[str, str]
LAST = ("notes", "result")
STEP_TIME = "step time (95 % CI)"


def make_main_table(grid_table: GridTable) -> Table:
    """One row per case; columns of the axes, then of the table's kind, then notes and reason."""
    some_missing = any(row.measured is None for row in grid_table.rows)
    cells = [_cells(row, grid_table, some_missing) for row in grid_table.rows]
    columns = list(dict.fromkeys(column for row in cells for column in row))
    for last in LAST:  # whichever row had one first
        if last in columns:
            columns = [*(c for c in columns if c != last), last]
    if not any(row.measured for row in grid_table.rows):
        columns = [*columns[:-1], *HEADINGS[grid_table.grid.table], "result"]
    return Table(columns, [[row.get(column, UNKNOWN) for column in columns] for row in cells])


def _cells(row: Row, grid_table: GridTable, some_missing: bool) -> Cells:
    cells = {key_name(key): key_text(row.case, key) for key in grid_table.grid.axes}
    result = row.measured
    if result is None:
        return cells | {"GPUs": str(row.case.gpus), "result": row.reason or UNKNOWN}
    cells["GPUs"] = gpu_count(row.case, result.emulated)
    cells |= _of_kind(result, grid_table)
    if notes := notes_on(row, result):
        cells["notes"] = notes
    if some_missing:
        cells["result"] = "ok"
    return cells


def _of_kind(result: MeasuredCase, grid_table: GridTable) -> Cells:
    """Schedules are held against one another, all others stand for themselves."""
    if grid_table.grid.table != "schedules":
        return KINDS[grid_table.grid.table](result)
    others = [row.measured for row in grid_table.rows if row.measured is not None]
    return schedules.cells(result, others)


def step_times(result: MeasuredCase) -> Cells:
    """Task 2: how the step time grows."""
    measurements = [job.measurement for job in result.jobs]
    return _step_time(result) | {
        "time per layer": seconds(step_time(result).estimate_s / result.case.depth),
        "forward": _median([m.forward_s for m in measurements]),
        "backward": _median([m.backward_s for m in measurements]),
        "optimizer": _median([m.optimizer_s for m in measurements]),
    }


def layer_map(result: MeasuredCase) -> Cells:
    """Task 1: the layers of each GPU, and where the data was seen to move."""
    return _layers_of_gpus(result) | {
        "data moves before layer": runs(result.transfers.moved_before_layers),
        **_step_time(result),
    }


def placement_rule(result: MeasuredCase) -> Cells:
    """Task 3: the layers of each GPU."""
    return _layers_of_gpus(result)


def memory(result: MeasuredCase) -> Cells:
    """Task 4: step time and peak memory of every GPU."""
    measurement = result.measurement
    cells = _step_time(result)
    if measurement.shared_peak_allocated_bytes is not None:
        cells["memory of all GPUs together"] = _peaks(
            measurement.shared_peak_allocated_bytes, measurement.shared_peak_reserved_bytes
        )
    for gpu in measurement.per_gpu:
        if gpu.peak_allocated_bytes is not None:
            cells[f"memory of GPU {gpu.index}"] = _peaks(
                gpu.peak_allocated_bytes, gpu.peak_reserved_bytes
            )
    return cells


def transfers(result: MeasuredCase) -> Cells:
    """Task 5: calls of `.to`, and what they moved."""
    seen = result.transfers
    calls = seen.to_calls_per_forward
    return {
        "`.to` calls per forward": UNKNOWN if calls is None else str(calls),
        "moves forward": str(seen.moves_forward),
        "moves backward": str(seen.moves_backward),
        "moved forward": data_size(seen.bytes_forward),
        "moved backward": data_size(seen.bytes_backward),
    }


def _step_time(result: MeasuredCase) -> Cells:
    """The median step of all jobs, its interval, and how many steps that took."""
    found = step_time(result)
    steps = sum(map(len, result.steps_s))
    return {
        STEP_TIME: seconds_with_interval(found.estimate_s, found.interval),
        "steps": f"{steps} in {len(result.jobs)} jobs" if result.repeats else str(steps),
    }


def _median(jobs: list[list[float]]) -> str:
    """The median of the jobs' medians, as of steps."""
    known = [samples for samples in jobs if samples]
    return seconds(estimate(known)) if known else UNKNOWN


def _layers_of_gpus(result: MeasuredCase) -> Cells:
    placement = result.placement
    cells = {}
    for gpu, count in enumerate(placement.layers_per_gpu):
        layers = [i for i, holder in enumerate(placement.gpu_of_layer) if holder == gpu]
        # With tensor parallelism a GPU holds a share of every layer, and no layer is its own.
        held = runs(layers) if placement.gpu_of_layer else "a share of each"
        cells[f"layers of GPU {gpu}"] = f"{held} ({count})"
    return cells


def _peaks(allocated: int | None, reserved: int | None) -> str:
    if allocated is None or reserved is None:
        return UNKNOWN
    return f"{data_size(allocated)} / {data_size(reserved)}"


KINDS: dict[str, Callable[[MeasuredCase], Cells]] = {
    "step_time": step_times,
    "layer_map": layer_map,
    "placement_rule": placement_rule,
    "memory": memory,
    "transfers": transfers,
}

# What a table without any measurement still shows.
HEADINGS = {
    "step_time": (STEP_TIME, "time per layer"),
    "layer_map": ("data moves before layer",),
    "placement_rule": ("layers of GPU 0",),
    "memory": (STEP_TIME, "memory of GPU 0"),
    "transfers": ("`.to` calls per forward", "moves forward", "moves backward"),
    "schedules": schedules.HEADINGS,
}
