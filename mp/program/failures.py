"""The failure of a program: an outcome, and one line that says why."""

import re
import signal
from collections.abc import Sequence
from itertools import takewhile

from mp.program.process import Ended
from study.outcome import ResultOutcome
from study.results.result import KILLED, CaseFailure
from study.text import one_line, shortened

MORE_MEMORY = "ask for more with mem_gb"
FAILED = "ProgramFailed"
_OUT_OF_GPU_MEMORY = re.compile(
    r"(CUDA|HIP) out of memory|CUDA_ERROR_OUT_OF_MEMORY|cudaErrorMemoryAllocation"
)
_ERROR = re.compile(r"\b\w*(Error|Exception|Interrupt)\b(:|$)")
_OF_TORCHRUN = re.compile(r"ChildFailedError|SignalException|torch[./]distributed[./]elastic")


def find_failure(ended: Ended, oom_kills: int) -> tuple[ResultOutcome, CaseFailure] | None:
    """Return the outcome of a program that failed, and why; None of one that ended well.

    Args:
        ended: its end.
        oom_kills: how many processes of the job the kernel ended meanwhile for want of memory.
    """
    if ended.returncode == 0:
        return None
    if ended.returncode is None:
        return "error", CaseFailure(type="ProgramNotStarted", message=shortened(ended.problem))
    how, last = _how(ended.returncode), _last_words(ended.last_lines)
    said = f"; it said: {last}" if last else ""
    if oom_kills:
        why = f"the kernel ended {oom_kills} of its processes for want of memory; {MORE_MEMORY}"
        return "oom_host", CaseFailure(type=FAILED, message=shortened(f"{how}: {why}"))
    for line in reversed(ended.last_lines):
        if _OUT_OF_GPU_MEMORY.search(line):
            message = shortened(f"{how}; it said: {one_line(line)}")
            return "oom_gpu", CaseFailure(type=FAILED, message=message)
    if ended.returncode == -signal.SIGKILL:
        message = shortened(f"{how}; if its memory ran out, {MORE_MEMORY}{said}")
        return "error", CaseFailure(type=KILLED, message=message)
    return "error", CaseFailure(type=FAILED, message=shortened(f"{how}{said}"))


def _how(returncode: int) -> str:
    if returncode > 0:
        return f"the program ended with exit code {returncode}"
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    return f"the program was killed by {name}"


def _last_words(lines: Sequence[str]) -> str:
    """Return the last line that names an error, or else the last with a letter in it.

    torchrun says at length that a process of its failed; why is what that process said before.
    """
    words = [text for line in lines if any(map(str.isalnum, text := one_line(line)))]
    errors = [w for w in words if _ERROR.search(w) and not _OF_TORCHRUN.search(w)]
    before = list(takewhile(lambda word: not _OF_TORCHRUN.search(word), words))
    return (errors or before or words or [""])[-1]
