"""What a measurement cannot be, whatever the types of its numbers say."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from study.case import Case
from study.measurement import Measurement, TimeSpan
from study.result import Placement
from study.schedules import PIPELINES, gpu_of_stage
from study.statistics import median

NEARLY = 1e-5  # seconds: marks of one GPU, read against the host's clock
OF_BACKWARD = ("backward", "input_gradient")
COMPUTE = ("forward", *OF_BACKWARD, "weight_gradient")


def why_not(
    case: Case, placement: Placement, measurement: Measurement, emulated: bool
) -> str | None:
    """What is impossible about it, as the end of a sentence; None where nothing is."""
    if not emulated and any(not gpu.device.startswith("cuda") for gpu in measurement.per_gpu):
        return "is of a device that is no GPU, and not emulated"
    interval, times = measurement.median_ci_s, measurement.step_times_s
    if interval is not None and not interval[0] <= median(times) <= interval[1]:
        return f"has a median of {median(times)} s outside of its interval"
    if (stages := placement.stage_of_layer) is not None:
        of_stage = gpu_of_stage(case)
        if any(not 0 <= stage < len(of_stage) for stage in stages) or placement.gpu_of_layer != [
            of_stage[stage] for stage in stages
        ]:
            return "has stages that do not fit its schedule or its placement"
    if case.in_processes and measurement.breakdown is not None:
        return _why_no_step(case, measurement.breakdown.typical_step)
    return None


def _why_no_step(case: Case, spans: Sequence[TimeSpan]) -> str | None:
    """Each GPU does one thing at a time; a pipeline does what its schedule has."""
    if case.schedule in PIPELINES and (problem := _why_no_pipeline(case, spans)) is not None:
        return problem
    for gpu in range(case.gpus):
        here = sorted((s for s in spans if s.gpu == gpu), key=lambda s: (s.start_s, s.end_s))
        if any(after.start_s < before.end_s - NEARLY for before, after in pairwise(here)):
            return "has a typical step in which a GPU does two things at once"
    if any(span.peer is not None and not 0 <= span.peer < case.gpus for span in spans):
        return "has a typical step with a GPU that it does not have"
    return None


def _why_no_pipeline(case: Case, spans: Sequence[TimeSpan]) -> str | None:
    """It computes forward and backward once for each stage and micro-batch."""
    of_stage = gpu_of_stage(case)
    computes = [span for span in spans if span.kind in COMPUTE]
    expected = {
        (name, stage, micro_batch)
        for name in ("forward", "backward")
        for stage in range(len(of_stage))
        for micro_batch in range(case.micro_batches)
    }
    actions = Counter(
        ("backward" if span.kind in OF_BACKWARD else span.kind, span.stage, span.micro_batch)
        for span in computes
    )
    seen = {action for action in actions if action[0] != "weight_gradient"}
    weights = {("backward", *action[1:]) for action in actions.keys() - seen}
    if seen != expected or not weights <= expected or max(actions.values()) > 1:
        return "has a typical step whose actions are not those of its schedule"
    if any(span.gpu != of_stage[span.stage or 0] for span in computes):
        return "has a typical step with a stage on another GPU than its own"
    return None
