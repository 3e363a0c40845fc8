"""Seconds of messages and collectives between GPUs."""

from predict.costs.lines import line_at, points_of, seconds_at
from predict.costs.refusal import not_calibrated
from predict.simulation.costs import Link, Queues
from study.results.calibration.record import Calibration

QUEUE_A_PAIR = (2, 13)  # the torch from which on messages of a pair have a queue of their own
RING = 2  # GPUs of the ring that a pair is


def queues_of(torch: str | None) -> Queues:
    """Return the queues in which this version of torch sends; the newest where unknown."""
    parts = (torch or "").split(".")
    known = tuple(int(part) for part in parts[:2] if part.isdigit())
    return "pair" if len(known) < 2 or known >= QUEUE_A_PAIR else "rank"


def link_of(calibration: Calibration, size: float, nodes: int, ways: tuple[str, ...]) -> Link:
    """Return the way of a message from one GPU to another.

    Args:
        calibration: of a pair.
        size: bytes of the message.
        nodes: on how many nodes the two GPUs lie.
        ways: how messages were timed (study/results/calibration/links.py), the best first.

    Raises:
        Unpredictable: no message was timed so.
    """
    for way in ways:
        timed = [
            (float(message.bytes), message.seconds)
            for message in calibration.messages
            if message.way == way and message.nodes == nodes
        ]
        if timed:
            latency_s, slope = line_at(points_of(timed), size)
            return Link(max(0.0, latency_s), 1 / slope if slope else float("inf"))
    between = "between nodes" if nodes > 1 else "between GPUs"
    why, left_out = f"no message {between} was calibrated", calibration.left_out
    raise not_calibrated(why, left_out, lambda said: "messages" in said, "calibrate again")


def collective_s(
    calibration: Calibration, operation: str, size: float, gpus: int, nodes: int
) -> float:
    """Return the seconds of a collective; those of more GPUs than were timed go as around a ring.

    Args:
        calibration: of several GPUs.
        operation: `all_reduce`, `all_gather` or `reduce_scatter`.
        size: bytes of the whole tensor.
        gpus: that take part.
        nodes: that they lie on.

    Raises:
        Unpredictable: it was not calibrated.
    """
    if not size or gpus < RING:
        return 0.0
    timed = [
        each
        for each in calibration.collectives
        if each.operation == operation and (each.nodes > 1) == (nodes > 1)
    ]
    of_gpus = {each.gpus for each in timed}
    nearest = gpus if gpus in of_gpus else max(of_gpus, default=0)
    for way in ("in a row", "from idle"):
        points = [(float(t.bytes), t.seconds) for t in timed if (t.way, t.gpus) == (way, nearest)]
        if points:
            factor = ring_share(gpus) / ring_share(nearest)
            return factor * seconds_at(points_of(points), size)
    between = " between nodes" if nodes > 1 else ""
    why = f"no {operation.replace('_', '-')}{between} was calibrated"
    left_out = calibration.left_out
    raise not_calibrated(why, left_out, lambda said: operation in said, "calibrate again")


def ring_share(gpus: int) -> float:
    """Return how much of a tensor a GPU sends to reduce it around a ring, in halves."""
    return (gpus - 1) / gpus
