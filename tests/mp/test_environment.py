"""The environment of a case: what NVML tells, what it does not, and nothing that is secret."""

import re
import tomllib
from importlib.metadata import version
from types import SimpleNamespace

import msgspec
import pytest
import torch

from mp.hardware import nvml
from mp.hardware.devices import Devices, choose_devices
from mp.hardware.environment import describe_environment, read_states
from mp.hardware.host import PACKAGES
from study.paths import ROOT
from study.results.environment import Environment

GPUS = [torch.device("cuda", 0), torch.device("cuda", 1)]
TWO_GPUS = Devices(GPUS, GPUS)
CPU = choose_devices(2, "cpu")


def refuse(code):
    """A function of NVML that answers with this error."""

    def function(*arguments):
        raise nvml.pynvml.NVMLError(code)

    return function


unsupported = refuse(nvml.pynvml.NVML_ERROR_NOT_SUPPORTED)


def bus_id(gpu):
    return SimpleNamespace(busId=f"0000000{gpu}:00:00.0".encode())


@pytest.fixture
def cuda(monkeypatch):
    """Two GPUs for torch, on a machine without NVML."""

    def properties(device):
        return SimpleNamespace(name="H100", uuid=f"uuid-{device.index}", total_memory=80 * 2**30)

    monkeypatch.setattr(torch.cuda, "get_device_properties", properties)
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 91002)
    no_library = refuse(nvml.pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)
    monkeypatch.setattr(nvml.pynvml, "nvmlInit", no_library)
    monkeypatch.setattr(nvml.pynvml, "nvmlSystemGetDriverVersion", no_library)


@pytest.fixture
def answer(cuda, monkeypatch):
    """NVML on a machine of two busy GPUs, four NVLinks apart. `answer(nvml...=...)` changes it."""

    def answer(**functions):
        for name, function in functions.items():
            monkeypatch.setattr(nvml.pynvml, name, function)

    def link_state(gpu, link):
        return link < 4 if link < 12 else unsupported()

    answer(
        nvmlInit=lambda: None,
        nvmlSystemGetDriverVersion=lambda: "580.1",
        nvmlDeviceGetHandleByUUID=lambda uuid: int(uuid.removeprefix("GPU-uuid-")),
        nvmlDeviceGetMaxClockInfo=lambda gpu, clock: 1980,
        nvmlDeviceGetEnforcedPowerLimit=lambda gpu: 700_000,
        nvmlDeviceGetClockInfo=lambda gpu, clock: (
            1500 if clock == nvml.pynvml.NVML_CLOCK_SM else 2619
        ),
        nvmlDeviceGetCurrentClocksEventReasons=lambda gpu: 0,
        nvmlDeviceGetCurrentClocksThrottleReasons=unsupported,
        nvmlDeviceGetTemperature=lambda gpu, sensor: 61,
        nvmlDeviceGetPowerUsage=lambda gpu: 688_500,
        nvmlDeviceGetUtilizationRates=lambda gpu: SimpleNamespace(gpu=97, memory=40),
        nvmlDeviceGetTopologyCommonAncestor=lambda a, b: nvml.pynvml.NVML_TOPOLOGY_NODE,
        nvmlDeviceGetPciInfo=bus_id,
        nvmlDeviceGetNvLinkState=link_state,
        nvmlDeviceGetNvLinkRemoteDeviceType=lambda gpu, link: (
            nvml.pynvml.NVML_NVLINK_DEVICE_TYPE_GPU
        ),
        nvmlDeviceGetNvLinkRemotePciInfo=lambda gpu, link: bus_id(1 - gpu),
    )
    return answer


def describe(devices=TWO_GPUS):
    """The environment, once through JSON as in a result's file."""
    states = read_states(devices)
    data = msgspec.json.encode(describe_environment(devices, states, states))
    return msgspec.json.decode(data, type=Environment)


def test_without_nvml_a_gpu_has_a_name_and_nulls(cuda):
    environment = describe()
    assert environment.driver is None
    assert [gpu.name for gpu in environment.gpus] == ["H100", "H100"]
    gpu = environment.gpus[1]
    assert (gpu.index, gpu.uuid) == (1, "uuid-1")
    assert (gpu.max_sm_clock_hz, gpu.power_limit_w, gpu.before, gpu.after) == (None,) * 4
    assert [(link.path, link.nvlinks) for link in environment.topology] == [(None, None)]


def test_nvml_may_know_no_such_gpu(answer):
    answer(nvmlDeviceGetHandleByUUID=refuse(nvml.pynvml.NVML_ERROR_NOT_FOUND))
    environment = describe()
    assert environment.driver == "580.1"
    assert environment.gpus[0].before is None
    assert environment.topology[0].nvlinks is None


def test_a_busy_gpu_is_described_in_si_units(answer):
    gpu = describe().gpus[0]
    assert (gpu.max_sm_clock_hz, gpu.power_limit_w) == (1_980_000_000, 700.0)
    assert gpu.before is not None
    assert gpu.before == gpu.after
    assert (gpu.before.sm_clock_hz, gpu.before.memory_clock_hz) == (1_500_000_000, 2_619_000_000)
    assert (gpu.before.temperature_celsius, gpu.before.power_w) == (61, 688.5)
    assert gpu.before.utilization == 0.97
    assert gpu.before.throttle_reasons == []


def test_each_gpu_keeps_its_own_states(answer):
    answer(nvmlDeviceGetPowerUsage=lambda gpu: 1000 * (100 + gpu))
    before = read_states(TWO_GPUS)
    answer(nvmlDeviceGetPowerUsage=lambda gpu: 1000 * (200 + gpu))
    environment = describe_environment(TWO_GPUS, before, read_states(TWO_GPUS))
    powers = [(gpu.before.power_w, gpu.after.power_w) for gpu in environment.gpus]
    assert powers == [(100, 200), (101, 201)]


def test_a_case_that_ended_early_has_no_states(answer):
    environment = describe_environment(TWO_GPUS, {}, {})
    assert [(gpu.before, gpu.after) for gpu in environment.gpus] == [(None, None)] * 2


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (0x1, []),
        (0x4, ["sw_power_cap"]),
        (0x1 | 0x8 | 0x40 | 0x80, ["hw_slowdown", "hw_thermal_slowdown", "hw_power_brake"]),
        (0x2 | 0x10 | 0x20 | 0x100,
         ["applications_clocks_setting", "sync_boost", "sw_thermal_slowdown",
          "display_clock_setting"]),
        (0x4 | 0x400, ["sw_power_cap", "0x400"]),
    ],
)  # fmt: skip
def test_throttling_is_told_in_words_and_being_idle_is_not(answer, bits, words):
    answer(nvmlDeviceGetCurrentClocksEventReasons=lambda gpu: bits)
    assert nvml.gpu_state(GPUS[0]).throttle_reasons == words


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("nvmlDeviceGetCurrentClocksEventReasons", "throttle_reasons"),
        ("nvmlDeviceGetTemperature", "temperature_celsius"),
        ("nvmlDeviceGetPowerUsage", "power_w"),
        ("nvmlDeviceGetUtilizationRates", "utilization"),
    ],
)
def test_one_unsupported_query_costs_no_other(answer, query, field):
    answer(**{query: unsupported})
    state = msgspec.structs.asdict(nvml.gpu_state(GPUS[0]))
    assert [name for name, value in state.items() if value is None] == [field]


def test_only_active_nvlinks_to_the_other_gpu_count(answer):
    link = nvml.gpu_link(*GPUS)
    assert (link.source, link.target, link.path, link.nvlinks) == (0, 1, "NODE", 4)
    answer(nvmlDeviceGetNvLinkRemotePciInfo=lambda gpu, link: bus_id(1 - gpu if link else 7))
    assert nvml.gpu_link(*GPUS).nvlinks == 3


def test_nvlinks_to_an_nvswitch_count(answer):
    answer(
        nvmlDeviceGetNvLinkState=lambda gpu, link: link < 18 or unsupported(),
        nvmlDeviceGetNvLinkRemoteDeviceType=lambda gpu, link: (
            nvml.pynvml.NVML_NVLINK_DEVICE_TYPE_SWITCH
        ),
        nvmlDeviceGetNvLinkRemotePciInfo=unsupported,
    )
    assert nvml.gpu_link(*GPUS).nvlinks == 18


def test_inactive_nvlinks_are_none_and_unknown_ones_null(answer):
    answer(nvmlDeviceGetNvLinkState=lambda gpu, link: 0)
    assert nvml.gpu_link(*GPUS).nvlinks == 0
    answer(nvmlDeviceGetNvLinkState=unsupported)
    assert nvml.gpu_link(*GPUS).nvlinks is None
    assert nvml.gpu_link(*GPUS).path == "NODE"


def test_every_pair_of_gpus_is_in_the_topology_once(answer):
    gpus = [torch.device("cuda", index) for index in range(4)]
    topology = describe_environment(Devices(gpus, gpus), {}, {}).topology
    pairs = [(link.source, link.target) for link in topology]
    assert pairs == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]


def test_a_cpu_has_neither_gpus_nor_a_driver_nor_tf32():
    assert read_states(CPU) == {}
    environment = describe(CPU)
    assert (environment.gpus, environment.topology) == ([], [])
    assert (environment.driver, environment.tf32) == (None, False)
    assert environment.float32_matmul_precision in ("highest", "high", "medium")
    assert environment.cpu_affinity is None or environment.cpu_affinity >= 1


@pytest.mark.skipif(torch.version.cuda is not None, reason="this torch has CUDA")
def test_a_torch_without_cuda_has_no_cuda_libraries():
    environment = describe(CPU)
    assert (environment.cuda, environment.cudnn, environment.nccl) == (None, None, None)


def test_library_versions_are_text(cuda, monkeypatch):
    monkeypatch.setattr(torch.distributed, "is_nccl_available", lambda: True)
    monkeypatch.setattr(torch.cuda.nccl, "version", lambda: (2, 27, 5))
    environment = describe()
    assert (environment.cudnn, environment.nccl) == ("9.10.2", "2.27.5")


def test_a_cudnn_that_does_not_fit_fails_no_case(cuda, monkeypatch):
    def incompatible():
        raise RuntimeError("cuDNN version incompatibility")

    monkeypatch.setattr(torch.backends.cudnn, "version", incompatible)
    assert describe().cudnn is None


def test_a_case_on_the_cpu_does_not_start_cuda(run):
    code = (
        "import torch; from mp.hardware import devices, environment\n"
        "cpu = devices.choose_devices(2, 'cpu');"
        "environment.describe_environment(cpu, environment.read_states(cpu), {});"
        "assert not torch.cuda.is_initialized()"
    )
    done = run("-c", code)
    assert done.returncode == 0, done.stderr


def test_an_older_driver_tells_throttling_by_the_querys_former_name(answer):
    answer(
        nvmlDeviceGetCurrentClocksEventReasons=refuse(nvml.pynvml.NVML_ERROR_FUNCTION_NOT_FOUND),
        nvmlDeviceGetCurrentClocksThrottleReasons=lambda gpu: 0x4,
    )
    assert nvml.gpu_state(GPUS[0]).throttle_reasons == ["sw_power_cap"]


def test_packages_hold_the_versions_of_what_is_installed():
    packages = describe(CPU).packages
    assert packages["torch"] == version("torch")
    assert packages["msgspec"] == msgspec.__version__
    assert "pytest" not in packages


def test_every_dependency_but_those_of_the_report_is_among_the_packages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.match(r"[\w-]+", dependency)[0] for dependency in project["dependencies"]}
    assert names - {"matplotlib", "typst"} <= set(PACKAGES)
