"""Clocks and throttling of GPUs around the timed steps, as NVML told them."""

from dataclasses import dataclass
from functools import cache
from statistics import fmean

from report.data.measured import MeasuredCase
from report.wording.units import between

CAPPED = 0.95  # of a GPU's highest clock
POWER_CAP = "power cap"
# NVML's reasons in the field's words. The power cap is how a GPU at full load behaves: it is named
# where clocks are told. Heat and the supply's brake are faults of the machine.
NAMES = {
    "sw_power_cap": POWER_CAP,
    "sw_thermal_slowdown": "thermal slowdown",
    "hw_thermal_slowdown": "thermal slowdown",
    "hw_slowdown": "hardware slowdown",
    "hw_power_brake": "power brake",
    "applications_clocks_setting": "clocks set by hand",
    "display_clock_setting": "display clocks",
    "sync_boost": "sync boost",
}
FAULTS = ("thermal slowdown", "hardware slowdown", "power brake")


@dataclass(frozen=True)
class GpuClocks:
    """The clocks (Hz) seen of one GPU, of all jobs, before and after the timed steps."""

    index: int
    seen_hz: list[int]
    highest_hz: int | None
    reasons: list[str]

    @property
    def mean_hz(self) -> float:
        """The mean of what was seen."""
        return fmean(self.seen_hz)

    @property
    def is_low(self) -> bool:
        """True if it was seen below 95 % of its highest clock."""
        return self.highest_hz is not None and min(self.seen_hz) < CAPPED * self.highest_hz

    @property
    def range(self) -> str:
        """`1410 to 1590 of 1980 MHz`."""
        seen = between([round(hz / 1e6) for hz in self.seen_hz])
        highest = "" if self.highest_hz is None else f" of {round(self.highest_hz / 1e6)}"
        return f"{seen}{highest} MHz"


def reason_words(reason: str) -> str:
    """Return NVML's reason for a lower clock in words: `power cap`."""
    return NAMES.get(reason, reason.replace("_", " "))


@cache  # tables and sentences ask for those of one base many times
def clocks(result: MeasuredCase) -> list[GpuClocks]:
    """Return the clocks of every GPU of which NVML told one."""
    seen: dict[int, list[int]] = {}
    highest: dict[int, int | None] = {}
    reasons: dict[int, dict[str, None]] = {}
    for job in result.jobs:
        for place, gpu in enumerate(job.environment.gpus):
            for state in filter(None, (gpu.before, gpu.after)):
                why = reasons.setdefault(place, {})
                why |= dict.fromkeys(map(reason_words, state.throttle_reasons or ()))
                if state.sm_clock_hz is not None:
                    seen.setdefault(place, []).append(state.sm_clock_hz)
                    highest[place] = gpu.max_sm_clock_hz
    return [
        GpuClocks(place, seen_hz, highest[place], list(reasons[place]))
        for place, seen_hz in sorted(seen.items())
    ]


def slowest(result: MeasuredCase) -> GpuClocks | None:
    """Return the clocks of the GPU with the lowest: a step takes as long as its slowest GPU."""
    return min(clocks(result), key=lambda gpu: gpu.mean_hz, default=None)


def faults(result: MeasuredCase) -> list[str]:
    """Return the reasons other than the power cap for which a GPU was slowed down."""
    found = dict.fromkeys(
        NAMES.get(reason, "")
        for job in result.jobs
        for gpu in job.environment.gpus
        for state in (gpu.before, gpu.after)
        if state is not None
        for reason in state.throttle_reasons or ()
    )
    return [reason for reason in FAULTS if reason in found]


def are_unknown(result: MeasuredCase) -> bool:
    """Return True if GPUs computed and NVML told no clock or no throttle reasons of one of them."""
    states = [
        state for job in result.jobs for gpu in job.environment.gpus
        for state in (gpu.before, gpu.after)
    ]  # fmt: skip
    return any(s is None or s.sm_clock_hz is None or s.throttle_reasons is None for s in states)
