"""What ranks that were started together leave for one another, in a folder of their own.

`lost`: which rank ended badly, and how, from the process that started all. `missed`: what a rank
that ends missed of another. `told`: the first rank has its result and tells it.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Literal

from study.store import write_atomically

FOLDER = "MPBENCH_RANKS"  # the variable that names it
Word = Literal["lost", "missed", "told"]
Loss = tuple[int, str]  # which rank, and how it ended


def is_rank() -> bool:
    """Whether this process is one of several that were started together."""
    return FOLDER in os.environ


def say_loss(word: Word, loss: Loss, folder: Path | None = None) -> None:
    """Leave word of a lost rank."""
    rank, how = loss
    _say(word, f"{rank} {how}", folder)


def said_loss(word: Word, folder: Path | None = None) -> Loss | None:
    """The lost rank that word was left of; None where none was."""
    folder = folder or _folder()
    if folder is None:
        return None
    try:
        rank, how = (folder / word).read_text().split(" ", 1)
    except OSError:
        return None
    return int(rank), how


def say_told() -> None:
    """The first rank is about to tell its result."""
    _say("told", "", None)


def has_told(folder: Path) -> bool:
    """Whether the first rank came so far."""
    return (folder / "told").exists()


def _say(word: Word, text: str, folder: Path | None) -> None:
    if (folder := folder or _folder()) is None or not folder.is_dir():
        return
    with suppress(OSError):  # on a full disk: no word must keep a rank from ending
        write_atomically(folder / word, text.encode(), durable=False)


def _folder() -> Path | None:
    return Path(os.environ[FOLDER]) if is_rank() else None
