"""Numbers as text: four digits and a unit; a dash for what is not known."""

from collections.abc import Sequence

from study.statistics.samples import Interval

UNKNOWN = "–"
Unit = tuple[float, str]
TIMES: tuple[Unit, ...] = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
SIZES: tuple[Unit, ...] = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
PREFIXES: tuple[Unit, ...] = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1.0, ""))


def unit_for(value: float, units: Sequence[Unit]) -> Unit:
    """Return the first unit in which the value is 1 or more, else the last."""
    return next((unit for unit in units if value >= unit[0]), units[-1])


def seconds(value: float | None) -> str:
    """Return a duration in s, ms or µs."""
    return UNKNOWN if value is None else _with_unit(value, TIMES)


def seconds_with_interval(value: float, interval: Interval | None) -> str:
    """Return `median (low – high)`, each with its unit."""
    if interval is None:
        return f"{seconds(value)} ({UNKNOWN})"
    return f"{seconds(value)} ({seconds(interval.low)} – {seconds(interval.high)})"


def data_size(value: int | None) -> str:
    """Return bytes in binary units."""
    return UNKNOWN if value is None else _with_unit(value, (*SIZES, (1, "B")))


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
    """Return a factor with three digits."""
    return f"{value:.3g}"


def between(values: list[int]) -> str:
    """Return `7` or `7 to 20`, from the least to the greatest."""
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"


def percent(share: float) -> str:
    """Return a share as percent, to a tenth."""
    return f"{100 * share:.1f} %"


def signed_percent(share: float) -> str:
    """Return a difference as percent, to a tenth, with its sign."""
    rounded = round(100 * share, 1) + 0.0  # nothing is +0.0, and never −0.0
    return f"{rounded:+.1f} %".replace("-", "−")


def flop_rate(value: float) -> str:
    """Return floating-point operations per second."""
    return f"{_with_unit(value, PREFIXES)}FLOP/s"


def byte_rate(value: float) -> str:
    """Return bytes per second in powers of ten, as bandwidths are given."""
    return f"{_with_unit(value, PREFIXES)}B/s"


def _with_unit(value: float, units: Sequence[Unit]) -> str:
    scale, name = unit_for(value, units)
    return f"{value / scale:.4g} {name}"


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
