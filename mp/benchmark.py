"""The phases of a benchmark, from a case to a measurement, on either engine."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from mp.correctness.check import check_equals_unsplit
from mp.correctness.notes import tell_of_random_numbers
from mp.correctness.possible import check_moves, check_possible
from mp.engine import Engine, ProgressCallback, S
from mp.hardware.gemm import measure_gemm
from mp.hardware.memory import measure_workspaces, release_cache
from mp.hardware.precision import set_precision
from mp.measure import measure
from mp.profiling.products import largest_products
from mp.timing.chrome_trace import write_trace
from mp.timing.timeline import Timeline
from study.results.calibration.record import Calibration
from study.results.ceilings import Ceilings, GemmRate
from study.results.environment import Environment
from study.results.layers import MOST_NOTES, ModelProfile
from study.results.measurement import Measurement
from study.results.result import Placement, Transfers
from study.storage.progress import Progress


@dataclass(frozen=True)
class Outputs:
    """Everything known of a case so far; a case that fails half-way keeps what it had."""

    emulated: bool = False
    placement: Placement | None = None
    ceilings: Ceilings | None = None
    transfers: Transfers | None = None
    measurement: Measurement | None = None
    environment: Environment | None = None
    model: ModelProfile | None = None
    calibration: Calibration | None = None


def run_benchmark(
    engine: Engine[S],
    report: ProgressCallback,
    keep: Callable[[Outputs], None],
    trace: Path | None = None,
) -> None:
    """Run the engine's case; every rank does.

    Args:
        engine: how the case runs.
        report: told of every phase, and of every step.
        keep: given what is known after every phase.
        trace: where to write the Chrome trace, if anywhere.

    Raises:
        Exception: whatever ends the case: CaseError, torch.OutOfMemoryError, or any other.
    """
    case, world, devices = engine.case, engine.world, engine.world.devices
    outputs = Outputs(world.emulated, environment=engine.describe_environment({}, {}))
    keep(outputs)
    placement = engine.place(report)
    outputs = replace(outputs, placement=placement)
    keep(outputs)

    check_possible(case, devices)
    report(Progress(phase="check copies"))
    copies = engine.measure_copies()
    release_cache()
    report(Progress(phase="check against the unsplit model"))
    checked = check_equals_unsplit(engine)
    set_precision(case)
    if case.execution == "cuda_graph":
        report(Progress(phase="check a graph against eager steps"))
        engine.check_execution()
    if case.kind != "linear":  # whose shapes follow from the case
        profile = engine.profile(report)
        notes = (*profile.notes, *checked, *engine.workload.notes)[:MOST_NOTES]
        draws = tell_of_random_numbers(checked)
        model = msgspec.structs.replace(profile, notes=notes, draws_random=draws)
        outputs = replace(outputs, model=model)
        keep(outputs)
    report(Progress(phase="matrix products"))
    rows = case.batch_size // case.parts
    products = largest_products(engine.workload, rows, devices.real_device(0))
    mine = measure_gemm(case, devices, products)
    rates = [rate for its in world.all_gather(mine, list[GemmRate]) for rate in its]
    outputs = replace(outputs, ceilings=Ceilings(gemm=rates, copies=copies))
    keep(outputs)
    workspaces = measure_workspaces(case, devices)  # nothing else is left by now

    report(Progress(phase="build"))
    step = engine.build(case)
    release_cache()  # what drawing took besides the weights
    report(Progress(phase="observe transfers"))
    transfers = engine.observe_transfers(step)
    outputs = replace(outputs, transfers=transfers)
    keep(outputs)
    check_moves(placement, transfers)

    done = measure(engine, step, placement.layers_per_gpu, workspaces, report)
    environment = engine.describe_environment(done.before, done.after)
    keep(replace(outputs, measurement=done.measurement, environment=environment))
    is_traced = done.timelines and case.execution == "eager"  # those of a graph ran without it
    if trace is not None and is_traced and world.rank == 0:
        names = [f"{place.device} of {place.host}" for place in environment.ranks]
        names = names or [str(devices.real_device(gpu)) for gpu in range(case.gpus)]
        _try_to_write_trace(trace, engine, done.timelines, names)


def _try_to_write_trace(
    path: Path, engine: Engine[S], timelines: list[Timeline], devices: list[str]
) -> None:
    """Write the trace, or say on stderr why there is none: it costs no measurement."""
    try:
        write_trace(path, timelines, engine.case, devices, engine.world.emulated)
    except OSError as error:
        print(f"note: no trace: {path}: {error.strerror}", file=sys.stderr)
