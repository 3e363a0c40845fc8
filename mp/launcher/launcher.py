"""The launcher of ranks on this machine, where no Slurm has started them already.

A rank knows itself by the variables that torchrun sets as well: RANK, WORLD_SIZE, LOCAL_RANK,
LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT; and that it was started here by one of ours, since a
shell may hold those of something else.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from mp.launcher.failure_files import (
    FOLDER,
    Loss,
    failure_folder,
    is_rank,
    is_result_written,
    read_failure,
    value_for,
    write_failure,
)
from mp.rendezvous.secret import SECRET, new_secret
from study.errors import ConfigError
from study.processes import check_processes

POLL_S = 0.1
GRACE_S = 30.0  # the ranks that are left end by themselves, and the first writes why
LAST_S = 3.0  # once the first is gone, there is nothing to wait for
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def is_first() -> bool:
    """Return whether this process reports and writes the result: the only one, or rank 0."""
    return not is_rank() or os.environ["RANK"] == "0"


def start_ranks(count: int, on_loss: Callable[[Loss], None] = lambda loss: None) -> int:
    """Run this very command `count` times, as ranks, which die with this process.

    Each has cores of its own, where there are enough, and as many threads.

    Args:
        count: how many.
        on_loss: called with (rank, how) of the first failed rank if rank 0 ended without a result.

    Returns:
        The exit code: 0 if all end well, 2 where this machine cannot hold as many, else 1.
    """
    try:
        check_processes(count)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    cores = sorted(os.sched_getaffinity(0))
    share = len(cores) // count
    port, secret = free_port(), new_secret()
    children = []
    with _cleaning_up(), failure_folder() as folder:
        try:
            for rank in range(count):
                own = cores[rank * share : (rank + 1) * share]
                children.append(_start(rank, count, port, secret, own, folder))
            loss = _wait(children, folder)
        finally:
            for child in children:
                child.kill()
                child.wait()
        is_unwritten = not is_result_written(folder)
    if loss is not None and is_unwritten:
        on_loss(loss)
    return int(any(child.returncode for child in children))


@contextmanager
def _cleaning_up() -> Iterator[None]:
    """Turn SIGTERM into SystemExit, so that cleanup runs."""

    def leave(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _start(
    rank: int, count: int, port: int, secret: str, cores: list[int], folder: Path
) -> subprocess.Popen[bytes]:
    defaults = {
        "OMP_NUM_THREADS": str(max(1, len(cores))),
        "TORCH_CPP_LOG_LEVEL": "ERROR",  # else a lost rank leaves screens of addresses
    }
    knows_itself = {
        "RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_RANK": str(rank),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        FOLDER: value_for(folder),
        SECRET: secret,
    }
    parent = os.getpid()

    def prepare() -> None:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it was killed before we could say so
            os._exit(1)
        if cores:
            os.sched_setaffinity(0, cores)

    return subprocess.Popen(
        [sys.executable, *sys.orig_argv[1:]],
        env=defaults | dict(os.environ) | knows_itself,
        preexec_fn=prepare,
    )


def _wait(children: list[subprocess.Popen[bytes]], folder: Path) -> Loss | None:
    """Wait for all, but after a failure, which is returned, no longer than the grace time."""
    loss, failed_at = None, 0.0
    while True:
        are_over = all(child.poll() is not None for child in children)
        if loss is None and (loss := _first_loss(children, folder)) is not None:
            failed_at = time.monotonic()
            rank, how = loss
            print(f"mpbench: job failed: rank {rank} {how}", file=sys.stderr, flush=True)
            write_failure("lost", loss, folder)
        grace_s = GRACE_S if children[0].poll() is None else LAST_S
        if are_over or (loss is not None and time.monotonic() > failed_at + grace_s):
            return loss
        time.sleep(POLL_S)


def _first_loss(children: list[subprocess.Popen[bytes]], folder: Path) -> Loss | None:
    """Return the rank that ended badly; a rank that ended for want of another reports that one."""
    ended = {rank: child.returncode for rank, child in enumerate(children) if child.poll()}
    if not ended:
        return None
    missed = read_failure("missed", folder)
    if missed is not None and ended.get(missed[0], 1) > 0:  # no signal, which says more
        return missed
    rank = min(ended) if missed is None else missed[0]
    return rank, _end(ended[rank])


def _end(code: int) -> str:
    how = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
    return f"ended {how}"


def free_port() -> int:
    """Return a port of this machine that nobody listens at now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
