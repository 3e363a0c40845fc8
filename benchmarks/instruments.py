"""Instrumented steps against plain ones, interleaved in one process, on all GPUs there.

    python benchmarks/instruments.py [--device cpu|cuda] [--gpus 2 4] [--depths 6 12 20 24]

Runs with code from before the instruments became cheaper, too: copy it there.
"""

import argparse
import sys
from pathlib import Path
from statistics import median

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mp.engine import Communicator
from mp.hardware.devices import choose_devices
from mp.single.engine import SingleEngine
from mp.timing.timer import no_garbage_collection, time_step
from study.case import Case
from study.statistics.samples import quartiles

WARMUP = 20


def main() -> None:
    """Print a line for every depth and number of GPUs."""
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if there else "cpu")
    parser.add_argument("--gpus", type=int, nargs="+", default=sorted({1, 2, there or 2}))
    parser.add_argument("--depths", type=int, nargs="+", default=[6, 12, 20, 24])
    parser.add_argument("--dim", type=int, default=4096)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=200)
    arguments = parser.parse_args()
    print("depth  GPUs  plain (ms)  instrumented (ms)  ratio of medians  pairs: median (quartiles)")
    for depth in arguments.depths:
        for gpus in arguments.gpus:
            if gpus <= (there if arguments.device == "cuda" else depth):
                compare(depth, gpus, arguments)


def compare(depth: int, gpus: int, arguments: argparse.Namespace) -> None:
    """Measure one case and print its line.

    Args:
        depth: the number of layers.
        gpus: how many GPUs hold them.
        arguments: device, sizes and number of steps.
    """
    case = Case(depth=depth, gpus=gpus, dim=arguments.dim, batch_size=arguments.batch_size)
    devices = choose_devices(gpus, arguments.device)
    engine = SingleEngine(case, Communicator(devices))
    step = engine.build(case)
    plain_s, instrumented_s = [], []
    with no_garbage_collection():
        for index in range(WARMUP + arguments.steps):
            plain = time_step(step, devices)
            instrumented = engine.record_timeline(step).step_s
            if index >= WARMUP:
                plain_s.append(plain)
                instrumented_s.append(instrumented)
    ratios = [a / b for a, b in zip(instrumented_s, plain_s, strict=True)]
    low, high = quartiles(ratios)
    plain, instrumented = median(plain_s), median(instrumented_s)
    print(
        f"{depth:5}  {gpus:4}  {plain * 1e3:10.4f}  {instrumented * 1e3:17.4f}"
        f"  {instrumented / plain:16.4f}  {median(ratios):.4f} ({low:.4f} to {high:.4f})",
        flush=True,
    )


if __name__ == "__main__":
    main()
