"""Task 4: are all GPUs utilised, and does adding GPUs make training faster."""

from report.answers.comparing import CANNOT, Pair, incomparable, pairs, plural
from report.hardware import shared_device
from report.measured import Measured
from report.units import data_size, ratio, seconds
from study.statistics import median, separated

QUESTION = "Whether all GPUs work at the same time, and whether adding GPUs makes training faster,"


def answer(results: list[Measured]) -> list[str]:
    """What every GPU holds, then what adding GPUs does, for each pair of GPU counts."""
    return [_all_hold_layers(results), *_adding_gpus(results)]


def _all_hold_layers(results: list[Measured]) -> str:
    idle = [r for r in results if 0 in r.placement.layers_per_gpu]
    if idle:
        return f"Not every GPU holds layers in {', '.join(r.case.case_id for r in idle)}."
    most = max(results, key=lambda result: result.case.gpus)
    layers = ", ".join(map(str, most.placement.layers_per_gpu))
    peaks = [g.peak_allocated_bytes for g in most.measurement.per_gpu if g.peak_allocated_bytes]
    used = f", with a peak memory of {', '.join(map(data_size, peaks))}" if peaks else ""
    gpus = most.case.gpus
    return f"All GPUs hold layers: {layers} on {gpus} {plural(gpus, 'GPU')}{used}."


def _adding_gpus(results: list[Measured]) -> list[str]:
    found = pairs(results, "gpus")
    if not found:
        return [f"{QUESTION} {CANNOT}: it takes two GPU counts, all else equal."]
    return [_compare(pair) for pair in found]


def _compare(pair: Pair) -> str:
    few, many = pair.least, pair.most
    if many.emulated:
        return f"{pair.label}{QUESTION} {CANNOT}: the emulated GPUs share {shared_device(many)}."
    if problem := incomparable(few, many):
        return f"{pair.label}{QUESTION} {CANNOT}: {problem}."
    a, b = few.steps_s, many.steps_s
    change = (
        f"from {few.case.gpus} to {many.case.gpus} GPUs the step time goes from "
        f"{seconds(median(a))} to {seconds(median(b))}, {ratio(median(b) / median(a))} times"
    )
    share = few.case.gpus / many.case.gpus
    # Nearer to no gain at all than to the gain of GPUs that never wait.
    waiting = median(b) / median(a) > (1 + share) / 2
    if not separated(a, b):
        verdict = "Adding GPUs makes no difference that can be seen"
    elif median(b) < median(a):
        verdict = "Adding GPUs makes training faster"
    else:
        verdict = "Adding GPUs makes training slower"
    return (
        f"{pair.label}{verdict}: {change}. In proportion to the GPU count it would "
        f"be {ratio(share)} times"
        f"{', so the added GPUs mostly wait for the others' if waiting else ''}."
    )
