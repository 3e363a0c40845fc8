"""Memory, explained: what each GPU should hold at its peak, beside what it was seen to hold."""

from collections.abc import Iterator

from report.document import Table, known_rows
from report.measured import Measured
from report.predicted_memory import Bytes, predicted_of, predicted_shared_peak_of
from report.tables.label import Labels
from report.units import UNKNOWN, data_size, signed_percent
from study.measurement import GpuMemory

CAPTION = "Memory at the peak of a step, predicted from the placement and measured"


def make_table(results: list[Measured]) -> Table:
    """A row for each GPU; logical GPUs that share one have a row for their sum."""
    labels = Labels(results)
    rows = (labels.of(result) | cells for result in results for cells in _rows_of(result))
    return known_rows(CAPTION, rows)


def _rows_of(result: Measured) -> Iterator[dict[str, str]]:
    for gpu, predicted in zip(result.measurement.per_gpu, predicted_of(result), strict=True):
        yield {"GPU": str(gpu.index)} | _cells(predicted, gpu, result)
    if result.measurement.shared_peak_allocated_bytes is not None:
        yield {"GPU": "all on one"} | _shared(result)


def _cells(predicted: Bytes, gpu: GpuMemory, result: Measured) -> dict[str, str]:
    workspace = None if result.emulated else gpu.workspace_bytes
    return {
        "parameters": data_size(predicted.parameters),
        "gradients": data_size(predicted.gradients),
        "optimizer": data_size(predicted.optimizer_state),
        "activations": data_size(predicted.activations),
        "temporaries": data_size(predicted.temporaries),
        "cuBLAS": data_size(workspace),
    } | _totals(
        predicted.total + (workspace or 0),
        gpu.peak_allocated_bytes,
        gpu.peak_reserved_bytes,
        None if result.emulated else gpu.driver_used_bytes,
    )


def _shared(result: Measured) -> dict[str, str]:
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
    predicted: int, allocated: int | None, reserved: int | None, used: int | None
) -> dict[str, str]:
    difference = UNKNOWN if allocated is None else signed_percent(allocated / predicted - 1)
    return {
        "predicted": data_size(predicted),
        "allocated": data_size(allocated),
        "difference": difference,
        "reserved": data_size(reserved),
        "in use (driver)": data_size(used),
    }
