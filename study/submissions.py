"""The ledger of what was submitted: one JSON line per event, appended, never rewritten."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal

import msgspec

from study.case import Case
from study.json_data import NOT_THE_DATA


class Submission(msgspec.Struct, frozen=True, kw_only=True, tag="submitted", tag_field="event"):
    """A case was handed to an executor.

    `overrides` are the `--set` values that made the case from its grid.
    """

    case: Case
    case_id: str
    grid: str
    overrides: dict[str, Any]
    executor: Literal["slurm", "local"]
    job_id: str
    job_name: str
    log: str
    requested_gpus: int
    timeout_min: int | None
    submitted_at: str


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag="ended", tag_field="event"):
    """A submission ended without a result, and this is all that is known of why."""

    case_id: str
    job_id: str
    reason: str
    ended_at: str


Event = Submission | Ended


def append(ledger: Path, event: Event) -> None:
    """Add one line and wait until it is on disk: a job without a line would be forgotten."""
    with ledger.open("a+b") as file:
        # A line that a crash cut off must not swallow this one.
        cut_off = file.tell() > 0 and _last_byte(file) != b"\n"
        file.write(b"\n" * cut_off + msgspec.json.encode(event) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _last_byte(file: BinaryIO) -> bytes:
    file.seek(-1, os.SEEK_END)
    return file.read(1)


def read(ledger: Path) -> tuple[list[Event], int]:
    """All events in order, and how many lines could not be read."""
    events: list[Event] = []
    broken = 0
    for line in _lines(ledger):
        try:
            events.append(msgspec.json.decode(line, type=Event))
        except NOT_THE_DATA:
            broken += 1
    return events, broken


def _lines(ledger: Path) -> Iterator[bytes]:
    if ledger.exists():
        yield from (line for line in ledger.read_bytes().splitlines() if line.strip())


def last_of_each_case(events: list[Event]) -> dict[str, Event]:
    """The newest event of every case, by case id."""
    return {event.case_id: event for event in events}
