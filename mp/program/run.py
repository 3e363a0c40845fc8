"""The result of a program, however it ends."""

import json
import os
import platform
import socket
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mp.hardware import nvml
from mp.hardware.host import cpu_affinity, cpu_name, describe_code
from mp.hardware.variables import recorded_variables
from mp.program.cgroup import oom_kills
from mp.program.failures import find_failure
from mp.program.gpus import VisibleGpu, choose_gpus, describe_gpu, describe_links, variables_for
from mp.program.process import run_process
from mp.program.said import read_said
from mp.program.sampling import INTERVAL_S, Sampler
from study.case import Case
from study.errors import CaseError, GpuMismatch
from study.outcome import ResultOutcome
from study.results.environment import Environment
from study.results.program import ProgramRun
from study.results.result import CaseFailure, Job, Result
from study.statistics.bootstrap import interval
from study.storage.progress import Progress
from study.text import shortened
from study.values.placeholders import command_words

STEPS, GPUS, ARGUMENTS = "MPBENCH_STEPS", "MPBENCH_GPUS", "MPBENCH_ARGS"
STDOUT = 1  # the job's log


@dataclass
class _Known:
    """Everything known of a program so far; one that fails half-way keeps it."""

    emulated: bool = False
    environment: Environment | None = None
    run: ProgramRun | None = None


def run_program(
    case: Case, policy: str, job: Job, report: Callable[[Progress], None], folder: str
) -> Result:
    """Run the case's program and return its result, also where it failed.

    Args:
        case: the case.
        policy: which GPUs it gets: `auto`, `cpu` or `cuda`.
        job: the attempt.
        report: told once, as its program begins.
        folder: where the program runs.
    """
    code, known = describe_code(), _Known()
    outcome: ResultOutcome = "ok"
    failure = None
    try:
        gpus = choose_gpus(job, policy)
        known.emulated = not gpus
        known.environment = _describe(gpus, None)
        report(Progress(phase="program"))
        if found := _run(case, gpus, folder, known):
            outcome, failure = found
    except (CaseError, OSError) as error:
        outcome = "gpu_mismatch" if isinstance(error, GpuMismatch) else "error"
        failure = CaseFailure(type=type(error).__name__, message=shortened(str(error)))
    return Result(
        case=case,
        case_id=case.case_id,
        outcome=outcome,
        error=failure,
        emulated=known.emulated,
        placement=None,
        measurement=None,
        transfers=None,
        ceilings=None,
        environment=known.environment,
        job=job,
        code=code,
        program=known.run,
    )


def _run(
    case: Case, gpus: Sequence[VisibleGpu], folder: str, known: _Known
) -> tuple[ResultOutcome, CaseFailure] | None:
    """Run the program, keep what it said, and return how it failed, if it did."""
    words = command_words(case, "command")
    with tempfile.TemporaryDirectory(prefix="mpbench-", ignore_cleanup_errors=True) as place:
        steps = Path(place) / "steps.json"
        variables = os.environ | variables_for(gpus) | _variables(case, steps)
        kills = oom_kills()
        with Sampler([gpu.uuid for gpu in gpus]) as sampler:
            ended = run_process(words, folder, variables, STDOUT)
        known.environment = _describe(gpus, sampler)
        if (failed := find_failure(ended, oom_kills() - kills)) is not None:
            return failed
        told_by, said = read_said(steps, ended.said, ended.wall_s)
    times = [ended.wall_s] if said is None else said.step_times_s
    found = interval([times])
    known.run = ProgramRun(
        told_by=told_by,
        step_times_s=times,
        median_ci_s=None if found is None else (found.low, found.high),
        wall_s=ended.wall_s,
        items_per_step=None if said is None else said.items_per_step,
        item=None if said is None else said.item,
        first_loss=None if said is None else said.first_loss,
        sample_interval_s=INTERVAL_S,
        gpus=sampler.samples(),
    )
    return None


def _variables(case: Case, steps: Path) -> dict[str, str]:
    """Return the variables that tell a program of its case."""
    arguments = json.dumps(case.arguments)
    return {STEPS: str(steps), GPUS: str(case.gpus), ARGUMENTS: arguments}


def _describe(gpus: Sequence[VisibleGpu], sampler: Sampler | None) -> Environment:
    """Return the environment, without what only the program knows: its torch, CUDA, packages."""
    uuids = [gpu.uuid for gpu in gpus]
    states = [sampler.states(at) if sampler else (None, None) for at in range(len(uuids))]
    return Environment(
        host=socket.gethostname(),
        kernel=platform.release(),
        cpu=cpu_name(),
        cpu_count=os.cpu_count(),
        cpu_affinity=cpu_affinity(),
        cpu_threads=None,
        gpus=[describe_gpu(at, uuid, states[at]) for at, uuid in enumerate(uuids)],
        topology=describe_links(uuids),
        driver=nvml.driver_version() if uuids else None,
        cuda=None,
        cudnn=None,
        nccl=None,
        torch=None,
        python=platform.python_version(),
        packages={},
        variables=recorded_variables(),
        tf32=None,
        float32_matmul_precision=None,
    )
