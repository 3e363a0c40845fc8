"""Read a job's log, in which Slurm's daemons and our worker write why it ended."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from study.outcome import Outcome
from study.storage.files import read_file

TAIL_BYTES = 64 * 1024
LONGEST_LINE = 2000  # characters; the cause is at the beginning
# The worker begins every attempt with this line, and says with it what it could not put on disk.
ATTEMPT = "mpbench: attempt"
RESULT = "mpbench-result:"
NOT_WRITTEN = "mpbench: the result could not be written"
OF_PROGRAM = "| "  # begins every line of a program (mp/program/output.py)

# A task that is killed may leave half a line, which srun goes on with a line of its own.
_JOINED = re.compile(r"(?<=[\w.)])(?=(?:slurmstepd\S*|srun): )")

# The first that fits, of the lines below the last ATTEMPT, is the end of the job. Where none does,
# those above the first attempt count, too.
_DAEMON = r"^(slurmstepd\S*|srun): .*"
_KILLED = _DAEMON + r"tasks? [\d,-]+: (Killed|Segmentation|Aborted|Bus error).*"
_OF_RANK = r"^\[rank \d+\] "
_CAUSES: tuple[tuple[str, Outcome], ...] = (
    (rf"^{NOT_WRITTEN}.*", "error"),
    (_DAEMON + r"(oom.kill|Out Of Memory|[Ee]xceeded .*memory limit).*", "oom_host"),
    (_DAEMON + r"DUE TO TIME LIMIT.*", "timeout"),
    (_DAEMON + r"DUE TO NODE FAILURE.*", "node_failed"),
    (_DAEMON + r"DUE TO PREEMPTION.*", "preempted"),
    (r"^Error running slurm prolog.*", "node_failed"),
    # What the job needs is not on this node: its Python, the checkout, srun.
    (_DAEMON + r"execve\(\): .*", "node_failed"),
    (_DAEMON + r"couldn't chdir to .*", "node_failed"),
    (r"^\S*slurm_script: line \d+: srun: command not found.*", "node_failed"),
    (_DAEMON + r"\*\*\* (JOB|STEP) \S+ ON \S+ CANCELLED AT (?!.*JOB REQUEUE).*", "cancelled"),
    (r"^mpbench: .* failed: .*", "error"),
    (_KILLED, "error"),
    (_OF_RANK + r"mpbench: .* failed: .*", "error"),
    (_OF_RANK + r"mpbench: rank \d+.*: .*", "error"),  # what one missed of another
    (_DAEMON + r"tasks? [\d,-]+: Exited with exit code.*", "error"),
)


@dataclass(frozen=True)
class LogCause:
    """The line of a log that names the cause of an end, and its outcome."""

    outcome: Outcome
    line: str


def find_cause(log: Path) -> LogCause | None:
    """Return why the job of this log ended; None if the log does not tell, or is missing."""
    lines = tail_of(log)
    last = _last_attempt(lines)
    cause = _cause_in(last)
    if cause is None and last and last[0].startswith(f"{ATTEMPT} 1 "):
        # srun may write of a task's end before it writes what the task has printed.
        cause = _cause_in(lines)
    return cause


def _cause_in(lines: list[str]) -> LogCause | None:
    own = _own_ends(lines)
    for pattern, outcome in _CAUSES:
        for line in own:
            if match := re.search(pattern, line):
                return LogCause(outcome, match[0])
    return None


def _own_ends(lines: list[str]) -> list[str]:
    """Return the lines, less those of tasks that srun killed long after another had ended."""
    waited = (n for n, line in enumerate(lines) if line.startswith("srun: First task exited"))
    late = next(waited, len(lines))
    return lines[:late] + [line for line in lines[late:] if not re.search(_KILLED, line)]


def last_line(log: Path) -> str:
    """Return the last line of the log; empty if there is none."""
    lines = [line for line in tail_of(log) if line.strip()]
    return lines[-1].strip() if lines else ""


def tail_of(log: Path) -> list[str]:
    """Return the last lines of the log; none if it cannot be read."""
    try:
        data = read_file(log, last=TAIL_BYTES)
    except OSError:
        return []
    if len(data) == TAIL_BYTES:  # nobody knows whose the half of a line at its beginning is
        data = data[data.find(b"\n") + 1 :]
    return [line[:LONGEST_LINE] for line in _split(data.decode(errors="replace"))]


def _split(text: str) -> Iterator[str]:
    """Yield lines; only a line feed ends one of a program, which may print what others write."""
    for line in text.split("\n"):
        if line.startswith(OF_PROGRAM):
            yield line
        else:
            yield from _JOINED.sub("\n", line).splitlines()


def _last_attempt(lines: list[str]) -> list[str]:
    starts = [number for number, line in enumerate(lines) if line.startswith(ATTEMPT)]
    return lines[starts[-1] :] if starts else lines
