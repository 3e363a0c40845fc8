"""Where results lie on disk."""

import hashlib
import os
import pwd
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from study.case import Case
from study.errors import ConfigError
from study.files import is_utf8


class Store:
    """The results of one profile: `results/<profile>/`."""

    def __init__(self, results: Path, profile: str) -> None:
        self.profile = profile
        self.folder = results.absolute() / profile
        self.logs = self.folder / "logs"
        self.progress = self.folder / "progress"
        self.batches = self.folder / "batches"
        self.traces = self.folder / "traces"
        self.submissions = self.folder / "submissions.jsonl"

    @property
    def token(self) -> str:
        """What marks a Slurm job as submitted into this folder: `mpbench-<8 hex digits>`."""
        return f"mpbench-{hashlib.sha256(bytes(self.folder.resolve())).hexdigest()[:8]}"

    def result_path(self, case: Case) -> Path:
        """`<case id>.json`, which exists once the case has ended."""
        return self.folder / f"{case.case_id}.json"

    def failed_path(self, case: Case, batch: str) -> Path:
        """Return where a job of this batch puts a failure that must not replace a measurement."""
        return self.folder / "failed" / f"{case.case_id}-{mark_of(batch)}.json"

    def log_path(self, job: str, batch: str) -> Path:
        """Return the log of a job of this batch: Slurm may give the same job id again."""
        return self.logs / f"{job}-{mark_of(batch)}.log"

    def progress_path(self, case: Case, batch: str) -> Path:
        """Return where a job of this batch last said how far the case has come."""
        return self.progress / f"{case.case_id}-{mark_of(batch)}.json"

    def trace_path(self, case: Case) -> Path:
        """Where a job puts the case's trace, if its grid asks for one."""
        return self.traces / f"{case.case_id}.json"

    def check_name(self) -> None:
        """Refuse a folder whose name would not reach a job as it is; nothing is written."""
        name = str(self.folder)
        if "%" in name or "\\" in name:
            raise ConfigError("--results", f"{name}: Slurm expands % and \\; choose another")
        if not is_utf8(name):
            raise ConfigError("--results", f"{name!r} is not UTF-8; choose another")
        if not name.isprintable():
            raise ConfigError("--results", f"{name!r} has a line break or the like; choose another")

    def prepare(self) -> None:
        """Make the folders and prove that they can be written."""
        self.check_name()
        self._check_owner()
        try:
            for folder in (self.folder, self.progress, self.batches, self.logs):
                folder.mkdir(parents=True, exist_ok=True)
            # Scripts of jobs and what they are to run: whoever could write there would run as us.
            self.logs.chmod(0o700)
            self.batches.chmod(0o700)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            raise ConfigError(
                "--results", f"{self.folder} cannot be written: {error.strerror}; choose another"
            ) from None

    def _check_owner(self) -> None:
        """Refuse to submit into a folder of somebody else: jobs, logs and scripts would mix."""
        for folder in (self.folder, self.batches, self.logs):
            if folder.exists() and (owner := folder.stat().st_uid) != os.getuid():
                raise ConfigError(
                    "--results", f"{folder} belongs to {user_name(owner)}; choose a folder of yours"
                )

    def put_aside(self, case: Case) -> Path | None:
        """Move the case's result to `replaced/`, so that a new one can come; None without one."""
        return self.move_aside(case, self.result_path(case))

    def move_aside(self, case: Case, path: Path) -> Path | None:
        """Move this file of the case to `replaced/`; None where there is none."""
        return path.rename(self._new_aside(case)) if path.exists() else None

    def keep_aside(self, case: Case) -> None:
        """Keep the case's result in `replaced/`, too; it stays in place until a new one comes."""
        path = self.result_path(case)
        if path.exists():
            aside = self._new_aside(case)
            try:
                os.link(path, aside)
            except OSError:  # some file systems have no links
                shutil.copy2(path, aside)

    def _new_aside(self, case: Case) -> Path:
        aside = self.folder / "replaced"
        aside.mkdir(exist_ok=True)
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        return aside / f"{case.case_id}.{stamp}.json"

    def put_back(self, case: Case, aside: Path | None) -> None:
        """Undo `put_aside`, unless a new result has come."""
        if aside is not None and not self.result_path(case).exists():
            aside.rename(self.result_path(case))


def mark_of(batch: str) -> str:
    """Return the part of a batch's name that no other batch has, for the names of its files."""
    return batch.rpartition("-")[2]


def user_name(uid: int) -> str:
    """Return the name of the user with this id; the id itself where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def now() -> str:
    """The time as ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
