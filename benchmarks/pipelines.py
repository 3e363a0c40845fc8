"""Pipelines against the naive split and against a bare loop of torch.distributed.pipelining.

    python benchmarks/pipelines.py --gpus 2 --depth 8 --dim 1024 --batch-size 2048 --micro-batches 8

A process for each GPU; on a CPU each has cores of its own. The naive split is a pipeline of a
single micro-batch on the same processes. All take turns, step by step, in one run. Markdown on
stdout.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mp.launcher.failure_files import is_rank
from mp.launcher.launcher import start_ranks

if TYPE_CHECKING:
    from mp.distributed.pipeline import PipelineStep
    from mp.distributed.world import World


def main() -> int:
    """Start the ranks, or be one of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    for key, value in (("gpus", 2), ("depth", 8), ("dim", 1024), ("batch-size", 2048)):
        parser.add_argument(f"--{key}", type=int, default=value)
    parser.add_argument("--micro-batches", type=int, default=8)
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--balance", default="layers")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--schedules", nargs="*", help="default: all that these sizes allow")
    arguments = parser.parse_args()
    if not is_rank():
        return start_ranks(arguments.gpus)
    measure(arguments)
    return 0


def measure(arguments: argparse.Namespace) -> None:
    """Take turns, and let the first rank show what came out."""
    from statistics import median

    import torch

    from mp.distributed.engine import DistributedEngine
    from mp.distributed.pipeline import PipelineStep
    from mp.distributed.world import join
    from mp.measure import record_timelines
    from mp.timing.timeline import break_down
    from mp.timing.timer import time_step
    from study.errors import ConfigError
    from study.schedules import PIPELINES
    from study.validation import make_case

    world = join(arguments.gpus, arguments.device, print)
    keys = {key: getattr(arguments, key) for key in ("gpus", "depth", "dim", "batch_size", "dtype")}
    cases = {"naive": make_case(keys | {"schedule": "gpipe"}, "naive")}
    for schedule in arguments.schedules or PIPELINES:
        pipelined = {"micro_batches": arguments.micro_batches, "balance": arguments.balance}
        try:
            cases[schedule] = make_case(keys | pipelined | {"schedule": schedule}, schedule)
        except ConfigError as error:
            if world.rank == 0:
                print(f"left out: {error}", file=sys.stderr)
    engines = {name: DistributedEngine(case, world) for name, case in cases.items()}
    ours: dict[str, PipelineStep] = {}
    for name, engine in engines.items():
        engine.place(lambda progress: None)
        step = engine.build(engine.case)
        assert isinstance(step, PipelineStep)
        ours[name] = step
    first = next(name for name in cases if name != "naive")
    steps: dict[str, Callable[[], None]] = {**ours, "bare": bare_loop(ours[first], world)}
    times: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(arguments.steps + 3):
        for name, run in steps.items():
            took = world.all_reduce_max(time_step(run, world.devices))
            if number >= 3:
                times[name].append(took)
    if world.rank == 0:
        print(f"{torch.__version__}, {torch.get_num_threads()} threads a rank, {world.device}\n")
        print(
            "| | step (ms) | times naive | pair by pair | bubble | smallest and largest of a GPU |"
        )
        print("|---|---|---|---|---|---|")
    naive = times["naive"]
    for name in steps:
        share = "| "
        if name in ours:
            found = break_down(record_timelines(engines[name], ours[name], 5.0), "host")
            waits = [
                (sum(gpu.idle_s) + sum(gpu.transfer_in_s)) / sum(found.step_times_s)
                for gpu in found.per_gpu
            ]
            mean = sum(waits) / len(waits)
            share = f"{100 * mean:.1f} % | {100 * min(waits):.1f} to {100 * max(waits):.1f} %"
        if world.rank == 0:
            paired = median([n / t for n, t in zip(naive, times[name], strict=True)])
            ratio = median(naive) / median(times[name])
            row = f"{1e3 * median(times[name]):.1f} | {ratio:.2f} | {paired:.2f} | {share}"
            print(f"| {name if name != 'bare' else f'bare loop of {first}'} | {row} |", flush=True)
    if world.rank == 0:
        pairs = zip(times[first], times["bare"], strict=True)
        paired = median([mine / bare for mine, bare in pairs])
        medians = median(times[first]) / median(times["bare"])
        print(f"\nours / bare, {first}: pair by pair {paired:.4f}, medians {medians:.4f}")
    world.shutdown()


def bare_loop(ours: "PipelineStep", world: "World") -> Callable[[], None]:
    """Return a step of the same stages with torch's own classes and nothing of ours around them."""
    import torch
    from torch import nn
    from torch.distributed.pipelining import PipelineStage
    from torch.distributed.pipelining.schedules import PipelineScheduleSingle

    case = ours.case
    stages = [
        PipelineStage(part.submod, part.stage_index, part.num_stages, world.device)
        for part in ours.parts
    ]
    made: Any = type(ours.schedule)
    single = issubclass(made, PipelineScheduleSingle)
    schedule = made(
        stages[0] if single else stages, case.micro_batches, loss_fn=nn.functional.mse_loss
    )
    optimizer = torch.optim.SGD(ours.parameters(), lr=0.01)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        data = () if ours.x is None else (ours.x,)
        ends = {} if ours.target is None else {"target": ours.target, "losses": []}
        schedule.step(*data, **ends, **ours.options)
        optimizer.step()

    return step


if __name__ == "__main__":
    sys.exit(main())
