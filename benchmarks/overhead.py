"""Our timed step against a bare loop over the same layers, interleaved in one process.

    python benchmarks/overhead.py [--steps 300] [--device cpu|cuda]

The bare loop is written here in full and shares nothing with `mp/` but the layer sizes.
"""

import argparse
import sys
from pathlib import Path
from time import perf_counter

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from statistics import median

from mp.hardware.devices import choose_devices
from mp.single.step import build_step
from mp.timing.timer import no_garbage_collection, time_step
from mp.workload import LEARNING_RATE
from study.case import Case
from study.statistics.samples import quartiles

CASE = Case(depth=24, gpus=1, dim=1024, batch_size=64)
WARMUP = 20


class BareLoop:
    """zero_grad, forward, loss, backward, step; timed by hand."""

    def __init__(self, device: torch.device) -> None:
        layers: list[nn.Module] = []
        for _ in range(CASE.depth):
            layers += [nn.Linear(CASE.dim, CASE.dim), nn.ReLU()]
        self.model = nn.Sequential(*layers[:-1]).to(device)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=LEARNING_RATE)
        self.x = torch.randn(CASE.batch_size, CASE.dim, device=device)
        self.y = torch.randn(CASE.batch_size, CASE.dim, device=device)
        self.on_gpu = device.type == "cuda"

    def wait(self) -> None:
        """Wait until the device has done all its work."""
        if self.on_gpu:
            torch.cuda.synchronize()

    def seconds(self) -> float:
        """One timed step."""
        self.wait()
        start = perf_counter()
        self.optimizer.zero_grad()
        loss = nn.functional.mse_loss(self.model(self.x), self.y)
        loss.backward()
        self.optimizer.step()
        self.wait()
        return perf_counter() - start


def main() -> None:
    """Print the medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--device", choices=("cpu", "cuda"), default=None)
    arguments = parser.parse_args()
    policy = arguments.device or ("cuda" if torch.cuda.is_available() else "cpu")

    devices = choose_devices(1, policy)
    step = build_step(CASE, devices)
    bare = BareLoop(devices.real[0])
    ours_s, bare_s = [], []
    with no_garbage_collection():
        for index in range(WARMUP + arguments.steps):
            # The order alternates, so that neither always follows the other.
            if index % 2:
                a, b = time_step(step, devices), bare.seconds()
            else:
                b, a = bare.seconds(), time_step(step, devices)
            if index >= WARMUP:
                ours_s.append(a)
                bare_s.append(b)
    ratios = [a / b for a, b in zip(ours_s, bare_s, strict=True)]
    low, high = quartiles(ratios)
    print(f"device {devices.real[0]}, {CASE}")
    print(f"ours {median(ours_s) * 1e3:.4f} ms, bare {median(bare_s) * 1e3:.4f} ms (medians)")
    print(f"ratio of medians {median(ours_s) / median(bare_s):.4f}")
    print(f"median of paired ratios {median(ratios):.4f}, quartiles {low:.4f} to {high:.4f}")


if __name__ == "__main__":
    main()
