"""From a case to its result, whatever happens on the way."""

import traceback
from collections.abc import Callable
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING

from mp.benchmark import Outputs, run_benchmark
from mp.failure import outcome_of
from mp.hardware.proof import prove_gpus
from mp.hardware.provenance import describe_code
from mp.launcher.failure_files import Loss
from mp.measure import Report
from study.case import Case
from study.errors import CaseError
from study.outcome import ResultOutcome
from study.results.result import RANK_LOST, CaseFailure, Code, Job, Result

if TYPE_CHECKING:
    from mp.distributed.watchdog import RankFailure


def run_case(
    case: Case,
    policy: str,
    job: Job,
    report: Report,
    trace: Path | None = None,
    finish: Callable[[Result], None] = lambda result: None,
) -> Result:
    """Run the case and return its result, also where it failed; write its trace, if asked to.

    Where each GPU has a process, all of them call this; the result of the first is the case's. If
    another is lost, the first may wait for it for ever: then `finish` gets the result, in a thread,
    and the process ends.

    KeyboardInterrupt and SystemExit pass through: nobody waits for that result.
    """
    outputs = Outputs()
    code = describe_code()

    def keep(known: Outputs) -> None:
        nonlocal outputs
        outputs = known

    def give_up(lost: "RankFailure") -> None:
        failure = CaseFailure(type=lost.type, message=str(lost))
        finish(_result(case, lost.outcome, failure, outputs, job, code))

    outcome: ResultOutcome = "ok"
    failure = None
    try:
        if case.in_processes:
            from mp.distributed.engine import run_in_processes  # takes a second to import

            run_in_processes(case, job, policy, report, keep, give_up, trace)
        else:
            prove_gpus(job, policy)
            run_benchmark(case, policy, report, keep, trace)
    except Exception as error:
        if not isinstance(error, CaseError):
            traceback.print_exc()  # for the job's log; the result keeps the last line of it
        outcome = outcome_of(error)
        failure = CaseFailure(type=type(error).__name__, message=str(error))
    return _result(case, outcome, failure, outputs, job, code)


def lost_case(case: Case, job: Job, loss: Loss) -> Result:
    """The result of a case of which a rank was lost, and the first did not come to tell one."""
    rank, how = loss
    failure = CaseFailure(type=RANK_LOST, message=f"rank {rank} on {gethostname()}: {how}")
    return _result(case, "error", failure, Outputs(), job, describe_code())


def _result(
    case: Case,
    outcome: ResultOutcome,
    failure: CaseFailure | None,
    outputs: Outputs,
    job: Job,
    code: Code,
) -> Result:
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
