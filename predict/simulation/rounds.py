"""Interleaved 1F1B of any size: all GPUs at once, along diagonals of forwards and of backwards.

Forward n of GPU g comes at n + g, and after it backward n + g - c with c = (v - 1) r + 2 (p - 1),
for rounds of r micro-batches and v stages a GPU. An output for the next round's stage goes from the
last GPU to the first, and a gradient back; those are kept until they are needed.
"""

import numpy as np
from numpy.typing import NDArray

from predict.orders.action import Kind
from predict.orders.interleaved import Rounds
from predict.simulation.stage_times import Floats, StageTimes


def ends_in_rounds(gpus: int, micro_batches: int, chunks: int, times: StageTimes) -> Floats:
    """Return when each GPU has done its last action.

    Args:
        gpus: of the pipeline; not more than micro-batches.
        micro_batches: of a step.
        chunks: stages of each GPU.
        times: of the stages.
    """
    size = Rounds(gpus, micro_batches, chunks, 0).size
    count, behind = chunks * micro_batches, (chunks - 1) * size + 2 * (gpus - 1)
    ends = np.zeros(gpus)
    forward = _Diagonals(gpus, micro_batches, chunks, times, is_gradient=False)
    backward = _Diagonals(gpus, micro_batches, chunks, times, is_gradient=True)
    for turn in range(count + behind + gpus - 1):
        low, high = max(0, turn - count + 1), min(gpus, turn + 1)
        if low < high:
            forward.compute(ends, low, high, turn - low)
        low, high = max(0, behind - turn), min(gpus, count + behind - turn)
        if low < high:
            backward.compute(ends, low, high, turn + low - behind)
    return ends


class _Diagonals:
    """Forwards, of which a GPU has one more than the next, or backwards, of which it has one less.

    Args:
        gpus: of the pipeline.
        micro_batches: of a step.
        chunks: stages of each GPU.
        times: of the stages.
        is_gradient: whether these are backwards.
    """

    def __init__(
        self, gpus: int, micro_batches: int, chunks: int, times: StageTimes, *, is_gradient: bool
    ) -> None:
        kind: Kind = "backward" if is_gradient else "forward"
        later, more = times.later[kind], times.more[kind]
        self._seconds = np.concatenate([later, later + more])
        self._sent = np.tile(times.sent[is_gradient], 2)
        self._gpus, self._chunks, self._is_gradient = gpus, chunks, is_gradient
        self._size = Rounds(gpus, micro_batches, chunks, 0).size
        rows = _rows(gpus, micro_batches, chunks, self._size, is_gradient=is_gradient)
        # Along a diagonal the number falls with the GPU for forwards, and rises for backwards.
        self._rows = rows if is_gradient else rows[::-1].copy()
        self._numbers = np.arange(gpus)
        self._arrived = np.full(gpus + 2, -np.inf)
        self._kept = np.full(len(rows), -np.inf)  # what has crossed from one end to the other
        self._begun = np.empty(gpus)

    def compute(self, ends: Floats, low: int, high: int, number: int) -> None:
        """Compute an action of each GPU from `low` to before `high`.

        Args:
            ends: of each GPU's newest action; changed.
            low: the first GPU.
            high: the one after the last.
            number: of the action of the first GPU.
        """
        start = number if self._is_gradient else len(self._rows) - 1 - number
        rows = self._rows[start : start + high - low] + self._numbers[low:high]
        self._take_kept(low, high, number)
        way = 1 if self._is_gradient else -1
        end, begun = ends[low:high], self._begun[: high - low]
        np.maximum(end, self._arrived[low + 1 + way : high + 1 + way], out=begun)
        np.add(begun, self._seconds.take(rows), out=end)
        np.add(end, self._sent.take(rows), out=self._arrived[low + 1 : high + 1])
        self._keep(low, high, number)

    def _take_kept(self, low: int, high: int, number: int) -> None:
        """Let the GPU at one end have what the other end has made a round before."""
        if self._is_gradient and high == self._gpus:
            self._arrived[-1] = self._before(number + high - 1 - low)
        elif not self._is_gradient and low == 0:
            self._arrived[0] = self._before(number)

    def _before(self, number: int) -> float:
        """Return when the input of an action came from the other end; long ago if from nowhere."""
        if number // self._size % self._chunks == 0:
            return -np.inf
        return float(self._kept[number - self._size])

    def _keep(self, low: int, high: int, number: int) -> None:
        if self._is_gradient and low == 0:
            self._kept[number] = self._arrived[1]
        elif not self._is_gradient and high == self._gpus:
            self._kept[number - (high - 1 - low)] = self._arrived[high]


def _rows(
    gpus: int, micro_batches: int, chunks: int, size: int, *, is_gradient: bool
) -> NDArray[np.int64]:
    """Return by number of an action the stage on GPU 0; of micro-batch 0, behind all stages.

    Args:
        gpus: of the pipeline.
        micro_batches: of a step.
        chunks: stages of each GPU.
        size: micro-batches of a round.
        is_gradient: whether rounds pass the last stages first.
    """
    numbers = np.arange(chunks * micro_batches)
    stages = numbers // size % chunks * gpus
    if is_gradient:
        stages = (chunks - 1) * gpus - stages
    stages[: chunks * size : size] += chunks * gpus
    return stages
