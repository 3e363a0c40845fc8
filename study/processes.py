"""The number of processes of one case that a machine holds."""

import os

from study.errors import ConfigError

PER_CPU = 32  # each takes 200 MB and seconds to start


def check_processes(count: int) -> None:
    """Check that this machine's CPUs can start and run so many processes.

    Raises:
        ConfigError: with the most that they hold.
    """
    cpus = len(os.sched_getaffinity(0))
    if count > PER_CPU * cpus:
        raise ConfigError(
            "gpus",
            f"{count} processes are too many; {cpus} CPUs hold at most {PER_CPU * cpus}",
        )
