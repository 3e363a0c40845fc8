"""Seconds of layers on a GPU that computes for a part of the time, and its state meanwhile."""

from dataclasses import dataclass

from msgspec.structs import asdict

from mp.calibration.load import Load
from mp.calibration.rounds import Slots
from mp.calibration.setting import Setting
from mp.calibration.stacks import Stack
from mp.calibration.stopwatch import is_gpu
from mp.hardware.memory import release_cache
from study.results.calibration.layers import BurstTime, LoadedTime
from study.results.calibration.timing import timed

SHARES = (0.25, 0.5, 0.75, 0.9, 1.0)  # of the time, rising, so that the GPU comes to its limit last
PERIOD_S = 0.02  # of computing, then the pause: shorter than a power limit looks back
IN_BURSTS = 0.5  # of the time, at which a GPU that waits often has its highest clock
BURSTS_S = (0.08, 0.2)  # of computing, then the pause: longer than a power limit looks back
SLOT_S = {"cuda": (1.0, 3.0), "cpu": (0.0, 0.3)}  # for one load: at least, at most


@dataclass(frozen=True)
class Loads:
    """A GPU that computes for a part of the time.

    Attributes:
        shares: of each share, computing for short whiles.
        bursts: of half of the time, computing for longer and longer.
    """

    shares: list[LoadedTime]
    bursts: list[BurstTime]


def measure_loads(setting: Setting, seconds: float) -> Loads:
    """Return forward and backward of the usual layers under each load.

    A load at which the GPU waits for its host is left out: it cannot be that busy, and what was
    timed is launching.

    Args:
        setting: of the calibration.
        seconds: for all loads.
    """
    stack = _stack_ahead(setting)
    if stack is None:
        return Loads([], [])
    bursts_s = BURSTS_S if is_gpu(setting.device) else ()  # CPUs are not known to look back
    loads = [(share, None) for share in SHARES] + [(IN_BURSTS, burst_s) for burst_s in bursts_s]
    slots, found = Slots(seconds, len(loads)), Loads([], [])
    shortest_s, longest_s = SLOT_S[setting.device.type]
    for share, burst_s in loads:
        slot_s = max(shortest_s, min(slots.next(), longest_s))
        if setting.deadline.is_over():
            words = f"{share:.0%}" if burst_s is None else f"{burst_s:g} s at once"
            setting.left_out.append(f"No time was left for a GPU that computes for {words}.")
            continue
        load = Load(stack, share, burst_s or PERIOD_S)
        time = _loaded(load, setting.usual, slot_s)
        if time is not None and burst_s is None:
            found.shares.append(time)
        elif time is not None:
            found.bursts.append(BurstTime(**asdict(time), burst_s=load.count * time.seconds))
        del load
    del stack
    release_cache()
    return found


def _loaded(load: Load, kind: int, seconds: float) -> LoadedTime | None:
    """Return the times of passes under a load; None where the GPU waits for its host.

    Args:
        load: of layers.
        kind: the index of theirs.
        seconds: for all passes.
    """
    samples, busy_share, state = load.measure(seconds)
    if load.waits_for_host:
        return None
    reasons = state.throttle_reasons
    return timed(
        LoadedTime,
        samples,
        busy_share=busy_share,
        kind=kind,
        layers=load.stack.count,
        rows=load.stack.rows,
        sm_clock_hz=state.sm_clock_hz,
        power_w=state.power_w,
        temperature_celsius=state.temperature_celsius,
        throttle_reasons=None if reasons is None else tuple(reasons),
    )


def _stack_ahead(setting: Setting) -> Stack | None:
    """Return usual layers with so many rows that the host launches them before they are computed.

    Of all rows those in the middle, or more where a host is slower; the most if it always is. None
    where there is nothing to measure.
    """
    wanted = setting.wanted
    *fewer, most = wanted.rows[len(wanted.rows) // 2 :]
    for rows in fewer:
        stack = setting.stack(setting.usual, rows, wanted.gradients[0])
        if stack is None or not stack.learns:
            return None
        if Load(stack, 1.0, PERIOD_S).is_ahead:
            return stack
        del stack  # before there is a larger one
        release_cache()
    last = setting.stack(setting.usual, most, wanted.gradients[0])
    return last if last is not None and last.learns else None
