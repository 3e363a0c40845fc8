"""GPUs of a kind are not equally fast: products on each, beside the GPU that was calibrated."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

from predict.costs.calibrated import Calibrated, record_of
from study.results.calibration.layers import LayerTime, PaceName
from study.results.calibration.record import Calibration
from study.results.result import Result

_Key = tuple[str, str, int, str]


@dataclass(frozen=True)
class Slowness:
    """Seconds of products on a GPU, as a multiple of those on the GPU that was calibrated.

    Attributes:
        rested: after a pause.
        loaded: on a GPU that computes all the time: by its power limit another GPU may be slower.
    """

    rested: float = 1.0
    loaded: float = 1.0

    def at(self, limited: float) -> float:
        """Return it for a GPU that is 0, rested, to 1, under load."""
        return self.rested + limited * (self.loaded - self.rested)


ALIKE = Slowness()


def slowest_of(calibrated: Calibrated, gpus: int) -> Slowness:
    """Return the slowness of the slowest of so many GPUs, on average of those that were seen.

    Nobody knows which GPUs a job will get. GPUs that work together wait for the slowest.

    Args:
        calibrated: the times; those of a pair have some layers on each of its GPUs.
        gpus: that wait for one another; 1 is the average.
    """
    seen = [ALIKE, *_others(calibrated)]
    drawn = list(combinations(seen, min(gpus, len(seen))))
    return Slowness(
        rested=fmean(max(gpu.rested for gpu in each) for each in drawn),
        loaded=fmean(max(gpu.loaded for gpu in each) for each in drawn),
    )


def _others(calibrated: Calibrated) -> list[Slowness]:
    """Return the GPUs of the pair but the one whose layers were calibrated."""
    if calibrated.pair is None:
        return []
    first, pair = calibrated.layers, record_of(calibrated.pair)
    known, names = _names(calibrated.one)[:1], _names(calibrated.pair)
    found = []
    for rank in sorted({time.rank for time in pair.each_gpu}):
        if names[rank : rank + 1] == known != [None]:
            continue
        times = [time for time in pair.each_gpu if time.rank == rank]
        rested, loaded = (
            _ratio(_by_key(pair, times, pace), _by_key(first, first.layers, pace))
            for pace in ("unthrottled", "sustained")
        )
        if rested or loaded:
            found.append(Slowness(rested or loaded or 1.0, loaded or rested or 1.0))
    return found


def _names(result: Result) -> list[str | None]:
    """Return what tells a GPU from others of its kind, by its index."""
    environment = result.environment
    return [] if environment is None else [gpu.uuid for gpu in environment.gpus]


def _by_key(
    calibration: Calibration, times: Iterable[LayerTime], pace: PaceName
) -> dict[_Key, float]:
    return {
        (calibration.kinds[t.kind].name, t.action, t.rows, t.gradients): t.seconds
        for t in times
        if (t.pace, t.shares) == (pace, 1)
    }


def _ratio(these: dict[_Key, float], those: dict[_Key, float]) -> float | None:
    """Return how many times as long these take as the same of those; None of nothing alike."""
    both = these.keys() & those.keys()
    return sum(these[key] for key in both) / sum(those[key] for key in both) if both else None
