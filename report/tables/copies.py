"""Table of copies between GPUs: checked, and timed."""

from report.data.labels import Labels
from report.data.measured import MeasuredCase
from report.document import Table, known_rows
from report.wording.units import UNKNOWN, byte_rate, data_size, seconds
from study.results.ceilings import CopyRate

CAPTION = "Copies, checked and timed before the steps"


def make_table(results: list[MeasuredCase]) -> Table:
    """Return a row for each pair of GPUs that exchanges data."""
    labels = Labels(results)
    rows = [
        labels.of(result) | _cells(copy, result)
        for result in results
        for copy in result.ceilings.copies
    ]
    return known_rows(CAPTION, rows)


def _cells(copy: CopyRate, result: MeasuredCase) -> dict[str, str]:
    within = copy.source == copy.target
    return {
        "copy": "within one device" if within else f"GPU {copy.source} to GPU {copy.target}",
        "arrived unchanged": data_size(copy.checked_bytes),
        "one element": seconds(copy.latency_s),
        "one baton": f"{seconds(copy.message_s)} ({data_size(copy.message_bytes)})",
        "bandwidth": byte_rate(copy.bandwidth_bytes_per_s),
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
