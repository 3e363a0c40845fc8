"""Steps of the peers of benchmarks/peers.py, and their times."""

from argparse import Namespace
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.distributed.pipelining import Schedule1F1B, SplitPoint, pipeline

from mp.distributed.engine import DistributedEngine
from mp.distributed.world import World, join
from mp.families.registry import workload_of
from mp.hardware.devices import Devices, choose_devices
from mp.placement import layer_map
from mp.timing.timer import time_step
from mp.workload import make_optimizer
from study.case import Case
from study.validation import make_case

WARM_UP = 3
Step = Callable[[], float | None]
Say = Callable[[list[float], float | None], None]


def case_of(arguments: Namespace, schedule: str) -> Case:
    """Return the case of the GPT under this schedule."""
    keys = ("gpus", "batch_size", "micro_batches", "depth", "dim", "heads", "seq_len", "vocab",
            "preset", "dtype", "optimizer")  # fmt: skip
    given = {key: value for key in keys if (value := getattr(arguments, key)) is not None}
    return make_case(given | {"kind": "gpt", "schedule": schedule}, "peers")


def time_together(arguments: Namespace, say: Say) -> None:
    """Time a peer that has a process for each GPU, as one of these; the first rank says what."""
    world = join(arguments.gpus, arguments.device, print)
    case = case_of(arguments, arguments.peer.split()[-1])
    step = step_of(arguments.peer, case, world)
    times, loss = time_steps(step, arguments.steps, lambda run: time_of_all(run, world))
    losses = world.all_gather(loss, float | None)
    if world.rank == 0:
        say(times, next((each for each in losses if each is not None), None))
    world.shutdown()


def time_alone(arguments: Namespace) -> tuple[list[float], float | None]:
    """Time torchgpipe, which holds all GPUs in one process."""
    devices = choose_devices(arguments.gpus, arguments.device)
    step, loss = torchgpipe_step(case_of(arguments, "gpipe"), devices)
    times, _ = time_steps(step, arguments.steps, lambda run: time_step(run, devices))
    return times, loss


def time_of_all(run: Callable[[], object], world: World) -> float:
    """Return the seconds of a step of the slowest rank."""
    return world.all_reduce_max(time_step(run, world.devices))


def time_steps(
    step: Step, count: int, time_of: Callable[[Callable[[], object]], float]
) -> tuple[list[float], float | None]:
    """Return the times of steps after warm-up in seconds, and the loss of the very first step.

    Args:
        step: returns its loss, if this process has it.
        count: how many are timed.
        time_of: times one.
    """
    loss = step()
    times = [time_of(step) for _ in range(WARM_UP + count)]
    return times[WARM_UP:], loss


def step_of(peer: str, case: Case, world: World) -> Step:
    """Return the step of a peer that has a process for each GPU.

    Args:
        peer: its name in the table.
        case: of the GPT.
        world: the ranks, which have met.
    """
    if peer.startswith("ours"):
        return our_step(case, world)
    if peer.startswith("deepspeed"):
        from benchmarks.deepspeed_step import deepspeed_step

        return deepspeed_step(case, world, starts(case), "master" in peer)
    return traced_step(case, world)


def our_step(case: Case, world: World) -> Step:
    """Return the step that a job of the case times."""
    engine = DistributedEngine(case, world)
    engine.place(lambda progress: None)
    step = engine.build(case)
    first = [True]

    def run() -> float | None:
        step()
        return step.loss if first and first.pop() else None  # reading it waits for the GPU

    return run


def traced_step(case: Case, world: World) -> Step:
    """Return a step of torch's tracer, which cuts the whole model itself, at our borders."""
    workload = workload_of(case)
    drawn = (layer.cpu() for layer in workload.draw_model(world.device))
    model = nn.Sequential(*drawn).to(workload.dtype)
    x, target = workload.draw_batch(case.batch_size, world.device)
    cuts = {str(layer): SplitPoint.BEGINNING for layer in starts(case)[1:]}
    pipe = pipeline(
        model, mb_args=(x[: case.batch_size // case.micro_batches].cpu(),), split_spec=cuts
    )
    stage = pipe.build_stage(world.rank, world.device)
    schedule = Schedule1F1B(stage, case.micro_batches, loss_fn=workload.loss)
    optimizer = make_optimizer(case, stage.submod.parameters())
    is_last = world.rank == case.gpus - 1
    first = [True]

    def run() -> float | None:
        optimizer.zero_grad(set_to_none=True)
        losses: list[torch.Tensor] = []
        ends: dict[str, Any] = {"target": target, "losses": losses} if is_last else {}
        schedule.step(*(() if world.rank else (x,)), **ends)
        optimizer.step()
        return torch.stack(losses).mean().item() if first and first.pop() and is_last else None

    return run


def starts(case: Case) -> list[int]:
    """Return the first layer of each GPU."""
    places = layer_map(case.layers, case.gpus, "even")
    return [places.index(gpu) for gpu in range(case.gpus)]


def torchgpipe_step(case: Case, devices: Devices) -> tuple[Step, float]:
    """Return a step of torchgpipe, and the loss before the first one."""
    from torchgpipe import GPipe

    workload = workload_of(case)
    real = [devices.real_device(gpu) for gpu in range(case.gpus)]
    first = [*starts(case), case.layers]
    balance = [end - start for start, end in pairwise(first)]
    model = GPipe(
        nn.Sequential(*(layer.cpu() for layer in workload.draw_model(real[0]))).to(workload.dtype),
        balance, devices=real, chunks=case.micro_batches, checkpoint="never",
    )  # fmt: skip
    optimizer = make_optimizer(case, model.parameters())
    x, target = workload.draw_batch(case.batch_size, real[0])
    target = target.to(real[-1])

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        loss = workload.loss(model(x), target)
        loss.backward()
        optimizer.step()
        return 0.0

    loss = workload.loss(model(x), target).item()
    return step, loss
