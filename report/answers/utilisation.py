"""Are all GPUs utilised: how long each of them computes."""

from report.analysis.comparison import CANNOT
from report.analysis.disturbed import instrumentation_warning
from report.analysis.time_use import TimeUse, time_use
from report.data.measured import MeasuredCase
from report.wording.units import percent, ratio

MOSTLY = 0.75  # of the GPUs at work at a time
OVERLAP = 0.01  # of a step, below which GPUs that work at the same time are not worth a word


def answer(results: list[MeasuredCase]) -> list[str]:
    """A sentence for each case, and one for all those without marks."""
    known = [(result, time_use(result)) for result in results]
    told = [_shares(result, uses) for result, uses in known if uses]
    untold = [result.gpus for result, uses in known if not uses]
    if untold:
        where = " and ".join(dict.fromkeys(untold))
        told.append(f"Whether all GPUs are utilised on {where} {CANNOT}: no step had marks.")
    return told


def _shares(result: MeasuredCase, uses: list[TimeUse]) -> str:
    """What share of a step each GPU computes, and how many do so at a time."""
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
