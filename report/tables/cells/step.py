"""Cells of step time, throughput, and what more GPUs bring."""

from report.analysis.step_time import step_time as find_step_time
from report.analysis.verdicts.launching import launching_of
from report.data.measured import MeasuredCase
from report.tables.cells.field import Field
from report.wording.quantities import Cell, Quantity, gpu_time_cell, plain_cell, time_cell
from report.wording.units import TIMES, UNKNOWN
from study.statistics.samples import estimate

STEP_TIME = "step time (95 % CI)"
Cells = dict[str, Cell]


def step_time(result: MeasuredCase, field: Field) -> Cells:
    """Return the median step with its interval."""
    found = find_step_time(result)
    return {STEP_TIME: Quantity(found.estimate_s, TIMES, found.interval)}


def interval(result: MeasuredCase, field: Field) -> Cells:
    """Return the ends of the interval, a column each."""
    found = find_step_time(result).interval
    return {
        "95 % CI from": time_cell(None if found is None else found.low),
        "95 % CI to": time_cell(None if found is None else found.high),
    }


def time_per_layer(result: MeasuredCase, field: Field) -> Cells:
    """Return the step time divided by the number of layers, where all of them are equal."""
    if result.case.kind != "linear":
        return {}
    return {"time per layer": time_cell(find_step_time(result).estimate_s / result.case.depth)}


def phases(result: MeasuredCase) -> Cells:
    """Return the median of each phase over the jobs; a dash where no step was instrumented."""
    measurements = [job.measurement for job in result.jobs]
    return {
        "forward": _median([m.forward_s for m in measurements]),
        "backward": _median([m.backward_s for m in measurements]),
        "optimizer step": _median([m.optimizer_s for m in measurements]),
    }


def speed_up(result: MeasuredCase, field: Field) -> Cells:
    """Return how many times as fast as the fewest GPUs the case is."""
    return {f"speed-up over {field.base}": field.speed_up(result)}


def efficiency(result: MeasuredCase, field: Field) -> Cells:
    """Return the speed-up divided by that of perfect sharing."""
    return {"efficiency": field.efficiency(result)}


def samples_per_s(result: MeasuredCase, field: Field) -> Cells:
    """Return the rows of the batch that a second trains; those of emulated GPUs say nothing."""
    rate = None if result.emulated else field.metrics(result).samples_per_s
    return {"samples/s": plain_cell(rate)}


def gpu_seconds(result: MeasuredCase, field: Field) -> Cells:
    """Return the GPU time that a step costs."""
    return {"cost of a step": gpu_time_cell(field.metrics(result).gpu_seconds_per_step)}


def launching(result: MeasuredCase, field: Field) -> Cells:
    """Return what launching kernels one by one takes of an eager step, where its graph is known."""
    found = launching_of(result, field.results)
    return {"launching (of an eager step)": UNKNOWN if found is None else found.words}


def steps(result: MeasuredCase, field: Field) -> Cells:
    """Return the number of timed steps, and of jobs where there are several."""
    count = sum(map(len, result.steps_s))
    return {"steps": f"{count} in {len(result.jobs)} jobs" if result.repeats else str(count)}


def _median(jobs: list[list[float]]) -> Cell:
    """Return the median of the jobs' medians."""
    known = [samples for samples in jobs if samples]
    return time_cell(estimate(known)) if known else UNKNOWN
