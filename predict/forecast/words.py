"""Numbers of predictions in words: three digits, and a unit that a reader uses."""

from collections.abc import Sequence
from math import floor, log10

from study.storage.prediction import Prediction

SHOWN = 8  # GPUs whose values are listed; of more, the lowest and the highest


def digits(value: float, count: int = 3) -> str:
    """Return a number with so many significant digits, without an exponent."""
    if value == 0:
        return "0"
    places = max(0, count - 1 - floor(log10(abs(value))))
    return f"{value:,.{places}f}"


def step_words(seconds: float) -> str:
    """Return the time of a step, e.g. `61.2 ms`."""
    return f"{digits(seconds * 1e3)} ms" if seconds < 1 else f"{digits(seconds)} s"


def interval_words(found: Prediction) -> str:
    """Return the step and its 90 % interval, e.g. `61.2 ms (60.0 to 62.4)`."""
    if found.high_s is None:
        return f"at least {step_words(found.low_s)}"
    scale = 1e3 if found.step_s < 1 else 1.0
    low, high = digits(found.low_s * scale), digits(found.high_s * scale)
    return f"{step_words(found.step_s)} ({low} to {high})"


def percent(share: float) -> str:
    """Return a share in percent, e.g. `14 %`."""
    return f"{100 * share:.0f} %"


def of_each(values: Sequence[str], unit: str) -> str:
    """Return the value of each GPU, or of many the ends, e.g. `14 / 11 %`.

    Args:
        values: without their unit, in the order of the GPUs.
        unit: of all of them.
    """
    if len(set(values)) == 1:
        return f"{values[0]} {unit}"
    if len(values) <= SHOWN:
        return f"{' / '.join(values)} {unit}"
    ordered = sorted(values, key=lambda value: float(value.replace(",", "")))
    return f"{ordered[0]} to {ordered[-1]} {unit}"


def ranges_of_each(ranges: Sequence[Sequence[str]], unit: str) -> str:
    """Return the range of each GPU, e.g. `5–7 / 4 GiB`, or of many the ends.

    Args:
        ranges: the low and the high end of each, without their unit, in the order of the GPUs.
        unit: of all of them.
    """
    if len(ranges) > SHOWN:
        return of_each([end for ends in ranges for end in ends], unit)
    return of_each(["–".join(dict.fromkeys(ends)) for ends in ranges], unit)
