"""This process among those of the other GPUs: who it is, and what all agree on.

Ranks meet by a store that believes nobody without their secret. The connections that Gloo and NCCL
then make for data and for words are not authenticated: whoever gets into one can change
numbers or end the run. So words are typed, and none of them can be a command.
"""

import os
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import msgspec
import torch
import torch.distributed as dist
from torch import nn

from mp.distributed.watchdog import GONE, HOST, OVER, RankFailure, Watchdog
from mp.failure import outcome_of
from mp.hardware.devices import Devices, usable_gpus
from mp.hardware.mismatch import gpu_mismatch
from mp.launcher.failure_files import say_loss
from mp.rendezvous.meeting import open_stores
from mp.rendezvous.secret import take_secret
from mp.rendezvous.store import Store
from study.errors import CaseError, GpuMismatch
from study.outcome import ResultOutcome
from study.results.environment import RankPlace

T = TypeVar("T")
LOOPBACK = "lo"  # Linux's name of the interface
LEAVE_S = 20.0  # a trace may have to be written


@dataclass(frozen=True)
class World:
    """The ranks of a case, one for each GPU. `control` is a group of CPUs, for words, not data."""

    rank: int
    size: int
    device: torch.device
    store: Store
    control: Any
    watchdog: Watchdog

    @property
    def emulated(self) -> bool:
        """True where the ranks compute on CPUs."""
        return bool(self.device.type == "cpu")

    @property
    def devices(self) -> Devices:
        """The one device of this rank."""
        return Devices([self.device], [self.device])

    def gather(self, mine: T, kind: Any) -> list[T]:
        """What every rank has to say, in order, on all of them.

        Args:
            kind: the type of what each says; anything else is refused.
        """
        return [_from_bytes(its, kind) for its in self.gather_numbers(_as_bytes(mine))]

    def gather_numbers(self, mine: torch.Tensor) -> list[torch.Tensor]:
        """The tensor of every rank, in order, on all of them.

        Args:
            mine: of one dimension, on the CPU, of the same dtype on all; of any length.
        """
        lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(self.size)]
        dist.all_gather(lengths, torch.tensor([len(mine)]), group=self.control)
        longest = max(int(length) for length in lengths)
        said = [torch.empty(longest, dtype=mine.dtype) for _ in range(self.size)]
        padded = nn.functional.pad(mine, (0, longest - len(mine)))
        dist.all_gather(said, padded, group=self.control)
        return [its[: int(length)] for its, length in zip(said, lengths, strict=True)]

    def largest(self, values: Sequence[float]) -> list[float]:
        """The largest of every rank's first value, second value, ...; nobody goes on before all."""
        numbers = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(numbers, dist.ReduceOp.MAX, group=self.control)
        return [float(number) for number in numbers]

    def told_by_first(self, words: T, kind: Any) -> T:
        """What the first rank says.

        Args:
            kind: the type of what it says; anything else is refused.
        """
        data = _as_bytes(words)
        length = torch.tensor([len(data)])
        dist.broadcast(length, src=0, group=self.control)
        said = data if self.rank == 0 else torch.empty(int(length), dtype=torch.uint8)
        dist.broadcast(said, src=0, group=self.control)
        return words if self.rank == 0 else _from_bytes(said, kind)

    def place(self) -> RankPlace:
        """Where this rank runs."""
        return RankPlace(
            rank=self.rank,
            host=socket.gethostname(),
            device=str(self.device),
            threads=torch.get_num_threads(),
        )

    def fail(self, error: Exception, outcome: ResultOutcome) -> None:
        """Tell the others what ended this rank; what all found out together needs no telling."""
        if self.rank and isinstance(error, CaseError) and not isinstance(error, GpuMismatch):
            return
        self.watchdog.tell(self.store, error, outcome)

    def leave(self) -> None:
        """End together, the first rank last, which holds the store; nobody is missed any more."""
        self.watchdog.stop()
        with suppress(dist.DistError, RuntimeError):  # one that is lost now changes nothing
            self._say(OVER)
            self._await_all(OVER)
            dist.destroy_process_group()
            self._say(GONE)
            if self.rank == 0:
                self._await_all(GONE)

    def _say(self, word: str) -> None:
        self.store.set(f"{word}/{self.rank}", "")

    def _await_all(self, word: str) -> None:
        every = [f"{word}/{rank}" for rank in range(self.size)]
        self.store.wait(every, timedelta(seconds=LEAVE_S))


def join(
    gpus: int,
    policy: str,
    give_up: Callable[[RankFailure], None],
    prove: Callable[[], None] = lambda: None,
) -> World:
    """Meet the other ranks.

    Args:
        policy: `cuda` takes real GPUs only; `cpu` computes on CPUs; `auto` takes real GPUs if every
            rank has one of its own.
        prove: raises where this rank must not go on; called once the others would hear of it.

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
            say_loss("missed", (0, str(error)))
        raise
    store.set(f"{HOST}/{rank}", socket.gethostname())
    watchdog = Watchdog(rank, size, for_watchdog, give_up)
    watchdog.start()
    world = World(rank, size, torch.device("cpu"), store, None, watchdog)
    try:
        prove()
        return _with_groups(world, _choose_device(world, policy))
    except Exception as error:
        watchdog.tell(store, error, outcome_of(error))
        raise


def _as_bytes(words: object) -> torch.Tensor:
    return torch.frombuffer(bytearray(msgspec.msgpack.encode(words)), dtype=torch.uint8)


def _from_bytes(data: torch.Tensor, kind: Any) -> Any:
    """The words of this type; no pickle, in which a stranger's words could be a command."""
    return msgspec.msgpack.decode(data.numpy().tobytes(), type=kind)


def _choose_device(world: World, policy: str) -> torch.device:
    """A GPU of its own for every rank, or the CPU for all."""
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
    os.environ.setdefault("TORCH_NCCL_DUMP_ON_TIMEOUT", "0")
    dist.init_process_group(
        "nccl" if on_gpu else "gloo",
        store=dist.PrefixStore("group", world.store),
        rank=world.rank,
        world_size=world.size,
        device_id=device if on_gpu else None,
    )
    control = dist.new_group(backend="gloo") if on_gpu else dist.group.WORLD
    return World(world.rank, world.size, device, world.store, control, world.watchdog)


def _listen_no_wider_than_needed() -> None:
    """Let Gloo and NCCL listen where no other node reaches them, if all ranks are on this one."""
    names = [name for _, name in socket.if_nameindex()]
    if os.environ["LOCAL_WORLD_SIZE"] == os.environ["WORLD_SIZE"] and LOOPBACK in names:
        for variable in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
            os.environ.setdefault(variable, LOOPBACK)
