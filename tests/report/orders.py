"""In which order each GPU of a pipeline does its actions, and when, if nothing disturbs them.

GPipe and 1F1B are written by hand (torch's 1F1B has no order that could be read: its own loop runs
it, and its `pipeline_order` is off by one on the last GPU); the others are asked of torch.
"""

from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace

from study.results.measurement import TimeSpan
from study.stages import chunks_of, gpu_of_stage


@dataclass(frozen=True)
class Action:
    """What a GPU does for one stage and one micro-batch."""

    kind: str
    stage: int
    micro_batch: int


def orders(case):
    """The actions of each GPU, in their order."""
    made = {"naive": _gpipe, "gpipe": _gpipe, "1f1b": _one_forward_one_backward}
    if order := made.get(case.schedule):
        return [order(case, gpu) for gpu in range(case.gpus)]
    sizes = (chunks_of(case), case.micro_batches, case.gpus)
    return [[*_of_torch(case.schedule, *sizes, gpu)] for gpu in range(case.gpus)]


def _gpipe(case, gpu):
    kinds = ("forward", "backward")
    return [Action(kind, gpu, i) for kind in kinds for i in range(case.micro_batches)]


def _one_forward_one_backward(case, gpu):
    forward = [Action("forward", gpu, i) for i in range(case.micro_batches)]
    backward = [Action("backward", gpu, i) for i in range(case.micro_batches)]
    ahead = min(case.micro_batches, case.gpus - 1 - gpu)
    found, forward = forward[:ahead], forward[ahead:]
    for action in forward:
        found += [action, backward.pop(0)]
    return found + backward


@cache
def _of_torch(schedule, chunks, m, gpus, gpu):
    from torch.distributed.pipelining import schedules

    made = {
        "interleaved_1f1b": schedules.ScheduleInterleaved1F1B,
        "zero_bubble": schedules.ScheduleInterleavedZeroBubble,
        "zbv": schedules.ScheduleZBVZeroBubble,
    }[schedule]
    kinds = {
        "FORWARD": "forward",
        "FULL_BACKWARD": "backward",
        "BACKWARD_INPUT": "input_gradient",
        "BACKWARD_WEIGHT": "weight_gradient",
    }
    sizes = SimpleNamespace(
        n_local_stages=chunks,
        num_stages=chunks * gpus,
        pp_group_size=gpus,
        _n_microbatches=m,
        microbatches_per_round=m // max(1, m // gpus),
    )
    actions = made._calculate_single_rank_operations(sizes, gpu)
    return [
        Action(kinds[action.computation_type.name], action.stage_index, action.microbatch_index)
        for action in actions
        if action is not None
    ]


def play(case, seconds, transfer_s=0.0, launch_s=0.0, optimizer_s=0.0):
    """The spans of one step: every action begins as soon as it can.

    `seconds` says how long an action takes. What another GPU made arrives `transfer_s` later, and
    every action begins `launch_s` after it could.
    """
    todo, now, ends, spans = orders(case), [0.0] * case.gpus, {}, []
    owner = gpu_of_stage(case)
    while any(todo):
        before = len(ends)
        for gpu, actions in enumerate(todo):
            while actions and all(need in ends for need in _needs(actions[0], owner, ends)):
                action = actions.pop(0)
                needs = _needs(action, owner, ends)
                made = max((ends[n] for n in needs), default=0.0)
                away = any(owner[n.stage] != gpu for n in needs)
                ready = max(now[gpu], made)
                arrived = max(ready, made + transfer_s) if away else ready
                if arrived > ready:
                    spans.append(_span(gpu, "transfer_in", ready, arrived, action))
                start = arrived + launch_s
                now[gpu] = ends[action] = start + seconds(action)
                spans.append(_span(gpu, action.kind, start, now[gpu], action))
        assert len(ends) > before, "the order waits for itself"
    if optimizer_s:
        for gpu, start in enumerate(now):
            end = start + optimizer_s
            spans.append(TimeSpan(gpu=gpu, kind="optimizer", start_s=start, end_s=end))
    return spans


def _needs(action, owner, ends):
    """What must have ended, written from the schedules' papers and not from the report's code."""
    last, stage, i = len(owner) - 1, action.stage, action.micro_batch
    if action.kind == "forward":
        return [Action("forward", stage - 1, i)] if stage else []
    if action.kind == "weight_gradient":
        return [Action("input_gradient", stage, i)]
    if stage == last:
        return [Action("forward", stage, i)]
    either = [Action(kind, stage + 1, i) for kind in ("backward", "input_gradient")]
    return [next((need for need in either if need in ends), either[0])]


def _span(gpu, kind, start_s, end_s, action):
    return TimeSpan(
        gpu=gpu,
        kind=kind,
        start_s=start_s,
        end_s=end_s,
        stage=action.stage,
        micro_batch=action.micro_batch,
    )
