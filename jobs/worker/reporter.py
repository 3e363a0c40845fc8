"""Where a running case stands, left on disk for those who look."""

import time
from contextlib import suppress
from pathlib import Path

from study.storage.progress import Progress, write_progress
from study.storage.store import now

EVERY_S = 1.0


class Reporter:
    """Leaves the phase and step on disk; at most once a second within a phase."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.phase = ""
        self.next_s = 0.0

    def __call__(self, progress: Progress) -> None:
        if progress.phase == self.phase and time.monotonic() < self.next_s:
            return
        self.phase = progress.phase
        self.next_s = time.monotonic() + EVERY_S
        print(f"{now()} {progress}", flush=True)
        with suppress(OSError):  # a full disk is no reason to stop measuring
            write_progress(self.path, progress)


def silent(_: object) -> None:
    """What a rank reports and writes that is not the first."""
