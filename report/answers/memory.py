"""Task 4: are all GPUs utilised, and does adding GPUs make training faster."""

from report.analysis.comparison import (
    CANNOT,
    Pair,
    from_the_least,
    is_swept_instead,
    refusals,
    verdict,
    why_incomparable,
    why_no_pair,
)
from report.analysis.time_use import TimeUse, instrumentation_warning, time_use
from report.answers import sweep
from report.data.measured import MeasuredCase
from report.document import Answer
from report.wording.hardware import shared_device
from report.wording.units import count_of, data_size, percent, ratio, seconds
from study.statistics.comparison import Comparison
from study.statistics.samples import estimate

QUESTION = "Whether adding GPUs makes training faster"
MOSTLY = 0.75  # of the GPUs at work at a time
OVERLAP = 0.01  # of a step; less is not worth a word


def answer(results: list[MeasuredCase]) -> list[Answer]:
    """Describe what every GPU holds and does, then what adding GPUs does to the step time."""
    found = [
        Answer("Are all GPUs utilised?", [_all_hold_layers(results), *_utilization(results)]),
        Answer("Does adding GPUs make training faster?", _adding_gpus(results)),
        *sweep.answer(results),
    ]
    return [answer for answer in found if answer.sentences]


def _all_hold_layers(results: list[MeasuredCase]) -> str:
    idle = [r for r in results if 0 in r.placement.layers_per_gpu]
    if idle:
        return f"Not every GPU holds layers in {', '.join(r.case.case_id for r in idle)}."
    most = max(results, key=lambda result: result.case.gpus)
    layers = ", ".join(map(str, most.placement.layers_per_gpu))
    peaks = [g.peak_allocated_bytes for g in most.measurement.per_gpu if g.peak_allocated_bytes]
    used = f", with a peak memory of {', '.join(map(data_size, peaks))}" if peaks else ""
    return f"All GPUs hold layers: {layers} on {most.gpus}{used}."


def _utilization(results: list[MeasuredCase]) -> list[str]:
    """Return a sentence for each instrumented case, and one for all others."""
    known = [(result, time_use(result)) for result in results]
    told = [_shares(result, uses) for result, uses in known if uses]
    untold = [result.gpus for result, uses in known if not uses]
    if untold:
        where = " and ".join(dict.fromkeys(untold))
        told.append(f"Whether all GPUs are utilised on {where} {CANNOT}: no step had marks.")
    return told


def _shares(result: MeasuredCase, uses: list[TimeUse]) -> str:
    """Return the share of a step that each GPU computes, and how many compute at a time."""
    shares = ", ".join(f"GPU {use.gpu} {percent(use.utilization)}" for use in uses)
    return (
        f"On {result.gpus}, the share of a step in which each computes is {shares}"
        f"{_together(uses)}.{instrumentation_warning(result)}"
    )


def _together(uses: list[TimeUse]) -> str:
    if len(uses) == 1:
        return ""
    at_a_time = sum(use.utilization for use in uses)
    text = f": on average {ratio(at_a_time)} of {len(uses)} compute at a time"
    if at_a_time < MOSTLY * len(uses):
        text += ", so they are not all utilised and mostly wait for one another"
    optimizer = sum(use.optimizer_s / use.step_s for use in uses)
    if at_a_time > 1 and optimizer > OVERLAP:
        text += f"; optimizer steps ({percent(optimizer)} in all) may run side by side"
    return text


def _adding_gpus(results: list[MeasuredCase]) -> list[str]:
    found = from_the_least(results, "gpus")
    if is_swept_instead(results, "gpus"):
        return []
    if not found:
        return [f"{QUESTION} {CANNOT}: {why_no_pair(results, 'gpus')}."]
    problems = [(pair, _problem(pair)) for pair in found]
    told = [_compare(pair) for pair, problem in problems if problem is None]
    return [*told, *refusals(QUESTION, problems)]


def _problem(pair: Pair) -> str | None:
    few, many = pair.least, pair.most
    if few.emulated and many.emulated:
        shared = dict.fromkeys(shared_device(result.environment) for result in (few, many))
        return f"the emulated GPUs share {' and '.join(shared)}"
    return why_incomparable(few, many, "gpus")


def _compare(pair: Pair) -> str:
    few, many = pair.least, pair.most
    found = verdict(few, many)
    before, after = (seconds(estimate(result.steps_s)) for result in (few, many))
    a, b = (count_of(result.case.gpus, "GPU") for result in (few, many))
    words = found.words(a, b, plural=True)
    share = few.case.gpus / many.case.gpus
    return (
        f"{pair.label}{ADDING[found.kind]}: {words}, with {before} and {after} a step. In "
        f"proportion to the GPU count a step would take {ratio(share)} times as long"
        f"{_waiting(found, share)}."
    )


ADDING = {
    "faster": "Adding GPUs makes training faster",
    "slower": "Adding GPUs makes training slower",
    "same": "Adding GPUs makes no difference",
    "undecided": f"{QUESTION} {CANNOT}",
}


def _waiting(found: Comparison, share: float) -> str:
    """Add that GPUs mostly wait if the step time is nearer to no gain than to perfect sharing."""
    waits = found.kind != "undecided" and found.ratio > (1 + share) / 2
    return ", so the added GPUs mostly wait for the others" if waits else ""
