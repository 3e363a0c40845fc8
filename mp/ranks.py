"""A process for each GPU on this machine, where no Slurm has started one for each already.

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
import tempfile
import time
from pathlib import Path

from study.store import write_atomically

POLL_S = 0.1
RANKS_PER_CORE = 32  # each takes 200 MB and seconds to start
GRACE_S = 30.0  # the ranks that are left end by themselves, and the first writes why
LAST_S = 3.0  # once the first is gone, there is nothing to wait for
PR_SET_PDEATHSIG = 1  # linux/prctl.h
LOST_FILE = "MPBENCH_LOST_RANK"  # names the file that says which rank ended, and how


def is_rank() -> bool:
    """Whether this process is one of several that were started together."""
    return LOST_FILE in os.environ


def is_first() -> bool:
    """Whether this process is the one that reports and writes: the only one, or rank 0."""
    return not is_rank() or os.environ["RANK"] == "0"


def start_ranks(count: int) -> int:
    """Run this very command `count` times, as ranks; 0 if all end well, else 1.

    2, with a line that says so, where this machine cannot hold as many. Each rank has cores of its
    own, where there are enough, and as many threads. All of them die with this process.
    """
    cores = sorted(os.sched_getaffinity(0))
    if count > (most := RANKS_PER_CORE * len(cores)):
        cpus = f"{len(cores)} CPUs hold at most {most}"
        print(f"error: gpus: {count} processes are too many; {cpus}", file=sys.stderr)
        return 2
    share = len(cores) // count
    port = free_port()
    children = []
    with tempfile.TemporaryDirectory() as folder:
        lost = Path(folder) / "lost"
        try:
            for rank in range(count):
                own = cores[rank * share : (rank + 1) * share]
                children.append(_start(rank, count, port, own, lost))
            return _wait(children, lost)
        finally:
            for child in children:
                child.kill()
                child.wait()


def lost_rank() -> tuple[int, str] | None:
    """The first rank that ended badly, and how, if the process that started all has seen it."""
    try:
        rank, _, how = Path(os.environ[LOST_FILE]).read_text().partition(" ")
    except (KeyError, OSError):
        return None
    return int(rank), how


def _start(
    rank: int, count: int, port: int, cores: list[int], lost: Path
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
        LOST_FILE: str(lost),
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


def _wait(children: list[subprocess.Popen[bytes]], lost: Path) -> int:
    """Wait for all; once one has failed, no longer than the grace time."""
    failed_at = None
    while any(child.poll() is None for child in children):
        for rank, child in enumerate(children):
            if failed_at is None and child.poll():
                failed_at, how = time.monotonic(), _end(child.returncode)
                print(f"mpbench: job failed: rank {rank} ended {how}", file=sys.stderr, flush=True)
                write_atomically(lost, f"{rank} {how}".encode(), durable=False)
        grace_s = GRACE_S if children[0].poll() is None else LAST_S
        if failed_at is not None and time.monotonic() > failed_at + grace_s:
            break
        time.sleep(POLL_S)
    return int(any(child.returncode for child in children))


def _end(code: int) -> str:
    return f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"


def free_port() -> int:
    """A port of this machine that nobody listens at now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
