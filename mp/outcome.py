"""From a case to its result, whatever happens on the way."""

import traceback
from pathlib import Path

import torch

from mp.benchmark import Outputs, run_benchmark
from mp.measure import Report
from mp.proof import prove_gpus
from mp.provenance import describe_code
from study.case import Case
from study.errors import CaseError, GpuMismatch
from study.outcome import ResultOutcome
from study.result import CaseFailure, Job, Result


def run_case(
    case: Case, policy: str, job: Job, report: Report, trace: Path | None = None
) -> Result:
    """Run the case and return its result, also where it failed; write its trace, if asked to.

    KeyboardInterrupt and SystemExit pass through: nobody waits for that result.
    """
    outputs = Outputs()

    def keep(known: Outputs) -> None:
        nonlocal outputs
        outputs = known

    code = describe_code()
    outcome: ResultOutcome = "ok"
    failure = None
    try:
        prove_gpus(job, policy)
        run_benchmark(case, policy, report, keep, trace)
    except Exception as error:
        if not isinstance(error, CaseError):
            traceback.print_exc()  # for the job's log; the result keeps the last line of it
        outcome = outcome_of(error)
        failure = CaseFailure(type=type(error).__name__, message=str(error))
    return Result(
        case=case,
        case_id=case.case_id,
        outcome=outcome,
        error=failure,
        emulated=outputs.emulated,
        placement=outputs.placement,
        measurement=outputs.measurement,
        transfers=outputs.transfers,
        ceilings=outputs.ceilings,
        environment=outputs.environment,
        job=job,
        code=code,
    )


def outcome_of(error: Exception) -> ResultOutcome:
    """The outcome that this error stands for."""
    if isinstance(error, GpuMismatch):
        return "gpu_mismatch"
    if isinstance(error, torch.OutOfMemoryError):
        return "oom_gpu"
    # On the CPU torch raises a plain RuntimeError, which only its text tells apart.
    if isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error):
        return "oom_host"
    return "error"
