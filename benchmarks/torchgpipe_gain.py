"""torchgpipe 0.0.7, GPipe within one process: what it gains on a CPU over itself unpipelined.

    pip install --no-deps torchgpipe==0.0.7
    taskset -c 0-1 python benchmarks/torchgpipe_gain.py

Sizes, loss and optimizer are those of benchmarks/pipelines.py, and torch has one thread, as it has
in a rank there. One micro-batch and several take turns, step by step. Markdown on stdout.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torchgpipe import GPipe

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from statistics import median

from mp.hardware.devices import choose_devices
from mp.timing.timer import time_step


def main() -> None:
    """Print a row for each number of micro-batches."""
    parser = argparse.ArgumentParser(description=__doc__)
    for key, value in (("stages", 2), ("depth", 8), ("dim", 1024), ("batch-size", 2048)):
        parser.add_argument(f"--{key}", type=int, default=value)
    parser.add_argument("--micro-batches", type=int, default=8)
    parser.add_argument("--steps", type=int, default=15)
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
    parts = [[nn.Linear(sizes.dim, sizes.dim), nn.ReLU()] for _ in range(sizes.depth)]
    layers = nn.Sequential(*(nn.Sequential(*part) for part in parts))
    each, rest = divmod(sizes.depth, sizes.stages)
    balance = [each + (stage < rest) for stage in range(sizes.stages)]
    devices = ["cpu"] * sizes.stages
    model = GPipe(layers, balance, devices=devices, chunks=chunks, checkpoint="never")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x, target = torch.randn(2, sizes.batch_size, sizes.dim)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        nn.functional.mse_loss(model(x), target).backward()
        optimizer.step()

    return step


if __name__ == "__main__":
    main()
