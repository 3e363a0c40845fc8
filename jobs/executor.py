"""The contract of an executor, which runs jobs, and of its poller, which follows them.

A new executor is a subclass of each, and an entry in jobs/executors.py. Only where its jobs learn
their ids or ranks from the environment is there a third, of jobs.worker.environment.JobEnvironment.
"""

import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from jobs.batch import Assignment, new_batch_name, write_batch
from jobs.fit.sizes import size_by_profile
from jobs.planned import PlannedCase
from jobs.profile import Profile
from jobs.status.bad_nodes import NO_BAD_NODES, BadNodes
from jobs.status.case_status import CaseStatus, Snapshot
from predict.memory.gpu_size import GpuSize
from study.case import Case
from study.errors import ConfigError
from study.storage.ledger import Attempt, Submission
from study.storage.store import Store, now, user_name


class NoAnswer(ConfigError):
    """An executor does not answer; trying again later may help."""


class Unsure(ConfigError):
    """Nobody says whether a job was queued."""


class NotNoted(ConfigError):
    """Jobs are queued, and the ledger cannot take their lines; the next run finds them."""

    def __init__(self, submissions: list[Submission], error: OSError) -> None:
        self.submissions = submissions
        super().__init__(
            error.filename,
            f"{error.strerror}; job {submissions[0].array} is queued and not noted there yet",
        )


class Cancellation(NamedTuple):
    """Jobs that were cancelled, and why others were not.

    Attributes:
        pending: cancelled before they started, so that the executor may keep no record of them.
        left_alone: a line for each reason.
    """

    jobs: list[Submission]
    pending: list[CaseStatus]
    left_alone: list[str]


class Poller(ABC):
    """Follows the jobs of one executor, for all folders of results at once.

    Attributes:
        problem: why it does not answer; None where it does.
    """

    problem: str | None = None

    @abstractmethod
    def refresh(self) -> None:
        """Ask again."""

    @abstractmethod
    def update(self, statuses: list[CaseStatus], result_wait_s: float) -> list[CaseStatus]:
        """Return the cases with the state of their jobs, and the end of those that have ended.

        Args:
            statuses: cases whose end is not in the ledger, with what their results say.
            result_wait_s: seconds that a result may take to be seen from here after its job's end.
        """

    def has_alive(self, attempt: Attempt) -> bool:
        """Return whether the attempt has not ended, whatever the ledger says."""
        return False

    def knows_more(self, attempt: Attempt) -> bool:
        """Return whether the end of an attempt that the ledger calls lost is known."""
        return False

    def recover(
        self, store: Store, known: set[tuple[str, str]], thorough: bool
    ) -> list[Submission]:
        """Return submissions into this folder that the ledger lacks.

        Args:
            store: the folder.
            known: batch and case id of each line of the ledger.
            thorough: lines are missing, so look into known batches, too.
        """
        return []

    def orphans(self, store: Store) -> list[str]:
        """Return the ids of jobs that are queued for this folder and whose batch file is gone."""
        return []

    @abstractmethod
    def cancel(self, asked: list[CaseStatus], snapshot: Snapshot, token: str) -> Cancellation:
        """Cancel the live jobs of these cases, whichever attempt they are; return what was done.

        Args:
            asked: the cases, of which the newest jobs are this executor's.
            snapshot: all cases of their folder.
            token: the mark of the folder, so that no job of another one is cancelled.

        Raises:
            ConfigError: the executor refuses.
        """


class Executor(ABC):
    """Runs the jobs of one profile, for one folder of results.

    Args:
        profile: where jobs run.
        store: the folder of results.
        requeue: let Slurm restart jobs whose node failed.

    Attributes:
        in_background: jobs go on after submit.py has ended.
    """

    in_background: ClassVar[bool] = True

    def __init__(self, profile: Profile, store: Store, requeue: bool = False) -> None:
        self.profile = profile
        self.store = store
        self.requeue = requeue

    @classmethod
    @abstractmethod
    def check_profile(cls, profile: Profile, given: Collection[str]) -> None:
        """Refuse a profile that lacks a key that this executor needs, or has one that it ignores.

        Args:
            profile: the profile.
            given: the keys that are written in the file.

        Raises:
            ConfigError: it names the key and what to do.
        """

    @staticmethod
    @abstractmethod
    def new_poller() -> Poller:
        """Return a poller of this executor's jobs."""

    def why_never(self, case: Case) -> str | None:
        """Return why this profile's machines can never run the case; None if they can."""
        if (problem := self.find_problem(case)) is not None:
            return f"{problem} ({self.profile.source})"
        if self.profile.device == "cpu" and case.dtype == "tf32":
            return f"dtype: tf32 needs a GPU, and {self.profile.source} has device: cpu"
        if self.profile.device == "cpu" and case.execution == "cuda_graph":
            return f"execution: cuda_graph needs a GPU; {self.profile.source} has device: cpu"
        return None

    def find_problem(self, case: Case) -> str | None:
        """Return why the case can never run here, and what to do; None if it can."""
        return None

    def nodes_of(self, case: Case) -> int:
        """Return on how many nodes the case's job runs."""
        return 1

    @property
    def emulates_gpus(self) -> bool:
        """True if no job here computes on a real GPU."""
        return self.profile.device == "cpu"

    def gpu_size(self) -> GpuSize | None:
        """Return the memory of the GPUs that jobs get, of the largest if they differ.

        None where nobody knows it.
        """
        return size_by_profile(self.profile)

    def find_bad_nodes(
        self, snapshot: Snapshot, cases: Collection[str]
    ) -> tuple[BadNodes, list[str]]:
        """Return the nodes that fail one of these cases after another, and notes on them."""
        return NO_BAD_NODES, []

    def keep_away(self, job: str, nodes: Sequence[str]) -> bool:
        """Keep a waiting job from these nodes, too; False where that cannot be done."""
        return False

    def check(self, planned: list[PlannedCase]) -> None:
        """Refuse what this executor would not take, before anything is written.

        Raises:
            ConfigError: it names the key and what to do.
        """
        if self.requeue:
            raise ConfigError("--requeue", f"{self.profile.source} runs no Slurm; remove it")

    def starts(self, planned: list[PlannedCase]) -> dict[int, float]:
        """Return in how many seconds a job of so many GPUs would start; empty if nobody says."""
        return {}

    def scripts(
        self, planned: list[PlannedCase], running: Sequence[Submission]
    ) -> Iterator[tuple[str, str]]:
        """Yield a title and a script for all jobs that ask for the same, for --dry-run."""
        return iter(())

    def write_batch(
        self, planned: list[PlannedCase], cluster: str | None = None, clock_s: int | None = None
    ) -> tuple[Path, list[Assignment]]:
        """Write to disk what the jobs of a batch are to do, and return the file and its content.

        Args:
            planned: the cases, in the order of the batch.
            cluster: Slurm's ClusterName.
            clock_s: Slurm's clock now, in seconds since 1970.
        """
        name = new_batch_name(self.store)
        assignments = [
            Assignment(
                batch=name,
                case=each.case,
                grid=each.grid,
                overrides=each.overrides,
                device=self.profile.device,
                executor=self.profile.executor,
                results=str(self.store.folder.parent),
                profile=self.profile.name,
                timeout_min=self.profile.timeout_min,
                user=user_name(os.getuid()),
                cluster=cluster,
                submitted_at=now(),
                trace=each.trace,
                number=each.number,
                slurm_clock_s=clock_s,
                meeting=self.profile.meeting(),
                secret=secrets.token_hex(32),
                folder=os.getcwd() if each.case.kind == "program" else "",
                prediction=each.prediction,
                no_prediction=each.no_prediction,
            )
            for each in planned
        ]
        return write_batch(self.store, assignments), assignments

    @abstractmethod
    def submit(
        self, planned: list[PlannedCase], running: Sequence[Submission]
    ) -> Iterator[list[Submission]]:
        """Submit the cases and yield each batch once it is in the ledger.

        Args:
            planned: the cases that run.
            running: jobs of this folder that have not ended.

        Raises:
            ConfigError: a batch is refused; those before it are queued, the rest is not.
            Unsure: nobody says whether a batch was queued.
            NotNoted: a batch is queued, and the ledger cannot be written.
        """
