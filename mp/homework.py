"""Train a model that is split over several GPUs; print devices, data moves, step time and memory.

    python homework.py                          every GPU of this machine
    python homework.py --depth 20 --gpus 5      five of them
    python homework.py --depth 6 --split half   the base code's split: half on GPU 0, half on GPU 1

On a machine with fewer GPUs all layers share one device. Then the code runs, but no data move, and
step times are not those of several GPUs.
"""

import argparse
from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from mp.model import LargeLinearModelMP, all_gpus, draw_weights, seed_of_layer

DIM = 4096  # features of every layer's input and output
DEPTH = 20  # layers
BATCH_SIZE = 64
SEED = 0
WARMUP_STEPS = 10
STEPS = 50


class ToCounter(TorchFunctionMode):
    """Counts calls of `Tensor.to`; `moved_before` has the number of each call that copied data."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.moved_before: list[int] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is torch.Tensor.to:
            if result.data_ptr() != args[0].data_ptr():
                self.moved_before.append(self.calls)  # forward() calls it once before each layer
            self.calls += 1
        return result


def choose_devices(gpus: int | None, split: str) -> list[torch.device]:
    """Return a device for each GPU; the same one several times where there are too few."""
    real = all_gpus()
    count = gpus or (2 if split == "half" else len(real) or 2)
    if len(real) >= count:
        return real[:count]
    return [real[0] if real else torch.device("cpu")] * count


def synchronize(devices: Sequence[torch.device]) -> None:
    """Wait until every GPU has done all its work."""
    for device in devices:
        if device.type == "cuda":
            torch.cuda.synchronize(device)


def time_steps(
    step: Callable[[], object], devices: Sequence[torch.device], count: int
) -> list[float]:
    """Run a step several times and return the seconds of each.

    Args:
        step: Trains one step.
        devices: Devices to wait for before the clock is read.
        count: Number of steps.
    """
    times = []
    for _ in range(count):
        synchronize(devices)
        start = perf_counter()
        step()
        synchronize(devices)
        times.append(perf_counter() - start)
    return times


def show_devices(model: LargeLinearModelMP) -> None:
    """Print the device of each layer, and how many layers each GPU has."""
    for i, layer in enumerate(model.layers):
        print(f"layer {i}: GPU {model.gpu_of_layer[i]} ({next(layer.parameters()).device})")
    counts = [model.gpu_of_layer.count(gpu) for gpu in range(len(model.devices))]
    print("layers per GPU:", ", ".join(map(str, counts)))


def show_moves(counter: ToCounter, model: LargeLinearModelMP) -> None:
    """Print how often forward() called `.to`, and before which layers that moved data."""
    moved, places = counter.moved_before, model.gpu_of_layer
    print(f".to calls in one forward pass: {counter.calls}, of which {len(moved)} moved data")
    if moved:
        print("data moved before layer:", ", ".join(map(str, moved)))
    elif len(set(places)) > 1:
        borders = [str(i) for i in range(1, len(places)) if places[i] != places[i - 1]]
        print("on separate GPUs data would move before layer:", ", ".join(borders))


def show_memory(devices: Sequence[torch.device]) -> None:
    """Print the peak memory of every GPU since the last reset."""
    for device in dict.fromkeys(devices):
        if device.type == "cuda":
            peak = torch.cuda.max_memory_allocated(device) / 2**30
            print(f"peak memory of {device}: {peak:.3f} GiB")
        else:
            print("peak memory: unknown without a GPU")


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--depth", type=int, default=DEPTH, help=f"number of layers; default: {DEPTH}")
    add("--dim", type=int, default=DIM, help=f"size of a layer; default: {DIM}")
    add("--gpus", type=int, help="number of GPUs; default: all, and 2 with --split half")
    add("--split", choices=("half", "even"), default="even", help="default: even")
    add("--batch-size", type=int, default=BATCH_SIZE, help=f"default: {BATCH_SIZE}")
    add("--seed", type=int, default=SEED, help=f"of weights and data; default: {SEED}")
    add("--steps", type=int, default=STEPS, help=f"timed steps; default: {STEPS}")
    arguments = parser.parse_args()
    for name in ("depth", "dim", "gpus", "batch_size", "steps"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            parser.error(f"--{name.replace('_', '-')}: {value} is below 1")
    return arguments


def main() -> None:
    """Build the model, train it and print what was measured."""
    arguments = parse_arguments()
    devices = choose_devices(arguments.gpus, arguments.split)
    try:
        with devices[0]:  # makes layers quicker than the CPU
            model = LargeLinearModelMP(arguments.dim, arguments.depth, devices, arguments.split)
    except ValueError as error:
        raise SystemExit(f"error: {error}") from None
    draw_weights(model, arguments.seed)
    if len(set(devices)) < len(devices):
        print(f"note: fewer than {len(devices)} GPUs here; all layers share {devices[0]}")
    show_devices(model)

    torch.manual_seed(seed_of_layer(arguments.seed, arguments.depth))
    x = torch.randn(arguments.batch_size, arguments.dim, device=devices[0])
    target = torch.randn(arguments.batch_size, arguments.dim, device=devices[0]).to(devices[-1])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def step() -> torch.Tensor:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), target)
        loss.backward()
        optimizer.step()
        return loss

    with ToCounter() as counter:
        model(x)
    show_moves(counter, model)
    print(f"first loss: {step().item():.9g}")

    time_steps(step, devices, WARMUP_STEPS)
    for device in set(devices):
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
    times = time_steps(step, devices, arguments.steps)
    print(
        f"step time: {1000 * median(times):.4g} ms, median of {len(times)} steps "
        f"({1000 * min(times):.4g} to {1000 * max(times):.4g} ms) after {WARMUP_STEPS} to warm up"
    )
    show_memory(devices)


if __name__ == "__main__":
    main()
