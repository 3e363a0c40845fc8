"""The cases to choose for the shortest step, the fewest GPU-hours or the least memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from predict.forecast.names import how_words
from study.case import Case
from study.storage.prediction import Prediction

By = Literal["time", "gpu-hours", "memory"]
LEFT_OUT = ("cannot fit", "cannot run")  # answers on a case that nobody can ask for
MEMORY = 0.01  # by which predicted peaks may be wrong
_Interval = tuple[float, float]


@dataclass(frozen=True)
class Candidate:
    """A predicted case that could be asked for.

    Attributes:
        case: the configuration.
        prediction: of it.
        fit: whether it fits a GPU, or `cannot run` where no machine can run it; None if unknown.
        work: settings of what a step computes, where candidates differ in them.
        how: settings of how it runs that `how_words` leaves out, where candidates differ in them.
    """

    case: Case
    prediction: Prediction
    fit: str | None = None
    work: tuple[str, ...] = ()
    how: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """Schedule, GPUs and settings, e.g. `naive on 2 GPUs (recompute layers)`."""
        return f"{how_words(self.case)}{_in_brackets(self.how)}"

    @property
    def full_words(self) -> str:
        """The same with the settings of its work, e.g. `naive on 1 GPU (batch_size 64)`."""
        return f"{how_words(self.case)}{_in_brackets((*self.work, *self.how))}"

    @property
    def is_launching_known(self) -> bool:
        """True if it is known how long the host takes to launch a step."""
        return self.prediction.host_share is not None


def _in_brackets(settings: Sequence[str]) -> str:
    return f" ({', '.join(settings)})" if settings else ""


def choose(candidates: Sequence[Candidate], by: By) -> list[Candidate]:
    """Return the best case and those that cannot be told apart from it, best first.

    Cases that cannot fit a GPU or run at all are left out, and, but for memory, those that are
    launch-bound, and those of which that is not known, unless it is known of none.

    Args:
        candidates: predicted cases of the same work.
        by: what is to be as little as possible.
    """
    interval = _INTERVALS[by]
    found = [(interval(each), each) for each in candidates if is_compared(each, candidates, by)]
    if not found:
        return []
    found.sort(key=lambda each: sum(each[0]))
    bound = found[0][0][1]
    return [each for (low, _), each in found if low <= bound]


def is_compared(each: Candidate, candidates: Sequence[Candidate], by: By) -> bool:
    """Return whether a case could be the best.

    Args:
        each: one of the candidates.
        candidates: of the same work.
        by: what is to be as little as possible.
    """
    if each.fit in LEFT_OUT:
        return False
    if by == "memory":
        return bool(each.prediction.peak_bytes)
    return not each.prediction.is_launch_bound and not is_unsure(each, candidates, by)


def is_unsure(each: Candidate, candidates: Sequence[Candidate], by: By) -> bool:
    """Return whether a case is left out since its launching is unknown, and that of others is not.

    Args:
        each: one of the candidates.
        candidates: of the same work.
        by: what is to be as little as possible.
    """
    is_known_of_some = any(other.is_launching_known for other in candidates)
    return by != "memory" and is_known_of_some and not each.is_launching_known


def _of_time(each: Candidate) -> _Interval:
    found = each.prediction
    return found.low_s, found.high_s or found.step_s


def _of_gpu_hours(each: Candidate) -> _Interval:
    low, high = _of_time(each)
    return low * each.case.gpus, high * each.case.gpus


def _of_memory(each: Candidate) -> _Interval:
    found = each.prediction
    low = max(found.peak_low_bytes or found.peak_bytes)
    return low * (1 - MEMORY), (found.fullest_bytes or low) * (1 + MEMORY)


_INTERVALS: dict[By, Callable[[Candidate], _Interval]] = {
    "time": _of_time,
    "gpu-hours": _of_gpu_hours,
    "memory": _of_memory,
}
