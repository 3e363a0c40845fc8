"""Building the contestants of benchmarks/pipelines.py, on all ranks together."""

from argparse import Namespace
from collections.abc import Callable

import torch

from benchmarks.bare_loops import data_parallel_step, pipeline_step, torchgpipe_step
from benchmarks.contestants import Contestant, first_reason, reason_of
from benchmarks.entries import Entry, case_of
from mp.distributed.engine import DistributedEngine
from mp.distributed.graph.step import DDP_WARMUP_STEPS, WARMUP_STEPS, GraphedStep
from mp.distributed.world import World
from mp.engine import Communicator
from mp.families.registry import workload_of
from mp.hardware.devices import Devices, choose_devices, usable_gpus
from mp.hardware.memory import release_cache
from mp.placement import layer_map
from mp.single.engine import SingleEngine
from study.case import Case
from study.errors import CaseError
from study.schedules import SCHEDULES

LEAST_FREE = 0.08  # of a GPU's memory, below which no further contestant is built


def build_together(entry: Entry, sizes: Namespace, world: World) -> Contestant | str:
    """Build a contestant on all ranks and warm it up.

    Args:
        entry: whom.
        sizes: the options of the benchmark.
        world: all ranks.

    Returns:
        The contestant; or, on all ranks, in one line why it cannot run.
    """
    reason = _reason_against(entry, world)
    if reason is not None:
        return reason
    made = None
    _use_default_stream()
    try:
        made = _build(entry, sizes, world)
        for _ in range(WARMUP_STEPS if entry.micro_batches else DDP_WARMUP_STEPS):
            made.run()
        made.devices.synchronize()
    except Exception as error:
        reason = reason_of(error)
    reason = first_reason(reason, world)
    if made is not None and reason is None:
        return made
    if made is not None and isinstance(made.run, GraphedStep):
        made.run.graph.reset()  # NCCL does not end while a graph has its kernels
    made = None
    release_cache()
    return reason or "unknown"


def _reason_against(entry: Entry, world: World) -> str | None:
    if world.emulated:
        return "there is no CUDA graph on a CPU" if entry.is_graph else None
    free, total = torch.cuda.mem_get_info(world.device)
    if free < LEAST_FREE * total:
        release_cache()
        free, total = torch.cuda.mem_get_info(world.device)
    least = -world.all_reduce_max(-free / total)
    return None if least >= LEAST_FREE else f"only {100 * least:.0f} % of a GPU's memory is free"


def _build(entry: Entry, sizes: Namespace, world: World) -> Contestant:
    case = case_of(entry, sizes)
    if entry.who == "one GPU":
        return _alone(case, world)
    if entry.who == "torchgpipe":
        return _torchgpipe(case, world)
    if entry.who == "torch":
        return Contestant(_torch(case, world), world.devices)
    engine = DistributedEngine(case, world)
    engine.place(lambda progress: None)
    step = engine.build(case)
    return Contestant(engine.prepare(step), world.devices, engine, step)


def _alone(case: Case, world: World) -> Contestant:
    if world.rank:
        return _waiting(world)
    devices = choose_devices(1, "cpu" if world.emulated else "cuda")
    return Contestant(SingleEngine(case, Communicator(devices)).build(case), devices)


def _torch(case: Case, world: World) -> Callable[[], None]:
    workload = workload_of(case)
    x, target = map(workload.cast, workload.draw_batch(case.batch_size, world.device))
    if SCHEDULES[case.schedule].family == "data":
        part = x.chunk(world.size)[world.rank].clone(), target.chunk(world.size)[world.rank].clone()
        return data_parallel_step(case.schedule, case.depth, part, world.size)
    engine = DistributedEngine(case, world)  # for the cut alone
    engine.place(lambda progress: None)
    assert engine.stages is not None
    layers = [len(engine.stages.layers(stage)) for stage in range(engine.stages.count)]
    name = SCHEDULES[case.schedule].torch_class
    assert name is not None
    mine = engine.stages.on(world.rank)
    return pipeline_step(name, case.micro_batches, layers, mine, (x, target))


def _torchgpipe(case: Case, world: World) -> Contestant:
    if world.rank:
        return _waiting(world)
    there = [world.device] * case.gpus if world.emulated else usable_gpus()[: case.gpus]
    if len(there) < case.gpus:
        raise CaseError(f"the first process sees {len(there)} of {case.gpus} GPUs")
    workload = workload_of(case)
    x, target = map(workload.cast, workload.draw_batch(case.batch_size, world.device))
    places = layer_map(case.layers, case.gpus, "even")
    balance = [places.count(gpu) for gpu in range(case.gpus)]
    try:
        step = torchgpipe_step(balance, case.dim, there, case.micro_batches, (x, target))
    except ImportError as error:
        raise CaseError(
            f"not installed ({error}); pip install --no-deps torchgpipe==0.0.7"
        ) from None
    return Contestant(step, Devices(there, list(dict.fromkeys(there))))


def _waiting(world: World) -> Contestant:
    return Contestant(lambda: None, world.devices)


def _use_default_stream() -> None:
    """Leave the stream that the engine of a graph chose."""
    if torch.cuda.is_initialized():
        torch.cuda.set_stream(torch.cuda.default_stream())
