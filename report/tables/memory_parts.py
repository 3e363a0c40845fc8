"""Table of each GPU's peak memory: predicted part by part, and measured."""

from collections.abc import Iterator

from report.analysis.memory_parts import MemoryBreakdown
from report.analysis.naive_memory import predicted_of, predicted_shared_peak_of
from report.data.labels import Labels
from report.data.measured import MeasuredCase
from report.document import Table, known_rows
from report.wording.units import UNKNOWN, data_size, signed_percent
from study.results.measurement import GpuMemory

CAPTION = "Memory at the peak of a step, predicted from the placement and measured"
PARTS = {
    "parameters": "parameters",
    "gradients": "gradients",
    "optimizer": "optimizer_state",
    "activations": "activations",
    "temporaries": "temporaries",
}


def make_table(results: list[MeasuredCase]) -> Table:
    """Return a row for each GPU, and one for the sum of logical GPUs that share a device."""
    labels = Labels(results)
    labelled = ((labels.of(result), _rows_of(result)) for result in results)
    return known_rows(CAPTION, (label | cells for label, rows in labelled for cells in rows))


def _rows_of(result: MeasuredCase) -> Iterator[dict[str, str]]:
    peaks = predicted_of(result)
    for number, gpu in enumerate(result.measurement.per_gpu):
        predicted = None if peaks is None else peaks[number]
        yield {"GPU": str(gpu.index)} | _cells(predicted, gpu, result)
    shared = result.measurement.shared_peak_allocated_bytes
    if shared is not None and result.case.schedule == "naive":
        yield {"GPU": "all on one"} | _shared(result)


def _cells(
    predicted: MemoryBreakdown | None, gpu: GpuMemory, result: MeasuredCase
) -> dict[str, str]:
    workspace = None if result.emulated else gpu.workspace_bytes
    parts = {name: _part(predicted, key) for name, key in PARTS.items()}
    return (
        parts
        | {"cuBLAS": data_size(workspace)}
        | _totals(
            None if predicted is None else predicted.total + (workspace or 0),
            gpu.peak_allocated_bytes,
            gpu.peak_reserved_bytes,
            None if result.emulated else gpu.driver_used_bytes,
        )
    )


def _part(predicted: MemoryBreakdown | None, key: str) -> str:
    return UNKNOWN if predicted is None else data_size(getattr(predicted, key))


def _shared(result: MeasuredCase) -> dict[str, str]:
    measurement = result.measurement
    workspace = measurement.per_gpu[0].workspace_bytes
    total = predicted_shared_peak_of(result) + (workspace or 0)
    return {"cuBLAS": data_size(workspace)} | _totals(
        total,
        measurement.shared_peak_allocated_bytes,
        measurement.shared_peak_reserved_bytes,
        measurement.per_gpu[0].driver_used_bytes,
    )


def _totals(
    predicted: int | None, allocated: int | None, reserved: int | None, used: int | None
) -> dict[str, str]:
    difference = UNKNOWN
    if allocated is not None and predicted is not None:
        difference = signed_percent(allocated / predicted - 1)
    return {
        "predicted": data_size(predicted),
        "allocated": data_size(allocated),
        "difference": difference,
        "reserved": data_size(reserved),
        "in use (driver)": data_size(used),
    }
