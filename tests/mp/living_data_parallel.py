"""DDP and FSDP: the most bytes of this rank's living tensors in a step, and those predicted.

Part of living_ranks_of_kinds.py, whose ranks are forked.
"""

import gc

import torch
from torch.distributed.tensor import DTensor

from mp.distributed.data.step import UNTIL_STEADY, DataParallelStep
from mp.families.registry import workload_of
from mp.profiling.live_bytes import storage_of
from mp.profiling.profile import measure_profile
from mp.workload import OPTIMIZERS
from predict.memory.layers.data_parallel import follow_data_parallel
from predict.memory.linear.profile import linear_profile
from study.paths import ROOT
from study.validation import make_case
from tests.mp.forked_data_parallel import SHARED
from tests.report.living_ranks import LiveBytes

LINEAR = {"depth": 6, "dim": 64, "batch_size": 512}
CASES = {
    "linear": LINEAR,
    "linear adam": LINEAR | {"optimizer": "adam", "batch_size": 8},
    "linear again": LINEAR | {"recompute": "layers"},
    "gpt tied": {"kind": "gpt", "depth": 3, "dim": 32, "heads": 4, "seq_len": 32, "vocab": 300,
                 "batch_size": 4, "tied": True, "optimizer": "adam"},
    "conv": {"kind": "conv", "depth": 4, "width": 8, "image": 32, "classes": 10, "batch_size": 16},
    "own again": {"kind": "factory", "factory": f"{ROOT}/models/mlp.py:build", "depth": 6,
                  "batch_size": 64, "recompute": "layers"},
}  # fmt: skip
CPU = torch.device("cpu")
STEPS = 4  # of which the least counts: Gloo's threads let go of tensors late where cores are busy


class LocalBytes(LiveBytes):
    """Living bytes of this rank: shards, not the tensors that they are shares of.

    FSDP frees what it has put together by resizing storages, and takes them again so. What Gloo
    takes for a reduce-scatter, and is seen as it splits it, does not count: NCCL takes no tensor.
    """

    def __enter__(self):
        self.resize = torch.UntypedStorage.resize_

        def resize(storage, size):
            before, made = storage.nbytes(), self.resize(storage, size)
            if storage._cdata in self.known:
                self.now += storage.nbytes() - before
                self.peak = max(self.peak, self.now)
            return made

        torch.UntypedStorage.resize_ = resize
        return super().__enter__()

    def __exit__(self, *error):
        torch.UntypedStorage.resize_ = self.resize
        return super().__exit__(*error)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if any(issubclass(kind, DTensor) for kind in types):
            return NotImplemented  # its own operations on shards come next
        if func is torch.ops.aten.split.Tensor:
            return func(*args, **(kwargs or {}))
        return super().__torch_dispatch__(func, types, args, kwargs)

    def _see(self, tensor):
        super()._see(tensor._local_tensor if isinstance(tensor, DTensor) else tensor)


def living_tensors():
    gc.collect()
    return [found for found in gc.get_objects() if isinstance(found, torch.Tensor)]


def measure(case, model, world):
    """Return this rank's peak and prediction."""
    workload = workload_of(case)
    workload.activations(1)  # a factory's layers and batch, which are no part of the step
    others = {storage_of(tensor) for tensor in living_tensors()}
    step = DataParallelStep(workload, world)
    step.x, step.target = step.x.clone(), step.target.clone()  # as on a GPU: no part of the batch
    for _ in range(1 + UNTIL_STEADY):
        step()
    peak = min(peak_of(step, others) for _ in range(STEPS))
    return peak, follow_data_parallel(case, model)[world.rank].total


def peak_of(step, others):
    """Return the most living bytes of a step, without these storages."""
    already = [tensor for tensor in living_tensors() if storage_of(tensor) not in others]
    with LocalBytes(*already) as live:
        del already
        step()
    return live.peak


def say_all(world):
    """Print a line for each case, schedule and rank."""
    for name, of in OPTIMIZERS.items():  # as on a GPU
        OPTIMIZERS[name] = lambda p, lr, of=of: of(p, lr=lr, foreach=True)
    for name, keys in CASES.items():
        cases = [make_case({"gpus": world.size, "schedule": s} | keys, "test") for s in SHARED]
        workload, rows = workload_of(cases[0]), cases[0].batch_size // world.size
        is_linear = workload.case.kind == "linear"
        model = linear_profile(cases[0]) if is_linear else measure_profile(workload, CPU, rows)
        for case in cases:
            found = measure(case, model, world)
            for its, numbers in enumerate(world.all_gather(found, tuple[int, int])):
                if world.rank == 0:
                    print(f"data: {name}, {case.schedule}, {its}:", *numbers, flush=True)
