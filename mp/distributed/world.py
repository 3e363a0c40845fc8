"""The ranks of a case and their collectives for control.

Ranks meet by a store that rejects whoever lacks their secret. The connections that Gloo and NCCL
then make are not authenticated: whoever gets into one can change numbers or end the run. So
messages are typed, and none of them can be a command.
"""

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeVar

import msgspec
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.distributed_c10d import PrefixStore

from mp.distributed.nccl_log import NcclLog, open_nccl_log
from mp.distributed.watchdog import GONE, HOST, OVER, Watchdog
from mp.engine import Communicator, outcome_of
from mp.hardware.devices import Devices, usable_gpus
from mp.hardware.mismatch import gpu_mismatch
from mp.hardware.variables import set_default
from mp.launcher.failure_files import write_failure
from mp.rendezvous.failure import RankFailure
from mp.rendezvous.meeting import open_stores
from mp.rendezvous.secret import take_secret
from mp.rendezvous.store import Store
from study.errors import CaseError, GpuMismatch
from study.outcome import ResultOutcome
from study.results.environment import RankPlace

T = TypeVar("T")
LOOPBACK = "lo"  # Linux's name of the interface
SHUTDOWN_S = 20.0  # a trace may have to be written


@dataclass(frozen=True, kw_only=True)
class World(Communicator):
    """The ranks of a case, one for each GPU, as one of them.

    Attributes:
        store: which all ranks share.
        control: a process group of CPUs, for messages and not for data.
        watchdog: of this rank.
        nccl_log: which tells the transports between ranks; None if there is none.
        groups: process groups of some of the ranks, which `group_of` has made.
    """

    store: Store
    control: Any
    watchdog: Watchdog
    nccl_log: NcclLog | None = None
    groups: dict[tuple[int, ...], Any] = field(default_factory=dict)

    @property
    def device(self) -> torch.device:
        """The one device of this rank."""
        return self.devices.real[0]

    @property
    def emulated(self) -> bool:
        """True where the ranks compute on CPUs."""
        return self.device.type == "cpu"

    def all_gather(self, mine: T, kind: Any) -> list[T]:
        """Return the value of every rank, in order, on all of them; all must be of type `kind`."""
        return [_from_bytes(its, kind) for its in self.all_gather_numbers(_as_bytes(mine))]

    def all_gather_numbers(self, mine: torch.Tensor) -> list[torch.Tensor]:
        """Return the 1-d CPU tensor of every rank, in order, on all of them; of one dtype."""
        lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(self.size)]
        dist.all_gather(lengths, torch.tensor([len(mine)]), group=self.control)
        longest = max(int(length) for length in lengths)
        said = [torch.empty(longest, dtype=mine.dtype) for _ in range(self.size)]
        padded = nn.functional.pad(mine, (0, longest - len(mine)))
        dist.all_gather(said, padded, group=self.control)
        return [its[: int(length)] for its, length in zip(said, lengths, strict=True)]

    def all_reduce_max(self, value: float) -> float:
        """Return the largest value of all ranks, once all have come so far."""
        number = torch.tensor([value], dtype=torch.float64)
        dist.all_reduce(number, dist.ReduceOp.MAX, group=self.control)
        return number.item()

    def broadcast(self, value: T, kind: Any) -> T:
        """Return the first rank's value, which must be of type `kind`."""
        data = _as_bytes(value)
        length = torch.tensor([len(data)])
        dist.broadcast(length, src=0, group=self.control)
        said = data if self.rank == 0 else torch.empty(int(length), dtype=torch.uint8)
        dist.broadcast(said, src=0, group=self.control)
        return value if self.rank == 0 else _from_bytes(said, kind)

    def group_of(self, ranks: tuple[int, ...]) -> Any:
        """Return the process group of these ranks, for data; all ranks ask for it together."""
        if ranks == tuple(range(self.size)):
            return dist.group.WORLD
        if ranks not in self.groups:
            self.groups[ranks] = dist.new_group(list(ranks))
        return self.groups[ranks]

    def place(self) -> RankPlace:
        """Return where this rank runs, and what has connected it to others so far."""
        return RankPlace(
            rank=self.rank,
            host=socket.gethostname(),
            device=str(self.device),
            threads=torch.get_num_threads(),
            transports=None if self.nccl_log is None else self.nccl_log.transports(),
        )

    def fail(self, error: Exception, outcome: ResultOutcome) -> None:
        """Announce what ended this rank, unless all ranks found it out together."""
        if self.rank and isinstance(error, CaseError) and not isinstance(error, GpuMismatch):
            return
        self.watchdog.announce(self.store, error, outcome)

    def shutdown(self) -> None:
        """End together, the first rank last, since it holds the store."""
        self.watchdog.stop()
        with suppress(dist.DistError, RuntimeError):  # one that is lost now changes nothing
            self._set(OVER)
            self._await_all(OVER)
            dist.destroy_process_group()
            self._set(GONE)
            if self.rank == 0:
                self._await_all(GONE)

    def _set(self, key: str) -> None:
        self.store.set(f"{key}/{self.rank}", "")

    def _await_all(self, key: str) -> None:
        every = [f"{key}/{rank}" for rank in range(self.size)]
        self.store.wait(every, timedelta(seconds=SHUTDOWN_S))


def join(
    gpus: int,
    policy: str,
    give_up: Callable[[RankFailure], None],
    check: Callable[[], None] = lambda: None,
) -> World:
    """Meet the other ranks, and return what they share.

    Args:
        gpus: of the case, one for each rank.
        policy: `cuda` takes real GPUs only; `cpu` computes on CPUs; `auto` takes real GPUs if every
            rank has one of its own.
        give_up: called on the first rank, in a thread, when another is lost.
        check: raises where this rank must not go on; called once the others would hear of it.

    Raises:
        GpuMismatch: policy `cuda`, and a rank sees too few GPUs.
        CaseError: the ranks are not those of the case, or cannot meet.
    """
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    if size != gpus:
        raise CaseError(f"WORLD_SIZE: {size} processes for {gpus} GPUs; start one for each")
    try:
        store, for_watchdog = open_stores(rank, size, take_secret())
    except CaseError as error:
        if rank:
            write_failure("missed", (0, str(error)))
        raise
    store.set(f"{HOST}/{rank}", socket.gethostname())
    watchdog = Watchdog(rank, size, for_watchdog, give_up)
    watchdog.start()
    cpu = _alone(torch.device("cpu"))  # until all know who has a GPU
    world = World(cpu, rank, size, store=store, control=None, watchdog=watchdog)
    try:
        check()
        return _with_groups(world, _choose_device(world, policy))
    except Exception as error:
        watchdog.announce(store, error, outcome_of(error))
        raise


def _alone(device: torch.device) -> Devices:
    return Devices([device], [device])


def _as_bytes(value: object) -> torch.Tensor:
    return torch.frombuffer(bytearray(msgspec.msgpack.encode(value)), dtype=torch.uint8)


def _from_bytes(data: torch.Tensor, kind: Any) -> Any:
    """Decode a value of this type; not by pickle, in which a stranger's could be a command."""
    return msgspec.msgpack.decode(data.numpy().tobytes(), type=kind)


def _choose_device(world: World, policy: str) -> torch.device:
    """Return a GPU of its own for every rank, or the CPU for all."""
    local_rank, local_size = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
    there = [] if policy == "cpu" else usable_gpus()
    if policy == "cuda" and len(there) < local_size:
        raise gpu_mismatch(local_size, len(there))
    world.store.set(f"has_gpu/{world.rank}", str(len(there) >= local_size))
    all_have = all(world.store.get(f"has_gpu/{rank}") == b"True" for rank in range(world.size))
    if not all_have:
        return torch.device("cpu")
    torch.cuda.set_device(there[local_rank])
    return there[local_rank]


def _with_groups(world: World, device: torch.device) -> World:
    on_gpu = device.type == "cuda"
    _listen_no_wider_than_needed()
    # Else a thread of NCCL's group asks the store once a second, and stops Python each time.
    set_default("TORCH_NCCL_DUMP_ON_TIMEOUT", "0")
    nccl_log = open_nccl_log() if on_gpu else None
    dist.init_process_group(
        "nccl" if on_gpu else "gloo",
        store=PrefixStore("group", world.store),
        rank=world.rank,
        world_size=world.size,
        device_id=device if on_gpu else None,
    )
    control = dist.new_group(backend="gloo") if on_gpu else dist.group.WORLD
    if nccl_log is not None:
        nccl_log.remove_if_open()
    return replace(world, devices=_alone(device), control=control, nccl_log=nccl_log)


def _listen_no_wider_than_needed() -> None:
    """Let Gloo and NCCL listen where no other node reaches them, if all ranks are on this one."""
    names = [name for _, name in socket.if_nameindex()]
    if os.environ["LOCAL_WORLD_SIZE"] == os.environ["WORLD_SIZE"] and LOOPBACK in names:
        for variable in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
            set_default(variable, LOOPBACK)
