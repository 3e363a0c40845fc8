"""The progress of a running case: a small file that its job replaces."""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from study.storage.files import NOT_THE_DATA, read_file, write_atomically
from study.storage.store import now

MAX_BYTES = 64 * 1024


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Step `step` of `steps` of a phase; `remaining_s` is an estimate, null where there is none."""

    phase: Annotated[str, Meta(pattern=r"\A[\w .,-]{1,80}\Z")]
    step: Annotated[int, Meta(ge=0, le=10**9)] = 0
    steps: Annotated[int, Meta(ge=0, le=10**9)] = 0
    remaining_s: float | None = None
    updated_at: str = msgspec.field(default_factory=now)

    def __str__(self) -> str:
        return f"{self.phase} {self.step}/{self.steps}" if self.steps else self.phase


def write_progress(path: Path, progress: Progress) -> None:
    """Replace the file; not forced to disk, since the next one follows soon."""
    write_atomically(path, msgspec.json.encode(progress), durable=False)


def read_progress(path: Path) -> Progress | None:
    """Return the last one written, or None where there is none to read."""
    try:
        return msgspec.json.decode(read_file(path, most=MAX_BYTES), type=Progress)
    except (OSError, *NOT_THE_DATA):
        return None
