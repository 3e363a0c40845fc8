"""Sends between ranks: checked byte by byte, then timed."""

from statistics import median
from time import perf_counter

import torch
import torch.distributed as dist

from mp.distributed.world import World
from study.errors import CaseError
from study.results.ceilings import CopyRate

CHECKED_BYTES = 2**22
BANDWIDTH_BYTES = {"cuda": 2**28, "cpu": 2**24}
TIMES = 10


def measure_links(world: World, message_bytes: dict[tuple[int, int], int]) -> list[CopyRate]:
    """Check and time sends, for each pair of ranks that send.

    One pair after another sends random bytes, which the receiver compares with what it draws from
    the same seed, then is timed there and back: half of it is one way. The bandwidth is that of a
    large message whose receipt is acknowledged by one byte.

    Args:
        world: the ranks.
        message_bytes: the size of a message, by (source, target).

    Raises:
        CaseError: on every rank, if what arrives is not what was sent.
    """
    rates = []
    for (source, target), size in message_bytes.items():
        mine = _measure(world, source, target, size) if world.rank in (source, target) else None
        arrived, rate = world.all_gather(mine, tuple[bool, CopyRate] | None)[target] or (True, None)
        if not arrived:
            raise CaseError(f"what GPU {source} sends to GPU {target} does not arrive unchanged")
        if rate is not None:
            rates.append(rate)
    return rates


def _measure(world: World, source: int, target: int, message: int) -> tuple[bool, CopyRate]:
    """Return whether data arrive, and how fast, as this one of the two ranks sees it."""
    large = BANDWIDTH_BYTES[world.device.type]
    arrived = _arrives(world, source, target)
    latency_s = _there_and_back(world, source, target, 1, 1) / 2
    message_s = _there_and_back(world, source, target, message, message) / 2
    large_s = _there_and_back(world, source, target, large, 1) - latency_s
    rate = CopyRate(
        source=source,
        target=target,
        checked_bytes=CHECKED_BYTES,
        peer_access=None,
        latency_s=latency_s,
        message_bytes=message,
        message_s=message_s,
        bandwidth_bytes=large,
        bandwidth_bytes_per_s=large / max(large_s, 1e-9),
    )
    return arrived, rate


def _arrives(world: World, source: int, target: int) -> bool:
    drawn = torch.Generator().manual_seed(source * world.size + target)
    data = torch.randint(256, (CHECKED_BYTES,), dtype=torch.uint8, generator=drawn)
    if world.rank == source:
        dist.send(data.to(world.device), target)
        return True
    came = torch.empty_like(data, device=world.device)
    dist.recv(came, source)
    return bool(torch.equal(came.cpu(), data))


def _there_and_back(world: World, source: int, target: int, there: int, back: int) -> float:
    """Return the median seconds for `there` bytes to the target and `back` bytes from it."""
    out, answer = (torch.zeros(n, dtype=torch.uint8, device=world.device) for n in (there, back))
    times = []
    for _ in range(TIMES + 1):
        start = perf_counter()
        if world.rank == source:
            dist.send(out, target)
            dist.recv(answer, target)
        else:
            dist.recv(out, source)
            dist.send(answer, source)
        world.devices.synchronize()
        times.append(perf_counter() - start)
    return median(times[1:])  # the first one makes the connection
