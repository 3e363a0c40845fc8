"""Columns of the kinds of tables: cells of one case by the headings of their columns."""

from report.analysis.step_time import step_time as find_step_time
from report.data.measured import MeasuredCase
from report.wording.units import UNKNOWN, data_size, runs, seconds
from study.statistics.samples import estimate

Cells = dict[str, str]
STEP_TIME = "step time (95 % CI)"


def step_time(result: MeasuredCase) -> Cells:
    """Task 2: step time, time per layer, and the phases of a step."""
    measurements = [job.measurement for job in result.jobs]
    return _step_time(result) | {
        "time per layer": seconds(find_step_time(result).estimate_s / result.case.depth),
        "forward": _median([m.forward_s for m in measurements]),
        "backward": _median([m.backward_s for m in measurements]),
        "optimizer": _median([m.optimizer_s for m in measurements]),
    }


def layer_map(result: MeasuredCase) -> Cells:
    """Task 1: the layers of each GPU, and where data was seen to move."""
    return layers_of_gpus(result) | {
        "data moves before layer": runs(result.transfers.moved_before_layers),
        **_step_time(result),
    }


def layers_of_gpus(result: MeasuredCase) -> Cells:
    """Task 3: the layers of each GPU."""
    placement = result.placement
    cells = {}
    for gpu, count in enumerate(placement.layers_per_gpu):
        layers = [i for i, holder in enumerate(placement.gpu_of_layer) if holder == gpu]
        # Under tensor parallelism no layer belongs to one GPU.
        held = runs(layers) if placement.gpu_of_layer else "a share of each"
        cells[f"layers of GPU {gpu}"] = f"{held} ({count})"
    return cells


def memory(result: MeasuredCase) -> Cells:
    """Task 4: step time and peak memory of every GPU."""
    measurement = result.measurement
    cells = _step_time(result)
    if measurement.shared_peak_allocated_bytes is not None:
        cells["memory of all GPUs together"] = _peaks(
            measurement.shared_peak_allocated_bytes, measurement.shared_peak_reserved_bytes
        )
    for gpu in measurement.per_gpu:
        if gpu.peak_allocated_bytes is not None:
            cells[f"memory of GPU {gpu.index}"] = _peaks(
                gpu.peak_allocated_bytes, gpu.peak_reserved_bytes
            )
    return cells


def memory_facts(results: list[MeasuredCase]) -> list[str]:
    """Explain the columns of memory, if any peak is known."""
    peaks = [(r.fullest_gpu, r.measurement.shared_peak_allocated_bytes) for r in results]
    if all(known == (None, None) for known in peaks):
        return []
    return ["Memory is the peak of the timed steps: allocated to tensors / reserved."]


def transfers(result: MeasuredCase) -> Cells:
    """Task 5: calls of `.to`, and what they moved."""
    seen = result.transfers
    calls = seen.to_calls_per_forward
    return {
        "`.to` calls per forward": UNKNOWN if calls is None else str(calls),
        "moves forward": str(seen.moves_forward),
        "moves backward": str(seen.moves_backward),
        "moved forward": data_size(seen.bytes_forward),
        "moved backward": data_size(seen.bytes_backward),
    }


def _step_time(result: MeasuredCase) -> Cells:
    """Return the median step of all jobs, its interval, and the number of steps."""
    steps = sum(map(len, result.steps_s))
    return {
        STEP_TIME: find_step_time(result).words,
        "steps": f"{steps} in {len(result.jobs)} jobs" if result.repeats else str(steps),
    }


def _median(jobs: list[list[float]]) -> str:
    """Return the median of the jobs' medians."""
    known = [samples for samples in jobs if samples]
    return seconds(estimate(known)) if known else UNKNOWN


def _peaks(allocated: int | None, reserved: int | None) -> str:
    if allocated is None or reserved is None:
        return UNKNOWN
    return f"{data_size(allocated)} / {data_size(reserved)}"
