"""Numbers as text: three significant digits and a unit; a dash for what is not known.

report/wording/quantities.py writes the numbers of a column alike.
"""

from collections.abc import Sequence
from math import floor, isclose, log10

from study.statistics.samples import Interval

UNKNOWN = "–"
Unit = tuple[float, str]
TIMES: tuple[Unit, ...] = ((3600.0, "h"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
SIZES: tuple[Unit, ...] = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
BYTES: tuple[Unit, ...] = (*SIZES, (1, "B"))
PREFIXES: tuple[Unit, ...] = (
    (1e15, "P"),
    (1e12, "T"),
    (1e9, "G"),
    (1e6, "M"),
    (1e3, "k"),
    (1.0, ""),
)

DIGITS, MOST_DIGITS = 3, 5
BINARY = 1024  # below it, whole numbers keep all their digits: 1023 B is no 1020 B
EXACT = 1e-9  # relative; what a number of three digits may be off
NEARLY = 1 - 1e-9  # for sums of rounded numbers


def unit_for(value: float, units: Sequence[Unit]) -> Unit:
    """Return the first unit in which the value, rounded, is 1 or more, else the last."""
    at = next((n for n, unit in enumerate(units) if value >= unit[0]), len(units) - 1)
    if at and float(number(value / units[at][0])) * units[at][0] >= units[at - 1][0] * NEARLY:
        at -= 1  # 0.99996 s is 1 s, not 1000 ms
    return units[at]


def number(value: float, digits: int = DIGITS) -> str:
    """Return so many significant digits, never with an exponent: `0.0312`, `1.50`, `98800`."""
    if not value:
        return "0"
    exponent = floor(log10(abs(value)))
    decimals = digits - 1 - exponent
    if decimals < 0:
        whole = abs(value) < BINARY
        return f"{value if whole else round(value, decimals):.0f}"
    text = f"{value:.{decimals}f}"
    # 9.999 rounds up to 10.00, which has a digit too many.
    return f"{float(text):.{decimals - 1}f}" if decimals and _grew(text, exponent) else text


def digits_for(value: float, interval: Interval | None) -> int:
    """Return the significant digits that the interval supports, three at least.

    One more where the half-width is less than half of the last digit's place.
    """
    half = 0.0 if interval is None else (interval.high - interval.low) / 2
    if half <= 0 or value <= 0:
        return DIGITS
    return min(max(floor(log10(value)) - floor(log10(2 * half)) + 1, DIGITS), MOST_DIGITS)


def digits_within(value: float, half_width: float) -> int:
    """Return the significant digits of which the interval leaves the last one, one to three."""
    if half_width <= 0 or value <= 0:
        return DIGITS
    return min(max(floor(log10(value)) - floor(log10(half_width)) + 1, 1), DIGITS)


def seconds(value: float | None) -> str:
    """Return a duration in h, s, ms, µs or ns."""
    return UNKNOWN if value is None else _with_unit(value, TIMES)


def gpu_seconds(value: float | None) -> str:
    """Return GPUs times seconds: `131 GPU-ms`."""
    if value is None:
        return UNKNOWN
    text, unit = _with_unit(value, TIMES).split()
    return f"{text} GPU-{unit}"


def seconds_with_interval(value: float, interval: Interval | None) -> str:
    """Return `median (low – high)`, with the unit once."""
    scale, name = unit_for(value, TIMES)
    return with_interval(value / scale, name, _scaled(interval, scale))


def with_interval(value: float, unit: str, interval: Interval | None) -> str:
    """Return `value unit (low – high)`, with as many digits as the interval supports.

    Args:
        value: In this unit.
        unit: Its name; empty for a plain number.
        interval: In this unit; None where it is not known.
    """
    digits = digits_for(value, interval)
    text = f"{number(value, digits)} {unit}".rstrip()
    if interval is None:
        return f"{text} ({UNKNOWN})"
    places = len(number(value, digits).partition(".")[2])
    return f"{text} ({interval.low:.{places}f} – {interval.high:.{places}f})"


def data_size(value: int | None) -> str:
    """Return bytes in binary units."""
    return UNKNOWN if value is None else _with_unit(value, BYTES)


def runs(numbers: list[int]) -> str:
    """Return sorted whole numbers as runs: `0–3, 5`."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][-1] == number - 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(f"{p[0]}–{p[-1]}" if len(p) > 1 else str(p[0]) for p in parts) or UNKNOWN


def ratio(value: float) -> str:
    """Return a factor with three digits, without zeros at its end if it is exact: `2`, `2.00`."""
    return _plain(value)


def between(values: list[int]) -> str:
    """Return `7` or `7 to 20`, from the least to the greatest."""
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"


def percent(share: float) -> str:
    """Return a share as percent, to a tenth."""
    return f"{round(100 * share, 1) + 0.0:.1f} %"  # never −0.0


def signed_percent(share: float) -> str:
    """Return a difference as percent, to a tenth, with its sign."""
    rounded = round(100 * share, 1) + 0.0  # nothing is +0.0, and never −0.0
    return f"{rounded:+.1f} %".replace("-", "−")


def count_of(count: int, one: str, many: str | None = None) -> str:
    """Return `1 GPU` or `5 GPUs`, with the word of `plural`."""
    return f"{count} {plural(count, one, many)}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """Return a word for a count.

    Args:
        count: of the things.
        one: the word for one of them.
        many: the word for several, if it is not `one` with an s.
    """
    return one if count == 1 else many or f"{one}s"


def _with_unit(value: float, units: Sequence[Unit]) -> str:
    scale, name = unit_for(value, units) if value else next(u for u in units if u[0] == 1)
    return f"{_plain(value / scale)} {name}"


def _plain(value: float) -> str:
    """Return three digits; an exact number, such as a limit, without zeros at its end.

    So 60 s is `60`, and a measured 60.0004 ms is `60.0`, as it is in a table.
    """
    text = number(value)
    is_exact = isclose(float(text), value, rel_tol=EXACT)
    return text.rstrip("0").rstrip(".") if is_exact and "." in text else text


def _grew(text: str, exponent: int) -> bool:
    return abs(float(text)) >= 10.0 ** (exponent + 1)


def _scaled(interval: Interval | None, scale: float) -> Interval | None:
    return interval and Interval(interval.low / scale, interval.high / scale)
