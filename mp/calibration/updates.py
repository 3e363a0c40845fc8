"""Seconds of what a step does with all parameters of a GPU: the optimizer, gradient scaling."""

import torch
from torch import nn

from mp.calibration.rounds import Slots
from mp.calibration.setting import Setting
from mp.calibration.stopwatch import Action, Seconds, is_gpu, time_sustained, time_unthrottled
from mp.hardware.memory import release_cache
from mp.hardware.precision import converted
from mp.workload import make_optimizer
from study.results.calibration.layers import PaceName, UpdateTime
from study.results.calibration.timing import timed

COPIES = 5  # of a parameter: itself, its gradient, two of Adam, and one that comes and goes
OF_MEMORY = 0.7  # that is free
ON_A_CPU = 2**30  # bytes


def measure_updates(setting: Setting, seconds: float) -> list[UpdateTime]:
    """Return the times for the fewest and the most layers of a GPU; for fewer if they do not fit.

    Args:
        setting: of the calibration.
        seconds: for all of them.
    """
    slots, found = Slots(seconds, len(setting.wanted.layers)), list[UpdateTime]()
    for asked in setting.wanted.layers:
        slot_s = slots.next()
        count = min(asked, _fitting(setting))
        if count < asked:
            setting.left_out.append(f"The optimizer is measured with {count} layers, not {asked}.")
        if setting.deadline.is_over():
            setting.left_out.append(f"No time was left for the optimizer with {asked} layers.")
        elif count:
            found += _measure(setting, count, slot_s)
            release_cache()
    return found


def _fitting(setting: Setting) -> int:
    """Return how many layers of the usual kind fit with all that the optimizer has."""
    size = max(1, setting.kinds[setting.usual].entry.parameter_bytes)
    on_gpu = is_gpu(setting.device)
    free = torch.cuda.mem_get_info(setting.device)[0] if on_gpu else ON_A_CPU
    return int(OF_MEMORY * free / (COPIES * size))


def _measure(setting: Setting, count: int, seconds: float) -> list[UpdateTime]:
    parameters = _parameters(setting, count)
    if not parameters:
        return []
    optimizer = make_optimizer(setting.case, parameters)
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    actions: list[Action] = [
        ("optimizer", optimizer.step),
        ("scaling", lambda: torch._foreach_div_(gradients, 1)),  # by 1, so that nothing vanishes
    ]
    found: dict[PaceName, Seconds] = {}
    found["unthrottled"], host = time_unthrottled(actions, setting.device, seconds / 2)
    if is_gpu(setting.device):
        found["host"] = host
        if (loaded := time_sustained(actions, setting.device, seconds / 2)) is not None:
            found["sustained"] = loaded
    return [
        timed(
            UpdateTime,
            samples,
            action=action,
            parameters=sum(parameter.numel() for parameter in parameters),
            tensors=len(parameters),
            bytes=sum(parameter.nbytes for parameter in parameters),
            pace=pace,
        )
        for pace, its in found.items()
        for action, samples in its.items()
    ]


def _parameters(setting: Setting, count: int) -> list[nn.Parameter]:
    """Return the trained parameters of some layers of the usual kind, with gradients."""
    number, workload = setting.kinds[setting.usual].number, setting.workload("separate")
    if number is None:
        return []
    found: list[nn.Parameter] = []
    for _ in range(count):
        with torch.device(setting.device):
            layer = converted(workload.layer(number), workload.dtype, setting.device)
        found += [parameter for parameter in layer.parameters() if parameter.requires_grad]
    for parameter in found:
        parameter.grad = torch.randn_like(parameter)
    return found
