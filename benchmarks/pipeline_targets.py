"""The tables that benchmarks/pipelines.py prints, and each target with its interval."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from benchmarks.entries import Entry
from study.schedules import IN_TWO_PARTS, SCHEDULES
from study.stages import allowed_speed_up
from study.statistics.bootstrap import interval
from study.statistics.samples import Interval
from study.validation import make_case

Times = dict[Entry, list[float]]  # seconds of steps, of all in turns: equally many of each
NAIVE = Entry("naive")
OVER_TORCH = {8: 1.10}  # by micro-batches
OVER_TORCHGPIPE = {8: 1.4}
OVER_ZB1P = {16: 1.3}
OF_FORMULA = 0.85
DATA_PARALLEL, RUNNER = 1.02, 1.01


@dataclass(frozen=True)
class Target:
    """A ratio of step times, round by round, and the bound that it should reach.

    Attributes:
        text: which ratio.
        ratios: one of each round.
        bound: the least allowed, or the most.
        is_least: whether more is better.
    """

    text: str
    ratios: list[float]
    bound: float
    is_least: bool = True

    def line(self) -> str:
        """Return the line of the list."""
        value, found = median(self.ratios), interval([self.ratios])
        sign, unknown = ("≥" if self.is_least else "≤"), "no interval"
        shown = unknown if found is None else f"95 % CI {found.low:.3f} to {found.high:.3f}"
        head = f"{self.text}: {value:.3f} ({shown}), target {sign} {self.bound:.2f}"
        return f"- {head}: **{self._verdict(found)}**"

    def _verdict(self, found: Interval | None) -> str:
        if found is None:
            return "cannot be told"
        if found.low >= self.bound if self.is_least else found.high <= self.bound:
            return "met"
        is_missed = found.high < self.bound if self.is_least else found.low > self.bound
        return "missed" if is_missed else "cannot be told"


def table_lines(times: Times, bubbles: dict[Entry, str]) -> Iterator[str]:
    """Yield the rows of a group.

    Args:
        times: of the group.
        bubbles: the measured share of waiting, of those for which it was asked.
    """
    for entry, steps in times.items():
        found, value = interval([steps]), median(steps)
        around = f"{1e3 * found.low:.2f} – {1e3 * found.high:.2f}" if found else "–"
        ratio = "–"
        if entry != NAIVE and NAIVE in times:
            paired = ratios(times, NAIVE, entry)
            reach = interval([paired])
            ratio = f"{median(paired):.3f}" + (
                f" ({reach.low:.3f} – {reach.high:.3f})" if reach else ""
            )
        row = [entry.label, f"{1e3 * value:.2f}", around, ratio]
        yield f"| {' | '.join(row + ([bubbles.get(entry, '')] if bubbles else []))} |"


def heading(with_bubbles: bool) -> str:
    """Return the head of the table."""
    names = ["", "step (ms)", "95 % CI", "times as fast as naive, round by round (95 % CI)"]
    names += ["waiting: mean, least to most of a GPU"] if with_bubbles else []
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}"


def ratios(times: Times, a: Entry, b: Entry) -> list[float]:
    """Return a / b of each round.

    Args:
        times: of both.
        a: the one.
        b: the other.
    """
    return [x / y for x, y in zip(times[a], times[b], strict=True)]


def targets(groups: list[Times], gpus: int) -> Iterator[Target]:
    """Yield the targets that these groups have figures for."""
    for times in groups:
        for count in sorted({entry.micro_batches for entry in times} - {0}):
            yield from _of_pipelines(times, count, gpus)
    for times in groups:
        yield from _beside_bare(times)


def _of_pipelines(times: Times, count: int, gpus: int) -> Iterator[Target]:
    ours = fastest(times, "ours", count)
    if ours is None:
        return
    bare = fastest(times, "torch", count)
    if bare is not None and count in OVER_TORCH:
        yield _faster(times, bare, ours, OVER_TORCH[count])
    rival = Entry("torchgpipe", "", count)
    if rival in times and count in OVER_TORCHGPIPE:
        yield _faster(times, rival, ours, OVER_TORCHGPIPE[count])
    rival = Entry("torch", "zero_bubble", count)
    if rival in times and count in OVER_ZB1P:
        yield _faster(times, rival, ours, OVER_ZB1P[count])
    for schedule in IN_TWO_PARTS:
        best = fastest(times, "ours", count, schedule)
        allowed = _allowed(schedule, count, gpus)
        if best is not None and allowed is not None and NAIVE in times:
            shares = [ratio / allowed for ratio in ratios(times, NAIVE, best)]
            text = f"share of the formula's {allowed:.2f} times naive that {best.label} reaches"
            yield Target(f"{text} (one of ZB1P and ZBV is enough)", shares, OF_FORMULA)


def _faster(times: Times, rival: Entry, ours: Entry, bound: float) -> Target:
    text = f"{ours.label}, times as fast as {rival.label}"
    return Target(text, ratios(times, rival, ours), bound)


def _beside_bare(times: Times) -> Iterator[Target]:
    """Yield ours over the bare loop of the same schedule, both eager with torch's gradients."""
    for bare in times:
        is_pipeline = bare.micro_batches > 0
        gradients = "separate" if is_pipeline else ""
        ours = Entry("ours", bare.schedule, bare.micro_batches, gradients)
        if bare.who == "torch" and ours in times:
            text = f"step time of {ours.label} / {bare.label}"
            bound = RUNNER if is_pipeline else DATA_PARALLEL
            yield Target(text, ratios(times, ours, bare), bound, is_least=False)


def fastest(times: Times, who: str, count: int, schedule: str = "") -> Entry | None:
    """Return the entry of the least median; None without any.

    Args:
        times: of a group.
        who: whose.
        count: micro-batches.
        schedule: any if empty.
    """
    found = [
        entry
        for entry in times
        if entry.who == who and entry.micro_batches == count
        if not schedule or entry.schedule == schedule
    ]
    return min(found, key=lambda entry: median(times[entry]), default=None)


def _allowed(schedule: str, count: int, gpus: int) -> float | None:
    keys = {"schedule": schedule, "gpus": gpus, "micro_batches": count}
    if not SCHEDULES[schedule].accepts(gpus, count):
        return None
    sizes = {"depth": 2 * gpus, "batch_size": count}  # of no meaning for the formula
    return allowed_speed_up(make_case(keys | sizes, "formula"))
