"""Actions timed one after another: on a GPU its own time, and that in which the host launched."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter, sleep
from typing import Any

import torch

from mp.calibration.rounds import FEWEST

Action = tuple[str | None, Callable[[], object]]  # a name, or None of what is not timed
Seconds = dict[str, list[float]]  # by the name of the action

FIRST_CYCLES = 2_000_000  # about a millisecond
SPIN_CYCLES = 20_000_000  # about 10 ms, in which the clock of an idle GPU rises
MOST_CYCLES = 400_000_000  # about 0.2 s, in which the host launches all actions
BURST_S = 0.04  # of actions after one pause: a power limit looks back for longer
MOST_TIMES = 9
PAUSE_S = 0.1  # in which a GPU comes back from its power limit
AHEAD = 3  # rounds that the host may launch before the GPU has ended one
WARM_SHARE = 0.6  # of the time under load, before anything is timed
LEAST_BUSY = 0.95  # of the time: else the GPU waits for the host, and is not loaded
MOST_WAITED_FOR = 0.1  # of the actions that the GPU may have begun before they were launched
LEAST_S = 1e-9  # no clock tells less


def is_gpu(device: torch.device) -> bool:
    """Return whether it is a GPU, which runs on while the host launches."""
    return device.type == "cuda"


@dataclass
class Stopwatch:
    """Runs actions and notes when each began and ended.

    Args:
        device: a GPU, whose events tell its time, or a CPU.

    Attributes:
        waited_for: how many actions a GPU had come to before the host had launched all of them.
    """

    device: torch.device
    waited_for: int = 0
    marks: list[tuple[str | None, Any, Any]] = field(default_factory=list)
    host: Seconds = field(default_factory=lambda: defaultdict(list))

    @property
    def on_gpu(self) -> bool:
        """True on a GPU."""
        return is_gpu(self.device)

    @property
    def waits_for_host(self) -> bool:
        """True if a GPU came to too many actions before the host had launched them."""
        return self.waited_for > MOST_WAITED_FOR * len(self.marks)

    def mark(self) -> Any:
        """Return this moment: an event of the GPU, or the host's clock."""
        if not self.on_gpu:
            return perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self.device))
        return event

    def run(self, actions: Sequence[Action]) -> None:
        """Run the actions in turn."""
        for name, action in actions:
            begun, before = self.mark(), perf_counter()
            action()
            if name is not None:
                self.host[name].append(max(LEAST_S, perf_counter() - before))
            self.waited_for += self.on_gpu and begun.query()
            self.marks.append((name, begun, self.mark()))

    def between(self, begun: Any, ended: Any) -> float:
        """Return the seconds from one moment to another, which the GPU has reached."""
        seconds = begun.elapsed_time(ended) / 1e3 if self.on_gpu else ended - begun
        return max(LEAST_S, float(seconds))

    def seconds(self) -> Seconds:
        """Return the times of each action, once all have ended."""
        if self.on_gpu:
            torch.cuda.synchronize(self.device)
        found: Seconds = defaultdict(list)
        for name, begun, ended in self.marks:
            if name is not None:
                found[name].append(self.between(begun, ended))
        return found

    @property
    def busy_share(self) -> float:
        """The share of the time, from the first action to the last, in which one ran."""
        busy = sum(self.between(begun, ended) for _, begun, ended in self.marks)
        return busy / self.between(self.marks[0][1], self.marks[-1][2])


def cycles_per_s(device: torch.device) -> float:
    """Return how fast a GPU counts while it spins."""
    watch = Stopwatch(device)
    for _ in range(2):
        watch.run([("spin", lambda: torch.cuda._sleep(FIRST_CYCLES))])
    return FIRST_CYCLES / watch.seconds()["spin"][-1]


def time_unthrottled(
    actions: Sequence[Action], device: torch.device, seconds: float
) -> tuple[Seconds, Seconds]:
    """Return the times of actions on the device, and those of their launching.

    On a GPU every few actions begin after a pause, and the GPU spins while the host launches, so
    that no kernel waits for its launch. Launching is timed before. On a CPU both are the same.

    Args:
        actions: in order; they leave everything as it was.
        device: where they run.
        seconds: after which no round begins.
    """
    bursts = _bursts(actions, device)
    found: Seconds = defaultdict(list)
    host = _launching(actions, device) if is_gpu(device) else defaultdict(list)
    began, cycles, times = perf_counter(), SPIN_CYCLES, 0
    while times < MOST_TIMES and (times < FEWEST or perf_counter() - began < seconds):
        watch = Stopwatch(device)
        if is_gpu(device):
            longer = max(_after_a_pause(watch, burst, cycles) for burst in bursts)
            if cycles < longer < MOST_CYCLES:
                cycles = longer
                continue
        else:
            watch.run(actions)
            _extend(host, watch.host)
        _extend(found, watch.seconds())
        times += 1
    return found, host


def _launching(actions: Sequence[Action], device: torch.device) -> Seconds:
    """Return the times in which the host launches each action on a GPU that has nothing to do.

    As in a step: without a pause, behind which a host is slower, and without a full queue, for
    which it waits.
    """
    found: Seconds = defaultdict(list)
    for _ in range(FEWEST):
        for action in actions:
            watch = Stopwatch(device)
            watch.run([action])
            _extend(found, watch.host)
            torch.cuda.synchronize(device)
    return found


def _bursts(actions: Sequence[Action], device: torch.device) -> list[list[Action]]:
    """Run actions to warm up, and return them in parts too short for a power limit to act."""
    for _ in range(2):  # the first choose kernels and take memory
        watch = Stopwatch(device)
        watch.run(actions)
    watch.seconds()  # wait for them
    bursts: list[list[Action]] = [[]]
    long_s = 0.0
    for action, (_, begun, ended) in zip(actions, watch.marks, strict=True):
        took_s = watch.between(begun, ended)
        if bursts[-1] and long_s + took_s > BURST_S:
            bursts.append([])
            long_s = 0.0
        bursts[-1].append(action)
        long_s += took_s
    return bursts


def _after_a_pause(watch: Stopwatch, actions: Sequence[Action], cycles: int) -> int:
    """Run actions behind a GPU that spins; return for how many cycles it should spin."""
    torch.cuda.synchronize(watch.device)
    sleep(PAUSE_S)
    with torch.cuda.device(watch.device):
        begun = watch.mark()
        torch.cuda._sleep(cycles)
        ended, before = watch.mark(), perf_counter()
        watch.run(actions)
        launched_s = perf_counter() - before
        torch.cuda.synchronize(watch.device)
    spun_s = watch.between(begun, ended)
    return cycles if launched_s < spun_s else int(cycles * max(2.0, 1.5 * launched_s / spun_s))


def time_sustained(
    actions: Sequence[Action], device: torch.device, seconds: float
) -> Seconds | None:
    """Return the times of actions on a GPU that does nothing else, round after round.

    Args:
        actions: in order; they leave everything as it was.
        device: where they run.
        seconds: for all rounds; those of the last two fifths count.

    Returns:
        Their times; None on a CPU, and where the GPU waits for the host.
    """
    if not is_gpu(device):
        return None
    watch = Stopwatch(device)
    began, ended = perf_counter(), list[Any]()
    while len(watch.marks) < FEWEST * len(actions) or perf_counter() - began < seconds:
        if perf_counter() - began < WARM_SHARE * seconds:
            watch.marks.clear()
            watch.waited_for = 0
        watch.run(actions)
        ended.append(watch.marks[-1][2])
        if len(ended) > AHEAD:
            ended[-AHEAD - 1].synchronize()
    found = watch.seconds()
    is_loaded = not watch.waits_for_host and watch.busy_share >= LEAST_BUSY
    return found if is_loaded else None


def _extend(found: Seconds, more: Seconds) -> None:
    for name, values in more.items():
        found[name] += values
