"""What is said where the GPUs requested, allocated and visible are not the same number."""

import pytest
import torch

from mp.hardware import devices, nvml
from mp.hardware.devices import check_allocation, choose_devices, visible_gpus
from mp.hardware.mismatch import BINDING, gpu_mismatch
from study.errors import GpuMismatch
from tests.mp.test_outcome import job


@pytest.fixture(autouse=True)
def neutral(monkeypatch):
    """No variable that points to a cause, and a machine of which NVML knows nothing."""
    for name in ("CUDA_VISIBLE_DEVICES", *BINDING):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(nvml, "gpu_count", lambda: None)
    monkeypatch.setattr(nvml, "driver_version", lambda: None)


@pytest.fixture
def with_cuda(monkeypatch):
    """A torch that is built for CUDA 13.0."""
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: True)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch, "__version__", "2.13.0+cu130")


def said(*numbers, **more):
    return str(gpu_mismatch(*numbers, **more))


def on_slurm(requested, visible, allocated=None):
    allocated = requested if allocated is None else allocated
    return said(requested, visible, allocated, on_slurm=True)


def fails_with(words):
    def init():
        raise RuntimeError(words)

    return init


def test_the_three_numbers_come_first():
    assert on_slurm(2, 1).startswith(
        "GPUs requested: 2, allocated by Slurm: 2, visible to torch: 1; likely cause: "
    )


def test_nothing_is_said_of_slurm_where_there_is_none():
    assert said(2, 1) == "GPUs requested: 2, visible to torch: 1"
    with pytest.raises(GpuMismatch, match=r"^GPUs requested: 3, visible to torch: 2$"):
        check_allocation(job(executor="local", visible=2), "cuda")


def test_a_job_of_which_slurm_does_not_tell_its_gpus_says_so():
    with pytest.raises(GpuMismatch, match="allocated by Slurm: unknown, visible to torch: not ask"):
        check_allocation(job(executor="slurm", visible=None), "cpu")


@pytest.mark.skipif(torch.backends.cuda.is_built(), reason="this torch has CUDA")
def test_a_torch_without_cuda_is_named_with_its_build():
    with pytest.raises(GpuMismatch) as caught:
        choose_devices(2, "cuda")
    assert str(caught.value) == (
        "GPUs requested: 2, visible to torch: 0; likely cause: "
        f"this torch ({torch.__version__}) is built without CUDA; install one with CUDA"
    )


@pytest.mark.usefixtures("with_cuda")
def test_a_driver_that_is_too_old_is_told_in_torchs_words_and_with_versions(monkeypatch):
    words = (
        "The NVIDIA driver on your system is too old (found version 11040). Please update your "
        "GPU driver by downloading and installing a new version from the URL: http://..."
    )
    monkeypatch.setattr(torch.cuda, "init", fails_with(words))
    monkeypatch.setattr(nvml, "driver_version", lambda: "470.57.02")
    assert on_slurm(2, 0).endswith(
        "likely cause: The NVIDIA driver on your system is too old (found version 11040) "
        "(torch 2.13.0+cu130 for CUDA 13.0, driver 470.57.02); run `nvidia-smi` there"
    )


@pytest.mark.usefixtures("with_cuda")
@pytest.mark.parametrize("value", ["", "-1", "NoDevFiles", "7"])
def test_a_variable_that_leaves_no_gpu_is_named(monkeypatch, value):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    monkeypatch.setattr(torch.cuda, "init", fails_with("No CUDA GPUs are available"))
    assert said(1, 0).endswith(f"CUDA_VISIBLE_DEVICES='{value}' names no GPU of this machine")


def test_gpus_that_nvml_counts_and_cuda_cannot_use_are_not_visible(monkeypatch):
    monkeypatch.setattr(devices, "all_gpus", lambda: [torch.device("cuda", 0)])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert visible_gpus() == 0
    assert choose_devices(1, "auto").emulated


@pytest.mark.parametrize("variable", BINDING)
def test_gpus_that_are_bound_to_tasks_are_told_with_what_shows_it(monkeypatch, variable):
    monkeypatch.setenv(variable, "single:1")
    told = on_slurm(4, 1)
    assert f"Slurm shows each task only GPUs of its own ({variable}=single:1); remove " in told
    assert "gpu-bind, gpus-per-task" in told


def test_one_gpu_of_several_is_bound_though_no_variable_says_so():
    assert "Slurm shows each task only GPUs of its own; remove" in on_slurm(4, 1)


@pytest.mark.parametrize("shown_by", ["variable", "NVML"])
def test_mig_is_told_before_binding(monkeypatch, shown_by):
    monkeypatch.setenv("SLURM_GPU_BIND", "none")
    if shown_by == "variable":
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-a,MIG-b")
    else:
        monkeypatch.setattr(nvml, "mig_is_on", lambda: True)
    assert on_slurm(2, 1).endswith(
        "the GPUs are split by MIG, and CUDA shows a process one instance; ask for whole GPUs"
    )


def test_more_gpus_than_requested_are_the_nodes_others(monkeypatch):
    assert "Slurm does not hide the node's other GPUs: ConstrainDevices is off" in on_slurm(2, 8)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    assert "CUDA_VISIBLE_DEVICES=0,1,2 names more GPUs than Slurm allocated" in on_slurm(2, 3)


def test_without_slurm_the_variable_or_the_machine_is_why_there_are_too_few(monkeypatch):
    monkeypatch.setattr(nvml, "gpu_count", lambda: 1)
    assert said(2, 1).endswith("this machine has no more; device auto emulates the missing ones")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert said(2, 1).endswith("likely cause: CUDA_VISIBLE_DEVICES=0 hides the others")


def test_an_allocation_unlike_the_request_was_changed_on_its_way():
    told = on_slurm(2, None, allocated=3)
    assert told.startswith("GPUs requested: 2, allocated by Slurm: 3, visible to torch: not asked;")
    assert "something between submit.py and Slurm changes what a job asks for" in told
