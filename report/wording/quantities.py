"""Numbers of a column, in one unit and with the zeros at their ends."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from report.wording.units import (
    BYTES,
    PREFIXES,
    TIMES,
    UNKNOWN,
    Unit,
    number,
    unit_for,
    with_interval,
)
from study.statistics.samples import Interval

TOGETHER = 1000  # values within this factor share a unit
READABLE = 0.01, 10_000.0  # numbers that may stand beside others for the sake of one unit

GPU_TIMES: tuple[Unit, ...] = tuple((scale, f"GPU-{name}") for scale, name in TIMES)
PLAIN: tuple[Unit, ...] = ((1.0, ""),)


@dataclass(frozen=True, slots=True)
class Quantity:
    """One number of a column, in SI units or bytes.

    `interval` is its 95 % interval, None where that is not known, and "none" for numbers that
    have no interval.
    """

    value: float
    units: tuple[Unit, ...]
    interval: Interval | Literal["none"] | None = "none"


Cell = str | Quantity


def time_cell(value: float | None) -> Cell:
    """Return a duration in seconds for a column."""
    return UNKNOWN if value is None else Quantity(value, TIMES)


def size_cell(value: int | None) -> Cell:
    """Return bytes for a column."""
    return UNKNOWN if value is None else Quantity(value, BYTES)


def gpu_time_cell(value: float | None) -> Cell:
    """Return GPU-seconds for a column."""
    return UNKNOWN if value is None else Quantity(value, GPU_TIMES)


def plain_cell(value: float | None) -> Cell:
    """Return a number without a unit for a column."""
    return UNKNOWN if value is None else Quantity(value, PLAIN)


def rate_cell(value: float | None, what: str) -> Cell:
    """Return a rate for a column, with a decimal prefix before `what`: `GB/s`."""
    if value is None:
        return UNKNOWN
    return Quantity(value, tuple((scale, f"{prefix}{what}") for scale, prefix in PREFIXES))


def in_words(rows: Iterable[dict[str, Cell]]) -> list[dict[str, str]]:
    """Return the rows with all numbers of a column in one unit where they lie close together.

    The columns of all GPUs, such as `memory of GPU 0`, are one column here.
    """
    kept = list(rows)
    shared = _shared_units(kept)
    return [
        {
            heading: cell if isinstance(cell, str) else _words(cell, shared[_family(heading)])
            for heading, cell in row.items()
        }
        for row in kept
    ]


def list_words(values: Iterable[float], units: tuple[Unit, ...]) -> list[str]:
    """Return numbers of one sentence, in one unit where they lie close together."""
    return [row[""] for row in in_words({"": Quantity(value, units)} for value in values)]


def range_words(low: float, high: float, units: tuple[Unit, ...], word: str = "to") -> str:
    """Return `59.9 to 60.2 ms`, with the unit once where both have the same; one value if equal.

    Args:
        low: The first value.
        high: The second value.
        units: Units of both.
        word: Stands between them.
    """
    cells: list[dict[str, Cell]] = [{"": Quantity(value, units)} for value in (low, high)]
    first, second = (row[""] for row in in_words(cells))
    if first == second:
        return first
    unit = second.partition(" ")[2]
    return f"{first.removesuffix(f' {unit}')} {word} {second}"


def _shared_units(rows: Sequence[dict[str, Cell]]) -> dict[str, Unit | None]:
    """Return the unit of each column; None where its numbers lie too far apart."""
    columns: dict[str, list[Quantity]] = {}
    for row in rows:
        for heading, cell in row.items():
            if not isinstance(cell, str):
                columns.setdefault(_family(heading), []).append(cell)
    return {heading: _shared_unit(cells) for heading, cells in columns.items()}


def _family(heading: str) -> str:
    """Return the heading without the number of a GPU at its end."""
    return heading.rstrip("0123456789") if " GPU " in heading else heading


def _shared_unit(cells: Sequence[Quantity]) -> Unit | None:
    units = cells[0].units
    values = [cell.value for cell in cells if cell.value > 0]
    if not values or any(cell.units is not units and cell.units != units for cell in cells):
        return None
    least, greatest = min(values), max(values)
    if greatest > TOGETHER * least:
        return None
    above, below = unit_for(greatest, units), unit_for(least, units)
    if least / above[0] >= READABLE[0]:
        return above
    return below if greatest / below[0] < READABLE[1] else above


def _words(cell: Quantity, shared: Unit | None) -> str:
    scale, name = shared or unit_for(cell.value, cell.units)
    if not shared and not cell.value:
        scale, name = next(unit for unit in cell.units if unit[0] == 1)
    if name == "B":
        return f"{cell.value:.0f} B"
    if cell.interval == "none":
        return f"{number(cell.value / scale)} {name}".rstrip()
    found = cell.interval
    scaled = found and Interval(found.low / scale, found.high / scale)
    return with_interval(cell.value / scale, name, scaled)
