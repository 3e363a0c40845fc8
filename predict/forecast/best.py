"""The cases to choose for the shortest step, the fewest GPU-hours or the least memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from predict.forecast.words import digits, percent
from predict.memory.gpu_size import GIB
from study.case import Case
from study.schedules import SCHEDULES, has_key
from study.storage.prediction import Prediction
from study.values.description import count

By = Literal["time", "gpu-hours", "memory"]
LISTED = 4  # cases of a set that a sentence names
MEMORY = 0.01  # by which predicted peaks may be wrong
_Interval = tuple[float, float]


@dataclass(frozen=True)
class Candidate:
    """A predicted case that could be asked for.

    Attributes:
        case: the configuration.
        prediction: of it.
        fit: whether it fits a GPU; None if unknown.
    """

    case: Case
    prediction: Prediction
    fit: str | None = None

    @property
    def words(self) -> str:
        """The schedule and what it runs on, e.g. `ZB1P with 10 micro-batches on 2 GPUs`."""
        case, label = self.case, SCHEDULES[self.case.schedule].label
        parts = [f"with {case.micro_batches} micro-batches"] * has_key(
            "micro_batches", case.schedule
        )
        parts += ["and fused gradients"] * (case.gradients == "fused")
        parts += [f"in {case.data_parallel} replicas"] * (case.data_parallel > 1)
        parts += ["as a CUDA graph"] * (case.execution == "cuda_graph")
        return " ".join([label, *parts, "on", count(case.gpus, "GPU")])


_WHAT: dict[By, str] = {
    "time": "the shortest step",
    "gpu-hours": "the fewest GPU-hours",
    "memory": "the least memory",
}


def choose(candidates: Sequence[Candidate], by: By) -> list[Candidate]:
    """Return the best case and those that cannot be told apart from it, best first.

    Cases that cannot fit a GPU are left out, and, but for memory, those that are launch-bound.

    Args:
        candidates: predicted cases.
        by: what is to be as little as possible.
    """
    interval = _INTERVALS[by]
    found = [
        (interval(each), each)
        for each in candidates
        if each.fit != "cannot fit" and (by == "memory" or not each.prediction.is_launch_bound)
        and (by != "memory" or each.prediction.peak_bytes)
    ]  # fmt: skip
    if not found:
        return []
    found.sort(key=lambda each: sum(each[0]))
    bound = found[0][0][1]
    return [each for (low, _), each in found if low <= bound]


def sentence(chosen: Sequence[Candidate], candidates: Sequence[Candidate], by: By) -> str:
    """Return what to ask for, and under which condition it holds.

    Args:
        chosen: the best, and what cannot be told apart from it.
        candidates: all that were compared.
        by: what they were compared by.
    """
    if not chosen:
        return f"For {_WHAT[by]} no case can be named: none has a prediction that is no mere bound."
    best, rest = chosen[0], len(chosen) - LISTED
    names = [each.words for each in chosen[:LISTED]]
    more = [f"{count(rest, 'more')}".replace("mores", "more")] if rest > 0 else []
    ask = f"For {_WHAT[by]} ask for {_joined([*names, *more], 'or')}: {_figures(chosen, by)}."
    apart = f"These {len(chosen)} cannot be told apart by prediction." if len(chosen) > 1 else ""
    return " ".join(filter(None, (ask, apart, *_left_out(candidates, by), _checked(best))))


def _figures(chosen: Sequence[Candidate], by: By) -> str:
    if by == "memory":
        peaks = [(each.prediction.fullest_bytes or 0) / GIB for each in chosen]
        return f"{_range(peaks, 1)} GiB on the fullest GPU predicted"
    steps = [each.prediction.step_s for each in chosen]
    words = f"{_range(steps, 1e3)} ms a step predicted"
    ups = [s for each in chosen if (s := _speed_up(each)) is not None]
    if len(ups) == len(chosen):
        words += f" ({_range(ups, 1)} times as fast as 1 GPU, {_shares(chosen)} efficiency)"
    if by == "gpu-hours":
        hours = [each.case.gpus * each.prediction.step_s / 3.6 for each in chosen]
        words += f", {_range(hours, 1)} GPU-hours for 1000 steps"
    peaks = [size / GIB for each in chosen if (size := each.prediction.fullest_bytes)]
    if len(peaks) == len(chosen):
        words += f", {_range(peaks, 1)} GiB on the fullest GPU"
    return words


def _speed_up(each: Candidate) -> float | None:
    one = each.prediction.one_gpu_s
    return None if one is None else one / each.prediction.step_s


def _shares(chosen: Sequence[Candidate]) -> str:
    shares = sorted((_speed_up(each) or 0.0) / each.case.gpus for each in chosen)
    low, high = percent(shares[0]), percent(shares[-1])
    return low if low == high else f"{low.removesuffix(' %')} to {high}"


def _range(values: Sequence[float], scale: float) -> str:
    low, high = digits(min(values) * scale), digits(max(values) * scale)
    return low if low == high else f"{low} to {high}"


def _joined(names: Sequence[str], word: str) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"


def _left_out(candidates: Sequence[Candidate], by: By) -> list[str]:
    """Say how many cases were not compared, and why."""
    bound = sum(each.prediction.is_launch_bound for each in candidates) if by != "memory" else 0
    large = sum(each.fit == "cannot fit" for each in candidates)
    said = []
    if bound:
        said.append(f"{count(bound, 'launch-bound case')} could not be compared.")
    if large:
        said.append(f"{count(large, 'case')} cannot fit.")
    return said


def _checked(best: Candidate) -> str:
    labels = [label for label in best.prediction.labels if label.startswith("extrapolated")]
    return f"{labels[0][0].upper()}{labels[0][1:]}." if labels else ""


def _of_time(each: Candidate) -> _Interval:
    found = each.prediction
    return found.low_s, found.high_s or found.step_s


def _of_gpu_hours(each: Candidate) -> _Interval:
    low, high = _of_time(each)
    of_a_row = each.case.gpus / each.case.batch_size
    return low * of_a_row, high * of_a_row


def _of_memory(each: Candidate) -> _Interval:
    found = each.prediction
    low = max(found.peak_low_bytes or found.peak_bytes)
    return low * (1 - MEMORY), (found.fullest_bytes or low) * (1 + MEMORY)


_INTERVALS: dict[By, Callable[[Candidate], _Interval]] = {
    "time": _of_time,
    "gpu-hours": _of_gpu_hours,
    "memory": _of_memory,
}
