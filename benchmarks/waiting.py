r"""Causes of what pipelines wait for beyond formula and imbalance, one left out at a time.

    python benchmarks/waiting.py --gpus 4 --within 240
    python benchmarks/waiting.py --gpus 2 --device cpu --depth 4 --dim 32 --batch-size 16 \
        --micro-batches 4 --dtype float32 --within 20

First the matrix products of a layer, alone and beside a message of NCCL on the same GPU. Then each
schedule's step as it is, as one CUDA graph, with a communicator for each kind of message, with
receives posted earlier and later, with 1/16 of the bytes, and without messages; all in turns, a
plain step and an instrumented one each. Markdown on stdout. Where bytes are left out, a step trains
wrong numbers. A run that hangs says where, and ends; `--leave-out "at the start"` leaves a way out.
Each communicator has a stream, so GPUs get 32 queues (CUDA_DEVICE_MAX_CONNECTIONS) for all ways.
"""

import argparse
import faulthandler
import os
import sys
from pathlib import Path
from time import monotonic, perf_counter
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mp.launcher.failure_files import is_rank
from mp.launcher.launcher import start_ranks
from study.errors import ConfigError
from study.validation import make_case

if TYPE_CHECKING:
    from mp.distributed.world import World
    from study.case import Case

BEGAN_S = monotonic()
SCHEDULES = ("1f1b", "interleaved_1f1b", "zero_bubble", "zbv")
FOR_PRODUCTS = 0.1  # of the time
LAST_S = 20.0  # for the end of a run
HANGS_S = 100.0  # until the first schedule
# Streams that share a queue of the GPU wait for one another; each communicator has a stream.
os.environ.setdefault("CUDA_DEVICE_MAX_CONNECTIONS", "32")


def main() -> int:
    """Start the ranks, or be one of them."""
    arguments = parse_arguments()
    try:
        cases = make_cases(arguments)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not is_rank():
        return start_ranks(arguments.gpus)
    measure(arguments, cases)
    return 0


def make_cases(arguments: argparse.Namespace) -> "list[Case]":
    """Return the case of each schedule.

    Raises:
        ConfigError: these sizes do not fit one.
    """
    keys = ("gpus", "depth", "dim", "batch_size", "dtype", "micro_batches", "gradients")
    given = {key: getattr(arguments, key) for key in keys}
    return [make_case(given | {"schedule": name}, "waiting.py") for name in arguments.schedules]


def parse_arguments() -> argparse.Namespace:
    """Return the options: sizes of the pipeline, and how long."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for key, value in (("gpus", 4), ("depth", 24), ("dim", 5120), ("batch-size", 16384)):
        parser.add_argument(f"--{key}", type=int, default=value)
    parser.add_argument("--micro-batches", type=int, default=8)
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--gradients", choices=("separate", "fused"), default="separate")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--schedules", nargs="+", default=list(SCHEDULES))
    parser.add_argument("--leave-out", nargs="+", default=[], metavar="WORD",
                        help="ways whose names have one of these words")  # fmt: skip
    parser.add_argument("--within", type=float, default=240.0, metavar="SECONDS",
                        help="begin no round later than this; default 240")  # fmt: skip
    return parser.parse_args()


def measure(arguments: argparse.Namespace, cases: "list[Case]") -> None:
    """Measure the products, then one schedule after another; the first rank shows them."""
    import torch

    from benchmarks.waits.rounds import measure_schedule
    from benchmarks.waits.table import HEAD, lines_of, sentence
    from benchmarks.waits.ways import EAGER, WAYS, make_channels
    from mp.distributed.world import join
    from mp.hardware.memory import release_cache
    from mp.hardware.precision import set_precision

    faulthandler.dump_traceback_later(HANGS_S, exit=True)
    world = join(arguments.gpus, arguments.device, print)
    left = [way for way in WAYS if not any(word in way.name for word in arguments.leave_out)]
    ways = [EAGER, *(way for way in left if way is not EAGER)]
    channels = make_channels(world) if any(way.apart for way in ways) else {}
    set_precision(cases[0])
    if not world.emulated:  # torch's default stream can be in no graph
        torch.cuda.set_stream(torch.cuda.Stream(world.device))
    end_s = BEGAN_S + arguments.within - LAST_S
    show_products(cases[0], world, arguments.within)
    say(world, HEAD)
    sentences = []
    for number, case in enumerate(cases):
        share_s = max(0.0, end_s - monotonic()) / (len(cases) - number)
        rows = measure_schedule(case, world, channels, ways, monotonic() + share_s)
        for line in lines_of(case.schedule, rows):
            say(world, line)
        release_cache()
        sentences.append(sentence(case.schedule, rows))
        if world.rank == 0:
            print(sentences[-1], file=sys.stderr, flush=True)
    say(world, "\n" + "\n\n".join(sentences))
    faulthandler.cancel_dump_traceback_later()
    world.shutdown()


def show_products(case: "Case", world: "World", within_s: float) -> None:
    """Time the products of a layer, and show what they take beside messages.

    Args:
        case: whose sizes they have.
        world: all ranks.
        within_s: of the whole run; this takes a tenth.
    """
    import torch

    from benchmarks.waits.products import ALONE, LAYERS, Products

    products = Products(case, world)
    found = products.measure(perf_counter() + FOR_PRODUCTS * within_s, least=6)
    where = "emulated: processes on a CPU, over Gloo" if world.emulated else "NCCL"
    if not world.emulated:
        where = f"{torch.cuda.get_device_name(world.device)}, {where}"
    say(world, f"torch {torch.__version__}, {world.size} x {world.device.type} ({where})\n")
    say(world, f"The three products of {LAYERS} layers on one micro-batch:\n")
    say(world, "| | ms (95 % CI) | beside alone |\n|---|---|---|")
    for kind, took in found.items():
        beside = f"{took.value / found[ALONE].value:.3f}"
        say(world, f"| {kind} | {took.words(lambda s: f'{1e3 * s:.2f}')} | {beside} |")
    say(world, "")


def say(world: "World", text: str) -> None:
    """Print on the first rank."""
    if world.rank == 0:
        print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
