"""NCCL's own log, for the transports that it chose between ranks: nothing else tells them.

NCCL writes a line for every connection when it makes one, such as
`Channel 00/0 : 0[0] -> 1[1] via P2P/CUMEM` or `... -> 1[0] [send] via NET/IB/2/GDRDMA`, and nothing
in a step. Whoever asks for NCCL's log in their own way gets theirs, and the transports are unknown.
"""

import atexit
import ctypes
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path

from mp.hardware.variables import set_default

VARIABLES = {"NCCL_DEBUG": "INFO", "NCCL_DEBUG_SUBSYS": "INIT"}
FILE = "NCCL_DEBUG_FILE"
SETTINGS = (Path("/etc/nccl.conf"), Path("~/.nccl.conf"))  # which these variables would override
MAX_BYTES = 16 * 2**20
LINE = re.compile(
    r"Channel \d+(?:/\d+)? : \d+\[[0-9a-f]+\] -> \d+\[[0-9a-f]+\](?: \[\w+\])? via (\S+)"
)


class NcclLog:
    """A private file that NCCL logs its connections into, gone as soon as NCCL has opened it."""

    def __init__(self) -> None:
        self.descriptor, self.path = tempfile.mkstemp(prefix="mpbench-nccl-")
        atexit.register(self.remove)
        for name, value in (VARIABLES | {FILE: self.path}).items():
            set_default(name, value)

    def remove_if_open(self) -> None:
        """Remove the file if NCCL has it open; what it writes from then on is read all the same."""
        with suppress(OSError):
            if os.fstat(self.descriptor).st_size:
                self.remove()

    def remove(self) -> None:
        """Remove the file."""
        with suppress(OSError):
            os.unlink(self.path)

    def transports(self) -> tuple[str, ...] | None:
        """Return the kinds of connections that this rank has made so far; None if none is known."""
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).fflush(None)  # what NCCL keeps in a buffer
            text = os.pread(self.descriptor, MAX_BYTES, 0).decode(errors="replace")
            return find_transports(text)
        return None


def open_nccl_log() -> NcclLog | None:
    """Have NCCL log its connections; None where a person asked for a log, or no file can be had."""
    if any(name in os.environ for name in (*VARIABLES, FILE)) or _is_set_in_a_file():
        return None
    with suppress(OSError):
        return NcclLog()
    return None


def find_transports(log: str) -> tuple[str, ...] | None:
    """Return the distinct transports in a log, such as P2P/CUMEM, SHM or NET/IB/GDRDMA."""
    return tuple(sorted({_kind(found) for found in LINE.findall(log)})) or None


def _kind(path: str) -> str:
    """Return a transport without numbers of devices and ways of copying."""
    kind, *more = path.split("/")
    how = [] if kind == "SHM" else more[:1]
    return "/".join([kind, *how, *(["GDRDMA"] if any("GDRDMA" in m for m in more) else [])])


def _is_set_in_a_file() -> bool:
    named = os.environ.get("NCCL_CONF_FILE")
    for path in [*SETTINGS, *([Path(named)] if named else [])]:
        with suppress(OSError, RuntimeError):
            if "NCCL_DEBUG" in path.expanduser().read_text(errors="replace"):
                return True
    return False
