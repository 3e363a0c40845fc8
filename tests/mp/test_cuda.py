"""What only a GPU can show. Skipped without one; run by hand on a GPU machine."""

import pytest
import torch

from mp.benchmark import describe_memory
from mp.devices import Devices, choose_devices
from mp.memory import reset_peaks
from mp.step import build_step
from mp.transfers import observe_transfers
from study.case import Case
from tests.mp.test_outcome import run

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")


def test_one_gpu_is_real_and_more_are_emulated_on_it():
    there = torch.cuda.device_count()
    assert not choose_devices(there, "auto").emulated
    assert choose_devices(there + 1, "auto").emulated


# torch says so where the backward pass of a model on GPU and CPU is the first to use the GPU.
@pytest.mark.filterwarnings("ignore:Attempting to run cuBLAS:UserWarning")
def test_the_ledger_sees_copies_between_two_real_devices():
    case = Case(depth=4, gpus=2, dim=16, batch_size=4)
    real = [torch.device("cuda", 0), torch.device("cpu")]
    devices = Devices(real, real)
    seen = observe_transfers(build_step(case, devices), devices)
    assert (seen.moves_forward, seen.moves_backward) == (1, 1)
    assert (seen.bytes_forward, seen.bytes_backward) == (4 * 16 * 4, 4 * 16 * 4)
    assert seen.moved_before_layers == [2]


@pytest.mark.parametrize("gpus", [2, 5])
def test_the_ledger_sees_copies_between_logical_gpus(gpus):
    devices = choose_devices(torch.cuda.device_count() + gpus, "auto")
    case = Case(depth=20, gpus=len(devices.gpus), dim=16, batch_size=4)
    seen = observe_transfers(build_step(case, devices), devices)
    assert seen.moves_forward == seen.moves_backward == case.gpus - 1


def test_a_model_too_large_for_the_gpu_is_out_of_gpu_memory():
    case = Case(depth=8, gpus=1, dim=8192, batch_size=8)
    torch.cuda.set_per_process_memory_fraction(0.01)
    try:
        result = run(case, policy="cuda", requested=1, visible=torch.cuda.device_count())
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert result.outcome == "oom_gpu"
    assert result.measurement is None
    assert result.placement.layers_per_gpu == [8]


def test_peak_memory_is_at_least_the_parameters_and_gradients():
    case = Case(depth=4, gpus=1, dim=1024, batch_size=8)
    devices = choose_devices(1, "cuda")
    step = build_step(case, devices)
    reset_peaks(devices)
    step()
    (gpu,) = describe_memory(case, devices)
    assert gpu.peak_allocated_bytes >= 2 * 4 * 4 * 1024 * 1025
    assert gpu.peak_reserved_bytes >= gpu.peak_allocated_bytes
