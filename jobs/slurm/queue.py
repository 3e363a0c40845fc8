"""Ask squeue and sacct for our jobs: one query for all of them.

Both are asked for the jobs of this user alone: anybody may give a job of theirs a name or a comment
that reads like something else.
"""

import re
import subprocess
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from jobs.executor import NoAnswer
from jobs.slurm.commands import current_user, query, run_command
from jobs.slurm.states import FINAL, exact_state

# A comment may hold anything, a line break too, but hardly these.
SEPARATOR = "\x1f"
END = "\x1e"
SQUEUE_FIELDS = {
    **{
        "job_id": "%i",
        "index": "%K",
        "state": "%T",
        "reason": "%r",
        "nodes": "%N",
        "elapsed": "%M",
    },
    **{"submitted": "%V", "ended": "%e", "user": "%u", "name": "%j", "command": "%o"},
    **{"comment": "%k"},
}
SACCT_FIELDS = {
    **{"job_id": "JobID", "state": "State", "exit_code": "ExitCode", "nodes": "NodeList"},
    **{"elapsed": "ElapsedRaw", "submitted": "Submit", "ended": "End", "user": "User"},
    **{"name": "JobName", "command": "SubmitLine"},
}
# The name of a batch, in a comment of ours or in the path of the script that sbatch was given.
_BATCH = r"mpbench-[0-9a-f]{8}-[0-9a-f]+"
_IN_COMMENT = re.compile(rf"@({_BATCH})$")
_IN_COMMAND = re.compile(rf"(?:^|[/\s'\"])({_BATCH})\.sh(?=$|[\s'\"])")


@dataclass(frozen=True)
class SlurmJob:
    """One job, or one element of an array.

    `batch` and `index` say which case it is: the batch is in the path of the job's script, which
    nobody can change, and in its comment, which people and sites may. Times are seconds since 1970,
    by Slurm's clock; `exit_code` is Slurm's `status:signal`; null is unknown.
    """

    job_id: str
    user: str
    name: str
    batch: str | None
    index: int
    state: str
    reason: str
    nodes: str
    elapsed_s: int | None
    submitted_s: int | None
    ended_s: int | None
    exit_code: str | None
    told_by: Literal["squeue", "sacct"]

    @property
    def is_final(self) -> bool:
        """True once the job has ended for good."""
        return self.state in FINAL


def jobs_in_queue(users: Collection[str]) -> list[SlurmJob]:
    """Return every job of these users that squeue knows, ended ones included.

    Raises:
        NoAnswer: squeue fails, or its answer breaks off.
    """
    output = query(
        # --all: a partition may be hidden, and with it the jobs of everybody but root.
        *("squeue", "--all", "--states=all", "--array", "--noheader"),
        f"--user={','.join(sorted(users))}",
        f"--format={SEPARATOR.join(SQUEUE_FIELDS.values())}{END}",
    )
    *lines, rest = output.split(f"{END}\n")
    rows = [line.split(SEPARATOR, len(SQUEUE_FIELDS) - 1) for line in lines]
    # Half an answer would make running jobs look gone.
    if rest or any(len(row) != len(SQUEUE_FIELDS) for row in rows):
        raise NoAnswer("squeue", f"its answer breaks off: {output[-80:]!r}; try again later")
    jobs = [_job_of(SQUEUE_FIELDS, row, "squeue") for row in rows]
    return [job for job in jobs if job.user in users]


def _job_of(fields: Iterable[str], row: list[str], told_by: Literal["squeue", "sacct"]) -> SlurmJob:
    """Return the job of a row, of which sacct's may lack the last field."""
    said = dict(zip(fields, row, strict=False))
    index = said.get("index", said["job_id"].partition("_")[2])
    state = said["state"]
    return SlurmJob(
        job_id=said["job_id"],
        user=said["user"],
        name=said["name"],
        batch=_batch_in(said.get("command", ""), said.get("comment", "")),
        index=int(index) if index.isdigit() else 0,
        state=exact_state(state),
        reason=_known(said.get("reason", state if " by " in state else "")),
        nodes=_known(said["nodes"]),
        elapsed_s=(_whole if said["elapsed"].isdigit() else seconds_of)(said["elapsed"]),
        submitted_s=_whole(said["submitted"]),
        ended_s=_whole(said["ended"]),
        exit_code=said.get("exit_code"),
        told_by=told_by,
    )


def exit_codes(user: str) -> dict[str, str | None]:
    """Return the exit code, `status:signal`, of every job of this user that squeue knows, by id."""
    # Numbers alone: scontrol shows them among the names and comments of all users' jobs.
    fields = "JobArrayID:40,exit_code:20"
    options = ("--all", "--states=all", "--array", "--noheader", f"--user={user}")
    output = query("squeue", *options, f"--Format={fields}")
    rows = (line.split() for line in output.splitlines())
    return {row[0]: exit_code_of(row[1]) for row in rows if len(row) == 2}


def exit_code_of(text: str) -> str | None:
    """Return Slurm's `status:signal`, which some versions give as what wait(2) returns."""
    if re.fullmatch(r"\d+:\d+", text):
        return text
    return f"{int(text) >> 8}:{int(text) & 0x7F}" if text.isdigit() else None


def jobs_in_accounting(job_ids: Iterable[str]) -> list[SlurmJob] | None:
    """Return what the database knows of these jobs; None without one, or without its answer."""
    whole_jobs = sorted({job_id.partition("_")[0] for job_id in job_ids})
    try:
        fields = list(SACCT_FIELDS.values())
        done = _ask_sacct(whole_jobs, fields)
        if done.returncode != 0 and fields[-1] in done.stderr:  # before Slurm 21.08
            done = _ask_sacct(whole_jobs, fields[:-1])
    except NoAnswer:
        return None
    rows = [line.split(SEPARATOR) for line in done.stdout.splitlines()]
    shortest = len(SACCT_FIELDS) - 1
    if done.returncode != 0 or any(not shortest <= len(r) <= shortest + 1 for r in rows):
        return None
    return [_job_of(SACCT_FIELDS, row, "sacct") for row in rows]


def _ask_sacct(job_ids: list[str], fields: list[str]) -> subprocess.CompletedProcess[str]:
    return run_command(
        *("sacct", "--allocations", "--noheader", "--parsable2", f"--delimiter={SEPARATOR}"),
        *(
            f"--format={','.join(fields)}",
            f"--jobs={','.join(job_ids)}",
            f"--user={current_user()}",
        ),
    )


def _batch_in(command: str, comment: str) -> str | None:
    """Return the batch whose script this job runs, or that its comment names; None without one.

    A comment of ours is `<case id>@<batch>`, or `<n>-cases@<batch>` of an array.
    """
    found = _IN_COMMAND.search(command) or _IN_COMMENT.search(comment)
    return found[1] if found else None


def _known(text: str) -> str:
    return "" if text in ("None", "(null)", "None assigned") else text


def _whole(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def seconds_of(clock: str) -> int | None:
    """Return `1-02:03:04`, `03:04` and the like in seconds; None for anything else."""
    if not re.fullmatch(r"(\d+-)?\d+(:\d+){1,2}", clock):
        return None
    days, _, rest = clock.rpartition("-")
    seconds = 0
    for part in rest.split(":"):
        seconds = 60 * seconds + int(part)
    return seconds + 86_400 * int(days or 0)
