"""The all-reduce of tied weights: its time in a step of a pipeline, where it was seen."""

from collections.abc import Sequence
from statistics import fmean

from report.analysis.replay import spans_of, typical_step_s
from report.answers.phrases import on_gpus, share
from report.data.measured import MeasuredCase
from report.wording.names import schedule_name
from report.wording.units import plural, seconds
from study.schedules import SCHEDULES

QUESTION = "What do shared weights cost?"
MOST = 6


def sentences(results: Sequence[MeasuredCase]) -> list[str]:
    """Return the time that GPUs spend in all-reduces in a pipeline; empty where none was seen."""
    known = [r for r in results if SCHEDULES[r.case.schedule].is_pipeline and _each_s(r)]
    told = [_cost(result) for result in known[:MOST]]
    more = len(known) - MOST
    return [*told, *([f"{more} more {plural(more, 'case')} had them, too."] if more > 0 else [])]


def _cost(result: MeasuredCase) -> str:
    each = _each_s(result)
    mean, step_s = fmean(each.values()), typical_step_s(result)
    who = "process" if result.emulated else "GPU"
    return (
        f"With {schedule_name(result.case)} {on_gpus(result)}, {len(each)} "
        f"{plural(len(each), who, f'{who}es' if result.emulated else None)} add up gradients of "
        f"shared weights: {seconds(mean)} of an instrumented step each, {share(mean / step_s)}, "
        "with the wait for one another."
    )


def _each_s(result: MeasuredCase) -> dict[int, float]:
    """Return the seconds of all-reduces of each GPU that has some."""
    found: dict[int, float] = {}
    for span in spans_of(result):
        if span.kind == "collective":
            found[span.gpu] = found.get(span.gpu, 0.0) + span.end_s - span.start_s
    return {gpu: s for gpu, s in found.items() if s > 0}
