"""The Slurm executor: the contract of jobs/executor.py, by the other files of this folder."""

from collections.abc import Collection, Iterator, Sequence

from jobs.executor import Executor, NoAnswer, Poller
from jobs.planned import PlannedCase
from jobs.profile import Limits, Profile, check_types
from jobs.slurm.commands import slurm_config
from jobs.slurm.layout import nodes_of, why_impossible
from jobs.slurm.nodes import count_others, exclude_nodes
from jobs.slurm.poller import SlurmPoller
from jobs.slurm.preflight import check_with_slurm
from jobs.slurm.submission import Submitter, lanes_for, make_batches
from jobs.status.bad_nodes import NO_BAD_NODES, BadNodes, bad_nodes
from jobs.status.case_status import Snapshot
from study.case import Case
from study.errors import ConfigError
from study.storage.ledger import Submission


class SlurmExecutor(Executor):
    """Submits named jobs for a small grid, and arrays for a large one."""

    @classmethod
    def check_profile(cls, profile: Profile, given: Collection[str]) -> None:
        """Refuse a profile without the GPUs of a node or a time limit, or with a wrong Python."""
        if profile.gpus_per_node is None:
            problem = "gpus_per_node: None is not a whole number of GPUs a node has, 1 or more"
            raise ConfigError(profile.source, problem)
        if not isinstance(profile.submitit, dict):
            problem = "submitit: missing; write e.g. submitit: {timeout_min: 30}"
            raise ConfigError(profile.source, problem)
        check_types(profile.source, profile.submitit, Limits, "submitit.")
        profile.python_command()
        profile.meeting()

    @staticmethod
    def new_poller() -> Poller:
        """Return a poller of squeue and sacct."""
        return SlurmPoller()

    @property
    def _submitter(self) -> Submitter:
        return Submitter(self.profile, self.store, self.requeue)

    def find_problem(self, case: Case) -> str | None:
        """Return why no job on nodes of this profile has room for the case."""
        return why_impossible(case, self.profile.gpus_per_node)

    def nodes_of(self, case: Case) -> int:
        """Return on how many nodes the case's job runs."""
        return nodes_of(case, self.profile.gpus_per_node)

    def find_bad_nodes(
        self, snapshot: Snapshot, cases: Collection[str]
    ) -> tuple[BadNodes, list[str]]:
        """Return the nodes that fail one of these cases after another, and notes on them.

        Where no other node is left, the nodes are hardly to blame.
        """
        bad = bad_nodes(snapshot, cases)
        names = ", ".join(bad)
        if not bad:
            return NO_BAD_NODES, []
        if others := count_others(bad, self.profile.partition):
            note = f"left out: {names}, since the last cases there failed at launch"
            return BadNodes(bad, others), [f"{note}; --force takes all nodes"]
        return NO_BAD_NODES, [
            f"no node but {names} can run jobs, and the last cases there failed at launch: look at "
            f"what {self.profile.source} and the checkout need on them"
        ]

    def keep_away(self, job: str, nodes: Sequence[str]) -> bool:
        """Keep a waiting job from these nodes, too."""
        return exclude_nodes(job, nodes)

    def check(self, planned: list[PlannedCase]) -> None:
        """Ask sbatch whether it would take the jobs."""
        if planned:
            check_with_slurm(make_batches(planned, slurm_config()), self._submitter)

    def scripts(
        self, planned: list[PlannedCase], running: Sequence[Submission]
    ) -> Iterator[tuple[str, str]]:
        """Yield what each call of sbatch would get, and its title; also where no Slurm is."""
        try:
            config = slurm_config()
        except NoAnswer:
            config = {}
        batches = make_batches(planned, config)
        lanes = lanes_for(batches, self.profile.max_parallel, running)
        for number, batch in enumerate(batches, start=1):
            first = batch[0].case.case_id
            title = first if len(batch) == 1 else f"{len(batch)} cases like {first}"
            yield title, self._submitter.script_of(batch, lanes.next())
            lanes.put(f"JOB{number}")  # the id that the script's job will have

    def submit(
        self, planned: list[PlannedCase], running: Sequence[Submission]
    ) -> Iterator[list[Submission]]:
        """Submit the cases, and yield each call's submissions once they are in the ledger."""
        config = slurm_config()
        yield from self._submitter.submit_batches(make_batches(planned, config), config, running)
