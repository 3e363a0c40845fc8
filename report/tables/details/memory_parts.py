"""Table of each GPU's peak memory: predicted part by part, and measured."""

from collections.abc import Iterator
from dataclasses import replace

from predict.memory.parts import MemoryBreakdown
from report.analysis.predicted_memory import (
    predicted_of,
    predicted_shared_peak_of,
    workspace_of,
)
from report.data.labels import Labels
from report.data.measured import MeasuredCase
from report.document import Table, join_cells, known_rows
from report.wording.names import gpu_name
from report.wording.quantities import Cell, in_words, size_cell
from report.wording.units import UNKNOWN, signed_percent
from study.results.measurement import GpuMemory

CAPTION = "Memory at the peak of a step, predicted from the placement"
PARTS = {
    "parameters": "parameters",
    "gradients": "gradients",
    "optimizer state": "optimizer_state",
    "activations": "activations",
    "temporaries": "temporaries",
}
OF_FSDP = {"FSDP buffers": "collectives"}


def make_table(results: list[MeasuredCase]) -> Table:
    """Return a row for each GPU, and one for the sum of logical GPUs that share a device."""
    labels = Labels(results)
    is_sharded = any(peak.collectives for r in results for peak in predicted_of(r) or [])
    parts = PARTS | OF_FSDP if is_sharded else PARTS
    made = [(result, cells) for result in results for cells in _rows_of(result, parts)]
    words = in_words(cells for _, cells in made)
    rows = zip(made, words, strict=True)
    table = known_rows(CAPTION, (join_cells(labels.of(r), cells) for (r, _), cells in rows))
    is_measured = "allocated" in table.columns
    return replace(table, caption=f"{CAPTION} and measured") if is_measured else table


def _rows_of(result: MeasuredCase, parts: dict[str, str]) -> Iterator[dict[str, Cell]]:
    peaks = predicted_of(result)
    for number, gpu in enumerate(result.measurement.per_gpu):
        predicted = None if peaks is None else peaks[number]
        name = gpu_name(result.case, gpu.index)
        workspace = workspace_of(result, number)
        yield join_cells({"GPU": name}, _cells(predicted, gpu, workspace, result, parts))
    shared = result.measurement.shared_peak_allocated_bytes
    if shared is not None and result.case.schedule == "naive":
        yield join_cells({"GPU": "all on one"}, _shared(result))


def _cells(
    predicted: MemoryBreakdown | None,
    gpu: GpuMemory,
    workspace: int | None,
    result: MeasuredCase,
    parts: dict[str, str],
) -> dict[str, Cell]:
    """Return the cells of one GPU.

    Args:
        predicted: what it holds at its peak.
        gpu: what was measured.
        workspace: bytes of cuBLAS's.
        result: of the case.
        parts: those that have a column, and their fields.
    """
    each = {name: _part(predicted, key) for name, key in parts.items()}
    totals = _totals(
        None if predicted is None else predicted.total + (workspace or 0),
        gpu.peak_allocated_bytes,
        gpu.peak_reserved_bytes,
        None if result.emulated else gpu.driver_used_bytes,
    )
    return join_cells(each, {"cuBLAS": size_cell(workspace)}, totals)


def _part(predicted: MemoryBreakdown | None, key: str) -> Cell:
    return UNKNOWN if predicted is None else size_cell(getattr(predicted, key))


def _shared(result: MeasuredCase) -> dict[str, Cell]:
    measurement = result.measurement
    workspace = workspace_of(result, 0)
    total = predicted_shared_peak_of(result) + (workspace or 0)
    totals = _totals(
        total,
        measurement.shared_peak_allocated_bytes,
        measurement.shared_peak_reserved_bytes,
        measurement.per_gpu[0].driver_used_bytes,
    )
    return join_cells({"cuBLAS": size_cell(workspace)}, totals)


def _totals(
    predicted: int | None, allocated: int | None, reserved: int | None, used: int | None
) -> dict[str, Cell]:
    difference = UNKNOWN
    if allocated is not None and predicted is not None:
        difference = signed_percent(allocated / predicted - 1)
    return {
        "predicted": size_cell(predicted),
        "allocated": size_cell(allocated),
        "difference": difference,
        "reserved": size_cell(reserved),
        "in use (driver)": size_cell(used),
    }
