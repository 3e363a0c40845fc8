"""One case, from its configuration to a measurement."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from mp.check import check_equals_unsplit, check_moves
from mp.devices import Devices, choose_devices
from mp.environment import describe_environment
from mp.memory import peaks, reset_peaks
from mp.placement import layer_map
from mp.precision import set_precision
from mp.step import TrainingStep, build_step
from mp.timing import MIN_TIMED_STEPS, time_phases, time_steps
from mp.transfers import observe_transfers
from study.case import Case
from study.progress import Progress
from study.result import Environment, GpuMemory, Measurement, Placement, Transfers

Report = Callable[[Progress], None]


@dataclass(frozen=True)
class Outputs:
    """What is known of a case so far; a case that fails half-way keeps what it had."""

    emulated: bool = False
    placement: Placement | None = None
    transfers: Transfers | None = None
    measurement: Measurement | None = None
    environment: Environment | None = None


def run_benchmark(case: Case, policy: str, report: Report, keep: Callable[[Outputs], None]) -> None:
    """Run the case, handing what is known to `keep` after every phase.

    Raises whatever ends the case: CaseError, torch.OutOfMemoryError, or any other error.
    """
    devices = choose_devices(case.gpus, policy)
    outputs = Outputs(devices.emulated, describe_placement(case))
    keep(outputs)
    outputs = replace(outputs, environment=describe_environment(devices))
    keep(outputs)

    report(Progress(phase="check against the unsplit model"))
    check_equals_unsplit(case, devices)
    set_precision(case, devices)

    report(Progress(phase="build"))
    step = build_step(case, devices)
    report(Progress(phase="observe transfers"))
    seen = observe_transfers(step, devices)
    outputs = replace(outputs, transfers=seen)
    keep(outputs)
    check_moves(describe_placement(case), seen)

    measurement = measure(case, step, devices, report)
    # Read again: the clocks that matter are those of a GPU that has just worked.
    keep(replace(outputs, measurement=measurement, environment=describe_environment(devices)))


def describe_placement(case: Case) -> Placement:
    """The layer map of the case."""
    gpu_of_layer = layer_map(case.depth, case.gpus, case.split)
    counts = [gpu_of_layer.count(gpu) for gpu in range(case.gpus)]
    return Placement(gpu_of_layer=gpu_of_layer, layers_per_gpu=counts)


def measure(case: Case, step: TrainingStep, devices: Devices, report: Report) -> Measurement:
    """Warm up, time the steps, read the memory, then time the phases in steps of their own."""
    first_loss = float(step.loss.item())  # of the step that was observed, before any training
    time_steps(step, devices, case.warmup_steps, float("inf"), _announce("warm-up", case, report))
    reset_peaks(devices)
    times = time_steps(
        step, devices, case.steps, case.time_limit_s, _announce("timing", case, report)
    )
    per_gpu = describe_memory(case, devices)
    shared = peaks(devices.real[0]) if devices.emulated else (None, None)

    report(Progress(phase="phases"))
    phases = time_phases(step, devices)
    return Measurement(
        step_times_s=times,
        stopped_by="steps" if len(times) == case.steps else "time_limit",
        warmup_steps=case.warmup_steps,
        forward_s=phases["forward"],
        backward_s=phases["backward"],
        optimizer_s=phases["optimizer"],
        first_loss=first_loss,
        per_gpu=per_gpu,
        shared_peak_allocated_bytes=shared[0],
        shared_peak_reserved_bytes=shared[1],
    )


def describe_memory(case: Case, devices: Devices) -> list[GpuMemory]:
    """Peaks of every GPU; null for logical ones, whose device is not theirs alone."""
    layers = describe_placement(case).layers_per_gpu
    entries = []
    for gpu in range(case.gpus):
        device = devices.real_device(gpu)
        allocated, reserved = (None, None) if devices.emulated else peaks(device)
        entries.append(
            GpuMemory(
                index=gpu,
                device=str(device),
                layers=layers[gpu],
                peak_allocated_bytes=allocated,
                peak_reserved_bytes=reserved,
            )
        )
    return entries


def _announce(phase: str, case: Case, report: Report) -> Callable[[int, float], None]:
    """A report after every step, with the time left by step count or limit."""
    timing = phase == "timing"
    total = case.steps if timing else case.warmup_steps
    spent = 0.0

    def on_step(done: int, seconds: float) -> None:
        nonlocal spent
        spent += seconds
        left = (total - done) * spent / done
        if timing:
            at_least = max(0, MIN_TIMED_STEPS - done) * spent / done
            left = min(left, max(case.time_limit_s - spent, at_least))
        report(Progress(phase=phase, step=done, steps=total, remaining_s=left))

    return on_step
