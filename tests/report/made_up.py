"""Made-up results: consistent as measured ones are, with the numbers that a test needs."""

import random
from functools import cache
from pathlib import Path

import msgspec

from study.case import Case
from study.grids.file import load_grids
from study.grids.grid import Grid
from study.outcome import Outcome
from study.results.ceilings import Ceilings, CopyRate, GemmRate
from study.results.environment import Environment, Gpu, GpuLink, GpuState
from study.results.file import encode
from study.results.layers import LayerProfile, ModelProfile
from study.results.measurement import Breakdown, GpuMemory, GpuTime, Measurement, TimeSpan
from study.results.result import CaseFailure, Code, Job, PairTransfers, Placement, Result, Transfers
from study.statistics.bootstrap import interval
from study.storage.files import write_atomically
from study.storage.ledger import Ended, Submission, append
from study.storage.store import Store
from study.validation import make_case
from study.values.completion import kind_of

MIB = 2**20
HOMEWORK = ("task1", "task2", "task3", "task4", "task5")


@cache
def grid(name: str) -> Grid:
    """One grid of the project."""
    (found,) = load_grids([name])
    return found


def case(task: str = "task4", **changes) -> Case:
    """The first case of a task, with some keys changed; of the kind of model they name."""
    if kind_of(changes, "test") != "linear":
        values = _first_case(task).as_dict()
        own = {k: v for k, v in values.items() if k not in ("dim", "split", *changes)}
        return make_case(own | changes, "test")
    return msgspec.structs.replace(_first_case(task), **changes)


@cache
def _first_case(task: str) -> Case:
    return grid(task).cases()[0]


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
        ceilings=_ceilings(made, emulated),
        environment=_environment(made, gpu_name, emulated),
        job=_job(made),
        code=Code(commit="0" * 40, dirty=False),
        model=None if made.kind == "linear" else profile(made),
    )


def failed(outcome: str = "oom_gpu", message: str = "CUDA out of memory", **keys) -> Result:
    """A case that ended in an error, before anything was measured."""
    changes = {"outcome": outcome, "error": CaseFailure(type="Error", message=message)}
    nothing = dict.fromkeys(("placement", "measurement", "transfers", "ceilings", "environment"))
    return msgspec.structs.replace(result(**keys), **changes, **nothing)


def steady(step_s: float) -> list[float]:
    """Steps that vary by 0.1 % about this median."""
    return [step_s * (1 + 0.0005 * (k % 5 - 2)) for k in range(41)]


def counts(times_s: dict[int, float], **keys) -> list[Result]:
    """Cases that differ in GPUs, by the median step of each count."""
    return [result("task3", gpus=gpus, step_s=s, **keys) for gpus, s in times_s.items()]


def depths(times_s: dict[int, float], **keys) -> list[Result]:
    """Task 2 with these step times."""
    return [result("task2", depth=depth, step_s=s, **keys) for depth, s in times_s.items()]


def moving(given: Result, **changes) -> Result:
    """The result, having seen other transfers."""
    seen = msgspec.structs.replace(given.transfers, **changes)
    return msgspec.structs.replace(given, transfers=seen)


def measuring(given: Result, **changes) -> Result:
    """The result, having measured something else."""
    measurement = msgspec.structs.replace(given.measurement, **changes)
    return msgspec.structs.replace(given, measurement=measurement)


def sharing(given: Result, peak: int) -> Result:
    """The emulated result, with the peak memory of the one GPU below its logical ones."""
    return measuring(given, shared_peak_allocated_bytes=peak, shared_peak_reserved_bytes=2 * peak)


def write(folder: Path, profile: str, *results: Result) -> None:
    """Put results where their jobs would."""
    for given in results:
        path = Store(folder, profile).result_path(given.case)
        write_atomically(path, encode(given), durable=False)


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


def end(store: Store, case: Case, reason: str, outcome: Outcome = "error") -> None:
    """Write down that job 17 ended without a result."""
    at = "2030-01-01T11:00:00.000+00:00"
    ended = Ended(
        case_id=case.case_id,
        job_id="17",
        batch="",
        outcome=outcome,
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
    return [i * case.gpus // case.layers for i in range(case.layers)]


def profile(case: Case, **changes) -> ModelProfile:
    """Layers of equal size, 1 MiB of parameters each, the last with three times the work."""
    rows = case.batch_size // case.parts
    layer = LayerProfile(
        name="layer",
        parameters=2**18,
        parameter_bytes=MIB,
        output_bytes=rows * 1024,
        kept_bytes=2 * rows * 1024,
        keeps_input=True,
        keeps_output=False,
        forward_flops=rows * 10**9,
        input_gradient_flops=rows * 10**9,
        weight_gradient_flops=rows * 10**9,
        forward_s=rows * 1e-5,
        backward_s=rows * 2e-5,
        forward_peak_bytes=4 * rows * 1024,
        backward_peak_bytes=MIB + 2 * rows * 1024,
        again_peak_bytes=MIB + 2 * rows * 1024,
        received_backward_peak_bytes=MIB + rows * 1024,
        received_again_peak_bytes=MIB + rows * 1024,
    )
    names = {"gpt": ("embedding", "block", "head"), "conv": ("stem", "block", "classifier")}
    first, middle, last = names.get(case.kind, ("layer 0", "layer", f"layer {case.layers - 1}"))
    numbers = [middle if case.layers < 3 else f"{middle} {i}" for i in range(case.layers - 2)]
    layers = [msgspec.structs.replace(layer, name=n) for n in (first, *numbers, last)]
    flops = {k: 3 * rows * 10**9 for k in msgspec.structs.asdict(layer) if k.endswith("_flops")}
    times = {"forward_s": rows * 3e-5, "backward_s": rows * 6e-5}
    layers[-1] = msgspec.structs.replace(layers[-1], **flops, **times)
    nothing = dict.fromkeys(flops, 0) | {"parameters": 0, "parameter_bytes": 0}
    made = ModelProfile(
        rows=rows,
        input_bytes=rows * 1024,
        target_bytes=rows * 1024,
        layers=tuple(layers),
        loss=msgspec.structs.replace(layer, name="loss", output_bytes=4, **nothing),
        item={"gpt": "token", "conv": "image"}.get(case.kind, "sample"),
        items_per_row=case.value("seq_len") or 1,
    )
    return msgspec.structs.replace(made, **changes)


def _counts(places: list[int], case: Case) -> list[int]:
    return [places.count(gpu) for gpu in range(case.gpus)]


def _spread(step_s: float) -> list[float]:
    """Steps that vary by 1 % about this median, in an order without a trend."""
    factors = [1 + 0.01 * (k - 20) / 20 for k in range(41)]
    random.Random(0).shuffle(factors)
    return [step_s * factor for factor in factors]


def _measurement(case, steps_s, places, peaks, emulated) -> Measurement:
    counts = _counts(places, case)
    peaks = peaks or [100 * MIB * count for count in counts]
    third = [sum(steps_s) / len(steps_s) / 3] * 3
    found = interval([steps_s])
    return Measurement(
        step_times_s=steps_s,
        stopped_by="converged",
        converged=True,
        median_ci_s=None if found is None else (found.low, found.high),
        warmup_steps=10,
        warmup_steady=True,
        forward_s=third,
        backward_s=third,
        optimizer_s=third,
        breakdown=_breakdown(case, sum(third)),
        first_loss=1.5,
        per_gpu=[
            GpuMemory(
                index=gpu,
                device="cpu" if emulated else f"cuda:{gpu}",
                layers=count,
                peak_allocated_bytes=None if emulated else peaks[gpu],
                peak_reserved_bytes=None if emulated else 2 * peaks[gpu],
                workspace_bytes=None if emulated else 32 * MIB,
                driver_used_bytes=None if emulated else 3 * peaks[gpu],
            )
            for gpu, count in enumerate(counts)
        ],
        shared_peak_allocated_bytes=None,
        shared_peak_reserved_bytes=None,
    )


def _breakdown(case: Case, step_s: float) -> Breakdown:
    """Every GPU computes its share of the step, one after another, in six equal parts of time."""
    part = step_s / case.gpus / 6
    one_gpu = GpuTime(
        index=0,
        forward_s=[part] * 3,
        backward_s=[2 * part] * 3,
        optimizer_s=[part] * 3,
        transfer_in_s=[part] * 3,
        transfer_out_s=[part] * 3,
        idle_s=[step_s - 6 * part] * 3,
    )
    return Breakdown(
        clock="cuda_events",
        step_times_s=[step_s] * 3,
        per_gpu=[msgspec.structs.replace(one_gpu, index=gpu) for gpu in range(case.gpus)],
        typical_step=_typical_step(case.gpus, part),
    )


def _typical_step(gpus: int, part: float) -> list[TimeSpan]:
    """Forward from GPU to GPU and back again, then all optimizers."""
    spans = []
    there = [(gpu, "forward", gpu * part, 1) for gpu in range(gpus)]
    back = [(gpu, "backward", (3 * gpus - 2 * gpu - 2) * part, 2) for gpu in range(gpus)]
    update = [(gpu, "optimizer", 3 * gpus * part, 1) for gpu in range(gpus)]
    for gpu, kind, start, parts in there + back + update:
        end = start + parts * part
        spans.append(TimeSpan(gpu=gpu, kind=kind, start_s=start, end_s=end))
    return spans


def _ceilings(case: Case, emulated: bool) -> Ceilings:
    pairs = [(0, 0)] if emulated or case.gpus == 1 else [(0, 1), (1, 0)]
    gemm = GemmRate(
        device="cuda:0",
        dtype=case.dtype,
        m=8192,
        n=8192,
        k=8192,
        flop_per_s=50e12,
        sustained_s=0.5,
        sustained_flop_per_s=40e12,
    )
    copies = [
        CopyRate(
            source=source,
            target=target,
            checked_bytes=64 * MIB,
            peer_access=True,
            latency_s=5e-6,
            message_bytes=MIB,
            message_s=8e-6,
            bandwidth_bytes=256 * MIB,
            bandwidth_bytes_per_s=400e9,
        )
        for source, target in pairs
    ]
    return Ceilings(gemm=[gemm], copies=copies)


def _transfers(case: Case, places: list[int]) -> Transfers:
    borders = [i for i in range(1, case.layers) if places[i] != places[i - 1]]
    size = case.batch_size * case.dim * 4
    ways = [(places[i - 1], places[i]) for i in borders]
    return Transfers(
        to_calls_per_forward=case.layers,
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
    at_work = GpuState(
        sm_clock_hz=1_400_000_000,
        memory_clock_hz=2_619_000_000,
        throttle_reasons=[],
        temperature_celsius=50,
        power_w=300.0,
        utilization=1.0,
    )
    return Environment(
        host="node1",
        kernel="6.1",
        cpu="EPYC",
        cpu_count=64,
        cpu_affinity=8,
        cpu_threads=8,
        gpus=[
            Gpu(
                index=index,
                name=str(gpu_name),
                uuid=f"uuid-{index}",
                total_memory_bytes=40 * 2**30,
                max_sm_clock_hz=1_410_000_000,
                power_limit_w=400.0,
                before=at_work,
                after=at_work,
            )
            for index in range(real)
        ],
        topology=[
            GpuLink(source=a, target=b, path="PHB", nvlinks=12)
            for a in range(real)
            for b in range(a + 1, real)
        ],
        driver="550.1",
        cuda="12.8",
        cudnn="9.1.0",
        nccl="2.28.9",
        torch="2.11.0",
        python="3.11.7",
        packages={"torch": "2.11.0"},
        variables={},
        tf32=False,
        float32_matmul_precision="highest",
    )


def _job(case: Case) -> Job:
    """A job too short to have run beside another one."""
    return Job(
        executor="slurm",
        slurm_job_id="17",
        requested_gpus=case.gpus,
        allocated_gpus=case.gpus,
        visible_gpus=case.gpus,
        submitted_at="2030-01-01T10:00:00.000+00:00",
        started_at="2030-01-01T10:01:59.500+00:00",
        finished_at="2030-01-01T10:02:00.000+00:00",
    )
