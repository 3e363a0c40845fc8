"""Numbers for people: a unit, four digits, and a dash for what is not known."""

from study.statistics import median, quartiles

UNKNOWN = "–"


def seconds(value: float | None) -> str:
    """A duration in s, ms or µs."""
    if value is None:
        return UNKNOWN
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if value >= scale:
            return f"{value / scale:.4g} {unit}"
    return f"{value / 1e-6:.4g} µs"


def median_and_quartiles(samples: list[float]) -> str:
    """`median (first quartile – third quartile)`."""
    low, high = quartiles(samples)
    return f"{seconds(median(samples))} ({seconds(low)} – {seconds(high)})"


def data_size(value: int | None) -> str:
    """Bytes in binary units."""
    if value is None:
        return UNKNOWN
    for unit, scale in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if value >= scale:
            return f"{value / scale:.4g} {unit}"
    return f"{value} B"


def runs(numbers: list[int]) -> str:
    """Sorted whole numbers as runs: `0–3, 5`."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][-1] == number - 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(f"{p[0]}–{p[-1]}" if len(p) > 1 else str(p[0]) for p in parts) or UNKNOWN


def ratio(value: float) -> str:
    """A factor with three digits."""
    return f"{value:.3g}"


def between(values: list[int]) -> str:
    """`7` or `7 to 20`."""
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"
