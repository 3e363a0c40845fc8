"""Sentences on the way the numbers of a document were measured, said once for all sections."""

from collections import defaultdict

from report.analysis.step_time import INTERVALS
from report.analysis.time_use import instrumentation_cost, longer_than_timed, plain_steps_s
from report.data.measured import MeasuredCase
from report.wording.units import between, count_of, number, percent, seconds, signed_percent
from study.results.measurement import Breakdown
from study.results.phases import MEASURING, PhaseName

PROGRAMS = (
    "Steps of a program are as it timed and said them; the 95 % confidence interval is that of "
    "their median. A program that says none is timed from its start to its end. Where a program "
    "begins a step, ends it and waits for its GPUs is its own business."
)
MOST = 3  # phases that a sentence names
CLOCKS = {"cuda_events": "CUDA events on the GPUs", "host": "the host's clock"}


def make_method(results: list[MeasuredCase]) -> list[str]:
    """Return how steps were timed, what the intervals mean, and where the parts of a step are from.

    The sentences hold for all results of the document; empty where nothing was measured.
    """
    if not results:
        return []
    models = [result for result in results if result.program is None]
    found = [_samples(models), *_instruments(models), *_layers(models)] if models else []
    found += _held(models)
    return [*found, *([PROGRAMS] if len(models) < len(results) else [])]


def _samples(results: list[MeasuredCase]) -> str:
    measurements = [job.measurement for r in results for job in r.jobs]
    samples = between([len(m.step_times_s) for m in measurements])
    warmup = between([m.warmup_steps for m in measurements])
    return (
        "Every step is timed from all GPUs idle to all GPUs idle (`torch.cuda.synchronize()` "
        "before each clock reading), after warm-up steps that are left out. Step times are medians "
        f"of {samples} timed steps a job, after {warmup} warm-up steps, with 95 % confidence "
        f"intervals. {INTERVALS}"
    )


def _instruments(results: list[MeasuredCase]) -> list[str]:
    """Describe the instrumented steps: how many, by which clock, and their cost."""
    eager = [result for result in results if result.case.execution == "eager"]
    costs = [cost for cost in map(longer_than_timed, eager) if cost is not None]
    if not costs:
        return _of_graphs(results)
    breakdowns = [r.measurement.breakdown for r in eager if r.measurement.breakdown is not None]
    clocks = " and ".join(sorted({CLOCKS[breakdown.clock] for breakdown in breakdowns}))
    steps = between([len(breakdown.step_times_s) for breakdown in breakdowns])
    return [
        "The timed steps run without instruments. Forward, backward, optimizer and idle times come "
        f"from {steps} separate, instrumented steps a case, timed by {clocks}; compared with a "
        f"timed step they took {_range(costs)}{_alone(eager)}.{_alignment(breakdowns)}",
        *_of_graphs(results),
    ]


def _of_graphs(results: list[MeasuredCase]) -> list[str]:
    """Say that instrumented steps of CUDA graphs are none."""
    if not any(r.case.execution == "cuda_graph" and r.measurement.breakdown for r in results):
        return []
    return [
        "Nothing inside of a CUDA graph can be timed: where a step is one graph, its instrumented "
        "steps are eager, and run after the graph was released."
    ]


def _alignment(breakdowns: list[Breakdown]) -> str:
    """Say how well clocks of GPUs agree, where each has its own."""
    errors = [breakdown.clock_error_s for breakdown in breakdowns]
    most = max((error for error in errors if error is not None), default=0.0)
    if not most:
        return ""
    return f" As a step begins, the clocks of two GPUs agree to within {seconds(most)}."


def _layers(results: list[MeasuredCase]) -> list[str]:
    """Describe how layers were measured, where a model was measured layer by layer."""
    if all(result.model is None for result in results):
        return []
    return [
        "Each layer of a model was profiled alone before the timed steps, forward and backward "
        "with one micro-batch: its operations, bytes and seconds come from there. Operations are "
        "those of matrix products, convolutions and attention, a multiplication and an addition "
        "counted as two."
    ]


def _held(results: list[MeasuredCase]) -> list[str]:
    """Say what the GPU-hours of the jobs went to; nothing of jobs whose phases are not known."""
    jobs = [job for r in results for job in r.jobs if not job.emulated]
    known = [job for job in jobs if job.phases]
    hours: dict[PhaseName, float] = defaultdict(float)
    for job in known:
        for phase in job.phases or ():
            hours[phase.name] += job.case.gpus * phase.seconds / 3600
    total = sum(hours.values())
    if not total:
        return []
    setup = {name: its for name, its in hours.items() if name not in MEASURING}
    longest = sorted(setup, key=lambda name: -setup[name])[:MOST]
    parts = ", ".join(f"{name} {percent(setup[name] / total)}" for name in longest)
    left = len(jobs) - len(known)
    others = f" Not counted: {count_of(left, 'job')} whose phases were not timed." if left else ""
    return [
        f"The GPUs were held for {number(total)} GPU-hours in {count_of(len(known), 'job')}: "
        f"{percent(sum(setup.values()) / total)} was set-up (most of it: {parts}), "
        f"{percent(hours['timing'] / total)} timed steps, "
        f"{percent(hours['instruments'] / total)} instrumented steps.{others}"
    ]


def _alone(results: list[MeasuredCase]) -> str:
    """Say what instruments cost by themselves, where plain steps were taken in turns with them."""
    known = [result for result in results if plain_steps_s(result) is not None]
    costs = [cost for cost in map(instrumentation_cost, known) if cost is not None]
    if not costs:
        return ""
    return f", and {_range(costs)} compared with the plain steps that they took turns with"


def _range(costs: list[float]) -> str:
    low, high = signed_percent(min(costs)), signed_percent(max(costs))
    return low if low == high else f"{low} to {high}"
