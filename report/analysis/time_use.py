"""Time of each GPU by activity, from instrumented steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from statistics import median

from report.analysis.step_time import step_time
from report.data.measured import MeasuredCase
from report.wording.units import ratio
from study.results.measurement import Breakdown, GpuTime
from study.statistics.comparison import FACTOR

MAX_INSTRUMENTATION_COST = 0.5  # of a step; above it the parts say little
UNLIKE = 0.5  # of a timed step; plain steps taken later that differ by more are other steps
WHOLE = 1.05  # of a step; clocks of a host and a GPU differ by less
LIKE_GRAPH = 0.1  # of a graph's step; eager steps that differ by more do not show its bubble
CHEAP = 0.05  # of a step; up to here it is not worth a word
PARTS = [key for key in GpuTime.__struct_fields__ if key != "index"]
_parts_of = attrgetter(*PARTS)


@dataclass(frozen=True, slots=True)
class TimeUse:
    """Seconds of one GPU in a step by activity; means over all instrumented steps."""

    gpu: int
    forward_s: float
    backward_s: float
    optimizer_s: float
    transfer_in_s: float
    transfer_out_s: float
    idle_s: float
    # The part of backward in which weights' gradients are computed alone; None without such.
    weight_gradient_s: float | None = None

    @property
    def step_s(self) -> float:
        """The whole step."""
        return self.compute_s + self.transfer_in_s + self.transfer_out_s + self.idle_s

    @property
    def compute_s(self) -> float:
        """Forward, backward and optimizer."""
        return self.forward_s + self.backward_s + self.optimizer_s

    @property
    def utilization(self) -> float:
        """The share of the step that this GPU computes, 0 to 1."""
        return self.compute_s / self.step_s


@cache
def time_use(result: MeasuredCase) -> list[TimeUse]:
    """Return the time of each GPU by activity; empty where no step was instrumented.

    Empty as well where a GPU would compute for longer than the step: such parts are none of it.
    """
    breakdowns = [job.measurement.breakdown for job in result.jobs]
    known = [breakdown for breakdown in breakdowns if breakdown is not None]
    steps = sum(len(breakdown.step_times_s) for breakdown in known)
    found = [_mean(gpu, known, steps) for gpu in range(result.case.gpus)] if known else []
    return found if all(use.step_s > 0 and use.utilization <= WHOLE for use in found) else []


def _mean(gpu: int, breakdowns: list[Breakdown], steps: int) -> TimeUse:
    samples = zip(*[_parts_of(breakdown.per_gpu[gpu]) for breakdown in breakdowns], strict=True)
    known = ((key, jobs) for key, jobs in zip(PARTS, samples, strict=True) if None not in jobs)
    return TimeUse(gpu, **{key: sum(map(sum, jobs)) / steps for key, jobs in known})


@cache
def instrumentation_cost(result: MeasuredCase) -> float | None:
    """Return how much longer an instrumented step took than a plain one, as a share, by medians.

    The plain steps are those timed right before each; in results from before they were taken, the
    timed steps, which ran seconds earlier.
    """
    plain = plain_steps_s(result)
    if plain is None:
        return longer_than_timed(result)
    instrumented = [median(breakdown.step_times_s) for breakdown in _breakdowns(result)]
    return median(a / b for a, b in zip(instrumented, plain, strict=True)) - 1


@cache
def longer_than_timed(result: MeasuredCase) -> float | None:
    """Return how much longer an instrumented step took than a timed one, as a share, by medians.

    Besides what instruments cost, a GPU may have become slower between the two.
    """
    steps = [breakdown.step_times_s for breakdown in _breakdowns(result)]
    return median(map(median, steps)) / step_time(result).estimate_s - 1 if steps else None


@cache
def plain_longer_than_timed(result: MeasuredCase) -> float | None:
    """Return how much longer plain steps between instrumented ones took than timed ones.

    None where there are none, and of a CUDA graph: those plain steps are eager.
    """
    plain = plain_steps_s(result)
    if plain is None or result.case.execution == "cuda_graph":
        return None
    return median(plain) / step_time(result).estimate_s - 1


def plain_steps_s(result: MeasuredCase) -> list[float] | None:
    """Return each job's median of the plain steps taken in turns; None where a job has none."""
    plain = [breakdown.plain_step_times_s for breakdown in _breakdowns(result)]
    return [median(steps) for steps in plain if steps] if plain and all(plain) else None


def _breakdowns(result: MeasuredCase) -> list[Breakdown]:
    found = [job.measurement.breakdown for job in result.jobs]
    return [breakdown for breakdown in found if breakdown is not None]


def is_costly(result: MeasuredCase) -> bool:
    """Return True if instruments changed the step so much that its parts say little."""
    cost = instrumentation_cost(result)
    return cost is not None and abs(cost) > MAX_INSTRUMENTATION_COST


def is_unlike_graph(result: MeasuredCase) -> bool:
    """Return True for a CUDA graph whose instrumented steps, which are eager, take other times."""
    if result.case.execution != "cuda_graph":
        return False
    longer = longer_than_timed(result)
    return longer is not None and abs(longer) > LIKE_GRAPH


def instrumentation_warning(result: MeasuredCase) -> str:
    """Return sentences on instrumented steps unlike the timed ones, after a space; else nothing."""
    of_graph = (
        " These shares are those of eager steps, since nothing inside of a graph can be timed."
    )
    found = of_graph if result.case.execution == "cuda_graph" and time_use(result) else ""
    if not is_costly(result):
        return found
    return f"{found} These shares say little: instrumented steps took {cost_words(result)}."


def cost_words(result: MeasuredCase) -> str:
    """Return how long instrumented steps took, and compared with what.

    If the plain steps between them were unlike timed ones, these are compared, too.
    """
    cost, drift = instrumentation_cost(result) or 0.0, plain_longer_than_timed(result) or 0.0
    if plain_steps_s(result) is None:
        return f"{_compared(cost)} timed ones"
    took = f"{_compared(cost)} the plain steps between them"
    return f"{took}, and these {_compared(drift)} timed ones" if abs(drift) > UNLIKE else took


def _compared(longer: float) -> str:
    """Return `2.5 times as long as`, or percent of time below a factor of 1.5."""
    if 1 + longer >= FACTOR:
        return f"{ratio(1 + longer)} times as long as"
    return f"{100 * abs(longer):.0f} % {'longer' if longer > 0 else 'less time'} than"


def longer_words(results: Sequence[MeasuredCase]) -> str:
    """Return how much longer instrumented steps took than timed ones; empty where it is little.

    Those of a CUDA graph are eager, which is said whatever they took.
    """
    costs = [cost for cost in map(longer_than_timed, results) if cost is not None]
    most = max(costs, key=abs, default=0.0)
    graphs = [result for result in results if result.case.execution == "cuda_graph"]
    of_graph = "are eager and " if graphs and costs else ""
    if abs(most) <= CHEAP:
        return " (in instrumented steps, which are eager)" if of_graph else ""
    kind = "longer than" if most > 0 else "less time than"
    up_to = "up to " if len(costs) > 1 else ""
    took = f"took {up_to}{100 * abs(most):.0f} % {kind} timed ones"
    return f" (in instrumented steps, which {of_graph}{took})"


def at_a_time(result: MeasuredCase) -> float | None:
    """Return how many GPUs compute at the same time, on average; None where it is unknown."""
    uses = time_use(result)
    return sum(use.utilization for use in uses) if uses else None


def copies_s(result: MeasuredCase) -> float | None:
    """Return the seconds of all copies between GPUs in a step; None where they are unknown.

    In processes of their own GPUs wait for data, which is no time of copies.
    """
    uses = time_use(result)
    if not uses or result.case.in_processes:
        return None
    return sum(use.transfer_in_s for use in uses)
