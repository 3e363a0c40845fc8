"""One case, from its configuration to a measurement."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mp.correctness import check_equals_unsplit, check_moves, check_possible
from mp.hardware.devices import choose_devices
from mp.hardware.environment import describe_environment
from mp.hardware.gemm import measure_gemm
from mp.hardware.memory import measure_scratch, release_cache
from mp.hardware.precision import set_precision
from mp.measure import Report, measure
from mp.placement import layer_map
from mp.single.copies import measure_copies
from mp.single.cuda_graph import GraphedStep
from mp.single.step import build_step
from mp.single.transfers import observe_transfers
from mp.timing.chrome_trace import write_trace
from mp.timing.timeline import Timeline
from study.case import Case
from study.results.ceilings import Ceilings
from study.results.environment import Environment
from study.results.measurement import Measurement
from study.results.result import Placement, Transfers
from study.storage.progress import Progress


@dataclass(frozen=True)
class Outputs:
    """What is known of a case so far; a case that fails half-way keeps what it had."""

    emulated: bool = False
    placement: Placement | None = None
    ceilings: Ceilings | None = None
    transfers: Transfers | None = None
    measurement: Measurement | None = None
    environment: Environment | None = None


def run_benchmark(
    case: Case,
    policy: str,
    report: Report,
    keep: Callable[[Outputs], None],
    trace: Path | None = None,
) -> None:
    """Run the case, handing what is known to `keep` after every phase.

    Raises whatever ends the case: CaseError, torch.OutOfMemoryError, or any other error.
    """
    devices = choose_devices(case.gpus, policy)
    placement = describe_placement(case)
    outputs = Outputs(devices.emulated, placement)
    keep(outputs)
    outputs = replace(outputs, environment=describe_environment(devices, {}, {}))
    keep(outputs)

    check_possible(case, devices)
    report(Progress(phase="check copies"))
    copies = measure_copies(case, devices)
    release_cache()
    report(Progress(phase="check against the unsplit model"))
    check_equals_unsplit(case, devices)
    set_precision(case)
    report(Progress(phase="matrix products"))
    outputs = replace(outputs, ceilings=Ceilings(gemm=measure_gemm(case, devices), copies=copies))
    keep(outputs)
    scratch = measure_scratch(case, devices)  # nothing else is left by now

    report(Progress(phase="build"))
    step = build_step(case, devices)
    report(Progress(phase="observe transfers"))
    seen = observe_transfers(step, devices)
    outputs = replace(outputs, transfers=seen)
    keep(outputs)
    check_moves(placement, seen)

    first_loss = float(step.loss.item())  # of the step that was observed, before any training
    run = GraphedStep(step, devices) if case.execution == "cuda_graph" else step
    layers = placement.layers_per_gpu
    done = measure(case, run, devices, layers, first_loss, scratch, report)
    environment = describe_environment(devices, done.before, done.after)
    keep(replace(outputs, measurement=done.measurement, environment=environment))
    if trace is not None and done.timelines:
        names = [str(devices.real_device(gpu)) for gpu in range(case.gpus)]
        try_to_write_trace(trace, done.timelines, case, names, devices.emulated)


def try_to_write_trace(
    path: Path, timelines: list[Timeline], case: Case, devices: list[str], emulated: bool
) -> None:
    """A trace that cannot be written costs no measurement; the job's log says so."""
    try:
        write_trace(path, timelines, case, devices, emulated)
    except OSError as error:
        print(f"note: no trace: {path}: {error.strerror}", file=sys.stderr)


def describe_placement(case: Case) -> Placement:
    """The layer map of the case."""
    gpu_of_layer = layer_map(case.depth, case.gpus, case.split)
    counts = [gpu_of_layer.count(gpu) for gpu in range(case.gpus)]
    return Placement(gpu_of_layer=gpu_of_layer, layers_per_gpu=counts)
