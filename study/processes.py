"""How many processes of one case a machine holds."""

import os

from study.errors import ConfigError

PER_CPU = 32  # each takes 200 MB and seconds to start


def check_processes(count: int) -> None:
    """Refuse more processes than this machine's CPUs can start and run.

    Raises:
        ConfigError: with the most that they hold.
    """
    cpus = len(os.sched_getaffinity(0))
    if count > PER_CPU * cpus:
        raise ConfigError(
            "gpus",
            f"{count} processes are too many; {cpus} CPUs hold at most {PER_CPU * cpus}",
        )
