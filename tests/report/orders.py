"""When each GPU of a pipeline does its actions, if nothing disturbs them."""

from predict.orders.action import Action
from predict.orders.order import orders
from study.results.measurement import TimeSpan
from study.stages import chunks_of, gpu_of_stage


def play(case, seconds, transfer_s=0.0, launch_s=0.0, optimizer_s=0.0):
    """The spans of one step: every action begins as soon as it can.

    `seconds` says how long an action takes. What another GPU made arrives `transfer_s` later, and
    every action begins `launch_s` after it could.
    """
    asked = (case.schedule, case.gpus, case.micro_batches, chunks_of(case))
    todo, now, ends, spans = orders(*asked), [0.0] * case.gpus, {}, []
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
