"""Predicted memory of a step against torch's own tracker of tensors, which knows none of it."""

import pytest
import torch
from torch.distributed._tools.mem_tracker import MemTracker

from mp.families.registry import workload_of
from mp.hardware.devices import choose_devices
from mp.profiling.profile import measure_profile
from mp.single.step import build_step
from mp.workload import OPTIMIZERS
from report.analysis.profiled.naive import follow_step
from study.validation import make_case

CPU = torch.device("cpu")
GPT = {"kind": "gpt", "dim": 32, "heads": 4, "seq_len": 64, "vocab": 300, "batch_size": 4}
CONV = {"kind": "conv", "width": 8, "image": 32, "classes": 10, "batch_size": 8}
LINEAR = {"dim": 64, "batch_size": 32}


def case_of(**keys):
    return make_case({"depth": 4, "gpus": 1} | keys, "test")


def profile_of(case):
    return measure_profile(workload_of(case), CPU, case.batch_size // case.micro_batches)


def predicted(case, gpu_of_layer):
    return follow_step(case, profile_of(case), gpu_of_layer)


def tracked_peak(case, monkeypatch):
    """The most bytes of two steps' tensors."""
    foreach = {n: lambda p, lr, of=of: of(p, lr=lr, foreach=True) for n, of in OPTIMIZERS.items()}
    monkeypatch.setattr("mp.workload.OPTIMIZERS", foreach)  # as on a GPU
    step = build_step(case, choose_devices(case.gpus, "cpu"))
    step()
    step.last_loss = None
    step.optimizer.zero_grad(set_to_none=True)
    tracker = MemTracker()
    tracker.track_external(step.model, step.optimizer, step.x, step.target)
    with tracker:
        step()
        tracker.reset_mod_stats()  # else it takes no second step
        step()
    return tracker.get_tracker_snapshot("peak")[CPU]["Total"]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "keys",
    [LINEAR, GPT, CONV | {"norm": "group"}, CONV | {"norm": "batch"}],
    ids=["linear", "gpt", "group", "batch"],
)
def test_the_peak_of_one_device_is_that_of_torchs_tracker(keys, dtype, optimizer, monkeypatch):
    case = case_of(**keys, dtype=dtype, optimizer=optimizer)
    expected = predicted(case, [0] * case.layers).shared_peak
    assert tracked_peak(case, monkeypatch) == pytest.approx(expected, rel=0.01)
