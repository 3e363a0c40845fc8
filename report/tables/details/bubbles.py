"""Table of each GPU's bubble, its causes, and the activations in flight meanwhile."""

from dataclasses import replace

from report.analysis.bubble import Bubble, bubbles
from report.analysis.in_flight import seen_in_flight
from report.analysis.predicted_memory import predicted_peak
from report.data.labels import Labels
from report.data.measured import MeasuredCase
from report.document import Table, join_cells, known_rows
from report.tables.cells import gpus
from report.wording.names import gpu_name
from report.wording.quantities import Cell, in_words, size_cell
from report.wording.units import UNKNOWN, percent, signed_percent
from study.stages import expected_in_flight

CAPTION = (
    "Why GPUs wait, in a typical step: bubble = formula + imbalance (unequal lengths) + "
    "communication + rest"
)
IN_FLIGHT = (
    "in flight: the most micro-batches whose activations a GPU kept, and by rule of the schedule"
)

FACT = (
    "Bubble: the share of a step in which a GPU computes nothing, the mean of the GPUs; by "
    "formula: the bubble if all actions of a schedule took equally long and nothing else took any "
    "time."
)


def facts(results: list[MeasuredCase]) -> list[str]:
    """Explain the columns of bubbles, if any GPU can have one."""
    return [FACT] if any(result.case.gpus > 1 for result in results) else []


def make_table(results: list[MeasuredCase]) -> Table:
    """Return a row for each GPU of cases with several GPUs."""
    labels = Labels(results)
    several = [result for result in results if result.case.gpus > 1]
    found = [(result, bubble) for result in several for bubble in bubbles(result)]
    cells = in_words(_cells(bubble, result) for result, bubble in found)
    rows = zip(found, cells, strict=True)
    table = known_rows(CAPTION, (join_cells(labels.of(r), words) for (r, _), words in rows))
    has_flights = "in flight" in table.columns
    return replace(table, caption=f"{CAPTION}; {IN_FLIGHT}") if has_flights else table


def _cells(bubble: Bubble, result: MeasuredCase) -> dict[str, Cell]:
    seen = seen_in_flight(result)
    expected = expected_in_flight(result.case, bubble.gpu)
    peak = result.measurement.per_gpu[bubble.gpu].peak_allocated_bytes
    return {
        "GPU": gpu_name(result.case, bubble.gpu),
        **gpus.layers_of(result, bubble.gpu),
        "bubble": percent(bubble.measured),
        "formula": UNKNOWN if bubble.formula is None else percent(bubble.formula),
        "imbalance": _part(bubble.imbalance),
        "communication": _part(bubble.communication),
        "rest": _part(bubble.rest),
        "in flight": str(seen[bubble.gpu]) if seen else UNKNOWN,
        "by rule": UNKNOWN if expected is None else str(expected),
        "peak memory": size_cell(peak),
        "predicted": size_cell(predicted_peak(result, bubble.gpu)),
    }


def _part(share: float | None) -> str:
    return UNKNOWN if share is None else signed_percent(share)
