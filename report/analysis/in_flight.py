"""Activations in flight: how many a GPU holds at a time, as seen and by each schedule's rule.

One is what a stage keeps of one micro-batch from its forward until its gradients are there.
"""

from report.analysis.bubble_formula import fills_v
from report.analysis.replay import actions_of
from report.data.measured import Measured
from study.case import Case
from study.results.measurement import TimeSpan


def seen_in_flight(result: Measured) -> list[int]:
    """The most of each GPU in the typical step; empty where it has no stages to be seen."""
    actions = actions_of(result)
    if not actions:
        return []
    return [_most([a for a in actions if a.gpu == gpu]) for gpu in range(result.case.gpus)]


def _most(actions: list[TimeSpan]) -> int:
    """A forward begins to hold something; its weights' gradient, or all gradients, let it go."""
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
    for _, change in sorted(changes):  # what ends at a moment goes before what begins
        held += change
        most = max(most, held)
    return most


def expected_in_flight(case: Case, gpu: int) -> int | None:
    """The most that this GPU should hold; None where no rule is known.

    - GPipe keeps all m, 1F1B one for each stage from here on, p - gpu (Narayanan et al. 2021,
      section 2.2).
    - interleaved: its warm-up, 2 (p - gpu - 1) + (v - 1) r forwards for rounds of r micro-batches
      (Megatron-LM's num_warmup_microbatches; torch's _get_warmup_ops), and the one that follows.
    - ZB1P: p on every GPU, as much as the first of 1F1B (Qi et al. 2023, ZB-H1); ZBV: 2 p of half a
      GPU's layers each, once the V is full. Both hold for torch's orders
      (tests/report/test_in_flight.py plays them).
    """
    p, m, v = case.gpus, case.micro_batches, case.chunks_per_gpu
    match case.schedule:
        case "naive":
            return 1
        case "gpipe":
            return m
        case "1f1b":
            return min(m, p - gpu)
        case "interleaved_1f1b":
            a_round = m // max(1, m // p)
            return min(v * m, 2 * (p - gpu - 1) + (v - 1) * a_round + 1)
        case "zero_bubble":
            return min(m, p)
        case "zbv" if fills_v(case):
            return 2 * p
    return None
