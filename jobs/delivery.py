"""A result's way onto the disk, which may be full, or into the log."""

import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from jobs.traces import NOT_WRITTEN, RESULT
from study.result import Result
from study.result_file import encode
from study.store import Store, write_atomically


def put(store: Store, result: Result) -> None:
    """The result in its place, on room that was held for it, and no progress beside it."""
    progress = store.progress_path(result.case)
    with suppress(OSError):
        reserve_of(progress).unlink(missing_ok=True)
    _write(store, result)
    with suppress(OSError):
        progress.unlink(missing_ok=True)


def reserve_of(progress: Path) -> Path:
    """The file that holds room for the result meanwhile."""
    return progress.with_suffix(".reserve")


def _write(store: Store, result: Result) -> None:
    """Put the result in place; where the disk refuses it, print it so that it is not lost."""
    data = encode(result)
    try:
        write_atomically(store.result_path(result.case), data)
    except OSError as error:
        print(f"{RESULT} {msgspec.json.format(data, indent=-1).decode()}")
        why = f"{NOT_WRITTEN}: {error.strerror}; it stands in the line above, after {RESULT!r}"
        print(why, file=sys.stderr, flush=True)  # a thread that exits says nothing
        sys.exit(1)
