"""Slurm jobs through submitit: one job per case, with exactly the case's GPUs on one node."""

from pathlib import Path
from typing import Any

import submitit

from jobs import worker
from jobs.handover import assign, note_submission
from jobs.plan import Item
from jobs.profile import Profile
from jobs.slurm_commands import ask
from study.errors import ConfigError
from study.store import Store, now
from study.submissions import Submission

ROOT = Path(__file__).resolve().parent.parent
# What every job sets itself, so that a profile cannot.
OURS = {"name", "nodes", "tasks_per_node", "gpus_per_node", "stderr_to_stdout", "slurm_job_name"}
OURS |= {"slurm_nodes", "slurm_ntasks_per_node", "slurm_gpus_per_node", "slurm_num_gpus"}
OURS |= {"slurm_gpus_per_task", "slurm_gres", "slurm_comment", "slurm_time"}
OURS |= {"slurm_stderr_to_stdout", "slurm_array_parallelism"}
OURS_IN_SBATCH = {"array", "chdir", "comment", "error", "gpus", "gpus-per-node", "gpus-per-task"}
OURS_IN_SBATCH |= {"gres", "job-name", "no-requeue", "nodes", "ntasks", "ntasks-per-node", "output"}
OURS_IN_SBATCH |= {"requeue", "test-only", "time", "wrap"}


class JobExecutor(submitit.SlurmExecutor):
    """submitit's executor for one case; it can show its sbatch script without submitting it."""

    @classmethod
    def affinity(cls) -> int:
        # submitit wants srun on the PATH even to render a script; a dry run does without.
        return 2

    @classmethod
    def parameter_names(cls) -> list[str]:
        """What a profile may set: submitit's general names, and Slurm's own with `slurm_`."""
        names = set(cls._equivalence_dict()) | {f"slurm_{n}" for n in cls._valid_parameters()}
        return sorted(names - OURS)

    def set_profile_parameters(self, parameters: dict[str, Any]) -> None:
        """Take parameters under the names a profile uses."""
        general = {k: v for k, v in parameters.items() if not k.startswith("slurm_")}
        slurm = {k.removeprefix("slurm_"): v for k, v in parameters.items() if k not in general}
        self.update_parameters(**self._convert_parameters(general), **slurm)

    def script(self) -> str:
        """The sbatch script that `submit` would hand to Slurm."""
        return str(self._make_submission_file_text(self._submitit_command_str, uid="dry-run"))


def executor_for(item: Item, profile: Profile, store: Store) -> JobExecutor:
    """The executor that submits this case; ConfigError for parameters submitit does not take."""
    parameters = dict(profile.submitit or {})
    for name in parameters:
        if name not in JobExecutor.parameter_names():
            known = ", ".join(JobExecutor.parameter_names())
            raise ConfigError(
                profile.source, f"submitit: unknown key {name!r}; known keys: {known}"
            )
    executor = JobExecutor(folder=store.logs)
    try:
        extra = dict(parameters.pop("slurm_additional_parameters", {}))
        if taken := sorted(OURS_IN_SBATCH & {str(key).replace("_", "-") for key in extra}):
            raise ValueError(f"slurm_additional_parameters: {taken[0]} is set by every job itself")
        executor.set_profile_parameters(
            {"slurm_wckey": None, "stderr_to_stdout": True} | parameters
        )
        executor.update_parameters(
            job_name=item.case.job_name,
            comment=item.case.case_id,
            nodes=1,
            ntasks_per_node=1,
            # The node must find our modules, and a half-measured case must not restart unseen.
            additional_parameters={"chdir": str(ROOT), "no-requeue": True} | extra,
            **profile.gpu_parameters(item.case.gpus),
        )
    except (ValueError, TypeError, AttributeError, AssertionError) as error:
        raise ConfigError(profile.source, f"submitit: {profile.submitit}: {error}") from None
    return executor


def check_with_slurm(items: list[Item], profile: Profile, store: Store) -> None:
    """Ask Slurm, once for each GPU count, whether it would take the job at all."""
    for item in {item.case.gpus: item for item in items}.values():
        script = executor_for(item, profile, store).script()
        done = ask("sbatch", "--test-only", stdin=script)
        if done.returncode != 0:
            request = " ".join(
                f"--{option.replace('_', '-')}={value}"
                for option, value in profile.gpu_parameters(item.case.gpus).items()
            )
            raise ConfigError(
                profile.source,
                f"gpu_request: Slurm refuses {request} with submitit: {profile.submitit}: "
                f"{done.stderr.strip()}; nothing was submitted; change the profile or the grid",
            )


def submit_job(item: Item, profile: Profile, store: Store) -> Submission:
    """Submit one case and write it into the ledger."""
    submitted_at = now()
    assignment = assign(item, profile, store, submitted_at)
    aside = store.put_aside(item.case)
    try:
        job = executor_for(item, profile, store).submit(worker.run, assignment)
    except submitit.core.utils.FailedJobError as error:
        store.put_back(item.case, aside)
        raise ConfigError(f"sbatch, case {item.case.case_id}", str(error)) from None
    return note_submission(item, profile, store, submitted_at, job.job_id, job.paths.stdout)
