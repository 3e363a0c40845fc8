"""Scalars of a measured case: throughput, speed-up, efficiency and cost of a step."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from report.analysis.flops import achieved_flop_per_s, fastest_product
from report.analysis.speedup import MAY_DIFFER, why_not_ranked
from report.analysis.step_time import step_time
from report.data.datasheet import peak_flop_per_s
from report.data.labels import differing
from report.data.measured import MeasuredCase
from study.values.keys import KEYS

_setting_of = attrgetter(*(key for key in KEYS if key not in (*MAY_DIFFER, "repeat")))


@dataclass(frozen=True)
class Metrics:
    """Figures of one case; None is unknown.

    Attributes:
        step_time_s: Median step in seconds.
        ci_low_s: Lower end of its 95 % interval in seconds.
        ci_high_s: Upper end.
        samples_per_s: Rows of the batch divided by the step time; None without a batch.
        base_gpus: GPUs of the case that the speed-up is over: the fewest that were measured.
        speed_up: Step time of that case divided by this one's; None on emulated GPUs.
        efficiency: `speed_up * base_gpus / gpus`: 1 is perfect sharing.
        gpu_seconds_per_step: GPUs times step time; None on emulated GPUs.
        peak_bytes_max: Peak memory of the fullest GPU in bytes.
        memory_bytes: Memory that this GPU has; None on emulated GPUs.
        items_per_s: What the model counts, e.g. tokens, divided by the step time; None where
            nothing is counted but rows.
        items_per_s_per_gpu: The same divided by the GPUs; None on emulated GPUs.
        gpu_hours_per_1e9: GPU-hours for 1e9 of them; None on emulated GPUs.
        mfu: Counted operations a second over the dense peak of all GPUs by their datasheet.
        share_of_fastest: The same over the fastest product that the job measured on one GPU, times
            the GPUs.
    """

    step_time_s: float
    ci_low_s: float | None
    ci_high_s: float | None
    samples_per_s: float | None
    base_gpus: int | None
    speed_up: float | None
    efficiency: float | None
    gpu_seconds_per_step: float | None
    peak_bytes_max: int | None
    memory_bytes: int | None = None
    items_per_s: float | None = None
    items_per_s_per_gpu: float | None = None
    gpu_hours_per_1e9: float | None = None
    mfu: float | None = None
    share_of_fastest: float | None = None


class Baselines:
    """The case that each speed-up is over, among these results; found without a search of all."""

    def __init__(self, results: Sequence[MeasuredCase]) -> None:
        self._alike: dict[tuple[object, ...], list[MeasuredCase]] = {}
        for result in results:
            if not result.emulated:
                self._alike.setdefault(_setting_of(result.case), []).append(result)
        for alike in self._alike.values():
            alike.sort(key=lambda result: (result.case.gpus, result.case.schedule != "naive"))

    def of(self, result: MeasuredCase) -> MeasuredCase | None:
        """Return the comparable case on the fewest GPUs: naive, or else of the same schedule.

        None on emulated GPUs, whose step times say nothing of GPU counts, and where no case on
        fewer or more GPUs can be compared: a case alone is no faster than itself.
        """
        alike = self._alike.get(_setting_of(result.case), [])
        base = next((other for other in alike if _may_be_base(other, result)), None)
        return None if base is result and _is_cut_off(result, alike) else base


def metrics(result: MeasuredCase, baselines: Baselines) -> Metrics:
    """Return the figures of a case.

    Args:
        result: The case.
        baselines: Those of the cases in which to find the one that the speed-up is over.
    """
    found, case = step_time(result), result.case
    base = baselines.of(result)
    speed_up = None if base is None else step_time(base).estimate_s / found.estimate_s
    base_gpus = None if base is None else base.case.gpus
    fullest = result.fullest_gpu
    items = items_a_step(result)
    rate = None if items is None else items / found.estimate_s
    per_gpu = None if rate is None or result.emulated else rate / case.gpus
    return Metrics(
        step_time_s=found.estimate_s,
        ci_low_s=None if found.interval is None else found.interval.low,
        ci_high_s=None if found.interval is None else found.interval.high,
        samples_per_s=case.batch_size / found.estimate_s if case.has_key("batch_size") else None,
        base_gpus=base_gpus,
        speed_up=speed_up,
        efficiency=None if speed_up is None else speed_up * (base_gpus or 0) / case.gpus,
        gpu_seconds_per_step=None if result.emulated else case.gpus * found.estimate_s,
        peak_bytes_max=None if fullest is None else fullest.peak_allocated_bytes,
        memory_bytes=_memory_of(result),
        items_per_s=rate,
        items_per_s_per_gpu=per_gpu,
        gpu_hours_per_1e9=1e9 / per_gpu / 3600 if per_gpu else None,
        mfu=_share_of(result, _datasheet_peak(result)),
        share_of_fastest=_share_of(result, _fastest(result)),
    )


def items_a_step(result: MeasuredCase) -> float | None:
    """Return how many tokens, images or the like a step trains; None for the linear stack."""
    model, run = result.model, result.program
    if run is not None:
        return run.items_per_step if run.tells_steps else None
    return None if model is None else result.case.batch_size * model.items_per_row


def _share_of(result: MeasuredCase, peak: float | None) -> float | None:
    """Return the achieved rate over that of all GPUs at this peak; None for emulated GPUs."""
    if result.emulated or not peak or (result.model is None and result.case.kind != "linear"):
        return None
    achieved = achieved_flop_per_s(result)
    return None if achieved is None else achieved / (result.case.gpus * peak)


def _fastest(result: MeasuredCase) -> float | None:
    return fastest_product(result).flop_per_s if result.ceilings.gemm else None


def _datasheet_peak(result: MeasuredCase) -> float | None:
    """Return the peak of one GPU by its datasheet; None unless all are of one known kind."""
    names = {gpu.name for gpu in result.environment.gpus}
    if len(names) != 1:
        return None
    return peak_flop_per_s(names.pop(), result.case.dtype)


def _memory_of(result: MeasuredCase) -> int | None:
    """Return the memory of the fullest GPU; of several kinds of GPUs, that of the smallest."""
    totals = [gpu.total_memory_bytes for gpu in result.environment.gpus]
    sizes = [size for size in totals if size is not None]
    return None if result.emulated else min(sizes, default=None)


def _is_cut_off(result: MeasuredCase, alike: list[MeasuredCase]) -> bool:
    """Return True for a case that has others on fewer GPUs, and can be compared with none."""
    related = [other for other in alike if other is not result and _is_related(other, result)]
    more = [other for other in related if other.case.gpus > result.case.gpus]
    return any(other.case.gpus < result.case.gpus for other in related) and all(
        why_not_ranked(result, other) is not None for other in more
    )


def _is_related(other: MeasuredCase, result: MeasuredCase) -> bool:
    return other.case.schedule == "naive" or not differing([other, result], "gpus")


def _may_be_base(other: MeasuredCase, result: MeasuredCase) -> bool:
    if other is result:
        return True
    return _is_related(other, result) and why_not_ranked(other, result) is None
