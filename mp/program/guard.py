"""Run a program, and end all that it has started once it ends, or once the job is gone.

`python guard.py STATUS FOLDER WORD...`, with a pipe as its input that the job holds open. It runs
by itself, with the standard library alone, in a session that no signal to the job reaches. All
that the program starts becomes its child when its own parent ends, so none gets away. How the
program ended is written to the descriptor STATUS, as JSON: `returncode` and `wall_s`, or `errno`.
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
GRACE_S = 2.0  # for the program to end when it is asked to
KILLING_S = 10.0  # for the kernel, of processes that were killed


def main() -> None:
    """Run the program to its end."""
    status, folder, *words = sys.argv[1:]
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    wake, woken = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os.write(woken, b"!"))
    start = time.monotonic()
    try:
        child = subprocess.Popen(
            words,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: _prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
        )
    except OSError as error:
        is_folder = error.filename == folder
        _tell(int(status), {"errno": error.errno or 0, "is_folder": is_folder})
        return

    def wait() -> None:
        child.wait()
        told = {"returncode": child.returncode, "wall_s": time.monotonic() - start}
        _tell(int(status), told)
        os.write(woken, b".")

    threading.Thread(target=wait, daemon=True).start()
    ready, _, _ = select.select([0, wake], [], [])
    if wake not in ready or os.read(wake, 1) == b"!":  # it has not ended by itself
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)
        select.select([wake], [], [], GRACE_S)
    _end_all()


def _tell(status: int, told: dict[str, float]) -> None:
    with suppress(OSError):  # nobody may be there any more
        os.write(status, json.dumps(told).encode())


def _end_all() -> None:
    """Kill every process below this one until there is none."""
    until = time.monotonic() + KILLING_S
    while time.monotonic() < until:
        living = _below(os.getpid())
        if not living:
            return
        for pid in living:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.01)


def _below(pid: int) -> list[int]:
    """Return the processes of which this one is an ancestor, without those that have ended."""
    parents: dict[int, tuple[int, str]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ends meanwhile
            state, parent = path.read_text(errors="replace").rpartition(")")[2].split()[:2]
            parents[int(path.parent.name)] = int(parent), state
    found, new = [], {pid}
    while new:
        new = {child for child, (parent, _) in parents.items() if parent in new}
        found += [child for child in new if parents[child][1] != "Z"]
    return found


def _prctl(option: int, value: int) -> None:
    with suppress(OSError, AttributeError):  # Linux has it
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main()
