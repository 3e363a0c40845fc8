"""Train a small model on every GPU that torchrun gives a process, and say how long steps take.

On a machine without GPUs the processes are on the CPU, over Gloo.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import torch
from torch import distributed, nn

WARMUP, STEPS, WIDTH = 10, 60, 512


def main() -> None:
    """Train, and let the first process say its steps."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--layers", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    options = parser.parse_args()
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    times, losses = train(options.layers, options.batch)
    if distributed.get_rank() == 0:
        items = options.batch * distributed.get_world_size()
        said = {"step_times_s": times[WARMUP:], "items_per_step": items, "item": "row"}
        text = json.dumps(said | {"first_loss": losses[0]})
        if "MPBENCH_STEPS" in os.environ:
            Path(os.environ["MPBENCH_STEPS"]).write_text(text)
        else:
            print(text)
    distributed.barrier()  # so that no process leaves while another still talks to it
    distributed.destroy_process_group()
    sys.stdout.flush()
    os._exit(0)  # torch's own threads now and then abort a process that ends on a busy CPU


def train(count: int, batch: int) -> tuple[list[float], list[float]]:
    """Return the seconds and the loss of each step; the model, which holds the group, goes."""
    on_gpu = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if on_gpu else torch.device("cpu")
    if on_gpu:
        torch.cuda.set_device(device)

    torch.manual_seed(0)
    layers = [nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU()) for _ in range(count)]
    model = nn.parallel.DistributedDataParallel(nn.Sequential(*layers).to(device))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x = torch.randn(batch, WIDTH, device=device)

    times, losses = [], []
    for _ in range(WARMUP + STEPS):
        start = time.perf_counter()
        loss = (model(x) - x).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())  # waits for the GPU
        times.append(time.perf_counter() - start)
    return times, losses


if __name__ == "__main__":
    main()
