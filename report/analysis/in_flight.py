"""Activations in flight: how many a GPU holds at a time.

One is what a stage keeps of one micro-batch from its forward until its gradients are there.
"""

from report.analysis.replay import actions_of
from report.data.measured import MeasuredCase
from study.results.measurement import TimeSpan


def seen_in_flight(result: MeasuredCase) -> list[int]:
    """Return the maximum of each GPU in the typical step; empty where no span has a stage."""
    actions = actions_of(result)
    if not actions:
        return []
    return [_most([a for a in actions if a.gpu == gpu]) for gpu in range(result.case.gpus)]


def _most(actions: list[TimeSpan]) -> int:
    """Count a forward up, and down when its weights' gradient, or all gradients, are computed."""
    apart = {(a.stage, a.micro_batch) for a in actions if a.kind == "weight_gradient"}
    changes = []
    for action in actions:
        if action.kind == "forward":
            changes.append((action.start_s, 1))
        elif action.kind == "weight_gradient" or (
            action.kind == "backward" and (action.stage, action.micro_batch) not in apart
        ):
            changes.append((action.end_s, -1))
    held = most = 0
    for _, change in sorted(changes):  # at equal times, ends come first
        held += change
        most = max(most, held)
    return most
