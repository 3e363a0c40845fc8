"""Slurm's commands as scripts on the PATH, for answers no real cluster gives when asked to."""

import stat
from dataclasses import dataclass
from pathlib import Path

from jobs.slurm.commands import current_user
from jobs.slurm.queue import END, SEPARATOR

CONFIG = (
    "Configuration data as of 1893456000\n"
    "AccountingStorageType   = accounting_storage/{accounting}\n"
    "ClusterName             = fake\n"
    "MaxArraySize            = 1001\n"
)


@dataclass
class FakeSlurm:
    """Scripts in a folder; each notes its calls."""

    folder: Path
    accounting: str = "none"

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.config = self.folder / "config"
        self.config.write_text(CONFIG.format(accounting=self.accounting))
        self.exit_codes = self.folder / "exit_codes"
        self.exit_codes.write_text("")
        self.write("scontrol", f"cat {self.config}")
        self.answer("squeue", "")
        self.answer("sacct", "", stderr="Slurm accounting storage is disabled", code=1)

    def write(self, command: str, script: str) -> None:
        """Make the command do this."""
        path = self.folder / command
        note = f'echo "$1" >> {self.folder}/{command}.calls'
        path.write_text(f"#!/bin/sh\n{note}\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def answer(
        self, command: str, stdout: str, stderr: str = "", code: int = 0, delay_s: float = 0
    ):
        """Make the command say this."""
        for name, text in (("out", stdout), ("err", stderr)):
            (self.folder / f"{command}.{name}").write_text(text)
        base = self.folder / command
        codes = f'case "$*" in *--Format=*) cat {self.exit_codes}; exit;; esac; '
        said = f"cat {base}.out; cat {base}.err >&2; exit {code}"
        self.write(command, f"sleep {delay_s}; {codes if command == 'squeue' else ''}{said}")

    def forget_once(self, command: str) -> None:
        """Make the command say nothing, the next time alone."""
        path = self.folder / command
        marker = self.folder / f"{command}.forgetful"
        marker.touch()
        first, rest = path.read_text().split("\n", 1)
        path.write_text(f"{first}\n[ -f {marker} ] && exec rm {marker}\n{rest}")

    def calls(self, command: str) -> list[str]:
        """The arguments of every call so far."""
        path = self.folder / f"{command}.calls"
        return path.read_text().splitlines() if path.exists() else []


def squeue_line(
    job_id: str, state: str, comment: str, reason: str = "None", index="N/A",
    name="mp-d20-g2", command="/x/script.sh", submitted="1", ended="2",
) -> str:  # fmt: skip
    """A line of our squeue format."""
    times = ("1:00", submitted, ended)
    fields = (job_id, index, state, reason, "n1", *times, current_user(), name, command, comment)
    return SEPARATOR.join(fields) + f"{END}\n"
