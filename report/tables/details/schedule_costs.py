"""Table of what a schedule costs: activations in flight, memory, and data moved or reduced."""

from collections.abc import Sequence
from dataclasses import replace

from report.analysis.in_flight import seen_in_flight
from report.analysis.predicted_memory import predicted_peak
from report.analysis.transfers import counted, total_bytes
from report.data.labels import Labels
from report.data.measured import MeasuredCase
from report.document import Table, join_cells, known_rows
from report.tables.details.one_gpu import kept_apart
from report.wording.names import begun
from report.wording.quantities import Cell, in_words, size_cell
from report.wording.units import UNKNOWN, data_size
from study.stages import expected_in_flight

PARTS = {
    "in flight": "micro-batches in flight on the GPU with the most",
    "peak memory": "memory of the fullest GPU",
    "moves": "data moved in a step",
}


def make_table(results: list[MeasuredCase]) -> Table:
    """Return a row for each case."""
    labels, apart = Labels(results), set(kept_apart(results))
    shown = [result for result in results if result not in apart]
    rows = zip(shown, in_words(map(_cells, shown)), strict=True)
    table = known_rows("", (join_cells(labels.of(r), cells) for r, cells in rows))
    return replace(table, caption=_caption(table.columns))


def _caption(columns: Sequence[str]) -> str:
    """Return what the columns are of; memory of emulated GPUs, for one, has none."""
    found = [words for column, words in PARTS.items() if column in columns]
    *others, last = found or ["nothing"]
    return begun(", ".join([*others, f"and {last}" if others else last]))


def _cells(result: MeasuredCase) -> dict[str, Cell]:
    moved = result.transfers
    together = moved.collectives
    fullest = result.fullest_gpu
    predicted = None if fullest is None else predicted_peak(result, fullest.index)
    seen = seen_in_flight(result)
    rules = [expected_in_flight(result.case, gpu) for gpu in range(result.case.gpus)]
    known = [rule for rule in rules if rule is not None]
    return {
        "in flight": str(max(seen)) if seen else UNKNOWN,
        "by rule": str(max(known)) if known else UNKNOWN,
        "fullest GPU": UNKNOWN if fullest is None else str(fullest.index),
        "peak memory": size_cell(None if fullest is None else fullest.peak_allocated_bytes),
        "predicted": size_cell(predicted),
        "moves": str(moved.moves_forward + moved.moves_backward),
        "moved": size_cell(moved.bytes_forward + moved.bytes_backward),
        "collectives": counted(together) or UNKNOWN,
        "data of each GPU in them": _in_collectives(result),
    }


def _in_collectives(result: MeasuredCase) -> Cell:
    """Return the bytes of a GPU's tensors in collectives; of replicas those of all stages."""
    together = result.transfers.collectives
    if not together:
        return UNKNOWN
    size = total_bytes(together)
    return size_cell(size) if result.case.data_parallel == 1 else f"{data_size(size)}, all stages"
