"""One GPT on our pipelines, on torchgpipe, torch's tracer and DeepSpeed, in turns.

    pip install torchgpipe==0.0.7 --no-deps
    DS_BUILD_OPS=0 pip install deepspeed==0.19.8
    python benchmarks/peers.py --gpus 2 --preset gpt2-medium --batch-size 16 --micro-batches 8

Every round starts each of them anew, with the same layers, cut, batch, loss, optimizer and dtype.
`ours` are 1F1B and GPipe as a job runs them; torchgpipe is GPipe in one process; the tracer is
torch.distributed.pipelining.pipeline with the whole model, under 1F1B; `deepspeed` is its pipeline
engine with weights and Adam's state in the dtype, as ours, and `deepspeed master` is the same with
float32 master weights, which costs more work than ours. Markdown on stdout: medians of the rounds,
and each peer over ours with a 95 % interval over rounds. A peer that fails has its reason below
the table and is not tried again.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mp.launcher.failure_files import is_rank
from mp.launcher.launcher import start_ranks
from study.validation import make_case

if TYPE_CHECKING:
    from mp.distributed.world import World
    from study.case import Case

RIVAL = {
    "torch's tracer 1f1b": "ours 1f1b",
    "deepspeed 1f1b": "ours 1f1b",
    "deepspeed master 1f1b": "ours 1f1b",
    "torchgpipe": "ours gpipe",
}
PEERS = ("ours 1f1b", *list(RIVAL)[:3], "ours gpipe", "torchgpipe")
WARM_UP = 3
SAYS = "peer: "  # begins the one line that is not a library's
LONGEST = 300  # characters of a reason
LONGEST_S = 180.0  # of one peer in one round
Step = Callable[[], float | None]


def main() -> int:
    """Run all peers in turns, or be one of them."""
    arguments = parse_arguments()
    if arguments.peer is None:
        return show(arguments)
    if arguments.peer != "torchgpipe" and not is_rank():
        return start_ranks(arguments.gpus)
    try:
        if arguments.peer == "torchgpipe":
            say(*time_alone(arguments))
        else:
            time_together(arguments)
    except Exception as error:
        say_why(f"{type(error).__name__}: {error}")
        raise
    return 0


def parse_arguments() -> argparse.Namespace:
    """Return the options: sizes of the GPT, and how often."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for key, value in (("gpus", 2), ("batch-size", 16), ("micro-batches", 8)):
        parser.add_argument(f"--{key}", type=int, default=value)
    for key in ("depth", "dim", "heads", "seq-len", "vocab"):
        parser.add_argument(f"--{key}", type=int, help="default: the preset's")
    parser.add_argument("--preset", default="gpt2-medium")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--optimizer", default="adam")
    parser.add_argument("--steps", type=int, default=20, help="timed in every round; default 20")
    parser.add_argument("--rounds", type=int, default=3, help="default 3")
    parser.add_argument("--within", type=float, default=1800.0, metavar="SECONDS",
                        help="start no peer later than this; default 1800")  # fmt: skip
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    return parser.parse_args()


def show(arguments: argparse.Namespace) -> int:
    """Print a row for each peer; return 1 if none could run."""
    rounds: dict[str, list[list[float]]] = {}
    losses: dict[str, float | None] = {}
    reasons: dict[str, str] = {}
    if arguments.dtype != "bfloat16":
        reasons["deepspeed master 1f1b"] = "only with --dtype bfloat16"
    end = time.monotonic() + arguments.within
    for _ in range(arguments.rounds):
        for peer in PEERS:
            if peer in reasons or time.monotonic() > end:
                continue
            found = run_peer(peer)
            if isinstance(found, str):
                reasons[peer] = found
                continue
            rounds.setdefault(peer, []).append(found["times"])
            losses[peer] = found["loss"]
    print("| | median step of each round (ms) | first loss | beside ours (95 % CI) |")
    print("|---|---|---|---|")
    for peer, steps in rounds.items():
        each = ", ".join(f"{1e3 * median(times):.1f}" for times in steps)
        print(f"| {peer} | {each} | {losses[peer]:.5g} | {verdict(peer, rounds)} |", flush=True)
    for peer, reason in reasons.items():
        print(f"\n{peer} {'ended' if peer in rounds else 'did not run'}: {reason}", flush=True)
    return int(not rounds)


def verdict(peer: str, rounds: dict[str, list[list[float]]]) -> str:
    """Return the comparison of a peer with ours in words, each round a job."""
    from study.statistics.bootstrap import compare

    ours = rounds.get(RIVAL.get(peer, ""))
    found = compare(ours, rounds[peer]) if ours else None
    return found.words("ours", peer) if found is not None else ""


def run_peer(peer: str) -> dict[str, Any] | str:
    """Return the step times and first loss of one peer, or in one line why it does not run here."""
    command = [sys.executable, __file__, *sys.argv[1:], "--peer", peer]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, check=False, timeout=LONGEST_S
        )
    except subprocess.TimeoutExpired:
        return f"was not done after {LONGEST_S:.0f} s"
    found = said(done.stdout)
    if done.returncode or "times" not in found:
        reason = str(found.get("reason", f"ended with exit code {done.returncode}"))
        print(f"{peer}: {reason}", file=sys.stderr)
        return reason
    return found


def said(stdout: str) -> dict[str, Any]:
    """Return what a peer said, among what its library prints; empty if it said nothing."""
    lines = [line for line in stdout.splitlines() if line.startswith(SAYS)]
    found: dict[str, Any] = json.loads(lines[0].removeprefix(SAYS)) if lines else {}
    return found


def say(times: list[float], loss: float | None) -> None:
    """Print what a peer measured."""
    print(f"\n{SAYS}{json.dumps({'times': times, 'loss': loss})}\n", end="", flush=True)


def say_why(reason: str) -> None:
    """Print why a peer does not run, on one line."""
    line = " ".join(reason.split())[:LONGEST]
    print(f"\n{SAYS}{json.dumps({'reason': line})}\n", end="", flush=True)


def case_of(arguments: argparse.Namespace, schedule: str) -> "Case":
    """Return the case of the GPT under this schedule."""
    keys = ("gpus", "batch_size", "micro_batches", "depth", "dim", "heads", "seq_len", "vocab",
            "preset", "dtype", "optimizer")  # fmt: skip
    given = {key: value for key in keys if (value := getattr(arguments, key)) is not None}
    return make_case(given | {"kind": "gpt", "schedule": schedule}, "peers")


def time_together(arguments: argparse.Namespace) -> None:
    """Time a peer that has a process for each GPU, as one of these."""
    from mp.distributed.world import join

    world = join(arguments.gpus, arguments.device, print)
    case = case_of(arguments, arguments.peer.split()[-1])
    step = step_of(arguments.peer, case, world)
    times, loss = time_steps(step, arguments.steps, lambda run: time_of_all(run, world))
    losses = world.all_gather(loss, float | None)
    if world.rank == 0:
        say(times, next((each for each in losses if each is not None), None))
    world.shutdown()


def step_of(peer: str, case: "Case", world: "World") -> Step:
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


def time_of_all(run: Callable[[], object], world: "World") -> float:
    """Return the seconds of a step of the slowest rank."""
    from mp.timing.timer import time_step

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


def our_step(case: "Case", world: "World") -> Step:
    """Return the step that a job of the case times."""
    from mp.distributed.engine import DistributedEngine

    engine = DistributedEngine(case, world)
    engine.place(lambda progress: None)
    step = engine.build(case)
    first = [True]

    def run() -> float | None:
        step()
        return step.loss if first and first.pop() else None  # reading it waits for the GPU

    return run


def traced_step(case: "Case", world: "World") -> Step:
    """Return a step of torch's tracer, which cuts the whole model itself, at our borders."""
    import torch
    from torch import nn
    from torch.distributed.pipelining import Schedule1F1B, SplitPoint, pipeline

    from mp.families.registry import workload_of
    from mp.workload import make_optimizer

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


def starts(case: "Case") -> list[int]:
    """Return the first layer of each GPU."""
    from mp.placement import layer_map

    places = layer_map(case.layers, case.gpus, "even")
    return [places.index(gpu) for gpu in range(case.gpus)]


def time_alone(arguments: argparse.Namespace) -> tuple[list[float], float | None]:
    """Time torchgpipe, which holds all GPUs in one process."""
    from torch import nn
    from torchgpipe import GPipe

    from mp.families.registry import workload_of
    from mp.hardware.devices import choose_devices
    from mp.timing.timer import time_step
    from mp.workload import make_optimizer

    case = case_of(arguments, "gpipe")
    workload, devices = workload_of(case), choose_devices(case.gpus, arguments.device)
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
    times, _ = time_steps(step, arguments.steps, lambda run: time_step(run, devices))
    return times, loss


if __name__ == "__main__":
    sys.exit(main())
