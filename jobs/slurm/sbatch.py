"""One call of sbatch through submitit: one job, or an array of jobs with the same resources."""

import re
import shlex
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import submitit
from submitit.core.utils import FailedSubmissionError
from submitit.slurm.slurm import _make_sbatch_string

from jobs.lock import lock_descriptors
from jobs.profile import Profile, check_lines
from jobs.slurm.commands import run_command
from jobs.slurm.layout import layout_of
from jobs.worker.meeting import CHOSEN
from study.errors import ConfigError
from study.paths import ROOT
from study.quoting import quoted
from study.storage.files import SECRET_FILE, write_atomically
from study.storage.store import Store, mark_of

# srun goes on when a rank fails, so that the first rank can hear of it and write why; but it ends
# the ranks that are left so long after the first has ended.
OF_RANKS = ("--kill-on-bad-exit=0", "--wait=30", "--output=all")
# What every job sets itself, so that a profile cannot.
OURS = {"name", "nodes", "tasks_per_node", "gpus_per_node", "stderr_to_stdout", "slurm_job_name"}
OURS |= {"slurm_nodes", "slurm_ntasks_per_node", "slurm_gpus_per_node", "slurm_num_gpus"}
OURS |= {"slurm_gpus_per_task", "slurm_gres", "slurm_comment", "slurm_time"}
OURS |= {"slurm_stderr_to_stdout", "slurm_array_parallelism", "slurm_signal_delay_s"}
OURS_IN_SBATCH = {"array", "chdir", "clusters", "comment", "error"}
OURS_IN_SBATCH |= {"gpus", "gpus-per-node", "gpus-per-task"}
OURS_IN_SBATCH |= {"gres", "job-name", "no-requeue", "nodes", "ntasks", "ntasks-per-gpu"}
OURS_IN_SBATCH |= {"ntasks-per-node", "open-mode", "output", "requeue", "signal", "test-only"}
OURS_IN_SBATCH |= {"time", "wait", "wrap"}


class SbatchCall(submitit.SlurmExecutor):
    """One call of sbatch, by submitit's executor, for a command of ours.

    Args:
        logs: the folder of the logs.
        batch: the name of the batch, which the names of its logs carry.
    """

    def __init__(self, logs: Path, batch: str) -> None:
        super().__init__(folder=logs)
        self.batch_name = batch

    @classmethod
    def affinity(cls) -> int:
        """Let a script be made where there is no srun, as for a dry run."""
        return 2

    @classmethod
    def parameter_names(cls) -> list[str]:
        """Return the keys of a profile: submitit's general names, and Slurm's with `slurm_`."""
        names = set(cls._equivalence_dict()) | {f"slurm_{n}" for n in cls._valid_parameters()}
        return sorted(names - OURS)

    def set_profile_parameters(self, parameters: dict[str, Any]) -> None:
        """Take parameters under the names a profile uses."""
        general = {k: v for k, v in parameters.items() if not k.startswith("slurm_")}
        slurm = {k.removeprefix("slurm_"): v for k, v in parameters.items() if k not in general}
        self.update_parameters(**self._convert_parameters(general), **slurm)

    def script(self, command: str) -> str:
        """Return the sbatch script that `submit_script` hands to Slurm."""
        text = str(self._make_submission_file_text(command, uid="unused"))
        # submitit names a log by its job alone, whose id Slurm may give again. No path of ours has
        # a % in it.
        return re.sub(r"%(j|A_%a)_(0|%t)_log\.out", rf"%\1-{mark_of(self.batch_name)}.log", text)

    def submit_script(self, command: str, path: Path) -> str:
        """Write the script to this path, queue it, and return the job's id.

        Raises:
            NotQueued: sbatch failed, or did not say what it did.
        """
        write_atomically(path, self.script(command).encode(), mode=SECRET_FILE)
        done = run_command("sbatch", str(path), pass_fds=lock_descriptors())
        try:
            if said := re.findall(r"^Submitted batch job (\d+)", done.stdout, re.MULTILINE):
                return str(said[-1])
            if done.returncode == 0:
                return self._get_job_id_from_submission_command(done.stdout)
        except FailedSubmissionError:
            pass
        words = done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}"
        raise NotQueued("sbatch", words)


class NotQueued(ConfigError):
    """sbatch did not say that it queued a job; it may have done so all the same."""


@dataclass(frozen=True)
class Request:
    """A request for `size` jobs with `gpus` GPUs each.

    Attributes:
        in_processes: each job has a task for each GPU, else one for all of them.
        least_nodes: that each job needs.
        exclude: nodes to leave out, joined by commas.
        after: ids of jobs that end before these begin.
    """

    gpus: int
    size: int
    name: str
    in_processes: bool = False
    least_nodes: int = 1
    exclude: str = ""
    requeue: bool = False
    after: tuple[str, ...] = ()


def resources_of(request: Request, profile: Profile) -> dict[str, Any]:
    """Return the options by which each job gets its nodes, tasks and GPUs."""
    most = profile.gpus_per_node
    layout = layout_of(request.gpus, request.in_processes, most, request.least_nodes)
    tasks = {"nodes": layout.nodes, "ntasks_per_node": layout.tasks_per_node}
    return profile.gpu_parameters(layout.gpus_per_node) | tasks


def sbatch_call(
    request: Request, label: str, batch: str, profile: Profile, store: Store
) -> SbatchCall:
    """Return the call of sbatch that makes this request.

    Args:
        request: what each job gets.
        label: what people are to read in the job's comment, before the batch's name.
        batch: the batch's name.
        profile: its parameters of submitit, and how it asks for GPUs.
        store: the folder of the logs.

    Raises:
        ConfigError: submitit does not take a parameter, or every job sets it itself.
    """
    parameters = dict(profile.submitit or {})
    _check_parameters(parameters, profile)
    call = SbatchCall(store.logs, batch)
    try:
        if request.in_processes and parameters.get("slurm_use_srun") is False:
            raise ValueError("slurm_use_srun: srun starts the process of each GPU; remove it")
        extra = dict(parameters.pop("slurm_additional_parameters", None) or {})
        for key in extra:
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", str(key)):
                problem = f"{quoted(key)} is no option of sbatch; write e.g. mail-user"
                raise ValueError(f"slurm_additional_parameters: {problem}")
            # sbatch takes an abbreviation for the whole word.
            if any(name.startswith(str(key).replace("_", "-")) for name in OURS_IN_SBATCH):
                raise ValueError(f"slurm_additional_parameters: {key} is set by every job itself")
        call.set_profile_parameters({"slurm_wckey": None, "stderr_to_stdout": True} | parameters)
        call.update_parameters(
            job_name=request.name,
            comment=f"{label}@{batch}",
            additional_parameters=_of_every_job(request) | extra,
            srun_args=_of_every_step(request, parameters),
            **_nodes_left_out(request, parameters),
            **_jobs_before(request, parameters),
            **_meeting_chosen(request, parameters, profile),
            **resources_of(request, profile),
        )
    except (ValueError, TypeError, AttributeError, AssertionError) as error:
        raise ConfigError(
            profile.source, f"submitit: {quoted(profile.submitit)}: {error}"
        ) from None
    check_lines(profile.source, "submitit", call.parameters)
    if request.size > 1:
        call.parameters["array_parallelism"] = profile.max_parallel or request.size
        call.parameters["map_count"] = request.size  # elements 0 .. size-1
    return call


def _of_every_job(request: Request) -> dict[str, Any]:
    return {
        "chdir": str(ROOT),  # the node must find our modules
        # A half-measured case must not restart unseen.
        "requeue" if request.requeue else "no-requeue": True,
        # submitit's USR2 before the time limit would end a process that does not expect it.
        "signal": "CONT@1",
    }


def _of_every_step(request: Request, parameters: dict[str, Any]) -> list[str]:
    # Since Slurm 22.05 srun no longer takes the job's CPUs for its own.
    cpus = parameters.get("cpus_per_task", parameters.get("slurm_cpus_per_task"))
    own = [] if cpus is None else [f"--cpus-per-task={cpus}"]
    own += OF_RANKS if request.in_processes else ()
    return [*own, *(parameters.get("slurm_srun_args") or [])]


def _nodes_left_out(request: Request, parameters: dict[str, Any]) -> dict[str, str]:
    nodes = [text for text in (parameters.get("slurm_exclude"), request.exclude) if text]
    return {"exclude": ",".join(nodes)} if nodes else {}


def _jobs_before(request: Request, parameters: dict[str, Any]) -> dict[str, str]:
    ours = f"afterany:{':'.join(request.after)}" if request.after else None
    conditions = [text for text in (parameters.get("slurm_dependency"), ours) if text]
    return {"dependency": ",".join(conditions)} if conditions else {}


def _meeting_chosen(
    request: Request, parameters: dict[str, Any], profile: Profile
) -> dict[str, list[str]]:
    if not request.in_processes:
        return {}
    # Behind the site's own lines, which may be needed to start Python.
    return {"setup": [*(parameters.get("slurm_setup") or []), _rendezvous_line(profile)]}


def _rendezvous_line(profile: Profile) -> str:
    """Return the line of an sbatch script that chooses where ranks meet.

    It falls back to the node's python3, since the profile's Python may be in a container that only
    srun starts.
    """
    command = ["-m", "jobs.rendezvous", *profile.meeting().options]
    pythons = [profile.python_command(), ["python3"]]
    either = " || ".join(shlex.join([*python, *command]) for python in pythons)
    return f'export {CHOSEN}="$({either})"'


def _check_parameters(parameters: dict[str, Any], profile: Profile) -> None:
    """Refuse names that submitit does not know and values that it would misread."""
    types = typing.get_type_hints(_make_sbatch_string)
    for name, value in parameters.items():
        if name not in SbatchCall.parameter_names():
            known = ", ".join(SbatchCall.parameter_names())
            raise ConfigError(
                profile.source, f"submitit: unknown key {quoted(name)}; known keys: {known}"
            )
        if name in ("slurm_srun_args", "slurm_setup", "slurm_teardown"):
            expected: Any = list[str] | None
        else:
            expected = types.get(name.removeprefix("slurm_"), Any)
        try:
            msgspec.convert(value, type=expected)
        except msgspec.ValidationError as error:
            words = str(error).replace("`", "")
            raise ConfigError(
                profile.source, f"submitit.{name}: {quoted(value)}: {words}"
            ) from None


def worker_command(batch: Path, profile: Profile) -> str:
    """Return the shell command that runs the job's case of this batch."""
    return shlex.join([*profile.python_command(), "-u", "-m", "jobs.worker", str(batch)])
