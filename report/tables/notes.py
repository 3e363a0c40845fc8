"""Notes on a row: everything to know of its numbers before citing them."""

from collections.abc import Iterator

from report.analysis.time_use import MAX_INSTRUMENTATION_COST, instrumentation_cost
from report.data.measured import MeasuredCase
from report.data.selection import Row
from report.wording.units import between, count_of, signed_percent
from study.results.environment import Gpu, GpuState
from study.statistics.samples import outliers

CAPPED = 0.95  # of a GPU's highest clock


def notes_on(row: Row, result: MeasuredCase) -> str:
    """Return all notes on a row as one cell; empty for none."""
    parts = (_convergence, _outliers, _instrumentation, _clocks, _nodes)
    notes = (*(part(result) for part in parts), _jobs(row))
    return "; ".join(note for some in notes for note in some)


def _convergence(result: MeasuredCase) -> Iterator[str]:
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


def _outliers(result: MeasuredCase) -> Iterator[str]:
    count = sum(outliers(times) for times in result.steps_s)
    if count:
        yield f"outliers: {count} of {sum(map(len, result.steps_s))} steps"


def _instrumentation(result: MeasuredCase) -> Iterator[str]:
    cost = instrumentation_cost(result)
    if cost is not None and abs(cost) > MAX_INSTRUMENTATION_COST:
        yield f"steps with marks took {signed_percent(cost)}: their parts are not those of a step"


def _clocks(result: MeasuredCase) -> Iterator[str]:
    states = [
        (gpu, state)
        for job in result.jobs
        for gpu in job.environment.gpus
        for state in (gpu.before, gpu.after)
        if state is not None
    ]
    reasons = {r.replace("_", " ") for _, state in states for r in state.throttle_reasons or ()}
    if flags := [*_capped(states), *sorted(reasons)]:
        yield f"throttled: {', '.join(flags)}"


def _capped(states: list[tuple[Gpu, GpuState]]) -> Iterator[str]:
    """Yield clocks below the highest that a GPU can reach, as a range."""
    clocks: dict[int, list[int]] = {}
    for gpu, state in states:
        clock, top = state.sm_clock_hz, gpu.max_sm_clock_hz
        if clock is not None and top is not None and clock < CAPPED * top:
            clocks.setdefault(round(top / 1e6), []).append(round(clock / 1e6))
    for top_mhz, found in sorted(clocks.items()):
        yield f"clock at {between(found)} of {top_mhz} MHz"


def _nodes(result: MeasuredCase) -> Iterator[str]:
    """Note that data passes between nodes, which takes longer than within one."""
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
        yield f"left out: {count_of(others, 'job')} measured under other conditions"
