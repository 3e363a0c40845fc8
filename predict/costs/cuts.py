"""Cuts of a pipeline into stages by calibrated times, as a job cuts by its own."""

from collections.abc import Iterator
from itertools import islice

from predict.costs.layers import LOSS, LayerTimes
from study.balance import balanced_map
from study.case import Case
from study.results.calibration.layers import LayerAction
from study.results.calibration.record import Calibration
from study.schedules import SCHEDULES
from study.stages import chunks_of

# How far a job's times of a kind of layer are from calibrated ones, as a share: in 17 jobs of a GPT
# on the H200s of its calibration up to 2.0 % (embedding; head 1.4 %, block and loss 0.9 %).
NOISE = 0.02
PACES = ("unthrottled", "sustained")  # a job times layers one by one, after a pause
MOST_CUTS = 8
MOST_WORK = 500_000  # layers times stages of all cuts that are tried, a few seconds
Cut = tuple[int, ...]


def is_cut_by_time(case: Case) -> bool:
    """Return whether a job measures its layers first and cuts by their seconds."""
    is_pipeline = SCHEDULES[case.schedule].is_pipeline
    return is_pipeline and case.balance == "time" and case.pipeline_gpus * chunks_of(case) > 1


def cuts_by_time(case: Case, calibration: Calibration) -> tuple[Cut, ...]:
    """Return the stage of each layer by calibrated times, then other cuts that a job may make.

    These are there where the seconds of one kind of layer, `NOISE` more or less, move the cut. Of
    very many layers and stages the first alone is found.

    Args:
        case: a pipeline that is cut by time.
        calibration: of one GPU.

    Raises:
        Unpredictable: a layer was not calibrated.
    """
    times = LayerTimes(case, calibration, PACES)
    numbers = [*range(case.layers), LOSS]
    kinds = [times.kind_of(number) for number in numbers]
    seconds = {kind: alone_s(times, numbers[kinds.index(kind)]) for kind in dict.fromkeys(kinds)}
    found: dict[Cut, None] = {}
    stages = case.pipeline_gpus * chunks_of(case)
    for its in islice(_with_noise(seconds), max(1, MOST_WORK // (case.layers * stages))):
        costs = [its[kind] for kind in kinds[:-1]]
        costs[-1] += its[kinds[-1]]
        found[tuple(balanced_map(costs, stages))] = None
        if len(found) == MOST_CUTS:
            break
    return tuple(found)


def alone_s(times: LayerTimes, layer: int) -> float:
    """Return the seconds of forward and backward of a layer, as a job's profile has them.

    With gradients of its parameters there already.
    """
    forward = times.time(layer, "forward").seconds
    if not times.learns(layer):
        return forward
    actions: tuple[LayerAction, ...] = ("backward_later", "backward_first")
    known = (times.find(layer, action) for action in actions)
    backward = next((timing for timing in known if timing is not None), None)
    return forward + (backward or times.time(layer, "backward_later")).seconds


def _with_noise(seconds: dict[int, float]) -> Iterator[dict[int, float]]:
    """Yield the seconds of all kinds, then those with one kind longer or shorter, longest first."""
    yield seconds
    for kind in sorted(seconds, key=lambda kind: -seconds[kind]):
        for factor in (1 + NOISE, 1 - NOISE):
            yield seconds | {kind: factor * seconds[kind]}
