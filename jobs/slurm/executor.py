"""The Slurm executor: the contract of jobs/executor.py, by the other files of this folder."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from jobs.batch import batch_path
from jobs.executor import Executor, NoAnswer, NotNoted, Poller, Unsure
from jobs.fit.sizes import largest, size_by_type
from jobs.planned import PlannedCase
from jobs.profile import Limits, Profile, check_types
from jobs.slurm.commands import clock_in, current_user, run_command, slurm_config
from jobs.slurm.layout import nodes_of, why_impossible
from jobs.slurm.nodes import count_others, exclude_nodes, gpu_types
from jobs.slurm.poller import SlurmPoller
from jobs.slurm.preflight import ask_for_starts, check_with_slurm
from jobs.slurm.queue import jobs_in_queue
from jobs.slurm.recovery import keep_job_id
from jobs.slurm.sbatch import NotQueued, Request, SbatchCall, sbatch_call, worker_command
from jobs.slurm.submission import Lanes, first_of_alike, make_batches
from jobs.status.bad_nodes import NO_BAD_NODES, BadNodes, bad_nodes
from jobs.status.case_status import Snapshot
from jobs.status.results import archive_old_results
from predict.memory.gpu_size import GpuSize
from study.case import Case
from study.errors import ConfigError
from study.storage.ledger import Submission, append


class SlurmExecutor(Executor):
    """Submits named jobs for a small grid, and arrays for a large one."""

    _starts: dict[int, float] | None = None  # as Slurm last estimated them

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

    def find_problem(self, case: Case) -> str | None:
        """Return why no job on nodes of this profile has room for the case."""
        return why_impossible(case, self.profile.gpus_per_node)

    def nodes_of(self, case: Case) -> int:
        """Return on how many nodes the case's job runs."""
        return nodes_of(case, self.profile.gpus_per_node)

    def gpu_size(self) -> GpuSize | None:
        """Return the memory of the profile's GPUs, or of those that Slurm has by their type.

        None where nobody knows it, and where GPUs are emulated.
        """
        if (size := super().gpu_size()) is not None or self.emulates_gpus:
            return size
        try:
            return largest([size_by_type(name) for name in gpu_types(self.profile.partition)])
        except NoAnswer:
            return None

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
            config = slurm_config()
            scripts = self._scripts_by_request(planned, config)
            self._starts = check_with_slurm(self.profile, scripts, clock_in(config))

    def starts(self, planned: list[PlannedCase]) -> dict[int, float]:
        """Return the seconds until a job of so many GPUs would start; empty without an answer."""
        if self._starts is None:
            try:
                config = slurm_config()
                scripts = self._scripts_by_request(planned, config)
                self._starts = ask_for_starts(scripts, clock_in(config))
            except NoAnswer:
                self._starts = {}
        return self._starts

    def _scripts_by_request(
        self, planned: list[PlannedCase], config: dict[str, str]
    ) -> dict[Request, str]:
        batches = make_batches(planned, config)
        return {self.request_of(batch): self.script_of(batch) for batch in batches}

    def scripts(
        self, planned: list[PlannedCase], running: Sequence[Submission]
    ) -> Iterator[tuple[str, str]]:
        """Yield a title and a script for each set of requests; also where no Slurm is."""
        try:
            config = slurm_config()
        except NoAnswer:
            config = {}
        batches = make_batches(planned, config)
        lanes, asked = self._lanes(batches, running), []
        for number, batch in enumerate(batches, start=1):
            asked.append((self.request_of(batch, lanes.next()), batch))
            lanes.put(f"JOB{number}")  # the id that the script's job will have
        for title, (request, batch) in first_of_alike(asked):
            yield title, self.script_of(batch, request.after)

    def script_of(self, batch: list[PlannedCase], after: Sequence[str] = ()) -> str:
        """Return the sbatch script of a batch that is not submitted; its name is still open."""
        name = f"{self.store.token}-NAME"
        command = worker_command(batch_path(self.store, name), self.profile)
        return self._call(batch, name, after).script(command)

    def submit(
        self, planned: list[PlannedCase], running: Sequence[Submission]
    ) -> Iterator[list[Submission]]:
        """Submit the cases, and yield each call's submissions once they are in the ledger."""
        config = slurm_config()
        batches = make_batches(planned, config)
        lanes = self._lanes(batches, running)
        for batch in batches:
            _cancel_replaced(batch)
            submissions = self._submit(batch, config, lanes.next())
            lanes.put(submissions[0].array)
            yield submissions

    def _submit(
        self, batch: list[PlannedCase], config: dict[str, str], after: Sequence[str]
    ) -> list[Submission]:
        store = self.store
        path, assignments = self.write_batch(batch, config.get("ClusterName"), clock_in(config))
        name = path.stem
        aside = archive_old_results(batch, store)
        try:
            job_id = self._queue(self._call(batch, name, after), path)
        except Unsure:
            raise  # the job may run and write its result where the old one was
        except BaseException:
            for planned, old in zip(batch, aside, strict=True):
                store.put_back(planned.case, old)
            raise
        keep_job_id(path.with_suffix(".sh"), job_id)
        ids = [job_id] if len(batch) == 1 else [f"{job_id}_{index}" for index in range(len(batch))]
        submissions = [
            assignment.submitted_as(element, store.log_path(element, name))
            for assignment, element in zip(assignments, ids, strict=True)
        ]
        try:
            append(store.submissions, *submissions)
        except OSError as error:
            raise NotNoted(submissions, error) from None
        return submissions

    def _queue(self, call: SbatchCall, batch: Path) -> str:
        """Return the id of the queued job, also where sbatch queued it and failed to say so."""
        try:
            command = worker_command(batch, self.profile)
            return call.submit_script(command, batch.with_suffix(".sh"))
        except (NotQueued, NoAnswer) as error:
            try:
                jobs = jobs_in_queue([current_user()])
            except NoAnswer as silence:
                hint = "if the job was queued all the same, the next run finds it"
                raise Unsure("sbatch", f"{error}; {silence}; {hint}") from None
            for job in jobs:
                if job.batch == batch.stem:
                    return job.job_id.partition("_")[0]
            raise

    def _lanes(self, batches: list[list[PlannedCase]], running: Sequence[Submission]) -> Lanes:
        """Return the lanes of these batches: arrays, which limit themselves, come one by one."""
        most = self.profile.max_parallel or None
        has_arrays = any(len(batch) > 1 for batch in batches)
        single = [submission.job_id for submission in running if not submission.is_element]
        arrays = dict.fromkeys(submission.array for submission in running if submission.is_element)
        return Lanes(1 if most and has_arrays else most, single, list(arrays))

    def request_of(self, batch: list[PlannedCase], after: Sequence[str] = ()) -> Request:
        """Return what the batch asks of Slurm; its jobs begin when those of `after` have ended."""
        first, names = batch[0].case, {planned.case.job_name for planned in batch}
        return Request(
            gpus=first.gpus,
            size=len(batch),
            name=first.job_name if len(names) == 1 else f"mp-g{first.gpus}",
            in_processes=first.in_processes,
            least_nodes=first.least_nodes,
            exclude=batch[0].exclude,
            requeue=self.requeue,
            after=tuple(after),
        )

    def _call(self, batch: list[PlannedCase], name: str, after: Sequence[str]) -> SbatchCall:
        label = batch[0].case.case_id if len(batch) == 1 else f"{len(batch)}-cases"
        return sbatch_call(self.request_of(batch, after), label, name, self.profile, self.store)


def _cancel_replaced(batch: list[PlannedCase]) -> None:
    held = [planned.replaces for planned in batch if planned.replaces is not None]
    if held and (done := run_command("scancel", *held)).returncode != 0:
        raise ConfigError("scancel", f"{done.stderr.strip()}; held jobs cannot be replaced")
