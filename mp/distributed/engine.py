"""One case whose GPUs have a process each, from its configuration to a measurement."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import torch

from mp.benchmark import Outputs, try_to_write_trace
from mp.correctness import check_possible
from mp.distributed.correctness import check_equals_unsplit
from mp.distributed.instruments import Step
from mp.distributed.layer_times import measure_layers
from mp.distributed.measure import measure
from mp.distributed.p2p import measure_links
from mp.distributed.pipeline import PipelineStep
from mp.distributed.stages import Stages, make_stages
from mp.distributed.tensor import TensorParallelStep
from mp.distributed.transfers import observe_collectives, observe_sends
from mp.distributed.watchdog import RankFailure
from mp.distributed.world import World, join
from mp.failure import outcome_of
from mp.hardware.devices import Devices
from mp.hardware.environment import States, describe_environment
from mp.hardware.gemm import measure_gemm
from mp.hardware.memory import measure_scratch, release_cache
from mp.hardware.precision import set_precision
from mp.hardware.proof import prove_gpus
from mp.measure import Report
from study.case import Case
from study.results.ceilings import Ceilings, GemmRate
from study.results.environment import Environment, RankPlace
from study.results.result import Job, Placement, Transfers
from study.storage.progress import Progress


@dataclass(frozen=True)
class _Kind:
    """What a pipeline and tensor parallelism do each in their own way."""

    placement: Placement
    borders: list[tuple[int, int]]
    build: Callable[[Case], Step]
    observe: Callable[[Any], Transfers]


def run_in_processes(
    case: Case,
    job: Job,
    policy: str,
    report: Report,
    keep: Callable[[Outputs], None],
    give_up: Callable[[RankFailure], None],
    trace: Path | None = None,
) -> None:
    """Run the case as one of its ranks, handing what is known to `keep` after every phase.

    `give_up` is called on the first rank, in a thread, when another rank is lost; then the process
    ends. Raises whatever ends the case on this rank, once the others know.
    """
    world = join(case.gpus, policy, give_up, partial(prove_gpus, job, policy))
    try:
        _run(case, world, report, keep, trace)
    except Exception as error:
        world.fail(error, outcome_of(error))
        raise
    world.leave()


def _run(
    case: Case, world: World, report: Report, keep: Callable[[Outputs], None], trace: Path | None
) -> None:
    outputs = Outputs(world.emulated, environment=_environment(world, {}, {}))
    keep(outputs)
    check_possible(case, world.devices)
    kind = _tensor(world, case) if case.schedule == "tensor" else _pipeline(world, case, report)
    outputs = replace(outputs, placement=kind.placement)
    keep(outputs)
    report(Progress(phase="check copies"))
    copies = measure_links(case, world, kind.borders)
    release_cache()
    report(Progress(phase="check against the unsplit model"))
    check_equals_unsplit(case, world, kind.build)
    set_precision(case)
    report(Progress(phase="matrix products"))
    (rate,) = measure_gemm(case, world.devices)
    outputs = replace(outputs, ceilings=Ceilings(gemm=world.gather(rate, GemmRate), copies=copies))
    keep(outputs)
    scratch = measure_scratch(case, world.devices)[world.device]

    report(Progress(phase="build"))
    step = kind.build(case)
    report(Progress(phase="observe transfers"))
    outputs = replace(outputs, transfers=kind.observe(step))
    keep(outputs)
    first_loss = next(loss for loss in world.gather(step.loss, float | None) if loss is not None)
    layers = kind.placement.layers_per_gpu
    done = measure(case, step, world, layers, first_loss, scratch, report)
    environment = _environment(world, done.before, done.after)
    keep(replace(outputs, measurement=done.measurement, environment=environment))
    if trace is not None and done.timelines and world.rank == 0:
        names = [f"{place.device} of {place.host}" for place in environment.ranks]
        try_to_write_trace(trace, done.timelines, case, names, world.emulated)


def _pipeline(world: World, case: Case, report: Report) -> _Kind:
    stages = _make_stages(world, case, report)
    return _Kind(
        placement=stages.placement(),
        borders=stages.borders(),
        build=lambda case: PipelineStep(case, stages, world),
        observe=lambda step: observe_sends(step, world),
    )


def _make_stages(world: World, case: Case, report: Report) -> Stages:
    if case.balance == "layers":
        return make_stages(case)
    report(Progress(phase="time the layers"))
    return make_stages(case, measure_layers(case, world))


def _tensor(world: World, case: Case) -> _Kind:
    return _Kind(
        placement=Placement(gpu_of_layer=[], layers_per_gpu=[case.depth] * case.gpus),
        borders=[],
        build=lambda case: TensorParallelStep(case, world),
        observe=lambda step: observe_collectives(step, world),
    )


def _environment(world: World, before: States, after: States) -> Environment:
    """The first rank's environment, with the GPUs and places of all."""
    mine = describe_environment(world.devices, before, after)
    every = world.gather((mine, world.place()), tuple[Environment, RankPlace])
    nearby = [p.device for _, p in every if p.host == every[0][1].host and not world.emulated]
    near = describe_environment(Devices([], [torch.device(d) for d in nearby]), {}, {})
    return msgspec.structs.replace(
        every[0][0],
        gpus=[gpu for environment, _ in every for gpu in environment.gpus],
        topology=near.topology,
        ranks=tuple(place for _, place in every),
    )
