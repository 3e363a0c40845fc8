"""A result as one line for the person who waits for it."""

import math
from statistics import median

from study.results.measurement import Measurement
from study.results.result import Result
from study.schedules import SCHEDULES
from study.values.description import model_words

UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
SIGNIFICANT = 3
GIB = 2**30


def summarize(result: Result) -> str:
    """Return the step time with its interval, the number of steps and the peak of memory."""
    case, measurement = result.case, result.measurement
    gpus = "1 GPU" if case.gpus == 1 else f"{case.gpus} GPUs"
    how = "" if case.schedule == "naive" else f", {SCHEDULES[case.schedule].label}"
    how += f", {case.data_parallel} replicas" if case.data_parallel > 1 else ""
    where = f"{model_words(case)} on {gpus}{_emulated(result)}{how}"
    if measurement is None:
        return f"{where}: {result.outcome}: {result.why_failed}"
    parts = [_step_time(measurement), f"{len(measurement.step_times_s)} steps"]
    if (peak := _peak(measurement)) is not None:
        parts.append(peak)
    if case.ci_half_width and not measurement.converged:
        parts.append(f"interval wider than ±{case.ci_half_width * 100:g} %")
    return f"{where}: {', '.join(parts)}"


def _emulated(result: Result) -> str:
    if not result.emulated:
        return ""
    gpus = result.environment.gpus if result.environment is not None else []
    return f" (emulated on {f'one {gpus[0].name}' if gpus else 'the CPU'})"


def _step_time(measurement: Measurement) -> str:
    """Return the median with its interval, in one unit and as many digits as it supports."""
    step_s = median(measurement.step_times_s)
    unit_s, unit = next(((s, name) for s, name in UNITS if step_s >= s), UNITS[-1])
    decimals = SIGNIFICANT - 1 - math.floor(math.log10(step_s / unit_s))
    interval = measurement.median_ci_s
    if interval is not None and interval[1] > interval[0]:
        half = (interval[1] - interval[0]) / 2 / unit_s
        decimals = max(decimals, -math.floor(math.log10(half)))

    def shown(seconds: float) -> str:
        return f"{round(seconds / unit_s, decimals):.{max(0, decimals)}f}"

    told = f"{shown(step_s)} {unit} a step"
    if interval is None:
        return f"{told} (too few steps for an interval)"
    return f"{told} (95 % CI {shown(interval[0])} to {shown(interval[1])})"


def _peak(measurement: Measurement) -> str | None:
    """Return the largest peak of a GPU, or that of all GPUs that share one; None on a CPU."""
    if (shared := measurement.shared_peak_allocated_bytes) is not None:
        return f"peak {shared / GIB:.3g} GiB of all GPUs together"
    peaks = {gpu.index: gpu.peak_allocated_bytes or 0 for gpu in measurement.per_gpu}
    largest = max(peaks, key=lambda gpu: peaks[gpu])
    return f"peak {peaks[largest] / GIB:.3g} GiB on GPU {largest}" if peaks[largest] else None
