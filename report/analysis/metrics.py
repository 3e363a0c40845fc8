"""Scalars of a measured case: throughput, speed-up, efficiency and cost of a step."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from report.analysis.speedup import MAY_DIFFER, why_not_ranked
from report.analysis.step_time import step_time
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
        samples_per_s: Rows of the batch divided by the step time.
        base_gpus: GPUs of the case that the speed-up is over: the fewest that were measured.
        speed_up: Step time of that case divided by this one's; None on emulated GPUs.
        efficiency: `speed_up * base_gpus / gpus`: 1 is perfect sharing.
        gpu_seconds_per_step: GPUs times step time; None on emulated GPUs.
        peak_bytes_max: Peak memory of the fullest GPU in bytes.
    """

    step_time_s: float
    ci_low_s: float | None
    ci_high_s: float | None
    samples_per_s: float
    base_gpus: int | None
    speed_up: float | None
    efficiency: float | None
    gpu_seconds_per_step: float | None
    peak_bytes_max: int | None


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
    return Metrics(
        step_time_s=found.estimate_s,
        ci_low_s=None if found.interval is None else found.interval.low,
        ci_high_s=None if found.interval is None else found.interval.high,
        samples_per_s=case.batch_size / found.estimate_s,
        base_gpus=base_gpus,
        speed_up=speed_up,
        efficiency=None if speed_up is None else speed_up * (base_gpus or 0) / case.gpus,
        gpu_seconds_per_step=None if result.emulated else case.gpus * found.estimate_s,
        peak_bytes_max=None if fullest is None else fullest.peak_allocated_bytes,
    )


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
