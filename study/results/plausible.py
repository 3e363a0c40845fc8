"""Find what makes a measurement impossible, beyond the types of its numbers."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby, pairwise
from statistics import median

from study.case import Case
from study.results.measurement import Measurement, TimeSpan
from study.results.result import Placement
from study.schedules import SCHEDULES
from study.stages import gpu_of_stage

NEARLY = 1e-5  # seconds: timestamps of one GPU, read against the host's clock
OF_BACKWARD = ("backward", "input_gradient")
COMPUTE = ("forward", *OF_BACKWARD, "weight_gradient")
SHARED = ("forward", "backward", "collective", "optimizer")
OTHERS = "has a typical step whose actions are not those of its schedule"


def find_problem(
    case: Case, placement: Placement, measurement: Measurement, emulated: bool
) -> str | None:
    """Return what is impossible about a measurement, as the end of a sentence; None if nothing is.

    Args:
        case: the case that was measured.
        placement: where its layers were.
        measurement: its step times and typical step.
        emulated: whether its GPUs were logical.
    """
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
        if not _are_runs(stages, len(of_stage), case.balance):
            return "has stages that are not those of its balance"
    elif SCHEDULES[case.schedule].is_chunked:
        return "lacks the stage of each layer, of which a GPU holds several"
    if measurement.breakdown is None:
        return None
    spans = measurement.breakdown.typical_step
    if any(span.end_s < span.start_s for span in spans):
        return "has a typical step in which something ends before it begins"
    if spans and max(span.end_s for span in spans) <= 0:
        return "has a typical step without a length"
    return _why_no_step(case, spans) if case.in_processes else None


def _are_runs(stages: Sequence[int], count: int, balance: str) -> bool:
    """Return whether each stage is one run of layers, as long as the case says if it does."""
    lengths = [len(list(run)) for _, run in groupby(stages)]
    if sorted(stages) != list(stages) or len(lengths) != count:
        return False
    return not balance[0].isdigit() or lengths == [int(part) for part in balance.split(",")]


def _why_no_step(case: Case, spans: Sequence[TimeSpan]) -> str | None:
    """Find what no step of several processes has: a GPU does one thing at a time."""
    why_not_this = _why_no_pipeline if SCHEDULES[case.schedule].is_pipeline else _why_no_shares
    if (problem := why_not_this(case, spans)) is not None:
        return problem
    for gpu in range(case.gpus):
        here = sorted((s for s in spans if s.gpu == gpu), key=lambda s: (s.start_s, s.end_s))
        if any(after.start_s < before.end_s - NEARLY for before, after in pairwise(here)):
            return "has a typical step in which a GPU does two things at once"
    if any(span.peer is not None and not 0 <= span.peer < case.gpus for span in spans):
        return "has a typical step with a GPU that it does not have"
    return None


def _why_no_shares(case: Case, spans: Sequence[TimeSpan]) -> str | None:
    """Find what no step of tensor parallelism has: no stages; every GPU goes both ways."""
    kinds = {(span.gpu, span.kind) for span in spans}
    needed = {(gpu, kind) for gpu in range(case.gpus) for kind in ("forward", "backward")}
    if not needed <= kinds or {kind for _, kind in kinds} - set(SHARED):
        return OTHERS
    return OTHERS if any(span.stage is not None for span in spans) else None


def _why_no_pipeline(case: Case, spans: Sequence[TimeSpan]) -> str | None:
    """Find what no pipeline has: each stage computes every micro-batch once each way."""
    of_stage = gpu_of_stage(case)
    computes = [span for span in spans if span.kind in COMPUTE]
    expected = {
        (name, stage, micro_batch)
        for name in ("forward", "backward")
        for stage in range(len(of_stage))
        for micro_batch in range(case.parts)
    }
    actions = Counter(
        ("backward" if span.kind in OF_BACKWARD else span.kind, span.stage, span.micro_batch)
        for span in computes
    )
    seen = {action for action in actions if action[0] != "weight_gradient"}
    weights = {("backward", *action[1:]) for action in actions.keys() - seen}
    if any(span.kind == "collective" for span in spans) and not _may_share(case):
        return OTHERS
    if _goes_back(computes):
        return OTHERS
    if seen != expected or not weights <= expected or max(actions.values()) > 1:
        return OTHERS
    if any(span.gpu != _gpu_of(case, of_stage, span) for span in computes):
        return "has a typical step with a stage on another GPU than its own"
    return None


def _may_share(case: Case) -> bool:
    """Return whether GPUs add gradients up: those of a shared weight, or of all replicas."""
    return case.kind == "factory" or case.value("tied") is True or case.data_parallel > 1


def _gpu_of(case: Case, of_stage: Sequence[int], span: TimeSpan) -> int:
    """Return the GPU that computes a span; each replica has so many micro-batches, in order."""
    return of_stage[span.stage or 0] + (span.micro_batch or 0) // case.micro_batches


def _goes_back(computes: Sequence[TimeSpan]) -> bool:
    """Return whether a backward begins before the forward of its stage and micro-batch."""
    forward = {(s.stage, s.micro_batch): s.start_s for s in computes if s.kind == "forward"}
    return any(
        span.start_s < forward.get((span.stage, span.micro_batch), span.start_s)
        for span in computes
    )
