"""The executors that a profile may name, and what all of them need of this machine.

A backend is imported once it is asked for: a job's Python needs few packages.
"""

from collections.abc import Callable

from jobs.executor import Executor, Poller
from jobs.profile import Profile
from jobs.slurm.commands import drop_outer_job_variables, slurm_cluster_name
from jobs.worker.environment import JobEnvironment
from study.storage.store import Store

__all__ = ["drop_outer_job_variables", "slurm_cluster_name"]


def _slurm() -> type[Executor]:
    from jobs.slurm.executor import SlurmExecutor

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
        store: the folder of results.
        requeue: start a job again if its node fails.
    """
    return EXECUTORS[profile.executor]()(profile, store, requeue)


def make_pollers() -> dict[str, Poller]:
    """Return a poller of each executor, by name: a folder may have jobs of several."""
    return {name: load().new_poller() for name, load in EXECUTORS.items()}


def job_environment(executor: str) -> JobEnvironment:
    """Return what this process, a job of the executor, is told of itself."""
    return ENVIRONMENTS.get(executor, JobEnvironment)()
