"""Weight gradients by autograd against those added inside their matrix product.

    python benchmarks/fused.py --gpus 2 --depth 8 --dim 1024 --batch-size 2048 --micro-batches 8

A process for each GPU; on a CPU each has cores of its own. `--kind gpt` trains blocks of `--dim`, 8
heads, 256 tokens and 8192 words. Steps of both kinds take turns in one run; then instrumented
steps of each show what its actions take. Markdown on stdout.
"""

import argparse
import sys
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.sizes import parser_of
from mp.launcher.failure_files import is_rank
from mp.launcher.launcher import start_ranks

if TYPE_CHECKING:
    from mp.distributed.engine import DistributedEngine
    from mp.distributed.graph.step import RankStep

WAYS = ("separate", "fused")
GPT = {"kind": "gpt", "heads": 8, "seq_len": 256, "vocab": 8192}
INSTRUMENTED = 5


def main() -> int:
    """Start the ranks, or be one of them."""
    sizes = {"gpus": 2, "depth": 8, "dim": 1024, "batch_size": 2048, "micro_batches": 8}
    parser = parser_of(__doc__, **sizes, steps=20)
    parser.add_argument("--kind", choices=("linear", "gpt"), default="linear")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--schedules", nargs="*", default=["zero_bubble"])
    arguments = parser.parse_args()
    if not is_rank():
        return start_ranks(arguments.gpus)
    measure(arguments)
    return 0


def measure(arguments: argparse.Namespace) -> None:
    """Take turns, and let the first rank show what came out."""
    from mp.distributed.engine import DistributedEngine
    from mp.distributed.world import join
    from mp.timing.timer import time_step
    from study.validation import make_case

    world = join(arguments.gpus, arguments.device, print)
    keys = {key: getattr(arguments, key) for key in ("gpus", "depth", "dim", "dtype")}
    keys |= {"batch_size": arguments.batch_size, "micro_batches": arguments.micro_batches}
    keys |= GPT if arguments.kind == "gpt" else {}
    if world.rank == 0:
        print("| schedule | separate (ms) | fused (ms) | separate / fused: pair by pair (quartiles)"
              " | input, weight gradients separate (ms) | fused (ms) |")  # fmt: skip
        print("|---|---|---|---|---|---|", flush=True)
    for schedule in arguments.schedules:
        cases = {
            w: make_case({**keys, "schedule": schedule, "gradients": w}, "fused") for w in WAYS
        }
        engines = {way: DistributedEngine(case, world) for way, case in cases.items()}
        steps = {way: engine.build(cases[way]) for way, engine in engines.items()}
        times: dict[str, list[float]] = {way: [] for way in WAYS}
        for number in range(arguments.steps + 3):
            for way, step in steps.items():
                took = world.all_reduce_max(time_step(step, world.devices))
                if number >= 3:
                    times[way].append(took)
        spans = [backward_of(engines[way], steps[way]) for way in WAYS]
        if world.rank == 0:
            show(schedule, times, spans)
    world.shutdown()


def backward_of(engine: "DistributedEngine", step: "RankStep") -> tuple[float, float]:
    """Return the median seconds of an action of input gradients and of one of weights'.

    Without the first stage, which puts both into one under separate gradients; 0 where the schedule
    has no such actions.
    """
    found: dict[str, list[float]] = {"input_gradient": [0.0], "weight_gradient": [0.0]}
    for _ in range(INSTRUMENTED):
        for span in engine.record_timeline(step).spans:
            if span.kind in found and span.stage:
                found[span.kind].append(span.end_s - span.start_s)
    first, second = (median(times[1:] or times) for times in found.values())
    return first, second


def show(schedule: str, times: dict[str, list[float]], spans: list[tuple[float, float]]) -> None:
    """Print a row.

    Args:
        schedule: its name.
        times: seconds of the steps of each way, in turns.
        spans: seconds of actions, of each way.
    """
    paired = [a / b for a, b in zip(times["separate"], times["fused"], strict=True)]
    low, middle, high = quantiles(paired, n=4)
    steps = [f"{1e3 * median(times[way]):.1f}" for way in WAYS]
    actions = [f"{1e3 * first:.1f}, {1e3 * second:.1f}" for first, second in spans]
    ratio = f"{middle:.3f} ({low:.3f} – {high:.3f})"
    print("|", " | ".join([schedule, *steps, ratio, *actions]), "|", flush=True)


if __name__ == "__main__":
    sys.exit(main())
