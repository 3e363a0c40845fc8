"""One predicted case as a row: what a person who chooses wants to know of it."""

from predict.forecast.words import (
    digits,
    interval_words,
    of_each,
    percent,
    ranges_of_each,
    step_words,
)
from predict.memory.gpu_size import GIB
from study.case import Case
from study.storage.prediction import Prediction

UNKNOWN = "–"
TITLES = ("step (90 % interval)", "speed-up", "efficiency", "samples/s", "GPU-s a step", "bubble",
          "peak", "host")  # fmt: skip


def row_of(case: Case, found: Prediction, *, is_about: bool = False) -> tuple[str, ...]:
    """Return the values under `TITLES`; a launch-bound step is a bound, and so is what follows.

    Args:
        case: the configuration.
        found: what was predicted of it.
        is_about: whether its peaks are estimates.
    """
    peaks = _peaks(found)
    return (
        interval_words(found),
        *(_of_step(case, found) if not found.is_launch_bound else [UNKNOWN] * 4),
        of_each([f"{100 * bubble:.0f}" for bubble in found.bubbles], "%")
        if found.bubbles and not found.is_launch_bound
        else UNKNOWN,
        f"about {peaks}" if is_about and peaks != UNKNOWN else peaks,
        _host(found),
    )


def _host(found: Prediction) -> str:
    """Return the share of the step; of a launch-bound one, whose step is a bound, the seconds."""
    if found.host_share is None:
        return UNKNOWN
    if found.is_launch_bound:
        return f"about {step_words(found.host_share * found.step_s)}"
    return percent(found.host_share)


def _peaks(found: Prediction) -> str:
    """Return the peak of each GPU; from the least to the most where the cut may differ."""
    if not found.peak_bytes:
        return UNKNOWN
    if not found.peak_high_bytes:
        return of_each([digits(size / GIB) for size in found.peak_bytes], "GiB")
    ends = zip(found.peak_low_bytes, found.peak_high_bytes, strict=True)
    words = [[digits(size / GIB) for size in pair] for pair in ends]
    return ranges_of_each(words, "GiB")


def _of_step(case: Case, found: Prediction) -> list[str]:
    speed_up = None if found.one_gpu_s is None else found.one_gpu_s / found.step_s
    return [
        UNKNOWN if speed_up is None else digits(speed_up),
        UNKNOWN if speed_up is None else percent(speed_up / case.gpus),
        digits(case.batch_size / found.step_s),
        digits(case.gpus * found.step_s),
    ]


def notes_of(found: Prediction, fit: str | None, *, is_best: bool = False) -> str:
    """Return what to know before asking for it, e.g. `fits, extrapolated`.

    Args:
        found: what was predicted.
        fit: whether it fits a GPU; None if unknown.
        is_best: whether no other case is known to be better.
    """
    words = ["best"] * is_best + ([fit] if fit else [])
    words += ["launch-bound"] if found.is_launch_bound else []
    words += ["extrapolated"] if found.is_extrapolated else []
    words += ["cut may differ"] if any(each.startswith("cut ") for each in found.labels) else []
    words += ["host unknown"] if found.host_share is None else []
    return ", ".join(words) or UNKNOWN
