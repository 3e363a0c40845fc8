"""The ledger of what was submitted: JSON lines, appended; only broken ones are ever dropped."""

import errno
import io
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import msgspec
from msgspec import Meta

from study.case import Case
from study.outcome import Outcome
from study.storage.files import NOT_THE_DATA, open_own, read_file, write_atomically
from study.storage.prediction import Prediction
from study.storage.store import Store

MAX_BYTES = 512 * 1024 * 1024  # half a million lines; more is something else
MOST_BROKEN = 10_000  # lines
# What becomes a word of a command or part of a path has a pattern: 17, 17_3, node:4711, 17.server.
# Without a digit it could be a word that a command knows.
JobId = Annotated[str, Meta(pattern=r"\A(?=.*\d)[A-Za-z0-9][A-Za-z0-9_.-]{0,254}(:\d{1,10})?\Z")]
BatchName = Annotated[str, Meta(pattern=r"\A(mpbench-[0-9a-f]{8}-[0-9a-f]{1,32})?\Z")]
NODES = r"\A([A-Za-z0-9][A-Za-z0-9_.,\[\]-]*)?\Z"
Nodes = Annotated[str, Meta(pattern=NODES)]
LogPath = Annotated[str, Meta(pattern=r"\A[^\0]*\Z", max_length=4096)]


class Submission(msgspec.Struct, frozen=True, kw_only=True, tag="submitted", tag_field="event"):
    """A case that was handed to an executor.

    Attributes:
        overrides: the `--set` values that made the case from its grid.
        batch: the call that submitted it.
        cluster: Slurm's ClusterName.
        number: which attempt at its case this is, from 1; 0 in ledgers of before. Attempts are
            ordered by it, since clocks of two machines may differ.
        slurm_clock_s: Slurm's own clock just before the submission, in seconds since 1970.
        prediction: what was predicted of it then; None without one.
        no_prediction: why there is none, where there were calibrations.
    """

    case: Case
    case_id: str
    grid: str
    overrides: dict[str, Any]
    executor: Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_]{0,31}\Z")]
    job_id: JobId
    job_name: str
    log: LogPath
    requested_gpus: int
    timeout_min: int | None
    submitted_at: str
    batch: BatchName = ""
    user: str | None = None
    cluster: str | None = None
    number: int = 0
    slurm_clock_s: int | None = None
    prediction: Prediction | None = None
    no_prediction: Annotated[str, Meta(max_length=4096)] = ""

    @property
    def is_of_this_version(self) -> bool:
        """True if the case still has the id it was submitted under.

        A version with other keys has other ids; nothing it knows tells of such a job.
        """
        return self.case.case_id == self.case_id

    @property
    def array(self) -> str:
        """The job's id without the index of an array's element."""
        return self.job_id.partition("_")[0] if self.is_element else self.job_id

    @property
    def index(self) -> int:
        """The place of the case in its batch: an array element's index, else 0."""
        return int(self.job_id.partition("_")[2]) if self.is_element else 0

    @property
    def is_element(self) -> bool:
        """True if the job is an element of an array."""
        return re.fullmatch(r"\d+_\d{1,10}", self.job_id) is not None


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag="ended", tag_field="event"):
    """The end of a submission: all that was known then, since Slurm soon forgets.

    `state` is Slurm's last word, null where nobody had one, with Slurm's reason for it; `reason` is
    our outcome in words; `told_by` is who knew; `seen_at` is when it was noted, ISO 8601.
    """

    case_id: str
    job_id: JobId
    batch: BatchName
    outcome: Outcome
    state: str | None
    reason: str
    nodes: Nodes
    elapsed_s: Annotated[int, Meta(ge=0, le=10**9)] | None
    told_by: Annotated[str, Meta(pattern=r"\A[a-z][a-z_.]{0,31}\Z")]
    seen_at: str
    state_reason: str = ""


Event = Submission | Ended


@dataclass(frozen=True)
class Attempt:
    """One submission of a case, and its end where that was seen."""

    submission: Submission
    ended: Ended | None = None


def log_of(submission: Submission, store: Store) -> Path:
    """Return where the job's log lies in this folder, by its name of now or of earlier versions.

    The ledger's path is not taken: it may lead anywhere.
    """
    named = Path(submission.log).name
    if named in (f"{submission.job_id}_0_log.out", f"{submission.case_id}.log"):
        return store.logs / named
    of_case = store.log_path(submission.case_id, submission.batch)
    of_job = store.log_path(submission.job_id, submission.batch)
    return of_case if named == of_case.name else of_job


def are_nodes(text: str) -> bool:
    """Return whether these are names of nodes, in Slurm's way of writing them."""
    return re.fullmatch(NODES, text) is not None


def append(ledger: Path, *events: Event) -> None:
    """Add lines and wait until they are on disk: a job without a line would be forgotten.

    Raises:
        ValueError: a line, e.g. the id of a job, would not be read again.
        OSError: they cannot be written, or the ledger is no file of ours; it names the ledger.
    """
    try:
        with os.fdopen(open_own(ledger, os.O_APPEND), "a+b") as file:
            # A line that a crash cut off must not swallow the next one.
            cut_off = file.tell() > 0 and _last_byte(file) != b"\n"
            lines = [_line_of(event) for event in events]
            file.write(b"\n" * cut_off + b"".join(lines))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        error.filename = error.filename or str(ledger)  # a full disk names no file
        raise


def _line_of(event: Event) -> bytes:
    line = msgspec.json.encode(event)
    try:
        msgspec.json.decode(line, type=Event)
    except msgspec.DecodeError as error:
        raise ValueError(f"the ledger would not read job {event.job_id}: {error}") from None
    return line + b"\n"


def drop_broken_lines(ledger: Path) -> None:
    """Keep a ledger with lines that cannot be read under another name, and go on without them."""
    events, broken = read(ledger)
    if broken:
        kept = ledger.with_name(f"{ledger.name}.broken-{time.time_ns()}")
        shutil.copy2(ledger, kept, follow_symlinks=False)
        write_atomically(ledger, b"".join(msgspec.json.encode(event) + b"\n" for event in events))


def _last_byte(file: BinaryIO) -> bytes:
    file.seek(-1, os.SEEK_END)
    return file.read(1)


def read(ledger: Path) -> tuple[list[Event], int]:
    """Return all events in order, and how many lines could not be read.

    Raises:
        OSError: the ledger cannot be read, or hardly a line of it is one of ours.
    """
    events: list[Event] = []
    broken = 0
    for line in _lines(ledger):
        try:
            events.append(msgspec.json.decode(line, type=Event))
        except NOT_THE_DATA:
            broken += 1
            if broken > MOST_BROKEN:
                problem = f"is no ledger: more than {MOST_BROKEN} lines cannot be read"
                raise OSError(errno.EINVAL, problem, str(ledger)) from None
    return events, broken


def _lines(ledger: Path) -> Iterator[bytes]:
    try:
        text = read_file(ledger, most=MAX_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return
    if text.count(b"\n\n") > MOST_BROKEN:
        raise OSError(errno.EINVAL, "is no ledger: it is full of empty lines", str(ledger))
    # One after another: all at once would take many times as much memory.
    yield from (line for line in io.BytesIO(text) if line.strip())


def attempts_of_each_case(events: list[Event]) -> dict[str, list[Attempt]]:
    """Return the attempts at every case, oldest first, by case id; the last end of each counts."""
    attempts: dict[tuple[str, str], Attempt] = {}
    # A line that was found again stands behind the end of its job.
    for event in sorted(events, key=lambda e: isinstance(e, Ended)):
        key = (event.case_id, event.batch or event.job_id)  # Slurm may give a job id again
        if isinstance(event, Submission):
            if not event.is_of_this_version:
                continue
            attempts.setdefault(key, Attempt(event))
        elif key in attempts:
            attempts[key] = replace(attempts[key], ended=event)
    cases: dict[str, list[Attempt]] = {}
    # A ledger that was rebuilt has its lines in another order. Equal numbers, which only ledgers of
    # before and submissions without a lock have, stay in the order of their lines.
    for attempt in sorted(attempts.values(), key=lambda a: a.submission.number):
        cases.setdefault(attempt.submission.case_id, []).append(attempt)
    return cases
