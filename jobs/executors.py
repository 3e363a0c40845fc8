"""Which executors there are, and which one a profile names.

Each is imported once it is asked for: a job's Python needs few packages.
"""

from collections.abc import Callable

from jobs.executor import Executor, Poller
from jobs.profile import Profile
from jobs.worker.environment import JobEnvironment
from study.storage.store import Store


def _slurm() -> type[Executor]:
    from jobs.slurm.backend import SlurmExecutor

    return SlurmExecutor


def _local() -> type[Executor]:
    from jobs.local.runner import LocalExecutor

    return LocalExecutor


def _slurm_job() -> JobEnvironment:
    from jobs.slurm.environment import SlurmEnvironment

    return SlurmEnvironment()


EXECUTORS: dict[str, Callable[[], type[Executor]]] = {"slurm": _slurm, "local": _local}
ENVIRONMENTS: dict[str, Callable[[], JobEnvironment]] = {"slurm": _slurm_job}


def executor_of(profile: Profile, store: Store, requeue: bool = False) -> Executor:
    """Return the executor that the profile names.

    Args:
        profile: where jobs run.
        store: the folder of their results.
        requeue: start a job again whose node failed.
    """
    return EXECUTORS[profile.executor]()(profile, store, requeue)


def make_pollers() -> dict[str, Poller]:
    """Return a poller of each executor, by name: a folder may have jobs of several."""
    return {name: load().new_poller() for name, load in EXECUTORS.items()}


def job_environment(executor: str) -> JobEnvironment:
    """Return what this process, a job of the executor, is told of itself."""
    return ENVIRONMENTS.get(executor, JobEnvironment)()


def drop_outer_job_variables() -> dict[str, list[str]]:
    """Drop from this process's environment what would change our jobs.

    Returns:
        The names of variables that a person sets to change jobs, by executor.
    """
    from jobs.slurm.commands import drop_outer_job_variables as drop_slurm_variables

    return {"slurm": drop_slurm_variables()}


def cluster_name() -> str | None:
    """Return the name of the cluster that this machine belongs to; None where there is none.

    Raises:
        NoAnswer: a cluster is configured here and does not answer.
    """
    from jobs.slurm.commands import slurm_cluster_name

    return slurm_cluster_name()
