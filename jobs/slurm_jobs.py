"""What Slurm says of our jobs: one query for all of them, to squeue, scontrol or sacct."""

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from jobs.slurm_commands import NoAnswer, answer_of, ask
from jobs.slurm_states import FINAL, exact_state

# A comment may hold anything, a line break too, but hardly these.
SEPARATOR = "\x1f"
END = "\x1e"
SQUEUE_FIELDS = ("%i", "%K", "%T", "%r", "%N", "%M", "%V", "%e", "%u", "%j", "%o", "%k")
SACCT_FIELDS = (
    *("JobID", "State", "ExitCode", "NodeList", "ElapsedRaw", "Submit", "End", "User", "JobName"),
    "SubmitLine",
)
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
    told_by: Literal["squeue", "scontrol", "sacct"]

    @property
    def is_final(self) -> bool:
        """Whether Slurm will not change its word any more."""
        return self.state in FINAL


def jobs_in_queue(users: Iterable[str]) -> list[SlurmJob]:
    """Every job of these users that squeue knows, ended ones included."""
    output = answer_of(
        # --all: a partition may be hidden, and with it the jobs of everybody but root.
        *("squeue", "--all", "--states=all", "--array", "--noheader"),
        f"--user={','.join(sorted(users))}",
        f"--format={SEPARATOR.join(SQUEUE_FIELDS)}{END}",
    )
    *lines, rest = output.split(f"{END}\n")
    rows = [line.split(SEPARATOR, len(SQUEUE_FIELDS) - 1) for line in lines]
    # Half an answer would make running jobs look gone.
    if rest or any(len(row) != len(SQUEUE_FIELDS) for row in rows):
        raise NoAnswer("squeue", f"its answer breaks off: {output[-80:]!r}; try again later")
    return [_from_squeue(*row) for row in rows]


def _from_squeue(
    job_id: str,
    index: str,
    state: str,
    reason: str,
    nodes: str,
    elapsed: str,
    submitted: str,
    ended: str,
    user: str,
    name: str,
    command: str,
    comment: str,
) -> SlurmJob:
    return SlurmJob(
        job_id=job_id,
        user=user,
        name=name,
        batch=_batch_in(command, comment),
        index=int(index) if index.isdigit() else 0,
        state=exact_state(state),
        reason=_known(reason),
        nodes=_known(nodes),
        elapsed_s=seconds_of(elapsed),
        submitted_s=_whole(submitted),
        ended_s=_whole(ended),
        exit_code=None,
        told_by="squeue",
    )


def jobs_in_memory(user: str) -> list[SlurmJob]:
    """Return every job of this user that slurmctld still knows, with exit codes."""
    output = answer_of("scontrol", "--all", "--oneliner", "show", "job")
    records = [_record_in(line) for line in output.splitlines() if " JobState=" in line]
    jobs = [_from_scontrol(r, i) for r in records for i in _indices(r.get("ArrayTaskId", ""))]
    return [job for job in jobs if job.user == user]


def _record_in(line: str) -> dict[str, str]:
    """Return the fields of one job; a path, the only text with blanks we need, in full."""
    record = dict(re.findall(r"(\S+?)=(\S*)", line))
    if command := re.search(r" Command=(.*) WorkDir=", line):
        record["Command"] = command[1]
    return record


def _indices(text: str) -> list[str]:
    """The elements that one record stands for: `0-2,5-9:2%4` are 0, 1, 2, 5, 7 and 9.

    An empty text is no array, and one element without a name.
    """
    indices: list[str] = []
    for part in text.partition("%")[0].split(","):
        if match := re.fullmatch(r"(\d+)(?:-(\d+)(?::(\d+))?)?", part):
            first, last, step = match.groups()
            elements = range(int(first), int(last or first) + 1, int(step or 1))
            indices += [str(index) for index in elements]
    return indices if text else [""]


def _from_scontrol(record: dict[str, str], index: str) -> SlurmJob:
    job_id = f"{record['ArrayJobId']}_{index}" if index else record["JobId"]
    return SlurmJob(
        job_id=job_id,
        user=record.get("UserId", "").partition("(")[0],
        name=record.get("JobName", ""),
        batch=_batch_in(record.get("Command", ""), record.get("Comment", "")),
        index=int(index) if index.isdigit() else 0,
        state=exact_state(record["JobState"]),
        reason=_known(record.get("Reason", "")),
        nodes=_known(record.get("NodeList", "")),
        elapsed_s=seconds_of(record.get("RunTime", "")),
        submitted_s=_whole(record.get("SubmitTime", "")),
        ended_s=_whole(record.get("EndTime", "")),
        exit_code=record.get("ExitCode"),
        told_by="scontrol",
    )


def jobs_in_accounting(job_ids: Iterable[str]) -> list[SlurmJob] | None:
    """Return what the database knows of these jobs; None without one, or without its answer."""
    whole_jobs = sorted({job_id.partition("_")[0] for job_id in job_ids})
    try:
        done = _ask_sacct(whole_jobs, SACCT_FIELDS)
        if done.returncode != 0 and SACCT_FIELDS[-1] in done.stderr:  # before Slurm 21.08
            done = _ask_sacct(whole_jobs, SACCT_FIELDS[:-1])
    except NoAnswer:
        return None
    rows = [line.split(SEPARATOR) for line in done.stdout.splitlines()]
    shortest = len(SACCT_FIELDS) - 1
    if done.returncode != 0 or any(not shortest <= len(r) <= shortest + 1 for r in rows):
        return None
    return [_from_sacct(*row) for row in rows]


def _ask_sacct(job_ids: list[str], fields: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    return ask(
        *("sacct", "--allocations", "--noheader", "--parsable2", f"--delimiter={SEPARATOR}"),
        *(f"--format={','.join(fields)}", f"--jobs={','.join(job_ids)}"),
    )


def _from_sacct(
    job_id: str,
    state: str,
    exit_code: str,
    nodes: str,
    elapsed: str,
    submitted: str,
    ended: str,
    user: str,
    name: str,
    submit_line: str = "",
) -> SlurmJob:
    index = job_id.partition("_")[2]
    return SlurmJob(
        job_id=job_id,
        user=user,
        name=name,
        batch=_batch_in(submit_line, ""),
        index=int(index) if index.isdigit() else 0,
        state=exact_state(state),
        reason=state if " by " in state else "",
        nodes=_known(nodes),
        elapsed_s=_whole(elapsed),
        submitted_s=_whole(submitted),
        ended_s=_whole(ended),
        exit_code=exit_code,
        told_by="sacct",
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
    """`1-02:03:04`, `03:04` and the like in seconds; None for anything else."""
    if not re.fullmatch(r"(\d+-)?\d+(:\d+){1,2}", clock):
        return None
    days, _, rest = clock.rpartition("-")
    seconds = 0
    for part in rest.split(":"):
        seconds = 60 * seconds + int(part)
    return seconds + 86_400 * int(days or 0)
