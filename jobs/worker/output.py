"""Write a job's progress and result to disk; a result that the disk refuses goes into the log."""

import sys
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from jobs.job_log import NOT_WRITTEN, RESULT
from jobs.status.results import is_measured
from study.results.file import encode
from study.results.result import Result
from study.storage.files import write_atomically
from study.storage.progress import Progress, write_progress
from study.storage.store import Store, now

EVERY_S = 1.0


class Reporter:
    """Writes the phase and step to disk; at most once a second within a phase."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.phase = ""
        self.next_s = 0.0

    def __call__(self, progress: Progress) -> None:
        """Write the progress, unless the last one is too young."""
        if progress.phase == self.phase and time.monotonic() < self.next_s:
            return
        self.phase = progress.phase
        self.next_s = time.monotonic() + EVERY_S
        print(f"{now()} {progress}", flush=True)
        with suppress(OSError):  # a full disk is no reason to stop measuring
            write_progress(self.path, progress)


def silent(_: object) -> None:
    """Report nothing and write nothing, as every rank but the first."""


def reserve_of(progress: Path) -> Path:
    """Return the file that holds room for the result meanwhile."""
    return progress.with_suffix(".reserve")


def write_result(store: Store, result: Result, batch: str) -> None:
    """Write the result into the room that was held for it, and remove the progress file.

    An earlier measurement is kept aside, and gives way to another measurement alone. What the
    disk refuses is printed, so that it is not lost.

    Args:
        store: the folder.
        result: the case's.
        batch: the name of the job's batch.
    """
    progress = store.progress_path(result.case, batch)
    with suppress(OSError):
        reserve_of(progress).unlink(missing_ok=True)
    data = encode(result)
    path = store.result_path(result.case)
    try:
        if result.outcome != "ok" and is_measured(path):
            path = store.failed_path(result.case, batch)
        else:
            store.keep_aside(result.case)
        write_atomically(path, data)
    except OSError as error:
        line = f"{RESULT} {msgspec.json.format(data, indent=-1).decode()}"
        why = f"{NOT_WRITTEN}: {error.strerror}; it is in the line above, after {RESULT!r}"
        # On one stream and in one piece: srun mixes two streams, and the words would be in a line.
        sys.stdout.write(f"{line}\n{why}\n")
        sys.stdout.flush()  # a thread that exits says nothing
        sys.exit(1)
    with suppress(OSError):
        progress.unlink(missing_ok=True)
