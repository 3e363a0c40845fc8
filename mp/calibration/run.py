"""A calibration from its start to its record: layers on one GPU, what passes between several."""

import gc
import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any

from mp.calibration.between.alternating import measure_alternating
from mp.calibration.between.beside import measure_beside
from mp.calibration.between.collectives import measure_collectives
from mp.calibration.between.messages import measure_messages
from mp.calibration.host.steps import measure_host
from mp.calibration.layers import measure_each_gpu, measure_layers
from mp.calibration.loads import measure_loads
from mp.calibration.memory import measure_memory
from mp.calibration.rounds import Deadline
from mp.calibration.setting import EngineOf, Setting
from mp.calibration.sizes import measure_sizes
from mp.calibration.updates import measure_updates
from mp.engine import Engine, ProgressCallback
from mp.hardware.environment import States, read_states
from mp.hardware.precision import set_precision
from study.results.calibration.record import Calibration
from study.results.environment import Environment
from study.results.layers import MOST_NOTES
from study.storage.progress import Progress


@dataclass(frozen=True)
class CalibratedMachine:
    """A calibration, and the environment in which it holds."""

    calibration: Calibration
    environment: Environment


def calibrate(
    engine: Engine[Any], engine_of: EngineOf, report: ProgressCallback
) -> CalibratedMachine:
    """Measure what the engine's case asks for; every rank does.

    Args:
        engine: of the calibration's case.
        engine_of: makes the engine of another case on the same GPUs.
        report: told of every phase.

    Returns:
        The first rank's, which has what all have seen.

    Raises:
        CaseError: the model cannot be measured layer by layer.
    """
    gc.collect()
    gc.freeze()  # what was imported: to look for garbage between parts takes 0.1 s with it
    try:
        return _calibrate(engine, engine_of, report)
    finally:
        gc.unfreeze()


def _calibrate(
    engine: Engine[Any], engine_of: EngineOf, report: ProgressCallback
) -> CalibratedMachine:
    case, world = engine.case, engine.world
    set_precision(case)
    deadline = Deadline(case.time_limit_s, world)
    setting = Setting(case, world, engine_of, deadline)
    before = read_states(world.devices)
    nodes = 1
    if case.in_processes:
        nodes = world.size // int(os.environ["LOCAL_WORLD_SIZE"])  # of Slurm, maybe on one host
        parts = _between(setting, nodes, report)
    else:
        parts = _alone(setting, report)
    after: States = read_states(world.devices)
    said = world.all_gather(setting.left_out, list[str])  # a part may be missing on one of them
    found = Calibration(
        gpus=case.gpus,
        nodes=nodes,
        measuring_s=deadline.passed_s,
        left_out=tuple(dict.fromkeys(chain.from_iterable(said)))[:MOST_NOTES],
        **{name: tuple(its) for name, its in parts.items()},
    )
    return CalibratedMachine(found, engine.describe_environment(before, after))


def _alone(setting: Setting, report: ProgressCallback) -> dict[str, list[Any]]:
    """Measure one GPU: each part gets a share of the time that is left."""

    def part(phase: str, share: float, measure: Callable[[Setting, float], list[Any]]) -> list[Any]:
        report(Progress(phase=phase))
        return measure(setting, setting.deadline.left_s(share))

    found = {
        "kinds": [alike.entry for alike in setting.kinds],
        "sizes": part("calibrate memory", 0.2, measure_sizes),
        "host": part("calibrate the host", 0.1, measure_host),
        "layers": part("calibrate layers", 0.65, measure_layers),
        "updates": part("calibrate updates", 0.35, measure_updates),
    }
    report(Progress(phase="calibrate layers under load"))
    loads = measure_loads(setting, setting.deadline.left_s(1.0))
    return found | {
        "loaded": loads.shares,
        "bursts": loads.bursts,
        "memory": measure_memory(setting, "layers"),
    }


def _between(setting: Setting, nodes: int, report: ProgressCallback) -> dict[str, list[Any]]:
    """Measure several GPUs: each part gets a share of the time that is left."""
    deadline = setting.deadline
    report(Progress(phase="calibrate messages"))
    messages = measure_messages(setting, nodes, deadline.left_s(0.2))
    memory = measure_memory(setting, "messages")
    report(Progress(phase="calibrate the host"))
    host = measure_host(setting, deadline.left_s(0.5))
    report(Progress(phase="calibrate layers on each GPU"))
    each_gpu = measure_each_gpu(setting, deadline.left_s(0.15))
    report(Progress(phase="calibrate layers between all-reduces"))
    alternating = measure_alternating(setting, messages, deadline.left_s(0.1))
    report(Progress(phase="calibrate layers beside transfers"))
    beside = measure_beside(setting, messages, deadline.left_s(0.6))
    report(Progress(phase="calibrate collectives"))
    collectives = measure_collectives(setting, nodes, deadline.left_s(1.0))
    return {
        "kinds": [alike.entry for alike in setting.kinds],
        "messages": messages,
        "host": host,
        "each_gpu": each_gpu,
        "alternating": alternating,
        "beside": beside.layers,
        "transfers": beside.transfers,
        "collectives": collectives,
        "memory": [*memory, *measure_memory(setting, "collectives")],
    }
