"""Memory that a case takes at least: parameters, their gradients, and the optimizer's state."""

from predict.memory.parts import ELEMENT_BYTES, OPTIMIZER_STATES
from predict.memory.places import gpu_of_layer, stage_of_layer
from study.case import Case
from study.results.layers import ModelProfile
from study.results.sizes import parameter_bytes, trained_bytes
from study.schedules import SCHEDULES
from study.stages import gpu_of_stage


def least_of(case: Case, model: ModelProfile | None) -> int:
    """Return the bytes that the fullest GPU holds at least at the end of a step.

    Args:
        case: the configuration.
        model: its layers; None for the linear stack.
    """
    schedule = SCHEDULES[case.schedule]
    everywhere = [0] * case.layers
    if schedule.is_on_all_gpus:
        shares = case.gpus if schedule.holds_shares else 1
        return max(_held(case, model, everywhere).values()) // shares
    if not schedule.is_pipeline:
        return max(_held(case, model, gpu_of_layer(case)).values())
    (stages, is_sure), gpus = stage_of_layer(case, model), gpu_of_stage(case)
    held = _held(case, model, [gpus[stage] for stage in stages]).values()
    return max(held) if is_sure else sum(held) // case.pipeline_gpus  # however a job cuts


def _held(case: Case, model: ModelProfile | None, places: list[int]) -> dict[int, int]:
    """Return the bytes of each GPU."""
    states = OPTIMIZER_STATES[case.optimizer]
    if model is None:
        layer = (case.dim**2 + case.dim) * ELEMENT_BYTES[case.dtype] * (2 + states)
        counts = dict[int, int]()
        for gpu in places:
            counts[gpu] = counts.get(gpu, 0) + layer
        return counts
    layers: dict[int, list[int]] = {}
    for number, gpu in enumerate(places):
        layers.setdefault(gpu, []).append(number)
    return {
        gpu: parameter_bytes(model, its) + (1 + states) * trained_bytes(model, its)
        for gpu, its in layers.items()
    }
