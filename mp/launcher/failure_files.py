"""Files by which locally launched ranks report failures, in a folder of theirs.

`lost`: which rank ended badly, and how, from the process that started all. `missed`: what a rank
that ends missed of another. `untold` exists until the first rank writes its result: to remove it
needs no room on a disk.
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
def failure_folder() -> Iterator[Path]:
    """Make a folder for the ranks that this process starts meanwhile."""
    with TemporaryDirectory(prefix="mpbench-") as name:
        folder = Path(name)
        (folder / UNTOLD).touch()
        yield folder


def value_for(folder: Path) -> str:
    """Return the value of the variable for the ranks that this process starts."""
    return f"{os.getpid()}:{folder}"


def is_rank() -> bool:
    """Return whether this process is one of several that were started together.

    The variable may be left over in a shell: only a child of who set it is meant.
    """
    return os.environ.get(FOLDER, "").startswith(f"{os.getppid()}:")


def write_failure(word: Word, loss: Loss, folder: Path | None = None) -> None:
    """Report a lost rank; on a full disk nothing is written, since no rank must fail for it.

    Args:
        word: who reports: the launcher (`lost`) or a rank (`missed`).
        loss: the rank, and how it ended.
        folder: of the files; by default that of this rank, if it is one.
    """
    rank, how = loss
    if (folder := folder or _folder()) is not None and folder.is_dir():
        with suppress(OSError):
            write_atomically(folder / word, f"{rank} {how}".encode(), durable=False)


def read_failure(word: Word, folder: Path | None = None) -> Loss | None:
    """Return the reported loss; None where there is none."""
    if (folder := folder or _folder()) is None:
        return None
    try:
        rank, how = (folder / word).read_text().split(" ", 1)
    except OSError:
        return None
    return int(rank), how


def mark_result_written() -> None:
    """Note that the first rank writes its result from here on."""
    if (folder := _folder()) is not None:
        with suppress(OSError):
            (folder / UNTOLD).unlink(missing_ok=True)


def is_result_written(folder: Path) -> bool:
    """Return whether the first rank came so far."""
    return not (folder / UNTOLD).exists()


def _folder() -> Path | None:
    return Path(os.environ[FOLDER].split(":", 1)[1]) if is_rank() else None
