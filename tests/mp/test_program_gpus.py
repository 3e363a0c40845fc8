"""The GPUs of a program: which it sees, exactly as many as asked for, and samples of them."""

import sys
import time
from types import SimpleNamespace

import pytest

from mp.hardware import nvml
from mp.program.gpus import choose_gpus, variables_for, visible_gpus
from mp.program.run import run_program
from mp.program.sampling import Sampler
from study.errors import GpuMismatch
from study.validation import make_case
from tests.mp.test_program import job

MIB = 2**20


@pytest.fixture
def four_gpus(monkeypatch):
    """Stand in for NVML: four GPUs, of which one more MiB is in use with every question."""
    used = dict.fromkeys(range(4), 100 * MIB)

    def memory(gpu):
        used[gpu] += MIB
        return SimpleNamespace(used=used[gpu], total=80 * 1024 * MIB)

    def no_answer(*_):
        raise nvml.pynvml.NVMLError(nvml.pynvml.NVML_ERROR_NOT_SUPPORTED)

    for name in dir(nvml.pynvml):
        if name.startswith("nvmlDevice"):
            monkeypatch.setattr(nvml.pynvml, name, no_answer)
    answers = {
        "nvmlInit": lambda: None,
        "nvmlSystemGetDriverVersion": lambda: "580.1",
        "nvmlDeviceGetCount": lambda: 4,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetUUID": lambda gpu: f"GPU-{gpu}abc",
        "nvmlDeviceGetHandleByUUID": lambda uuid: int(uuid[4]),
        "nvmlDeviceGetName": lambda gpu: "H100",
        "nvmlDeviceGetMemoryInfo": memory,
        "nvmlDeviceGetUtilizationRates": lambda gpu: SimpleNamespace(gpu=50, memory=0),
        "nvmlDeviceGetClockInfo": lambda gpu, clock: 1500,
    }
    for name, answer in answers.items():
        monkeypatch.setattr(nvml.pynvml, name, answer)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    return used


@pytest.mark.parametrize(
    ("variable", "seen"),
    [
        (None, "0 1 2 3"),
        ("", ""),
        ("-1", ""),
        ("2,0", "2 0"),
        ("1,7,0", "1"),
        ("1,1", "1"),
        ("GPU-3,GPU-0abc", "3 0"),
        ("GPU-,0", ""),
        ("99999999999999999999", ""),
        ("x;y", ""),
    ],
)
def test_the_variable_is_read_as_cuda_reads_it(four_gpus, monkeypatch, variable, seen):
    if variable is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    assert " ".join(gpu.uuid[4] for gpu in visible_gpus()) == seen


def test_a_program_gets_exactly_as_many_gpus_as_its_case_has(four_gpus, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,1,0")
    chosen = choose_gpus(job(requested=2), "auto")
    wanted = {"CUDA_VISIBLE_DEVICES": "3,1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    assert variables_for(chosen) == wanted
    assert choose_gpus(job(requested=4), "auto") == []  # too few: none, and said to be emulated
    assert variables_for([]) == {"CUDA_VISIBLE_DEVICES": ""}
    assert choose_gpus(job(requested=2), "cpu") == []


@pytest.mark.parametrize(
    ("numbers", "policy", "problem"),
    [
        ({"requested": 8}, "cuda", "GPUs requested: 8, visible to NVML: 4"),
        ({"slurm_job_id": "7", "allocated_gpus": 3}, "auto", "allocated by Slurm: 3"),
        ({"slurm_job_id": "7", "allocated_gpus": None}, "cpu", "allocated by Slurm: unknown"),
        ({"slurm_job_id": "7", "allocated_gpus": 2}, "cuda", "ConstrainDevices is off"),
    ],
)
def test_numbers_of_gpus_that_do_not_agree_end_the_case(four_gpus, numbers, policy, problem):
    with pytest.raises(GpuMismatch, match="requested") as error:
        choose_gpus(job(**numbers), policy)
    assert problem in str(error.value)
    case = make_case({"command": "true", "gpus": job(**numbers).requested_gpus}, "test")
    result = run_program(case, policy, job(**numbers), lambda _: None, "/")
    assert (result.outcome, result.error.type) == ("gpu_mismatch", "GpuMismatch")


def test_every_gpu_of_a_program_is_sampled_to_its_end(four_gpus, capfd):
    command = f"{sys.executable} -c 'import time; time.sleep(0.5)'"
    case = make_case({"command": command, "gpus": 2}, "test")
    result = run_program(case, "cuda", job(requested=2), lambda _: None, "/")
    assert (result.outcome, result.emulated) == ("ok", False)
    first, second = result.program.gpus
    assert [first.index, second.index] == [0, 1]
    assert 2 <= first.samples <= 12
    assert first.peak_used_bytes >= first.used_before_bytes + first.samples * MIB
    assert first.utilization == 0.5
    assert four_gpus[2] == 100 * MIB  # nobody asked about the GPUs of others
    gpu = result.environment.gpus[1]
    assert (gpu.name, gpu.uuid, gpu.total_memory_bytes) == ("H100", "1abc", 80 * 1024 * MIB)
    assert gpu.before.sm_clock_hz == gpu.after.sm_clock_hz == 1_500_000_000
    assert result.environment.torch is None


def test_what_nvml_does_not_know_is_null(four_gpus, monkeypatch):
    def no_answer(*_):
        raise nvml.pynvml.NVMLError(nvml.pynvml.NVML_ERROR_NOT_SUPPORTED)

    for name in ("nvmlDeviceGetMemoryInfo", "nvmlDeviceGetUtilizationRates"):
        monkeypatch.setattr(nvml.pynvml, name, no_answer)
    with Sampler(["GPU-0abc"]) as sampler:
        time.sleep(0.25)
    (found,) = sampler.samples()
    assert found.samples > 0
    assert (found.used_before_bytes, found.peak_used_bytes, found.utilization) == (None,) * 3
    assert sampler.states(0) == (None, None)
