"""The weight gradients of a case that does not choose them: what was measured to be never slower.

`fused` was faster than `separate` under ZB1P and ZBV and, as one CUDA graph, under every pipeline,
and slower under the others where launching bounds an eager step (benchmarks/README.md).
"""

from typing import Any

from study.case import Case
from study.models import KINDS
from study.schedules import IN_TWO_PARTS, PIPELINES


def default_gradients(kind: str, schedule: Any, execution: Any) -> str:
    """Return `fused` or `separate`; values that nobody has checked yet are `separate`.

    Models whose weights may lie in other layers than nn.Linear keep `separate`: under zero bubble
    `fused` puts off the gradients of linear layers alone.

    Args:
        kind: of the model.
        schedule: its name.
        execution: eager or cuda_graph.
    """
    is_faster = schedule in IN_TWO_PARTS or (schedule in PIPELINES and execution == "cuda_graph")
    return "fused" if is_faster and KINDS[kind].in_linear_layers else "separate"


def gradients_under(case: Case, schedule: str) -> str:
    """Return those of the same case under another schedule: as it chose, or that one's default."""
    is_chosen = case.gradients != default_gradients(case.kind, case.schedule, case.execution)
    if is_chosen and schedule in PIPELINES:
        return case.gradients
    return default_gradients(case.kind, schedule, case.execution)
