"""The all-reduce of tied weights: its time in a step of a pipeline, where it was seen."""

from collections.abc import Sequence

from report.analysis.replay import typical_step_s
from report.analysis.transfers import in_collectives_s, total_bytes
from report.answers.phrases import on_gpus, share
from report.data.measured import MeasuredCase
from report.wording.names import schedule_in_text
from report.wording.units import data_size, plural, seconds
from study.schedules import SCHEDULES

QUESTION = "What do shared weights cost?"
MOST = 6
LONG_WAIT = 1.5  # times what the last to come takes; more is a wait for it


def sentences(results: Sequence[MeasuredCase]) -> list[str]:
    """Return the time that GPUs spend in all-reduces in a pipeline; empty where none was seen."""
    known = [r for r in results if _has_its_own(r) and in_collectives_s(r)]
    told = [_cost(result) for result in known[:MOST]]
    more = len(known) - MOST
    return [*told, *([f"{more} more {plural(more, 'case')} had them, too."] if more > 0 else [])]


def _has_its_own(result: MeasuredCase) -> bool:
    """Return whether all-reduces are of shared weights alone; replicas average others, too."""
    return SCHEDULES[result.case.schedule].is_pipeline and result.case.data_parallel == 1


def _cost(result: MeasuredCase) -> str:
    """Return what the last GPU to come takes, which waits for nobody, and the longest wait."""
    each, step_s = in_collectives_s(result), typical_step_s(result)
    least, most = min(each.values()), max(each.values())
    who = "process" if result.emulated else "GPU"
    shared = total_bytes(result.transfers.collectives)
    size = f" ({data_size(shared)})" if shared else ""
    text = (
        f"With {schedule_in_text(result.case)} {on_gpus(result)}, {len(each)} "
        f"{plural(len(each), who, f'{who}es' if result.emulated else None)} add up gradients of "
        f"shared weights{size}: {seconds(least)} of an instrumented step, {share(least / step_s)}"
    )
    if most < LONG_WAIT * least:
        return f"{text}."
    return (
        f"{text}, for the last {who} to come; another waits for it, {seconds(most)} in all, as "
        "stages end at different times."
    )
