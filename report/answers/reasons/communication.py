"""Cost of copies between GPUs: time, share of a step, and latency or bandwidth."""

from report.analysis.time_use import copies_s, is_costly, longer_words, time_use
from report.answers.phrases import listed, on_gpus, per_group, share
from report.data.measured import MeasuredCase
from report.wording.units import data_size, seconds
from study.results.ceilings import CopyRate

AS_LONG = 1.25  # times a copy of one element; up to here the size of a message hardly matters


def costs(results: list[MeasuredCase]) -> list[str]:
    """Return the time that copies take in a step of each group, and once what decides it."""
    return [*per_group(results, "gpus", copy_times), *_latency(results), *_emulated(results)]


def copy_times(group: list[MeasuredCase]) -> list[str]:
    """Return the time of all copies of a step, and its share; empty where it is unknown."""
    real = [r for r in group if not r.emulated and r.case.gpus > 1 and copies_s(r)]
    told = sorted((r for r in real if not is_costly(r)), key=lambda result: result.case.gpus)
    if not told:
        return []
    numbers = listed(_time(result) for result in told)
    return [f"In time, all copies of a step take {numbers}{longer_words(told)}."]


def _time(result: MeasuredCase) -> str:
    spent, step_s = copies_s(result) or 0.0, time_use(result)[0].step_s
    moves = result.transfers.moves_forward + result.transfers.moves_backward
    each = f"{seconds(spent / moves)} a move, " if moves > 1 else ""
    return f"{seconds(spent)} {on_gpus(result)} ({each}{share(spent / step_s)} of the step)"


def _latency(group: list[MeasuredCase]) -> list[str]:
    """Tell latency from bandwidth by copies of one element and of what the case passes on."""
    copies = [c for r in group if not r.emulated for c in r.ceilings.copies
              if c.source != c.target and c.latency_s > 0]  # fmt: skip
    if not copies:
        return []
    worst = max(copies, key=lambda copy: copy.message_s / copy.latency_s)
    if worst.message_s / worst.latency_s > AS_LONG:
        return [
            f"A copy of {_size(worst)} takes {seconds(worst.message_s)}, one of a single element "
            f"{seconds(worst.latency_s)}: the size of the data counts, too."
        ]
    times = [copy.message_s for copy in copies]
    low, high = seconds(min(times)), seconds(max(times))
    took = low if low == high else f"between {low} and {high}"
    return [
        f"Timed alone, a copy of {_size(worst)} takes {took}, and one of a single element takes as "
        "long: latency sets the cost of a move, not bandwidth."
    ]


def _size(copy: CopyRate) -> str:
    return data_size(copy.message_bytes)


def _emulated(group: list[MeasuredCase]) -> list[str]:
    counts = sorted({r.case.gpus for r in group if r.emulated and r.case.gpus > 1})
    if not counts:
        return []
    return [
        f"{listed(counts)} GPUs were emulated: their calls and moves are real, but the times of "
        "copies within one device are not those between GPUs, so none are given."
    ]
