"""Causes of a bubble above its formula: unequal lengths, data on their way, or the rest.

Why data are on their way for so long, bandwidth, queues or launching, no result shows; it takes
benchmarks/waiting.py.
"""

from statistics import fmean

from report.analysis.bubble import bubbles
from report.analysis.comparison import verdict
from report.analysis.profiled.stage_balance import timed_balance_of
from report.analysis.profiled.stage_times import bubble_of_medians
from report.analysis.time_use import instrumentation_warning, time_use
from report.answers.pipelines.slowest import EVEN, spread_words, stage_words, uneven_halves
from report.data.measured import MeasuredCase
from report.wording.names import schedule_in_text
from report.wording.units import percent, seconds, signed_percent
from study.schedules import SCHEDULES

LITTLE = 0.01  # of a step; the formula explains a bubble this near to it
MUCH_LONGER = 1.1  # times the compute of the naive schedule; more is worth a sentence
PARTS = {
    "imbalance": "stages or micro-batches take unequal time",
    "communication": "data arrive some time after another GPU has made them",
    "rest": "of gaps that neither unequal stages nor transfers explain",
}


def answer(result: MeasuredCase, whose: str = "") -> list[str]:
    """Return a sentence on the mean bubble and its largest cause; none where that is unknown.

    Args:
        result: The case.
        whose: Begins the sentence, as `With ZB1P, `, where it is not clear which case is meant.
    """
    found = bubbles(result)
    formula = found[0].formula if found else None
    if SCHEDULES[result.case.schedule].is_on_all_gpus:
        return _for_collectives(result, whose)
    if formula is None or any(getattr(bubble, part) is None for bubble in found for part in PARTS):
        return []
    measured = fmean(bubble.measured for bubble in found)
    parts = {name: fmean(getattr(bubble, name) for bubble in found) for name in PARTS}
    text = f"{whose}{_who(result)} wait for {percent(measured)} of a step"
    text = text[0].upper() + text[1:]
    excess = measured - formula
    warning = instrumentation_warning(result)
    if abs(excess) < LITTLE and max(map(abs, parts.values())) < LITTLE:
        return [f"{text}, as the formula says ({percent(formula)}).{warning}"]
    return [f"{text} (by formula: {percent(formula)}){_cause(result, excess, parts)}.{warning}"]


def _for_collectives(result: MeasuredCase, whose: str) -> list[str]:
    """Return how long GPUs wait, and how much of that for collectives, where no formula says it."""
    found = bubbles(result)
    waits = [bubble.communication for bubble in found if bubble.communication is not None]
    if not waits:
        return []
    text = f"{whose}{_who(result)} wait for {percent(fmean(b.measured for b in found))} of a step"
    return [
        f"{text[0].upper()}{text[1:]}, {percent(fmean(waits))} for collectives."
        f"{instrumentation_warning(result)}"
    ]


def _cause(result: MeasuredCase, excess: float, parts: dict[str, float]) -> str:
    """Name the part that makes up most of what the formula does not say, if one does.

    Args:
        result: The case.
        excess: What the formula does not say, as a share of a step.
        parts: Its parts by name, which add up to it.
    """
    if excess <= LITTLE:
        return ""
    most, share = max(parts.items(), key=lambda part: part[1])
    if share > excess / 2:
        why = _unequal(result, share) if most == "imbalance" else PARTS[most]
        return f", mainly because {why}"
    told = [f"{_points(share)} because {PARTS[name]}" for name, share in parts.items()]
    return f": {', '.join(told)}, in percentage points"


def _unequal(result: MeasuredCase, share: float) -> str:
    """Say what is unequal: stages, of which it names the slowest, their halves, or micro-batches.

    Args:
        result: The case.
        share: What unequal lengths make of a step.
    """
    balance, alone = timed_balance_of(result), bubble_of_medians(result)
    formula = bubbles(result)[0].formula
    if balance is None or alone is None or formula is None:
        return PARTS["imbalance"]
    if alone - formula < share / 2:
        return "stages take longer for some micro-batches than for others"
    if balance.ratio >= EVEN:
        return (
            f"stages take unequal time: {stage_words(result, balance)} takes {balance.ratio:.2f} "
            f"times as long as the mean{spread_words(result)}"
        )
    if halves := uneven_halves(result):
        return f"stages are even only over forward and backward together: {halves}"
    return "stages differ a little in time"


def more_work(naive: MeasuredCase, result: MeasuredCase) -> list[str]:
    """Explain a schedule that waits less and is no faster: its GPUs compute for longer."""
    if verdict(naive, result).kind == "faster":
        return []
    before, after = _busy_s(naive), _busy_s(result)
    if before is None or after is None or after < MUCH_LONGER * before:
        return []
    return [
        f"With {schedule_in_text(result.case)}, {_who(result)} compute for {seconds(after)} in all "
        f"in an instrumented step, and with naive for {seconds(before)}; "
        "gaps between the kernels of one action count as computing."
    ]


def _who(result: MeasuredCase) -> str:
    """Name what computes: GPUs, processes, or the logical GPUs of one process."""
    if not result.emulated:
        return "GPUs"
    return "processes" if result.case.in_processes else "logical GPUs"


def _busy_s(result: MeasuredCase) -> float | None:
    """Return the seconds that all GPUs together compute in a step; None if unknown."""
    used = time_use(result)
    return sum(use.compute_s for use in used) if used else None


def _points(share: float) -> str:
    return signed_percent(share).removesuffix(" %")
