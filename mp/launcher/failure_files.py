"""What ranks that were started together leave for one another, in a folder of their own.

`lost`: which rank ended badly, and how, from the process that started all. `missed`: what a rank
that ends missed of another. `untold` is there from the beginning, until the first rank tells its
result: to remove it needs no room on a disk.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from study.storage.files import write_atomically

FOLDER = "MPBENCH_RANKS"  # the variable that names it, and whose children may believe that
UNTOLD = "untold"
Word = Literal["lost", "missed"]
Loss = tuple[int, str]  # which rank, and how it ended


@contextmanager
def folder_for_words() -> Iterator[Path]:
    """An empty folder, for the ranks that this process starts meanwhile."""
    with TemporaryDirectory(prefix="mpbench-") as name:
        folder = Path(name)
        (folder / UNTOLD).touch()
        yield folder


def value_for(folder: Path) -> str:
    """What the variable says to the ranks that this process starts."""
    return f"{os.getpid()}:{folder}"


def is_rank() -> bool:
    """Whether this process is one of several that were started together.

    The variable may be left over in a shell: only a child of who set it is meant.
    """
    return os.environ.get(FOLDER, "").startswith(f"{os.getppid()}:")


def say_loss(word: Word, loss: Loss, folder: Path | None = None) -> None:
    """Leave word of a lost rank; on a full disk there is none, as no rank must fail for it."""
    rank, how = loss
    if (folder := folder or _folder()) is not None and folder.is_dir():
        with suppress(OSError):
            write_atomically(folder / word, f"{rank} {how}".encode(), durable=False)


def said_loss(word: Word, folder: Path | None = None) -> Loss | None:
    """The lost rank that word was left of; None where none was."""
    if (folder := folder or _folder()) is None:
        return None
    try:
        rank, how = (folder / word).read_text().split(" ", 1)
    except OSError:
        return None
    return int(rank), how


def say_told() -> None:
    """The first rank is about to tell its result."""
    if (folder := _folder()) is not None:
        with suppress(OSError):
            (folder / UNTOLD).unlink(missing_ok=True)


def has_told(folder: Path) -> bool:
    """Whether the first rank came so far."""
    return not (folder / UNTOLD).exists()


def _folder() -> Path | None:
    return Path(os.environ[FOLDER].split(":", 1)[1]) if is_rank() else None
