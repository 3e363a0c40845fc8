"""One submit.py at a time in one results folder, so that no case is started twice."""

import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from study.errors import ConfigError
from study.store import Store

# The locks that this process holds, by file descriptor.
_held: set[int] = set()


class Busy(ConfigError):
    """Another submit.py is at work; it will end."""


@contextmanager
def only_one(store: Store) -> Iterator[None]:
    """Hold the folder's lock; Busy where another process holds it.

    The lock goes with the process, so one that is killed leaves nothing to clean up.
    """
    with (store.folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(
                store.folder, "another submit.py is at work here; wait for it to end"
            ) from None
        except OSError as error:  # some shared file systems have no locks
            why = f"{store.folder} cannot be locked ({error.strerror})"
            print(f"note: {why}; start one submit.py only", file=sys.stderr)
        _held.add(file.fileno())
        try:
            yield
        finally:
            _held.clear()


def held() -> tuple[int, ...]:
    """What sbatch is to inherit: if we are killed while it runs, the lock lasts as long as it."""
    return tuple(_held)
