"""The result of a case, whatever happens while it runs."""

import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from socket import gethostname
from typing import Any

import torch._dynamo  # noqa: F401  # which the first optimizer imports, in the midst of a case

from mp.benchmark import Outputs, run_benchmark
from mp.engine import Communicator, Engine, ProgressCallback, outcome_of
from mp.hardware.devices import check_allocation, choose_devices
from mp.hardware.host import describe_code
from mp.launcher.failure_files import Loss
from mp.rendezvous.failure import RankFailure
from mp.single.engine import SingleEngine
from study.case import Case
from study.errors import CaseError
from study.outcome import ResultOutcome
from study.results.result import RANK_LOST, CaseFailure, Code, Job, Result


def run_case(
    case: Case,
    policy: str,
    job: Job,
    report: ProgressCallback,
    trace: Path | None = None,
    finish: Callable[[Result], None] = lambda result: None,
) -> Result:
    """Run the case and return its result, also where it failed.

    Where each GPU has a process, all of them call this; the result of the first is the case's.
    KeyboardInterrupt and SystemExit pass through: nobody waits for that result.

    Args:
        case: the case.
        policy: which devices to take: `auto`, `cpu` or `cuda`.
        job: the attempt.
        report: told of phases and steps.
        trace: where to write the Chrome trace, if anywhere.
        finish: given the result, in a thread of the first rank, if another rank is lost, for which
            the first might wait for ever; then the process ends.
    """
    outputs = Outputs()
    code = describe_code()

    def keep(known: Outputs) -> None:
        nonlocal outputs
        outputs = known

    def give_up(lost: RankFailure) -> None:
        failure = CaseFailure(type=lost.type, message=str(lost))
        finish(_result(case, lost.outcome, failure, outputs, job, code))

    outcome: ResultOutcome = "ok"
    failure = None
    try:
        with _open_engine(case, job, policy, give_up) as engine:
            run_benchmark(engine, report, keep, trace)
    except Exception as error:
        if not isinstance(error, CaseError):
            traceback.print_exc()  # for the job's log; the result keeps the last line of it
        outcome = outcome_of(error)
        failure = CaseFailure(type=type(error).__name__, message=str(error))
    return _result(case, outcome, failure, outputs, job, code)


def lost_case(case: Case, job: Job, loss: Loss) -> Result:
    """Return the result of a case that lost a rank, and whose first rank wrote none.

    Args:
        case: the case.
        job: the attempt.
        loss: (rank, how it ended).
    """
    rank, how = loss
    failure = CaseFailure(type=RANK_LOST, message=f"rank {rank} on {gethostname()}: {how}")
    return _result(case, "error", failure, Outputs(), job, describe_code())


def _open_engine(
    case: Case, job: Job, policy: str, give_up: Callable[[RankFailure], None]
) -> AbstractContextManager[Engine[Any]]:
    if case.in_processes:
        from mp.distributed.engine import open_engine  # takes a second to import

        return open_engine(case, job, policy, give_up)
    check_allocation(job, policy)
    return nullcontext(SingleEngine(case, Communicator(choose_devices(case.gpus, policy))))


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
        model=outputs.model,
    )
