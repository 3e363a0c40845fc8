"""NVML queries: driver, limits, state and links of GPUs. Null is what NVML does not know.

GPUs are found by UUID, since NVML ignores CUDA_VISIBLE_DEVICES: that of a device of torch, or one
given as text, for which torch is not needed. Every query fails alone: one that this GPU or driver
does not support costs no other.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, Union

import pynvml

from study.results.environment import GpuLink, GpuState

if TYPE_CHECKING:
    import torch

T = TypeVar("T")
AnyGpu = Union["torch.device", str]  # a text is NVML's UUID, GPU-...

MHZ = 1_000_000

THROTTLE_REASONS = {
    pynvml.nvmlClocksEventReasonApplicationsClocksSetting: "applications_clocks_setting",
    pynvml.nvmlClocksEventReasonSwPowerCap: "sw_power_cap",
    pynvml.nvmlClocksEventReasonHwSlowdown: "hw_slowdown",
    pynvml.nvmlClocksEventReasonSyncBoost: "sync_boost",
    pynvml.nvmlClocksEventReasonSwThermalSlowdown: "sw_thermal_slowdown",
    pynvml.nvmlClocksEventReasonHwThermalSlowdown: "hw_thermal_slowdown",
    pynvml.nvmlClocksEventReasonHwPowerBrakeSlowdown: "hw_power_brake",
    pynvml.nvmlClocksEventReasonDisplayClockSetting: "display_clock_setting",
}
PATHS = {
    pynvml.NVML_TOPOLOGY_INTERNAL: "INTERNAL",
    pynvml.NVML_TOPOLOGY_SINGLE: "PIX",
    pynvml.NVML_TOPOLOGY_MULTIPLE: "PXB",
    pynvml.NVML_TOPOLOGY_HOSTBRIDGE: "PHB",
    pynvml.NVML_TOPOLOGY_NODE: "NODE",
    pynvml.NVML_TOPOLOGY_SYSTEM: "SYS",
}


def driver_version() -> str | None:
    """Return the version of NVIDIA's driver."""
    _ask(pynvml.nvmlInit)
    return _ask(pynvml.nvmlSystemGetDriverVersion)


def gpu_count() -> int | None:
    """Count the GPUs of the machine, whatever CUDA shows of them."""
    _ask(pynvml.nvmlInit)
    return _ask(pynvml.nvmlDeviceGetCount)


def mig_is_on() -> bool:
    """Return whether a GPU of the machine is split by MIG."""
    modes = [_ask(_mig_mode, index) for index in range(gpu_count() or 0)]
    return pynvml.NVML_DEVICE_MIG_ENABLE in modes


def all_uuids() -> list[str]:
    """Return the UUIDs of the GPUs of the machine that this process may use, in bus order."""
    handles = [_ask(pynvml.nvmlDeviceGetHandleByIndex, i) for i in range(gpu_count() or 0)]
    found = [_ask(pynvml.nvmlDeviceGetUUID, handle) for handle in handles if handle is not None]
    return [str(uuid) for uuid in found if uuid is not None]


def name_of(device: AnyGpu) -> str | None:
    """Return the GPU's model."""
    return _ask(lambda: str(pynvml.nvmlDeviceGetName(_find(device))))


def memory_of(device: AnyGpu) -> tuple[int, int] | None:
    """Return the bytes that are in use on the GPU, by whatever process, and all it has."""
    found = _ask(lambda: pynvml.nvmlDeviceGetMemoryInfo(_find(device)))
    return None if found is None else (int(found.used), int(found.total))


def utilization_of(device: AnyGpu) -> float | None:
    """Return the share of NVML's last window in which any kernel ran."""
    return _ask(lambda: pynvml.nvmlDeviceGetUtilizationRates(_find(device)).gpu / 100)


def max_sm_clock_hz(device: AnyGpu) -> int | None:
    """Return the highest clock of the GPU's multiprocessors."""
    return _ask(lambda: pynvml.nvmlDeviceGetMaxClockInfo(_find(device), pynvml.NVML_CLOCK_SM) * MHZ)


def power_limit_w(device: AnyGpu) -> float | None:
    """Return the power limit in force."""
    return _ask(lambda: pynvml.nvmlDeviceGetEnforcedPowerLimit(_find(device)) / 1000)


def gpu_state(device: AnyGpu) -> GpuState | None:
    """Return the GPU's state at this moment; None where NVML does not find it."""
    gpu = _ask(_find, device)
    if gpu is None:
        return None
    return GpuState(
        sm_clock_hz=_ask(_clock_hz, gpu, pynvml.NVML_CLOCK_SM),
        memory_clock_hz=_ask(_clock_hz, gpu, pynvml.NVML_CLOCK_MEM),
        throttle_reasons=_throttle_reasons(gpu),
        temperature_celsius=_ask(pynvml.nvmlDeviceGetTemperature, gpu, pynvml.NVML_TEMPERATURE_GPU),
        power_w=_ask(lambda: pynvml.nvmlDeviceGetPowerUsage(gpu) / 1000),
        utilization=_ask(lambda: pynvml.nvmlDeviceGetUtilizationRates(gpu).gpu / 100),
    )


def gpu_link(a: "torch.device", b: "torch.device") -> GpuLink:
    """Return how two GPUs are connected."""
    return link_between((a.index, a), (b.index, b))


def link_between(first: tuple[int, AnyGpu], second: tuple[int, AnyGpu]) -> GpuLink:
    """Return how two GPUs are connected, each given with the index that it is to have.

    An NVLink to an NVSwitch counts as one to the other GPU, as in nvidia-smi's NV#: NVML names
    the switch as what lies at its end, and all GPUs of a host hang on the same switches.
    """
    (source, a), (target, b) = first, second
    path = _ask(lambda: pynvml.nvmlDeviceGetTopologyCommonAncestor(_find(a), _find(b)))
    there, back = _ask(_nvlinks, a, b), _ask(_nvlinks, b, a)
    return GpuLink(
        source=source,
        target=target,
        path=PATHS.get(path),
        nvlinks=None if there is None or back is None else min(there, back),
    )


def _ask(question: Callable[..., T], *about: Any) -> T | None:
    """Return NVML's answer, or None where it has none."""
    try:
        return question(*about)
    except pynvml.NVMLError:
        return None


def _find(device: AnyGpu) -> Any:
    """Return NVML's handle of the GPU."""
    pynvml.nvmlInit()  # once more does no harm: NVML counts
    if isinstance(device, str):
        return pynvml.nvmlDeviceGetHandleByUUID(device)
    import torch

    return pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(device).uuid}")


def _mig_mode(index: int) -> int:
    return int(pynvml.nvmlDeviceGetMigMode(pynvml.nvmlDeviceGetHandleByIndex(index))[0])


def _clock_hz(gpu: Any, clock: int) -> int:
    return int(pynvml.nvmlDeviceGetClockInfo(gpu, clock)) * MHZ


def _throttle_reasons(gpu: Any) -> list[str] | None:
    """Return a word for every reason; an unknown one is named by its bit. None if NVML knows none.

    Drivers from before 535 have the query by its former name alone.
    """
    bits = _ask(pynvml.nvmlDeviceGetCurrentClocksEventReasons, gpu)
    if bits is None:
        bits = _ask(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons, gpu)
    if bits is None:
        return None
    reasons = [1 << place for place in range(bits.bit_length()) if bits >> place & 1]
    idle = pynvml.nvmlClocksEventReasonGpuIdle
    return [THROTTLE_REASONS.get(reason, hex(reason)) for reason in reasons if reason != idle]


def _nvlinks(a: AnyGpu, b: AnyGpu) -> int | None:
    """Count the active NVLinks from GPU a to GPU b; None where no link's end is known."""
    gpu, bus_id = _find(a), pynvml.nvmlDeviceGetPciInfo(_find(b)).busId
    links = range(pynvml.NVML_NVLINK_MAX_LINKS)
    known = [leads for link in links if (leads := _ask(_leads_to, gpu, link, bus_id)) is not None]
    return sum(known) if known else None


def _leads_to(gpu: Any, link: int, bus_id: bytes) -> bool:
    """Return whether the link is active and ends at the GPU of this bus id or at an NVSwitch."""
    if pynvml.nvmlDeviceGetNvLinkState(gpu, link) != pynvml.NVML_FEATURE_ENABLED:
        return False
    end = _ask(pynvml.nvmlDeviceGetNvLinkRemoteDeviceType, gpu, link)
    if end == pynvml.NVML_NVLINK_DEVICE_TYPE_SWITCH:
        return True
    return bool(pynvml.nvmlDeviceGetNvLinkRemotePciInfo(gpu, link).busId == bus_id)
