"""Table of copies between GPUs: checked, and timed."""

from report.data.labels import Labels
from report.data.measured import MeasuredCase
from report.document import Table, join_cells, known_rows
from report.wording.quantities import Cell, in_words, rate_cell, size_cell, time_cell
from report.wording.units import UNKNOWN, data_size
from study.results.ceilings import CopyRate

CAPTION = "Copies, checked and timed before the steps{}"


def make_table(results: list[MeasuredCase]) -> Table:
    """Return a row for each pair of GPUs that exchanges data."""
    labels = Labels(results)
    made = [(result, copy) for result in results for copy in result.ceilings.copies]
    cells = in_words(_cells(copy, result) for result, copy in made)
    rows = zip(made, cells, strict=True)
    sizes = sorted({copy.bandwidth_bytes for _, copy in made})
    of = f"; bandwidth is that of {' and '.join(map(data_size, sizes))}" if sizes else ""
    caption = CAPTION.format(of)
    return known_rows(caption, (join_cells(labels.of(r), found) for (r, _), found in rows))


def _cells(copy: CopyRate, result: MeasuredCase) -> dict[str, Cell]:
    within = copy.source == copy.target
    return {
        "copy": "within one device" if within else f"GPU {copy.source} to GPU {copy.target}",
        "arrived unchanged": size_cell(copy.checked_bytes),
        "one element takes": time_cell(copy.latency_s),
        "one activation": size_cell(copy.message_bytes),
        "takes": time_cell(copy.message_s),
        "bandwidth": rate_cell(copy.bandwidth_bytes_per_s, "B/s"),
        "path": UNKNOWN if within else _path(copy, result),
    }


def _path(copy: CopyRate, result: MeasuredCase) -> str:
    """Return how two GPUs are connected, in nvidia-smi's terms."""
    gpus = result.environment.gpus
    if max(copy.source, copy.target) >= len(gpus):
        return UNKNOWN
    ends = {gpus[gpu].index for gpu in (copy.source, copy.target)}
    for link in result.environment.topology:
        if {link.source, link.target} == ends:
            return f"NV{link.nvlinks}" if link.nvlinks else link.path or UNKNOWN
    return UNKNOWN
