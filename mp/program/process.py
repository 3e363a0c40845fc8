"""The processes of a program: started, followed to their end, and ended with the job."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Thread, current_thread, main_thread
from types import FrameType

from mp.program import guard
from mp.program.output import Output

MOST_STATUS = 4096  # bytes
# For what has escaped the guard and still holds the program's output, e.g. a daemon of the system.
PATIENCE_S = 5.0


@dataclass(frozen=True)
class Ended:
    """The end of a program.

    Attributes:
        returncode: below 0 the number of a signal; None where it could not be started.
        wall_s: from its start to its end.
        problem: why it could not be started.
        said: the last line of its stdout, not decoded.
        last_lines: of both of its streams.
    """

    returncode: int | None
    wall_s: float
    problem: str
    said: bytes
    last_lines: list[str]


def run_process(
    words: Sequence[str], folder: str, environment: Mapping[str, str], log: int
) -> Ended:
    """Run a program to its end, with all that it starts, and return how it ended.

    Args:
        words: its command, without a shell.
        folder: where it runs.
        environment: all of its variables.
        log: the descriptor that its output goes to.

    Returns:
        Its end, also where it could not be started.
    """
    status, told = os.pipe()
    pipes = [os.pipe(), os.pipe()]
    with _ended_by_signals():
        guarded = subprocess.Popen(
            [sys.executable, "-I", guard.__file__, str(told), folder, *words],
            env=environment,
            stdin=subprocess.PIPE,  # held open for as long as this process lives
            stdout=pipes[0][1],
            stderr=pipes[1][1],
            pass_fds=(told,),
            start_new_session=True,
        )
        for descriptor in (told, pipes[0][1], pipes[1][1]):
            os.close(descriptor)
        output = Output(pipes[0][0], pipes[1][0], log)
        reader = Thread(target=output.read_all, daemon=True)
        reader.start()
        try:
            found = json.loads(_read_all(status) or b"{}")
            guarded.wait()
        finally:
            os.close(status)
            _end(guarded)
            reader.join(PATIENCE_S)
    problem = _problem(found, words[0])
    return Ended(
        found.get("returncode"), found.get("wall_s", 0.0), problem, output.said, output.last_lines()
    )


def _read_all(descriptor: int) -> bytes:
    parts = []
    while part := os.read(descriptor, MOST_STATUS):
        parts.append(part)
    return b"".join(parts)


def _end(guarded: "subprocess.Popen[bytes]") -> None:
    """Let the guard end the program, if it has not, and wait for that."""
    assert guarded.stdin is not None
    with suppress(OSError):
        guarded.stdin.close()
    with suppress(subprocess.TimeoutExpired):
        guarded.wait(timeout=guard.GRACE_S + guard.KILLING_S)


def _problem(found: Mapping[str, int], program: str) -> str:
    if "errno" in found:
        why = os.strerror(found["errno"])
        if found.get("is_folder"):
            return f"the folder from which submit.py was called is not on this node: {why}"
        return f"{program} cannot be started: {why}"
    return "" if "returncode" in found else "the process that guards it was killed"


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let a signal to end this process unwind it, so that the program ends first."""
    if current_thread() is not main_thread():
        yield
        return

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {n: signal.signal(n, leave) for n in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
