"""The step of a case, whatever its schedule."""

from collections.abc import Callable

from predict.costs.calibrated import Calibrated
from predict.steps.data import ddp_step, fsdp_step
from predict.steps.pipeline import pipeline_step
from predict.steps.step import Step
from predict.steps.tensor import tensor_step
from study.case import Case
from study.schedules import SCHEDULES

_STEPS: dict[str, Callable[[Case, Calibrated, int], Step]] = {
    "tensor": tensor_step,
    "ddp": ddp_step,
    "fsdp": fsdp_step,
}


def step_of(case: Case, calibrated: Calibrated, nodes: int = 1) -> Step:
    """Return the predicted step of a case.

    Args:
        case: the configuration.
        calibrated: the times that fit it.
        nodes: that it runs on.

    Raises:
        Unpredictable: it cannot be predicted.
    """
    schedule = SCHEDULES[case.schedule]
    if schedule.is_on_all_gpus:
        return _STEPS[case.schedule](case, calibrated, nodes)
    return pipeline_step(case, calibrated, nodes)
