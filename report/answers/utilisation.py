"""Are all GPUs utilised: how long each of them computes."""

from report.answers.comparing import CANNOT
from report.hardware import shared_device
from report.measured import Measured
from report.time_use import TimeUse, time_use
from report.units import percent, plural, ratio

MOSTLY = 0.75  # of the GPUs at work at a time
OVERLAP = 0.01  # of a step, below which GPUs that work at the same time are not worth a word


def answer(result: Measured) -> str:
    """What share of a step each GPU computes, and how many do so at a time."""
    uses = time_use(result)
    gpus = result.case.gpus
    where = f"On {gpus} {plural(gpus, 'GPU')}"
    if result.emulated and gpus > 1:
        where += f" (emulated on {shared_device(result.environment)})"
    if not uses:
        return f"{where}: whether all GPUs are utilised {CANNOT}: no step had marks."
    shares = ", ".join(f"GPU {use.gpu} {percent(use.utilisation)}" for use in uses)
    return f"{where}, the share of a step in which each computes is {shares}{_together(uses)}."


def _together(uses: list[TimeUse]) -> str:
    if len(uses) == 1:
        return ""
    at_a_time = sum(use.utilisation for use in uses)
    text = f": on average {ratio(at_a_time)} of {len(uses)} compute at a time"
    if at_a_time < MOSTLY * len(uses):
        text += ", so they are not all utilised and mostly wait for one another"
    optimizer = sum(use.optimizer_s / use.step_s for use in uses)
    if at_a_time > 1 and optimizer > OVERLAP:
        text += f"; optimizer steps ({percent(optimizer)} in all) may run side by side"
    return text
