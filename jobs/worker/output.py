"""A result's way onto the disk, which may be full, or into the log; and how it is found there."""

import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from jobs.batch import Assignment
from jobs.job_log import NOT_WRITTEN, RESULT
from study.results.file import ResultError, encode, read_result
from study.results.result import Result
from study.storage.files import write_atomically
from study.storage.ledger import Submission
from study.storage.store import Store


def put(store: Store, result: Result, batch: str) -> None:
    """Put the result in its place, on room that was held for it, and remove the progress file.

    A measurement of before is kept aside, and gives way to another measurement alone.
    """
    progress = store.progress_path(result.case, batch)
    with suppress(OSError):
        reserve_of(progress).unlink(missing_ok=True)
    _write(store, result, batch)
    with suppress(OSError):
        progress.unlink(missing_ok=True)


def result_of(store: Store, attempt: Submission | Assignment) -> Result | None:
    """Return the result of this very attempt; None where there is none, or that of another.

    Raises:
        ResultError: a file is in its place that is no result.
        OSError: the file cannot be read.
    """
    found = _found(store, attempt)
    return None if found is None else found[1]


def put_result_aside(store: Store, attempt: Submission) -> None:
    """Move the result of this very attempt away, and no other: something else knows more."""
    with suppress(ResultError, OSError):
        if (found := _found(store, attempt)) is not None:
            store.move_aside(attempt.case, found[0])


def _found(store: Store, attempt: Submission | Assignment) -> tuple[Path, Result] | None:
    paths = store.result_path(attempt.case), store.failed_path(attempt.case, attempt.batch)
    for path in paths:
        with suppress(FileNotFoundError):
            result = read_result(path)
            if result.job.submitted_at == attempt.submitted_at:
                return path, result
    return None


def is_measured(path: Path) -> bool:
    """Return whether a measurement is in this file."""
    try:
        return read_result(path).outcome == "ok"
    except (OSError, ResultError):
        return False


def reserve_of(progress: Path) -> Path:
    """The file that holds room for the result meanwhile."""
    return progress.with_suffix(".reserve")


def _write(store: Store, result: Result, batch: str) -> None:
    """Write the result; where the disk refuses it, print it so that it is not lost."""
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
