"""The folders of one profile's results on disk."""

import grp
import hashlib
import os
import pwd
import shlex
import shutil
import stat
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from study.case import Case
from study.errors import ConfigError
from study.storage.files import is_utf8, make_folder

FOLDERS = ("progress", "batches", "logs", "replaced", "failed", "traces")


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
        """Mark of a Slurm job that was submitted into this folder: `mpbench-<8 hex digits>`."""
        return f"mpbench-{hashlib.sha256(bytes(self.folder.resolve())).hexdigest()[:8]}"

    def result_path(self, case: Case) -> Path:
        """Return `<case id>.json`, which exists once the case has ended."""
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
        """Return the file of the case's trace, which a job writes if its grid asks for one."""
        return self.traces / f"{case.case_id}.json"

    def check_name(self) -> None:
        """Check that the folder's name reaches a job as it is; nothing is written."""
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
                make_folder(folder)
            # Scripts of jobs, what they are to run, and secrets: whoever could write there would
            # run as us.
            _keep_to_us(self.batches, stat.S_IRWXG | stat.S_IRWXO)
            _keep_to_us(self.logs, stat.S_IWGRP | stat.S_IWOTH)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            raise ConfigError(
                "--results", f"{self.folder} cannot be written: {error.strerror}; choose another"
            ) from None

    def _check_owner(self) -> None:
        """Check that the folder is ours, and that not everybody may write into it."""
        for folder in (self.folder, *(self.folder / name for name in FOLDERS)):
            if not folder.exists():
                continue
            found = folder.stat()
            if found.st_uid != os.getuid():
                owner = user_name(found.st_uid)
                problem = f"{folder} belongs to {owner}; choose a folder of yours"
                raise ConfigError("--results", problem)
            if found.st_mode & stat.S_IWOTH:
                problem = f"others may write into {folder}: chmod o-w {shlex.quote(str(folder))}"
                raise ConfigError("--results", problem)

    def check_links(self, batches: Iterable[str]) -> None:
        """Check that nothing is written through a link that came with the folder.

        Args:
            batches: those of the folder's ledger.

        Raises:
            ConfigError: it names the link.
        """
        came_with_results = self.submissions.exists() or any(self.folder.glob("d*-g*.json"))
        if not came_with_results or self.is_ours(batches):
            return
        for name in FOLDERS:
            if (link := self.folder / name).is_symlink():
                problem = f"{link} is a link, and came with a folder that was received, copied or"
                raise ConfigError("--results", f"{problem} moved: put a folder in its place")

    def exposed_to(self) -> list[str]:
        """Return, in words, who else may write into the folder or put another in its place."""
        above = self.folder.parent.stat()
        others = above.st_mode & stat.S_IWOTH and not above.st_mode & stat.S_ISVTX
        notes = [f"others may write into {self.folder.parent}, and so replace results"]
        return (notes if others else []) + [
            f"group {group} may write into {folder}, and so replace results"
            for folder in (self.folder.parent, self.folder)
            if (group := _group_that_writes(folder.stat())) is not None
        ]

    def is_ours(self, batches: Iterable[str]) -> bool:
        """Return whether this user has submitted one of these batches into this very folder.

        A folder that was received, copied or moved is another's: looking at it writes nothing.
        """
        try:
            is_owned = self.folder.stat().st_uid == os.getuid()
        except OSError:
            return False
        return is_owned and any(batch.startswith(self.token) for batch in batches)

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
                os.link(path, aside, follow_symlinks=False)
            except OSError:  # some file systems have no links
                shutil.copy2(path, aside, follow_symlinks=False)

    def _new_aside(self, case: Case) -> Path:
        aside = self.folder / "replaced"
        make_folder(aside)
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        return aside / f"{case.case_id}.{stamp}.json"

    def put_back(self, case: Case, aside: Path | None) -> None:
        """Undo `put_aside`, unless a new result has come."""
        if aside is not None and not self.result_path(case).exists():
            aside.rename(self.result_path(case))


def mark_of(batch: str) -> str:
    """Return the part of a batch's name that no other batch has, for the names of its files."""
    return batch.rpartition("-")[2]


def _keep_to_us(folder: Path, forbidden: int) -> None:
    """Let nobody else into the folder; through a link, which others may have set, only look.

    Raises:
        ConfigError: it is a link to a folder with one of these permissions for others.
    """
    if not folder.is_symlink():
        folder.chmod(stat.S_IRWXU)
    elif folder.stat().st_mode & forbidden:
        target = folder.resolve()
        problem = f"{folder} leads to {target}, which is open to others: chmod 700"
        raise ConfigError("--results", f"{problem} {shlex.quote(str(target))}")


def _group_that_writes(found: os.stat_result) -> str | None:
    """Return the group that may write there; None for nobody else, or a group of ours alone."""
    if not found.st_mode & stat.S_IWGRP:
        return None
    try:
        group = grp.getgrgid(found.st_gid)
    except KeyError:
        return str(found.st_gid)
    is_private = group.gr_name == user_name(os.getuid()) and not group.gr_mem
    return None if is_private else group.gr_name


def user_name(uid: int) -> str:
    """Return the name of the user with this id; the id itself where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def now() -> str:
    """Return the time as ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
