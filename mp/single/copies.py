"""Copies between the GPUs of a case: first checked byte by byte, then timed."""

from collections.abc import Callable
from statistics import median
from time import perf_counter

import torch

from mp.activations import parts_of
from mp.hardware.devices import Devices
from mp.placement import layer_map
from mp.timing.clocks import clock_of
from mp.workload import Workload
from study.errors import CaseError
from study.results.ceilings import CopyRate

CHECK_BYTES = 64 * 2**20
CHECK_BYTES_WITHIN = 2**20  # one device copying to itself can hardly go wrong
BANDWIDTH_BYTES = {"cuda": 256 * 2**20, "cpu": 64 * 2**20}
COPIES = 30
TIME_LIMIT_S = 0.3


def measure_copies(workload: Workload, devices: Devices) -> list[CopyRate]:
    """Check and time the copies of every pair of GPUs that passes the baton, both ways.

    One GPU, real or shared by logical ones, or the CPU, copies within itself: GPU 0 to GPU 0.

    Raises:
        CaseError: bytes did not arrive as they were sent. A driver may report peer access between
            GPUs that corrupt each other's data, e.g. behind an IOMMU.
    """
    sizes = messages(workload, devices).items()
    element = workload.dtype.itemsize
    return [_measure(devices, source, target, size, element) for (source, target), size in sizes]


def messages(workload: Workload, devices: Devices) -> dict[tuple[int, int], int]:
    """Return the bytes that a step copies, at most, by (source, target)."""
    case = workload.case
    gpu_of_layer = layer_map(case.layers, case.gpus, case.split)
    sizes = workload.message_bytes(gpu_of_layer, case.batch_size)
    if sizes and not devices.emulated:
        return sizes
    last = parts_of(workload.activations(case.batch_size)[-1])
    return {(0, 0): max(sizes.values(), default=sum(part.nbytes for part in last))}


def _measure(
    devices: Devices, source: int, target: int, message_bytes: int, element: int
) -> CopyRate:
    checked_bytes = CHECK_BYTES_WITHIN if source == target else CHECK_BYTES
    check(devices, source, target, checked_bytes)
    check(devices, source, target, message_bytes)
    bandwidth_bytes = BANDWIDTH_BYTES[devices.real_device(source).type]
    large_s = _seconds(devices, source, target, bandwidth_bytes)
    return CopyRate(
        source=source,
        target=target,
        checked_bytes=checked_bytes,
        peer_access=_peer_access(devices, source, target),
        latency_s=_seconds(devices, source, target, element),
        message_bytes=message_bytes,
        message_s=_seconds(devices, source, target, message_bytes),
        bandwidth_bytes=bandwidth_bytes,
        bandwidth_bytes_per_s=bandwidth_bytes / large_s,
    )


def check(devices: Devices, source: int, target: int, size: int) -> None:
    """Send random bytes, and compare them on the host, byte by byte, with what arrived.

    Args:
        devices: the GPUs.
        source: the GPU that sends.
        target: the GPU that receives.
        size: in bytes.

    Raises:
        CaseError: a byte differs.
    """
    seed = torch.Generator().manual_seed(size)
    words = torch.randint(2**63 - 1, (size // 8 + 1,), generator=seed)
    sent = words.view(torch.uint8)[:size].to(devices.real_device(source))
    received = _copy(devices, source, target)(sent)
    wrong = int((received.cpu() != sent.cpu()).sum())
    if wrong:
        raise CaseError(
            f"GPU {source} to GPU {target} ({devices.real_device(source)} to "
            f"{devices.real_device(target)}) corrupts data: {wrong} of {size} bytes did not arrive "
            "as they were sent; an IOMMU or PCIe ACS between them is the usual cause"
        )


def _copy(devices: Devices, source: int, target: int) -> Callable[[torch.Tensor], torch.Tensor]:
    if source == target:
        return lambda x: x.clone()
    device = devices.real_device(target)
    return lambda x: x.to(device)


def _seconds(devices: Devices, source: int, target: int, size: int) -> float:
    """Return the median seconds of a copy on the source's clock, each from all devices idle."""
    x = torch.ones(size, dtype=torch.uint8, device=devices.real_device(source))
    copy, clock = _copy(devices, source, target), clock_of(devices)
    times: list[float] = []
    copy(x)
    devices.synchronize()
    clock.align()
    began = perf_counter()
    while len(times) < COPIES and not (times and perf_counter() - began > TIME_LIMIT_S):
        devices.synchronize()
        clock.start()
        start = clock.mark(source)
        copy(x)
        end = clock.mark(source)
        devices.synchronize()
        times.append(clock.seconds(source, end) - clock.seconds(source, start))
    return median(times)


def _peer_access(devices: Devices, source: int, target: int) -> bool | None:
    a, b = devices.real_device(source), devices.real_device(target)
    if source == target or a.type != "cuda" or b.type != "cuda":
        return None
    return bool(torch.cuda.can_device_access_peer(a, b))
