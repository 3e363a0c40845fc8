"""Made-up results: consistent as measured ones are, with the numbers that a test needs."""

from pathlib import Path

import msgspec

from study.case import Case
from study.grid import Grid, load_grids
from study.result import (
    CaseFailure,
    Code,
    Environment,
    Gpu,
    GpuMemory,
    Job,
    Measurement,
    PairTransfers,
    Placement,
    Result,
    Transfers,
)
from study.result_file import encode
from study.store import Store, write_atomically
from study.submissions import Ended, Submission, append

MIB = 2**20
HOMEWORK = ("task1", "task2", "task3", "task4", "task5")


def grid(name: str) -> Grid:
    """One grid of the project."""
    (found,) = load_grids([name])
    return found


def case(task: str = "task4", **changes) -> Case:
    """The first case of a task, with some keys changed."""
    return msgspec.structs.replace(grid(task).cases()[0], **changes)


def result(
    task: str = "task4",
    *,
    step_s: float = 0.1,
    steps_s: list[float] | None = None,
    emulated: bool = False,
    gpu_name: str | None = "NVIDIA A100",
    peaks: list[int] | None = None,
    gpu_of_layer: list[int] | None = None,
    **keys,
) -> Result:
    """A case of the task that ran well, moving data at each border of its layer map.

    Without a `gpu_name` it ran on the CPU, where every GPU is a logical one.
    """
    made = case(task, **keys)
    emulated = emulated or gpu_name is None
    places = gpu_of_layer or _places(made)
    return Result(
        case=made,
        case_id=made.case_id,
        outcome="ok",
        error=None,
        emulated=emulated,
        placement=Placement(gpu_of_layer=places, layers_per_gpu=_counts(places, made)),
        measurement=_measurement(made, steps_s or _spread(step_s), places, peaks, emulated),
        transfers=_transfers(made, places),
        environment=_environment(made, gpu_name, emulated),
        job=_job(made),
        code=Code(commit="0" * 40, dirty=False),
    )


def failed(outcome: str = "oom_gpu", message: str = "CUDA out of memory", **keys) -> Result:
    """A case that ended in an error, before anything was measured."""
    changes = {"outcome": outcome, "error": CaseFailure(type="Error", message=message)}
    nothing = dict.fromkeys(("placement", "measurement", "transfers", "environment"))
    return msgspec.structs.replace(result(**keys), **changes, **nothing)


def moving(given: Result, **changes) -> Result:
    """The result, having seen other transfers."""
    seen = msgspec.structs.replace(given.transfers, **changes)
    return msgspec.structs.replace(given, transfers=seen)


def sharing(given: Result, peak: int) -> Result:
    """The emulated result, with the peak memory of the one GPU below its logical ones."""
    changes = {"shared_peak_allocated_bytes": peak, "shared_peak_reserved_bytes": 2 * peak}
    measurement = msgspec.structs.replace(given.measurement, **changes)
    return msgspec.structs.replace(given, measurement=measurement)


def write(folder: Path, profile: str, *results: Result) -> None:
    """Put results where their jobs would."""
    for given in results:
        write_atomically(Store(folder, profile).result_path(given.case), encode(given))


def submit(folder: Path, profile: str, case: Case, grid: str = "task4", **changes) -> Store:
    """Write down that the case was submitted as job 17."""
    store = Store(folder, profile)
    store.prepare()
    values = {
        "case": case,
        "case_id": case.case_id,
        "grid": grid,
        "overrides": {},
        "executor": "slurm",
        "job_id": "17",
        "job_name": case.job_name,
        "log": "17.log",
        "requested_gpus": case.gpus,
        "timeout_min": 30,
        "submitted_at": "2030-01-01T10:00:00.000+00:00",
    }
    append(store.submissions, Submission(**(values | changes)))
    return store


def end(store: Store, case: Case, reason: str) -> None:
    """Write down that job 17 ended without a result."""
    at = "2030-01-01T11:00:00.000+00:00"
    ended = Ended(
        case_id=case.case_id,
        job_id="17",
        batch="",
        outcome="error",
        state="FAILED",
        reason=reason,
        nodes="",
        elapsed_s=None,
        told_by="squeue",
        seen_at=at,
    )
    append(store.submissions, ended)


def _places(case: Case) -> list[int]:
    if case.split == "half":
        return [0 if i < case.depth // 2 else 1 for i in range(case.depth)]
    return [i * case.gpus // case.depth for i in range(case.depth)]


def _counts(places: list[int], case: Case) -> list[int]:
    return [places.count(gpu) for gpu in range(case.gpus)]


def _spread(step_s: float) -> list[float]:
    return [step_s * factor for factor in (0.98, 0.99, 1.0, 1.01, 1.02)]


def _measurement(case, steps_s, places, peaks, emulated) -> Measurement:
    counts = _counts(places, case)
    peaks = peaks or [100 * MIB * count for count in counts]
    third = [sum(steps_s) / len(steps_s) / 3] * 3
    return Measurement(
        step_times_s=steps_s,
        stopped_by="steps",
        warmup_steps=case.warmup_steps + 1,
        forward_s=third,
        backward_s=third,
        optimizer_s=third,
        first_loss=1.5,
        per_gpu=[
            GpuMemory(
                index=gpu,
                device="cpu" if emulated else f"cuda:{gpu}",
                layers=count,
                peak_allocated_bytes=None if emulated else peaks[gpu],
                peak_reserved_bytes=None if emulated else 2 * peaks[gpu],
            )
            for gpu, count in enumerate(counts)
        ],
        shared_peak_allocated_bytes=None,
        shared_peak_reserved_bytes=None,
    )


def _transfers(case: Case, places: list[int]) -> Transfers:
    borders = [i for i in range(1, case.depth) if places[i] != places[i - 1]]
    size = case.batch_size * case.dim * 4
    ways = [(places[i - 1], places[i]) for i in borders]
    return Transfers(
        to_calls_per_forward=case.depth,
        moves_forward=len(borders),
        moves_backward=len(borders),
        bytes_forward=size * len(borders),
        bytes_backward=size * len(borders),
        moved_before_layers=borders,
        by_pair=[
            *(PairTransfers(source=a, target=b, phase="forward", moves=1, bytes=size)
              for a, b in ways),
            *(PairTransfers(source=b, target=a, phase="backward", moves=1, bytes=size)
              for a, b in ways),
        ],
    )  # fmt: skip


def _environment(case: Case, gpu_name: str | None, emulated: bool) -> Environment:
    real = 0 if gpu_name is None else 1 if emulated else case.gpus
    return Environment(
        host="node1",
        cpu="EPYC",
        cpu_count=64,
        cpu_threads=8,
        gpus=[
            Gpu(
                index=index,
                name=str(gpu_name),
                uuid=f"uuid-{index}",
                total_memory_bytes=40 * 2**30,
                sm_clock_hz=1_400_000_000,
                max_sm_clock_hz=None,
            )
            for index in range(real)
        ],
        driver="550.1",
        cuda="12.8",
        torch="2.11.0",
        python="3.11.7",
        tf32=False,
    )


def _job(case: Case) -> Job:
    return Job(
        executor="slurm",
        slurm_job_id="17",
        requested_gpus=case.gpus,
        allocated_gpus=case.gpus,
        visible_gpus=case.gpus,
        submitted_at="2030-01-01T10:00:00.000+00:00",
        started_at="2030-01-01T10:01:00.000+00:00",
        finished_at="2030-01-01T10:02:00.000+00:00",
    )
