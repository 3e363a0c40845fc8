"""Steps of pipelines too large for the event model, by numpy: a wave of actions at a time.

A message leaves when it is made, nothing is slowed, and processes take no time. Equal to the event
model under the same conditions (tests/predict/test_large.py).
"""

from collections.abc import Callable, Iterator

import numpy as np

from predict.orders.action import Kind
from predict.orders.order import order_of
from predict.simulation import wave_plans
from predict.simulation.costs import Costs, Host
from predict.simulation.result import GpuUse, Simulated
from predict.simulation.rounds import ends_in_rounds
from predict.simulation.stage_times import Floats, StageTimes, stage_times
from predict.simulation.waves import Family, Waves, waves_of
from study.schedules import IN_TWO_PARTS, SCHEDULES

_PLANS: dict[str, Callable[[int, int], wave_plans.Phases]] = {
    "gpipe": wave_plans.gpipe,
    "1f1b": wave_plans.one_forward_one_backward,
    "zero_bubble": wave_plans.zero_bubble,
    "zbv": wave_plans.zbv,
}
_BLOCK = 2**14
LARGE = tuple(name for name in SCHEDULES if name in {*_PLANS, "interleaved_1f1b"})


def simulate_large(
    schedule: str, gpus: int, micro_batches: int, chunks: int, costs: Costs
) -> Simulated:
    """Return the step of a pipeline of any size, without spans.

    Args:
        schedule: a pipeline's name in study/schedules.py.
        gpus: those of one replica.
        micro_batches: of one replica.
        chunks: stages of each GPU.
        costs: without queues, slowing and processes.

    Raises:
        ValueError: if the schedule has no such order, or the costs have more than it can take.
    """
    _check(schedule, gpus, micro_batches, chunks, costs)
    places = SCHEDULES[schedule].gpu_of_stage(gpus, chunks)
    kinds: tuple[Kind, ...] = ("forward", "backward")
    if schedule in IN_TWO_PARTS:
        kinds = ("forward", "input_gradient", "weight_gradient")
    times = stage_times(costs, places, kinds)
    if schedule == "interleaved_1f1b":
        ends = ends_in_rounds(gpus, micro_batches, chunks, times)
    else:
        ends = np.zeros(gpus)
        play = _Play(gpus, times, ends)
        for families in _PLANS[schedule](gpus, micro_batches):
            play.run(waves_of(families, gpus, micro_batches))
    busy_s = np.zeros(gpus)
    np.add.at(busy_s, places, times.busy_s(micro_batches))
    return _result(costs, ends, busy_s)


def _check(schedule: str, gpus: int, micro_batches: int, chunks: int, costs: Costs) -> None:
    order_of(schedule, gpus, micro_batches, chunks)
    if schedule not in LARGE or (chunks > 1 and not SCHEDULES[schedule].is_chunked):
        raise ValueError(f"schedule {schedule} with {chunks} stages a GPU has no waves")
    if not SCHEDULES[schedule].accepts(gpus, micro_batches):
        raise ValueError(f"schedule {schedule} does not take {micro_batches} micro-batches")
    if costs.queues != "none" or costs.slowdown or costs.host != Host():
        raise ValueError("waves have no queues, no slowing and no processes")


def _result(costs: Costs, ends: Floats, busy_s: Floats) -> Simulated:
    gpus = range(len(ends))
    step_s = max(ends[gpu] + costs.ending(gpu).total_s for gpu in gpus)
    uses = []
    for gpu in gpus:
        ending = costs.ending(gpu)
        its_s = float(busy_s[gpu]) + ending.scaling_s + ending.optimizer_s
        uses.append(GpuUse(its_s, work_s=its_s))
    return Simulated(float(step_s), tuple(uses))


def _in_blocks(waves: Waves) -> Iterator[list[int]]:
    """Yield the rows as Python's integers, of which there are never many at a time."""
    for start in range(0, len(waves.rows), _BLOCK):
        yield from waves.rows[start : start + _BLOCK].tolist()


class _Play:
    """The newest end of each GPU, and when the newest of what others need arrived there.

    Args:
        gpus: of the pipeline.
        times: of its stages.
        ends: of each GPU's newest action, which is what changes.
    """

    def __init__(self, gpus: int, times: StageTimes, ends: Floats) -> None:
        self.gpus, self.times, self.ends = gpus, times, ends
        # One more at both ends, of GPUs that do not exist and have always sent.
        self.arrived = {
            (gradient, up): np.full(gpus + 2, -np.inf)
            for gradient in (False, True)
            for up in (False, True)
        }
        self._begun = np.empty(gpus)

    def run(self, waves: Waves) -> None:
        """Compute all waves."""
        steps = [waves.step(number) for number in range(len(waves.families))]
        parts = [self._parts(family) for family in waves.families]
        ends, maximum, add, begun = self.ends, np.maximum, np.add, self._begun
        for number, low, high, first_low, first_high in _in_blocks(waves):
            step, (seconds, more, arrived, sent, way) = steps[number], parts[number]
            mine = slice(low, high, step)
            end = ends[mine]
            if arrived is None:
                add(end, seconds[mine], out=end)
            else:
                begin = begun[: len(end)]
                maximum(end, arrived[low + 1 + way : high + 1 + way : step], out=begin)
                add(begin, seconds[mine], out=end)
            if first_high:
                ends[first_low:first_high:step] += more[first_low:first_high:step]
            if arrived is not None:
                add(end, sent[mine], out=arrived[low + 1 : high + 1 : step])

    def _parts(self, family: Family) -> tuple[Floats, Floats, Floats | None, Floats, int]:
        """Return what a family takes: seconds, more of the first, arrivals, messages, and way."""
        stages = np.arange(self.gpus)
        if family.is_up:
            stages = 2 * self.gpus - 1 - stages
        gradient = family.kind != "forward"
        arrived = self.arrived[gradient, family.is_up]
        way = 1 if gradient != family.is_up else -1  # from which neighbour the input comes
        return (
            self.times.later[family.kind][stages],
            self.times.more[family.kind][stages],
            None if family.kind == "weight_gradient" else arrived,
            self.times.sent[gradient][stages],
            way,
        )
