"""Cells of memory, layers and moves of the GPUs."""

from report.data.measured import MeasuredCase
from report.tables.cells.field import Field
from report.tables.cells.step import Cells
from report.wording.layers import layer_words
from report.wording.quantities import size_cell
from report.wording.units import UNKNOWN
from study.schedules import SCHEDULES


def memory(result: MeasuredCase, field: Field) -> Cells:
    """Task 4: the peak allocated memory of every GPU; what is reserved is in the details."""
    measurement = result.measurement
    cells: Cells = {}
    if measurement.shared_peak_allocated_bytes is not None:
        cells["memory of all GPUs together"] = size_cell(measurement.shared_peak_allocated_bytes)
    for gpu in measurement.per_gpu:
        if gpu.peak_allocated_bytes is not None:
            cells[f"memory of GPU {gpu.index}"] = size_cell(gpu.peak_allocated_bytes)
    return cells


def peak_memory(result: MeasuredCase, field: Field) -> Cells:
    """Return the peak of the fullest GPU."""
    fullest = result.fullest_gpu
    peak = None if fullest is None else fullest.peak_allocated_bytes
    return {"peak memory": size_cell(peak)}


def layers_of(result: MeasuredCase, gpu: int) -> Cells:
    """Return the layers of one GPU for a table with a row for each; empty for the linear stack."""
    if result.layer_names is None:
        return {}
    return {"layers": layer_words(result.layer_names, result.layers_of_gpu(gpu))}


def layers(result: MeasuredCase, field: Field) -> Cells:
    """Task 3: the layers of each GPU."""
    placement = result.placement
    cells: Cells = {}
    for gpu, count in enumerate(placement.layers_per_gpu):
        # Where every layer is on all GPUs, none belongs to one.
        words = "a share of each" if SCHEDULES[result.case.schedule].holds_shares else "all"
        if placement.gpu_of_layer:
            words = layer_words(result.layer_names, result.layers_of_gpu(gpu))
        cells[f"layers of GPU {gpu}"] = f"{words} ({count})"
    return cells


def moved_before(result: MeasuredCase, field: Field) -> Cells:
    """Task 1: the layers before which data was seen to move."""
    moved = result.transfers.moved_before_layers
    return {"data moves before layer": layer_words(result.layer_names, moved)}


def calls(result: MeasuredCase, field: Field) -> Cells:
    """Task 5: calls of `.to` in one forward."""
    found = result.transfers.to_calls_per_forward
    return {"`.to` calls per forward": UNKNOWN if found is None else str(found)}


def moves(result: MeasuredCase, field: Field) -> Cells:
    """Task 5: moves that were seen, each way."""
    seen = result.transfers
    return {"moves forward": str(seen.moves_forward), "moves backward": str(seen.moves_backward)}


def moved(result: MeasuredCase, field: Field) -> Cells:
    """Task 5: bytes that were moved, each way."""
    seen = result.transfers
    return {
        "moved forward": size_cell(seen.bytes_forward),
        "moved backward": size_cell(seen.bytes_backward),
    }


def memory_facts(results: list[MeasuredCase]) -> list[str]:
    """Explain the columns of memory, if any peak is known."""
    peaks = [(r.fullest_gpu, r.measurement.shared_peak_allocated_bytes) for r in results]
    if all(known == (None, None) for known in peaks):
        return []
    return ["Memory is the most that tensors had allocated at a time during the timed steps."]
