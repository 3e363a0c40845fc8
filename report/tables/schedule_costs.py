"""Table of what a schedule costs: activations in flight, memory, and data moved or reduced."""

from report.analysis.in_flight import seen_in_flight
from report.analysis.naive_memory import predicted_peak
from report.analysis.transfers import counted, total_bytes
from report.data.labels import Labels
from report.data.measured import MeasuredCase
from report.document import Table, make_rows
from report.wording.units import UNKNOWN, data_size
from study.stages import expected_in_flight

CAPTION = "What each schedule holds on the GPU with the most, and what all of them move in a step"


def make_table(results: list[MeasuredCase]) -> Table:
    """Return a row for each case."""
    labels = Labels(results)
    return make_rows(CAPTION, [labels.of(result) | _cells(result) for result in results])


def _cells(result: MeasuredCase) -> dict[str, str]:
    moved = result.transfers
    together = moved.collectives
    fullest = result.fullest_gpu
    predicted = None if fullest is None else predicted_peak(result, fullest.index)
    return {
        "in flight (by rule)": _in_flight(result),
        "peak memory": UNKNOWN
        if fullest is None
        else f"{data_size(fullest.peak_allocated_bytes)} (GPU {fullest.index})",
        "predicted": data_size(predicted),
        "moves": str(moved.moves_forward + moved.moves_backward),
        "moved": data_size(moved.bytes_forward + moved.bytes_backward),
        "done together": counted(together) or UNKNOWN,
        "data of each GPU in it": data_size(total_bytes(together)) if together else UNKNOWN,
    }


def _in_flight(result: MeasuredCase) -> str:
    seen = seen_in_flight(result)
    rules = [expected_in_flight(result.case, gpu) for gpu in range(result.case.gpus)]
    known = [rule for rule in rules if rule is not None]
    most = str(max(seen)) if seen else UNKNOWN
    return f"{most} ({max(known)})" if known else most
