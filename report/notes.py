"""What a reader must know of a number before citing it."""

from collections.abc import Iterator

from report.measured import Measured
from report.selection import Row
from report.time_use import cost_of_instruments
from report.units import plural, signed_percent
from study.environment import Gpu, GpuState
from study.statistics import outliers

CAPPED = 0.95  # of a GPU's highest clock
DISTURBED = 0.5  # of a step


def notes_on(row: Row, result: Measured) -> str:
    """All notes on a row, in one cell; empty where there is none."""
    parts = (_convergence, _outliers, _marks, _clocks, _nodes)
    notes = (*(part(result) for part in parts), _jobs(row))
    return "; ".join(note for some in notes for note in some)


def _convergence(result: Measured) -> Iterator[str]:
    measurements = [job.measurement for job in result.jobs]
    target = result.case.ci_half_width
    early = [m.stopped_by for m in measurements if not m.converged]
    if early and target:
        why = " and ".join(sorted({stop.replace("_", " ") for stop in early}))
        jobs = f" in {len(early)} of {len(measurements)} jobs" if result.repeats else ""
        yield f"not within ±{100 * target:g} %{jobs}: stopped by {why}"
    if any(m.warmup_steady is False for m in measurements):
        yield "warm-up was not steady"
    elif any(m.warmup_steady is None for m in measurements):
        yield "warm-up too short to tell whether it was steady"


def _outliers(result: Measured) -> Iterator[str]:
    count = sum(outliers(times) for times in result.steps_s)
    if count:
        yield f"outliers: {count} of {sum(map(len, result.steps_s))} steps"


def _marks(result: Measured) -> Iterator[str]:
    cost = cost_of_instruments(result)
    if cost is not None and abs(cost) > DISTURBED:
        yield f"steps with marks took {signed_percent(cost)}: their parts are not those of a step"


def _clocks(result: Measured) -> Iterator[str]:
    flags = {
        flag for job in result.jobs for gpu in job.environment.gpus for flag in _throttled(gpu)
    }
    if flags:
        yield f"throttled: {', '.join(sorted(flags))}"


def _throttled(gpu: Gpu) -> Iterator[str]:
    for state in (gpu.before, gpu.after):
        if state is not None:
            yield from (reason.replace("_", " ") for reason in state.throttle_reasons or ())
            yield from _capped(gpu, state)


def _capped(gpu: Gpu, state: GpuState) -> Iterator[str]:
    clock, top = state.sm_clock_hz, gpu.max_sm_clock_hz
    if clock is not None and top is not None and clock < CAPPED * top:
        yield f"clock at {clock / 1e6:.0f} of {top / 1e6:.0f} MHz"


def _nodes(result: Measured) -> Iterator[str]:
    """What passes between nodes takes longer than within one."""
    hosts = {rank.host for rank in result.environment.ranks}
    if len(hosts) > 1:
        yield f"on {len(hosts)} nodes"


def _jobs(row: Row) -> Iterator[str]:
    if row.missing:
        outcomes = " and ".join(sorted({r.outcome or "no result yet" for r in row.missing}))
        yield f"{len(row.missing)} of {len(row.jobs)} jobs missing: {outcomes}"
    measured = row.measured
    used = 0 if measured is None else len(measured.jobs)
    others = len(row.jobs) - len(row.missing) - used
    if others:
        yield f"left out: {others} {plural(others, 'job')} on other hardware or torch"
