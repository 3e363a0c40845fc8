"""Cancelling the jobs of some cases, and no others."""

import re
from collections import defaultdict

from jobs.judge import Observation
from jobs.slurm_commands import ask
from study.errors import ConfigError


def cancel(observations: list[Observation]) -> list[Observation]:
    """Cancel the jobs that are queued or running, and return those.

    Only jobs that Slurm shows with our own mark get here, so a job id that was given anew is safe.

    Raises:
        ConfigError: scancel fails; in its own words.
    """
    live = [o for o in observations if o.is_live and o.state is not None]
    ids = [o.submission.job_id for o in live]
    if ids and (done := ask("scancel", *joined(ids))).returncode != 0:
        raise ConfigError("scancel", f"{done.stderr.strip()}; see which jobs remain with --status")
    return live


def joined(ids: list[str]) -> list[str]:
    """The ids with the elements of each array in one: 17_1 and 17_3 are 17_[1,3]."""
    arrays: dict[str, list[str]] = defaultdict(list)
    for job_id in ids:
        array, _, index = job_id.partition("_")
        arrays[array].append(index)
    return [
        f"{array}_[{','.join(indices)}]" if re.fullmatch(r"\d+", indices[0]) else array
        for array, indices in arrays.items()
    ]
