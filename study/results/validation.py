"""Check a result beyond the types of its fields: its parts fit one another and its case."""

from datetime import datetime
from operator import attrgetter

from study.case import Case
from study.results.calibration.plausible import find_calibration_problem
from study.results.calibration.record import Calibration
from study.results.ceilings import Ceilings
from study.results.environment import Environment
from study.results.measurement import GpuTime, Measurement
from study.results.model_check import find_model_problem
from study.results.plausible import find_problem
from study.results.program import ProgramRun
from study.results.result import Placement, Result
from study.schedules import SCHEDULES
from study.stages import in_first_replica
from study.validation import check_together

LEAST_STEP_S = 1e-9  # no clock of ours tells less
OF_CLOCKS = 0.01  # by which a program's clock may go faster than ours
_times_of = attrgetter(*(key for key in GpuTime.__struct_fields__ if key.endswith("_s")))


class ResultError(Exception):
    """A file that is no result of this schema version; the message says why."""


def check_result(result: Result) -> None:
    """Check what a report would show as a measurement without being one.

    Raises:
        ResultError: it is none.
        ConfigError: its case could not run.
        ValueError: a time is none.
    """
    if result.case_id != result.case.case_id:
        raise ResultError(f"names case_id {result.case_id}; its case is {result.case.case_id}")
    check_together(result.case, "its case")
    for moment in (result.job.started_at, result.job.finished_at):
        datetime.fromisoformat(moment)
    if (result.outcome == "ok") != (result.error is None):
        raise ResultError(f"has outcome {result.outcome}, which its error contradicts")
    if (result.program is not None) != (result.outcome == "ok" and result.case.kind == "program"):
        raise ResultError("has the run of a program where there is none, or lacks it")
    is_calibrated = result.outcome == "ok" and result.case.is_calibration
    if (result.calibration is not None) != is_calibrated:
        raise ResultError("has a calibration where there is none, or lacks it")
    if result.program is not None:
        _check_program(result, result.program)
    elif result.calibration is not None:
        _check_calibration(result, result.calibration)
    elif result.outcome == "ok":
        _check_measurement(result)


def _check_program(result: Result, run: ProgramRun) -> None:
    environment = result.environment
    if environment is None:
        raise ResultError("has outcome ok but lacks its environment")
    if [gpu.index for gpu in run.gpus] != [gpu.index for gpu in environment.gpus]:
        raise ResultError("has samples of other GPUs than those of its environment")
    if result.emulated != (len(run.gpus) < result.case.gpus):
        raise ResultError("is emulated with all its GPUs, or is not without them")
    _check_steps(run.step_times_s, run.median_ci_s)
    if run.tells_steps and sum(run.step_times_s) > run.wall_s * (1 + OF_CLOCKS):
        raise ResultError("has steps that took longer than the program")
    if not run.tells_steps and run.step_times_s != [run.wall_s]:
        raise ResultError("has a wall time that is not its one figure")


def _check_calibration(result: Result, calibration: Calibration) -> None:
    if result.environment is None:
        raise ResultError("has outcome ok but lacks its environment")
    if result.measurement is not None:
        raise ResultError("has steps of a calibration, which has none")
    if (problem := find_calibration_problem(result.case, calibration)) is not None:
        raise ResultError(problem)


def _check_measurement(result: Result) -> None:
    parts = (result.placement, result.measurement, result.transfers, result.ceilings)
    if result.environment is None or any(
        part is None for part in (*parts, *_of_torch(result.environment))
    ):
        raise ResultError("has outcome ok but lacks a part of the measurement")
    placement, measurement, ceilings = result.placement, result.measurement, result.ceilings
    case = result.case
    assert placement is not None
    assert measurement is not None
    assert ceilings is not None
    _check_placement(placement, case)
    if [gpu.index for gpu in measurement.per_gpu] != list(range(case.gpus)):
        raise ResultError("lacks a GPU under per_gpu")
    _check_steps(measurement.step_times_s, measurement.median_ci_s)
    if (problem := find_problem(case, placement, measurement, result.emulated)) is not None:
        raise ResultError(problem)
    _check_breakdown(measurement, case.gpus)
    _check_ceilings(ceilings, case.gpus)
    if (why := find_model_problem(case, result.model)) is not None:
        raise ResultError(why)


def _check_placement(placement: Placement, case: Case) -> None:
    """Check that every layer has a GPU or, split into shares, every GPU a share of every layer."""
    firsts = [in_first_replica(case, gpu) for gpu in range(case.gpus)]
    counts = [placement.gpu_of_layer.count(gpu) for gpu in firsts]
    layers = case.layers
    if SCHEDULES[case.schedule].is_on_all_gpus:
        counts, layers = [case.layers] * case.gpus, 0
    if len(placement.gpu_of_layer) != layers or placement.layers_per_gpu != counts:
        raise ResultError("has a placement that does not fit its depth and GPUs")


def _of_torch(environment: Environment) -> list[object]:
    """Return what only a program may lack, which has a torch of its own or none."""
    names = ("cpu_threads", "torch", "tf32", "float32_matmul_precision")
    return [getattr(environment, name) for name in names]


def _check_steps(times: list[float], interval: tuple[float, float] | None) -> None:
    if not times or min(times) < LEAST_STEP_S:
        raise ResultError("has outcome ok but lacks positive step times")
    if interval is not None and not 0 < interval[0] <= interval[1]:
        raise ResultError(f"has an interval from {interval[0]} to {interval[1]} seconds")


def _check_breakdown(measurement: Measurement, gpus: int) -> None:
    """Check that every GPU and phase has one figure for each instrumented step."""
    breakdown = measurement.breakdown
    if breakdown is None:
        return
    if [gpu.index for gpu in breakdown.per_gpu] != list(range(gpus)):
        raise ResultError("lacks a GPU in its breakdown")
    if max(map(attrgetter("gpu"), breakdown.typical_step), default=0) >= gpus:
        raise ResultError("has a typical step with a GPU that it does not have")
    phases = [measurement.forward_s, measurement.backward_s, measurement.optimizer_s]
    lists = phases if any(phases) else []  # the phases of a pipeline's GPUs lie side by side
    for gpu in breakdown.per_gpu:
        lists += _times_of(gpu)
    if breakdown.plain_step_times_s is not None:
        lists = [*lists, breakdown.plain_step_times_s]
    counts = {len(values) for values in lists if values is not None}
    if not breakdown.step_times_s or counts != {len(breakdown.step_times_s)}:
        raise ResultError("has a breakdown whose parts are not of the same steps")


def _check_ceilings(ceilings: Ceilings, gpus: int) -> None:
    if not ceilings.gemm:
        raise ResultError("has no matrix product under ceilings")
    if any(max(copy.source, copy.target) >= gpus for copy in ceilings.copies):
        raise ResultError("has copies of a GPU that it does not have")
