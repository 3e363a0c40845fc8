"""One case, from its configuration to a measurement."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mp.check import check_equals_unsplit, check_moves, check_possible
from mp.copies import measure_copies
from mp.devices import choose_devices
from mp.environment import describe_environment
from mp.gemm import measure_gemm
from mp.graph import GraphedStep
from mp.measure import Report, measure
from mp.memory import measure_scratch, release_cache
from mp.placement import layer_map
from mp.precision import set_precision
from mp.step import build_step
from mp.timeline import Timeline
from mp.trace import write_trace
from mp.transfers import observe_transfers
from study.case import Case
from study.ceilings import Ceilings
from study.environment import Environment
from study.measurement import Measurement
from study.progress import Progress
from study.result import Placement, Transfers


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
