"""Where this rank meets the others, checked before anything waits for it."""

import errno
import os
import socket
import time
from contextlib import suppress
from typing import Any

import torch.distributed as dist

from mp.parallel.watchdog import Watchdog, store_at
from study.errors import CaseError

# From the process that started the ranks: why they cannot meet, and a second address of the first
# rank's node, by which a failure is told.
NOWHERE = "MPBENCH_NOWHERE"
FIRST_NODE = "MPBENCH_FIRST_NODE"
TELL_S = 5.0  # the first rank has most likely failed for the same reason, and never listens
REMEDY = (
    "set rendezvous: {interface: ...} or {suffix: ...} in cluster.yaml, or MASTER_ADDR in "
    "slurm_setup"
)


def meeting_point(rank: int, size: int) -> tuple[str, int]:
    """Return the address and the port of the first rank's store.

    Raises:
        CaseError: there is none, or its address does not resolve or is that of another node.
    """
    if problem := os.environ.get(NOWHERE):
        raise CaseError(problem)
    address, port = os.environ["MASTER_ADDR"], _port(os.environ["MASTER_PORT"])
    host = socket.gethostname()
    try:
        found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)
    except OSError:
        error = CaseError(f"{address} does not resolve on this node ({host}); {REMEDY}")
        _tell_first(rank, size, port, error)
        raise error from None
    if rank == 0 and not any(_is_ours(family, where) for family, *_, where in found):
        raise CaseError(f"{address} is no address of the first rank's node ({host}); {REMEDY}")
    return address, port


def _port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 2**16:
        raise CaseError(f"MASTER_PORT: {text!r} is no port; set it to a number from 1 to 65535")
    return int(text)


def _is_ours(family: int, where: tuple[Any, ...]) -> bool:
    """Whether this machine can listen at the address."""
    host, _, *scope = where
    try:
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.bind((host, 0, *scope))
    except OSError as error:
        return error.errno != errno.EADDRNOTAVAIL
    return True


def _tell_first(rank: int, size: int, port: int, error: CaseError) -> None:
    """Tell the first rank of this error, in case that it has not failed for the same reason."""
    address = os.environ.get(FIRST_NODE)
    if rank == 0 or not address or not _listens(address, port):
        return
    with suppress(dist.DistError):
        store = store_at(address, port, is_first=False)
        Watchdog(rank, size, lambda: store, lambda failure: None).tell(store, error, "error")


def _listens(address: str, port: int) -> bool:
    deadline = time.monotonic() + TELL_S
    while (left := deadline - time.monotonic()) > 0:
        with suppress(OSError), socket.create_connection((address, port), timeout=left):
            return True
        time.sleep(0.2)
    return False
