"""Cells of throughput in what a model counts, and of the share of the hardware that it uses."""

from collections.abc import Sequence

from report.data.datasheet import TERA, peak_flop_per_s
from report.data.measured import MeasuredCase
from report.tables.cells.field import Field
from report.tables.cells.step import Cells
from report.wording.layers import short_name
from report.wording.quantities import plain_cell, range_words, size_cell
from report.wording.units import BYTES, UNKNOWN, number, percent

SAMPLE = "sample"  # a row of the batch, in columns of every kind of model
PEAK_OF = "peak of a GPU's memory"


def item_of(result: MeasuredCase) -> str:
    """Return what the case's model counts: `token`, `image`; `sample` where it says nothing."""
    model, run = result.model, result.program
    if run is not None:
        return short_name(run.item) if run.item else "item"
    if model is None:
        return SAMPLE
    item = short_name(model.item)
    return "item" if item == SAMPLE and model.items_per_row != 1 else item


def items_per_s(result: MeasuredCase, field: Field) -> Cells:
    """Return the throughput under its unit: rates of two kinds of items are two columns."""
    found = field.metrics(result)
    rate = found.samples_per_s if result.case.kind == "linear" else found.items_per_s
    return {f"{item_of(result)}s/s": plain_cell(None if result.emulated else rate)}


def items_per_s_per_gpu(result: MeasuredCase, field: Field) -> Cells:
    """Return the throughput of one of the GPUs."""
    found = field.metrics(result)
    rate = found.items_per_s_per_gpu
    if result.model is None and not result.emulated and found.samples_per_s is not None:
        rate = found.samples_per_s / result.case.gpus
    return {f"{item_of(result)}s/s per GPU": plain_cell(rate)}


def gpu_hours(result: MeasuredCase, field: Field) -> Cells:
    """Return the GPU-hours for 1e9 items."""
    found = field.metrics(result).gpu_hours_per_1e9
    return {f"GPU-hours per 10⁹ {item_of(result)}s": plain_cell(found)}


def mfu(result: MeasuredCase, field: Field) -> Cells:
    """Return the counted operations a second over the datasheet's dense peak of all GPUs."""
    return {"MFU": _share(field.metrics(result).mfu)}


def mfu_notes(results: Sequence[MeasuredCase]) -> list[str]:
    """Say what MFU is a share of, with the peak of each GPU and type of number."""
    peaks: dict[str, None] = {}
    for result in results:
        for gpu in () if result.emulated else result.environment.gpus:
            rate = peak_flop_per_s(gpu.name, result.case.dtype)
            if rate is not None:
                peaks[f"{gpu.name}, {result.case.dtype}: {number(rate / TERA)} TFLOP/s"] = None
    if not peaks:
        return []
    return [
        "MFU: the counted operations of a step a second, of the dense peak of all GPUs by their "
        f"datasheet ({'; '.join(peaks)})."
    ]


def share_of_fastest(result: MeasuredCase, field: Field) -> Cells:
    """Return the same over the fastest product of the same job, on all GPUs."""
    return {"% of fastest product": _share(field.metrics(result).share_of_fastest)}


def peak_of(result: MeasuredCase, field: Field) -> Cells:
    """Return the peak of the fullest GPU, of what it has."""
    found = field.metrics(result)
    peak, whole = found.peak_bytes_max, found.memory_bytes
    if peak is None or whole is None:
        return {PEAK_OF: size_cell(peak)}
    return {PEAK_OF: range_words(peak, whole, BYTES, "of")}


def _share(share: float | None) -> str:
    return UNKNOWN if share is None else percent(share)
