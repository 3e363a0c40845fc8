"""The table of benchmarks/waiting.py, and a sentence for each schedule."""

from collections.abc import Callable, Iterator

from benchmarks.waits.intervals import Measured, measured
from benchmarks.waits.rounds import GRAPH, Row
from benchmarks.waits.ways import APART, BOTH, EAGER, EARLY, LATE, SILENT, SMALL

HEAD = (
    "| schedule | way | ms a step (95 % CI) | GPUs wait, % (CI) | beyond formula and imbalance, "
    "points (CI) | a GPU computes, ms (CI) |\n|---|---|---|---|---|---|"
)
CAUSES = {
    "queues behind other messages": (EAGER, APART),
    "then posting receives at the start": (APART, EARLY),
    "then posting receives right before use": (APART, LATE),
    "bytes": (EAGER, SMALL),
    "queues and bytes together": (EAGER, BOTH),
}


def lines_of(schedule: str, rows: dict[str, Row]) -> Iterator[str]:
    """Yield a line of the table for each way.

    Args:
        schedule: its name.
        rows: by name of the way.
    """
    for name, row in rows.items():
        if row.reason:
            yield f"| {schedule} | {name} | left out: {row.reason} | | | |"
            continue
        cells = [
            _cell(row.steps_s, 1e3),
            _cell(row.waiting, 100),
            _cell(row.excess, 100),
            _cell(row.computing_s, 1e3),
        ]
        yield f"| {schedule} | {name} | {' | '.join(cells)} |"


def sentence(schedule: str, rows: dict[str, Row]) -> str:
    """Return how many points of a step each cause explains, and what is left.

    Args:
        schedule: its name.
        rows: by name of the way.
    """
    whole = rows[EAGER.name]
    excess = measured(whole.excess)
    parts = []
    for cause, (with_it, without) in CAUSES.items():
        a, b = rows.get(with_it.name, Row()), rows.get(without.name, Row())
        if a.excess and b.excess:
            gained = _paired(a.excess, b.excess, lambda x, y: 100 * (x - y))
            parts.append(f"{cause} {_points(gained)}")
    graph, launching = rows[GRAPH], None
    if graph.steps_s:
        launching = _paired(whole.steps_s, graph.steps_s, lambda x, y: 100 * (1 - y / x))
        parts.append(f"launching {_points(launching)} by step times, gaps within actions included")
    else:
        parts.append("launching is not known")
    text = (
        f"{schedule} waits for {_points(_scaled(excess, 100))} points of a step beyond formula and "
        f"imbalance. Leaving a cause out takes away, in points (95 % CI): {'; '.join(parts)}."
    )
    return f"{text}{_slowing(whole, rows.get(SILENT.name, Row()))}{_left(rows, launching)}"


def _slowing(whole: Row, silent: Row) -> str:
    if not silent.computing_s:
        return ""
    found = _paired(whole.computing_s, silent.computing_s, lambda x, y: 100 * (x / y - 1))
    return (
        f" Beside messages a GPU computes for {_points(found)} % longer than without any; that "
        "counts as computing and not as waiting."
    )


def _left(rows: dict[str, Row], launching: Measured | None) -> str:
    """Say what waiting is left once queues and bytes are gone."""
    left = rows.get(BOTH.name, Row()).excess
    if not left:
        return ""
    rest = measured([100 * each for each in left])
    if launching is None:
        return f" Left without queues and bytes: {_points(rest)} points, launching included."
    return (
        f" Left without queues and bytes: {_points(rest)} points if none of them is launching, "
        f"{rest.value - launching.value:.1f} if all of launching is among them."
    )


def _paired(a: list[float], b: list[float], of: Callable[[float, float], float]) -> Measured:
    return measured([of(x, y) for x, y in zip(a, b, strict=False)])


def _scaled(found: Measured, factor: float) -> Measured:
    interval = found.interval and (factor * found.interval[0], factor * found.interval[1])
    return Measured(factor * found.value, interval)


def _points(found: Measured) -> str:
    return found.words(lambda x: f"{x:.1f}")


def _cell(values: list[float], factor: float) -> str:
    return _points(measured([factor * x for x in values])) if values else "not known"
