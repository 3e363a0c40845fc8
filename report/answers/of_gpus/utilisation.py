"""Task 4: are all GPUs used, how long does each compute, and how many work at the same time."""

from collections.abc import Sequence

from report.analysis.comparison import CANNOT
from report.analysis.time_use import (
    at_a_time,
    cost_words,
    is_costly,
    longer_words,
    time_use,
)
from report.answers.phrases import about, groups_of, listed, on_gpus, per_group, shares
from report.data.measured import MeasuredCase
from report.wording.hardware import shared_device
from report.wording.units import count_of

QUESTION = "Whether all GPUs are used at the same time"
TURNS = 1.25  # GPUs at work at a time, up to which they take turns
ALL = 0.9  # of the GPUs at work at a time; from here on, all are used nearly always
MOST = 8  # cases in one sentence


def utilisation(results: list[MeasuredCase]) -> list[str]:
    """Return the answer for every group of cases that differ in GPUs alone."""
    return per_group(results, "gpus", _group)


def headlines(results: list[MeasuredCase]) -> list[str]:
    """Return the answer for the first group with several real GPUs."""
    for label, group in groups_of(results, "gpus").items():
        if told := _told(group):
            ends = list(dict.fromkeys([told[0], told[-1]]))
            return [f"GPUs at work: {label}{_answer(told)} {_shares(ends)}."]
    return []


def _group(group: list[MeasuredCase]) -> list[str]:
    several = sorted((r for r in group if r.case.gpus > 1), key=lambda result: result.case.gpus)
    if not several:
        return ["There is only one GPU, which has all layers."]
    told = _told(several)
    answer = f"{_answer(told)} {_shares(told)}.{_turns(told)}" if told else _held(several)
    return [answer, *_untold(several), *_emulated(several)]


def _told(group: list[MeasuredCase]) -> list[MeasuredCase]:
    """Return the cases on several real GPUs whose instrumented steps say something."""
    known = [r for r in group if r.case.gpus > 1 and not r.emulated and not is_costly(r)]
    return sorted((r for r in known if time_use(r)), key=lambda result: result.case.gpus)


def _answer(told: list[MeasuredCase]) -> str:
    """Answer in one sentence, from the layers of each GPU and the GPUs at work at a time."""
    if lazy := [r for r in told if 0 in r.placement.layers_per_gpu]:
        return f"No: {listed(_without_layers(result) for result in lazy)}."
    working = [at_a_time(result) or 0.0 for result in told]
    if all(n >= ALL * r.case.gpus for n, r in zip(working, told, strict=True)):
        return "Yes: all GPUs are used, nearly all the time."
    if max(working) <= TURNS:
        because = ", because the GPUs take turns" if _are_naive(told) else ""
        return f"All GPUs are used, but hardly ever at the same time{because}."
    return "All GPUs are used, but not all the time."


def _held(several: list[MeasuredCase]) -> str:
    if lazy := [r for r in several if 0 in r.placement.layers_per_gpu]:
        return f"No: {listed(_without_layers(result) for result in lazy)}."
    return "Every GPU holds layers, so each is used in every step."


def _without_layers(result: MeasuredCase) -> str:
    empty = [gpu for gpu, n in enumerate(result.placement.layers_per_gpu) if n == 0]
    names = f"GPU {empty[0]} holds" if len(empty) == 1 else f"GPUs {listed(empty)} hold"
    return f"{on_gpus(result)}, {names} no layers"


def _are_naive(results: Sequence[MeasuredCase]) -> bool:
    return all(result.case.schedule == "naive" for result in results)


def _shares(told: list[MeasuredCase]) -> str:
    """Return how long each GPU computes and is idle, and how many compute at a time."""
    few = told[:MOST]
    first = _share(told[0], "each computes for {} of a step and is idle for {}")
    times = ", ".join([first, *(_share(result, "{} and {}") for result in few[1:])])
    working = listed(f"{about(at_a_time(r) or 0.0)} of {r.case.gpus}" for r in few)
    more = f", and so on for {len(told) - MOST} more" if len(told) > MOST else ""
    return (
        f"{times[0].upper()}{times[1:]}{more}: on average {working} work at the same "
        f"time{longer_words(few)}"
    )


def _turns(told: list[MeasuredCase]) -> str:
    """Explain, after a space, why GPUs take turns; empty where they do not."""
    if not _are_naive(told) or max(at_a_time(r) or 0.0 for r in told) > TURNS:
        return ""
    return (
        " Forward, a GPU waits for the output of the GPU before it; backward, for the gradient of "
        "the GPU after it."
    )


def _share(result: MeasuredCase, text: str) -> str:
    uses = time_use(result)
    computes = shares([use.utilization for use in uses])
    idle = shares([max(0.0, use.idle_s / use.step_s) for use in uses])
    return f"{on_gpus(result)} {text.format(computes, idle)}"


def _untold(several: list[MeasuredCase]) -> list[str]:
    """Name the cases whose shares are unknown or say little, with the reason."""
    real = [r for r in several if not r.emulated]
    unknown: dict[str, list[str]] = {}
    for result in real:
        if not time_use(result):
            gpus = count_of(result.case.gpus, "GPU")
            unknown.setdefault(_why_unknown(result), []).append(gpus)
    found = [f"{QUESTION} on {listed(gpus)} {CANNOT}: {why}." for why, gpus in unknown.items()]
    for result in real:
        if time_use(result) and is_costly(result):
            why = f"instrumented steps took {cost_words(result)}"
            found.append(f"{QUESTION} {on_gpus(result)} {CANNOT}: {why}.")
    return found


def _why_unknown(result: MeasuredCase) -> str:
    if any(job.measurement.breakdown is not None for job in result.jobs):
        return "the parts of the instrumented steps are longer than a step"
    return "no step was instrumented"


def _emulated(several: list[MeasuredCase]) -> list[str]:
    """Say how many emulated GPUs work at a time, which is not what real ones would."""
    emulated = [r for r in several if r.emulated]
    if not emulated:
        return []
    counts = listed(result.case.gpus for result in emulated)
    devices = listed(dict.fromkeys(shared_device(r.environment) for r in emulated))
    known = [r for r in emulated if time_use(r) and not is_costly(r)][:MOST]
    if not known:
        return [f"{QUESTION} on {counts} GPUs {CANNOT}: {devices} emulated them."]
    working = listed(f"{about(at_a_time(r) or 0.0)} of {r.case.gpus}" for r in known)
    return [
        f"{counts} GPUs were emulated by {devices}: on average {working} work at the same time, "
        "which is not how real GPUs would be used."
    ]
