"""Admit one submit.py at a time to a results folder, so that no case is started twice."""

import fcntl
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from study.errors import ConfigError
from study.storage.files import open_own
from study.storage.store import Store

MOST_CHARACTERS = 200  # of who holds a lock
# The locks that this process holds, by file descriptor.
_held: set[int] = set()


class Busy(ConfigError):
    """Another submit.py holds the lock; it will end."""


@contextmanager
def results_lock(store: Store) -> Iterator[None]:
    """Hold the folder's lock.

    The lock ends with the process, so one that is killed leaves nothing to clean up. The file names
    the process that holds it.

    Raises:
        Busy: another process holds it.
    """
    with os.fdopen(open_own(store.folder / ".lock", os.O_APPEND), "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(
                store.folder,
                f"another submit.py is at work here ({_holder(file)}); wait for it to end",
            ) from None
        except OSError as error:  # some shared file systems have no locks
            print(
                f"note: {store.folder} is on a file system that cannot lock files "
                f"({error.strerror}), so two submit.py at once would submit cases twice: start one "
                "at a time, or choose a folder elsewhere with --results",
                file=sys.stderr,
            )
        with suppress(OSError):  # a full disk is no reason not to hold it
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}")
            file.flush()
        _held.add(file.fileno())
        try:
            yield
        finally:
            _held.clear()


def _holder(file: TextIO) -> str:
    """Return who holds the lock, as the file says."""
    file.seek(0)
    return " ".join(file.read(MOST_CHARACTERS).split()) or "of an earlier version"


def lock_descriptors() -> tuple[int, ...]:
    """Return what sbatch inherits: if we are killed while it runs, the lock lasts as long as it."""
    return tuple(_held)
