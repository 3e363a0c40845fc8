"""torchgpipe 0.0.7, GPipe within one process: what it gains on a CPU over itself unpipelined.

    pip install --no-deps torchgpipe==0.0.7
    taskset -c 0-1 python benchmarks/torchgpipe_gain.py

Layers, loss and optimizer are those of benchmarks/pipelines.py, and torch has one thread. One
micro-batch and several take turns, step by step. Markdown on stdout.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.bare_loops import torchgpipe_step
from benchmarks.sizes import parser_of
from mp.hardware.devices import choose_devices
from mp.placement import layer_map
from mp.timing.timer import time_step


def main() -> None:
    """Print a row for each number of micro-batches."""
    parser = parser_of(
        __doc__, stages=2, depth=8, dim=1024, batch_size=2048, micro_batches=8, steps=15
    )
    sizes = parser.parse_args()
    torch.set_num_threads(1)
    devices = choose_devices(1, "cpu")
    steps = {chunks: make_step(sizes, chunks) for chunks in (1, sizes.micro_batches)}
    times: dict[int, list[float]] = {chunks: [] for chunks in steps}
    for number in range(sizes.steps + 3):
        for chunks, step in steps.items():
            took = time_step(step, devices)
            if number >= 3:
                times[chunks].append(took)
    print("| micro-batches | step (ms) | times unpipelined: medians, pair by pair |\n|---|---|---|")
    for chunks, found in times.items():
        paired = median([a / b for a, b in zip(times[1], found, strict=True)])
        ratio = median(times[1]) / median(found)
        print(f"| {chunks} | {1e3 * median(found):.1f} | {ratio:.2f}, {paired:.2f} |")


def make_step(sizes: argparse.Namespace, chunks: int) -> Callable[[], None]:
    """Return a training step of layers like ours."""
    places = layer_map(sizes.depth, sizes.stages, "even")
    balance = [places.count(stage) for stage in range(sizes.stages)]
    x, target = torch.randn(2, sizes.batch_size, sizes.dim)
    devices = [torch.device("cpu")] * sizes.stages
    return torchgpipe_step(balance, sizes.dim, devices, chunks, (x, target))


if __name__ == "__main__":
    main()
