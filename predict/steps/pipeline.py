"""The step of a pipeline, and of the naive schedule, as the event model plays it."""

from collections.abc import Callable
from dataclasses import replace

from predict.costs.calibrated import Calibrated
from predict.costs.cuts import is_cut_by_time
from predict.costs.gpus import slowest_of
from predict.costs.power_limit.pace import ALWAYS, Pace, pace_at
from predict.costs.power_limit.time_constant import time_constant_s
from predict.orders.lowering import programs
from predict.simulation.costs import Costs, Host
from predict.simulation.events import simulate
from predict.simulation.large import simulate_large
from predict.simulation.result import Simulated
from predict.steps.loads import loads_of
from predict.steps.pipeline_costs import PipelineCosts
from predict.steps.step import Step, host_of_step, launch_bound
from study.case import Case
from study.stages import chunks_of

MOST_EVENTS = 20_000  # actions; about a second
TOO_LARGE = "extrapolated: a step so large is simulated without waits in queues and launching"
CUT = "cut by calibrated times of layers; a job cuts by its own, and 2 % would move the cut"
PACED = 2  # rounds, until the pace is that of the load it makes


def pipeline_step(case: Case, calibrated: Calibrated, nodes: int = 1) -> Step:
    """Return the step of a pipeline, or of a model split over GPUs that take turns.

    Args:
        case: the configuration.
        calibrated: the times.
        nodes: that it runs on.

    Raises:
        Unpredictable: something that it takes was not calibrated.
    """
    made = PipelineCosts(case, calibrated, nodes)
    play = _large(case) if made.actions > MOST_EVENTS else _by_events(case)
    found, paces = _paced(made, play)
    bubbles = tuple(b for b in found.bubbles for _ in range(case.data_parallel))
    if case.schedule == "naive":
        host_s = host_of_step(made.stages.times, calibrated.everything)
        return launch_bound(Step(found.step_s, bubbles, host_s, made.doubt, gpus_s=found.step_s))
    is_large = made.actions > MOST_EVENTS
    is_known = not made.launches or (made.host_times and not is_large)
    host_s = found.step_s * found.host_share if is_known else None
    cuts = made.stages.cuts if is_cut_by_time(case) else ()
    notes = [TOO_LARGE] * is_large + [CUT] * (len(cuts) > 1)
    step = Step(
        found.step_s,
        bubbles,
        host_s,
        made.doubt,
        tuple(notes),
        layers_per_stage=tuple(map(len, made.stages.layers)),
        cuts=cuts,
    )
    if not step.is_launch_bound:
        return step
    return replace(step, gpus_s=play(replace(made.costs(paces), host=Host())).step_s)


def _paced(made: PipelineCosts, play: Callable[[Costs], Simulated]) -> tuple[Simulated, list[Pace]]:
    """Return the step in which each GPU has the pace of the load that it makes, and these paces."""
    times, case = made.calibrated.layers, made.case
    # GPUs that take turns do not wait for the slowest: it is one of them for a while.
    slowness = slowest_of(made.calibrated, 1 if case.schedule == "naive" else case.gpus)
    constant_s = time_constant_s(times)
    paces = [pace_at(times, ALWAYS, slowness)] * case.pipeline_gpus
    found = play(made.costs(paces))
    for _ in range(PACED if times.loaded else 0):
        paces = [pace_at(times, load, slowness) for load in loads_of(found, constant_s)]
        found = play(made.costs(paces))
    return found, paces


def _by_events(case: Case) -> Callable[[Costs], Simulated]:
    asks = programs(case.schedule, case.pipeline_gpus, case.micro_batches, chunks_of(case))
    return lambda costs: simulate(asks, costs, with_spans=True)


def _large(case: Case) -> Callable[[Costs], Simulated]:
    """Return what simulates a step without queues, slowing and processes."""
    sizes = case.schedule, case.pipeline_gpus, case.micro_batches, chunks_of(case)
    return lambda costs: simulate_large(
        *sizes, replace(costs, queues="none", slowdown={}, host=Host())
    )
