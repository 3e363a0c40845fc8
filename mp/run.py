"""The result of a case, whatever happens while it runs."""

import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from importlib import import_module
from pathlib import Path
from socket import gethostname
from typing import Any

import torch

from mp.benchmark import Outputs, run_benchmark
from mp.engine import Communicator, Engine, ProgressCallback, outcome_of
from mp.hardware.background import start
from mp.hardware.devices import check_allocation, choose_devices
from mp.hardware.host import describe_code
from mp.hardware.variables import set_default
from mp.launcher.failure_files import Loss
from mp.launcher.loading import no_search_while_loading
from mp.rendezvous.failure import RankFailure
from mp.single.engine import SingleEngine
from mp.timing.phases import PhaseClock
from study.case import Case
from study.errors import CaseError
from study.outcome import ResultOutcome
from study.results.phases import PhaseTime
from study.results.result import RANK_LOST, CaseFailure, Code, Job, Result


def run_case(
    case: Case,
    policy: str,
    job: Job,
    report: ProgressCallback,
    trace: Path | None = None,
    finish: Callable[[Result], None] = lambda result: None,
    since_start_s: float | None = None,
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
        since_start_s: seconds since this process was started for the case, if it was.
    """
    outputs, clock = Outputs(), PhaseClock(report, since_start_s)
    code = describe_code()

    def keep(known: Outputs) -> None:
        nonlocal outputs
        outputs = known

    def give_up(lost: RankFailure) -> None:
        failure = CaseFailure(type=lost.type, message=str(lost))
        finish(_result(case, lost.outcome, failure, outputs, job, code, clock.phases()))

    outcome: ResultOutcome = "ok"
    failure = None
    clock.enter("meeting")
    try:
        with _open_engine(case, job, policy, give_up) as engine:
            if case.is_calibration:
                _calibrate(engine, clock, keep)
            else:
                run_benchmark(engine, clock, keep, trace)
    except Exception as error:
        if not isinstance(error, CaseError):
            traceback.print_exc()  # for the job's log; the result keeps the last line of it
        outcome = outcome_of(error)
        failure = CaseFailure(type=type(error).__name__, message=_words(case, error))
    return _result(case, outcome, failure, outputs, job, code, clock.phases())


def _words(case: Case, error: Exception) -> str:
    """Return what the error says, after the rank that it ended, where all others were well."""
    if not case.in_processes or isinstance(error, CaseError):  # which is of all ranks
        return str(error)
    return f"rank {os.environ['RANK']} on {gethostname()}: {error}"


def _calibrate(
    engine: Engine[Any], report: ProgressCallback, keep: Callable[[Outputs], None]
) -> None:
    """Measure what steps are made of.

    Args:
        engine: of the calibration's case.
        report: told of every phase.
        keep: given what is known.
    """
    from mp.calibration.run import calibrate  # takes a second, and no other case needs it

    emulated = engine.world.emulated
    keep(Outputs(emulated, environment=engine.describe_environment({}, {})))
    make: Any = type(engine)
    found = calibrate(engine, lambda case: make(case, engine.world), report)
    keep(Outputs(emulated, environment=found.environment, calibration=found.calibration))


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
        return _open_ranks(case, job, policy, give_up)
    check_allocation(job, policy)
    devices = choose_devices(case.gpus, policy)
    started = start(devices.synchronize)  # the first call of each GPU takes a while
    with no_search_while_loading():
        import_module("torch._dynamo")  # so does this, which the first optimizer needs
    started.result()
    return nullcontext(SingleEngine(case, Communicator(devices)))


@contextmanager
def _open_ranks(
    case: Case, job: Job, policy: str, give_up: Callable[[RankFailure], None]
) -> Iterator[Engine[Any]]:
    """Meet the other ranks, while Python imports the engine; yield it as this rank has it.

    An error that passes is announced to the other ranks; without one, all end together.

    Args:
        case: the case.
        job: the attempt, whose GPUs must be those it asked for.
        policy: as of `join`.
        give_up: called on the first rank, in a thread, when another is lost; then the process ends.

    Raises:
        CaseError: the ranks cannot meet, or their GPUs are not those of the case.
    """
    from mp.distributed.world import join  # imports little, and nothing as it runs

    if case.execution == "cuda_graph":  # as torch asks of who captures DistributedDataParallel
        set_default("TORCH_NCCL_ASYNC_ERROR_HANDLING", "0")
    check = partial(check_allocation, job, policy)
    joining = start(lambda: join(case.gpus, policy, give_up, check))
    with no_search_while_loading():
        from mp.distributed.engine import DistributedEngine  # takes seconds

    world = joining.result()
    if world.device.type == "cuda":
        torch.cuda.set_device(world.device)  # which each thread has for itself
    try:
        yield DistributedEngine(case, world)
    except Exception as error:
        world.fail(error, outcome_of(error))
        raise
    world.shutdown()


def _result(
    case: Case,
    outcome: ResultOutcome,
    failure: CaseFailure | None,
    outputs: Outputs,
    job: Job,
    code: Code,
    phases: tuple[PhaseTime, ...] | None = None,
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
        calibration=outputs.calibration,
        phases=phases,
    )
