"""What Slurm says of our jobs: one query for all of them, to squeue, scontrol or sacct."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from jobs.slurm_commands import NoAnswer, answer_of, ask
from jobs.slurm_states import FINAL, exact_state

# A comment may hold anything, a line break too, but hardly these.
SEPARATOR = "\x1f"
END = "\x1e"
SQUEUE_FIELDS = ("%i", "%K", "%T", "%r", "%N", "%M", "%V", "%e", "%k")
SACCT_FIELDS = ("JobID", "State", "ExitCode", "NodeList", "ElapsedRaw", "Submit", "End")


@dataclass(frozen=True)
class SlurmJob:
    """One job, or one element of an array.

    `batch` and `index` say which case it is: from its comment, which sacct does not know. Times are
    seconds since 1970; `exit_code` is Slurm's `status:signal`; null is unknown.
    """

    job_id: str
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
        *("squeue", "--states=all", "--array", "--noheader", f"--user={','.join(sorted(users))}"),
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
    comment: str,
) -> SlurmJob:
    return SlurmJob(
        job_id=job_id,
        batch=_batch_in(comment),
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


def jobs_in_memory() -> list[SlurmJob]:
    """Every job that slurmctld still knows, with exit codes."""
    output = answer_of("scontrol", "--oneliner", "show", "job")
    records = [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in output.splitlines()]
    jobs = [record for record in records if "JobState" in record]
    return [_from_scontrol(job, i) for job in jobs for i in _indices(job.get("ArrayTaskId", ""))]


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
        batch=_batch_in(record.get("Comment", "")),
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
    """What the database knows of these jobs; None where there is none, or it does not answer."""
    whole_jobs = sorted({job_id.partition("_")[0] for job_id in job_ids})
    try:
        done = ask(
            *("sacct", "--allocations", "--noheader", "--parsable2"),
            *(f"--format={','.join(SACCT_FIELDS)}", f"--jobs={','.join(whole_jobs)}"),
        )
    except NoAnswer:
        return None
    rows = [line.split("|") for line in done.stdout.splitlines()]
    if done.returncode != 0 or any(len(row) != len(SACCT_FIELDS) for row in rows):
        return None
    return [_from_sacct(*row) for row in rows]


def _from_sacct(
    job_id: str, state: str, exit_code: str, nodes: str, elapsed: str, submitted: str, ended: str
) -> SlurmJob:
    return SlurmJob(
        job_id=job_id,
        batch=None,
        index=0,
        state=exact_state(state),
        reason=state if " by " in state else "",
        nodes=_known(nodes),
        elapsed_s=_whole(elapsed),
        submitted_s=_whole(submitted),
        ended_s=_whole(ended),
        exit_code=exit_code,
        told_by="sacct",
    )


def _batch_in(comment: str) -> str | None:
    """The batch in a comment of ours: `<case id>@<batch>`, or `<n>-cases@<batch>` of an array."""
    _, at, batch = comment.rpartition("@")
    return batch if at else None


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
