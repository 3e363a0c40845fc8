"""Cancelling the jobs of some cases, and no others."""

from collections import defaultdict

from jobs.judge import Observation
from jobs.slurm_commands import ask
from study.errors import ConfigError
from study.submissions import Submission


def cancel(observations: list[Observation], token: str) -> list[Observation]:
    """Cancel the jobs that are queued or running, and return those.

    Args:
        token: the mark of the results folder. Only jobs that Slurm shows with this mark are
            cancelled, so neither an id that was given anew nor a copied folder hits another job.

    Raises:
        ConfigError: scancel fails; in its own words.
    """
    ours = [o for o in observations if o.submission.batch.startswith(token)]
    on_slurm = [o for o in ours if o.submission.executor == "slurm"]
    live = [o for o in on_slurm if o.is_live and o.state is not None]
    ids = joined([o.submission for o in live])
    if ids and (done := ask("scancel", *ids)).returncode != 0:
        raise ConfigError("scancel", f"{done.stderr.strip()}; see which jobs remain with --status")
    return live


def joined(submissions: list[Submission]) -> list[str]:
    """Their job ids, with the elements of each array in one: 17_1 and 17_3 are 17_[1,3]."""
    arrays: dict[str, list[Submission]] = defaultdict(list)
    for submission in submissions:
        arrays[submission.array].append(submission)
    return [
        f"{array}_[{','.join(str(s.index) for s in members)}]" if members[0].is_element else array
        for array, members in arrays.items()
    ]
