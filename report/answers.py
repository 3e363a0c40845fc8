"""The sentences below each table: what its numbers say, and when they cannot say it."""

from collections.abc import Callable

from report.hardware import hardware, shared_device
from report.measured import Measured
from report.selection import Row, Selection
from report.units import data_size, ratio, runs, seconds
from study.result import PairTransfers, Transfers
from study.statistics import median, separated

CANNOT = "cannot be told from these results"
STEADY = 0.15  # a time per layer that changes by less is called steady


def make_answers(selection: Selection) -> list[str]:
    """The answers of this kind of table."""
    results = [row.measured for row in selection.rows if row.measured is not None]
    if not results:
        return [f"{QUESTIONS[selection.grid.table]} {CANNOT}: no case has been measured."]
    return [*ANSWERS[selection.grid.table](results), *_missing(selection.rows)]


def _missing(rows: list[Row]) -> list[str]:
    missing = sum(row.measured is None for row in rows)
    return [f"{missing} of {len(rows)} cases are missing from this answer."] if missing else []


def layer_map(results: list[Measured]) -> list[str]:
    """Task 1."""
    return [_where_it_moves(result) for result in results]


def _where_it_moves(result: Measured) -> str:
    seen = result.transfers
    placement = result.placement
    counts = ", ".join(
        f"GPU {gpu} gets {n} {_plural(n, 'layer')}"
        for gpu, n in enumerate(placement.layers_per_gpu)
    )
    start = f"Depth {result.case.depth}: {counts}."
    if not seen.moved_before_layers:
        return f"{start} No data moved in forward()."
    ways = ", ".join(f"GPU {p.source} to GPU {p.target}" for p in _forward_pairs(seen))
    calls, moves = seen.to_calls_per_forward, seen.moves_forward
    return (
        f"{start} In forward(), the data moves from {ways} at the call of "
        f"`x = x.to(layer_device)` before layer {runs(seen.moved_before_layers)} (layers count "
        f"from 0); the other {calls - moves} of {calls} calls find it in place and copy nothing."
    )


def _forward_pairs(seen: Transfers) -> list[PairTransfers]:
    return [pair for pair in seen.by_pair if pair.phase == "forward"]


def step_time(results: list[Measured]) -> list[str]:
    """Task 2: does more depth improve speed, and why."""
    few, many = _ends(results, "depth")
    if few is None or many is None:
        return [f"Whether more depth improves speed {CANNOT}: it takes two depths, all else equal."]
    if problem := _incomparable([few, many]):
        return [f"Whether more depth improves speed {CANNOT}: {problem}."]
    a, b = few.steps_s, many.steps_s
    layers = many.case.depth / few.case.depth
    change = (
        f"from depth {few.case.depth} to {many.case.depth} ({ratio(layers)} times the layers) the "
        f"step time goes from {seconds(median(a))} to {seconds(median(b))}, "
        f"{ratio(median(b) / median(a))} times"
    )
    if not separated(a, b):
        return [f"No difference can be seen: {change}, and the quartiles overlap."]
    verdict = "No, more depth makes a step slower" if median(b) > median(a) else "Yes"
    return [f"{verdict}: {change}.", _time_per_layer(few, many)]


def _time_per_layer(few: Measured, many: Measured) -> str:
    before, after = (median(r.steps_s) / r.case.depth for r in (few, many))
    times = f"from {seconds(before)} to {seconds(after)}"
    if abs(after / before - 1) < STEADY:
        return (
            f"The time per layer stays about the same ({times}): the layers run one after "
            "another, so each one added adds its own time."
        )
    if after < before:
        return (
            f"The time per layer falls ({times}): part of a step does not grow with the depth, "
            "and more layers share it."
        )
    return f"The time per layer rises ({times}): a layer of the deeper model costs more."


def placement_rule(results: list[Measured]) -> list[str]:
    """Task 3: the rule, held against every layer map measured."""
    splits = {result.case.split for result in results}
    if splits != {"even"}:
        return [f"The rule of split {', '.join(sorted(splits))}: layer i < depth // 2 → GPU 0."]
    others = [result for result in results if not _follows_rule(result)]
    rule = "Rule: layer i goes to GPU `i * gpus // depth` (whole-number division)"
    if others:
        cases = ", ".join(result.case.case_id for result in others)
        return [f"{rule}, but the layer maps of {cases} do not follow it."]
    spread = max(_spread(result) for result in results)
    layers = _plural(spread, "layer")
    differ = f"differ by {spread} {layers} at most" if spread else "are equally long"
    return [
        f"{rule}. Every layer map measured ({len(results)}) follows it: each GPU holds one "
        f"contiguous run of layers, and the runs of one model {differ}."
    ]


def _follows_rule(result: Measured) -> bool:
    depth, gpus = result.case.depth, result.case.gpus
    placement = result.placement
    return placement.gpu_of_layer == [i * gpus // depth for i in range(depth)]


def _spread(result: Measured) -> int:
    counts = result.placement.layers_per_gpu
    return max(counts) - min(counts)


def memory(results: list[Measured]) -> list[str]:
    """Task 4: are all GPUs utilised, and does adding GPUs make training faster."""
    return [_all_hold_layers(results), _adding_gpus(results)]


def _all_hold_layers(results: list[Measured]) -> str:
    idle = [r for r in results if 0 in r.placement.layers_per_gpu]
    if idle:
        return f"Not every GPU holds layers in {', '.join(r.case.case_id for r in idle)}."
    most = max(results, key=lambda result: result.case.gpus)
    layers = ", ".join(map(str, most.placement.layers_per_gpu))
    peaks = [g.peak_allocated_bytes for g in most.measurement.per_gpu if g.peak_allocated_bytes]
    used = f", with a peak memory of {', '.join(map(data_size, peaks))}" if peaks else ""
    gpus = most.case.gpus
    return f"All GPUs hold layers: {layers} on {gpus} {_plural(gpus, 'GPU')}{used}."


def _adding_gpus(results: list[Measured]) -> str:
    question = "Whether they work at the same time, and whether adding GPUs makes training faster,"
    few, many = _ends(results, "gpus")
    if few is None or many is None:
        return f"{question} {CANNOT}: it takes two GPU counts, all else equal."
    if few.emulated or many.emulated:
        return f"{question} {CANNOT}: the emulated GPUs share {shared_device(many)}."
    if problem := _incomparable([few, many]):
        return f"{question} {CANNOT}: {problem}."
    a, b = few.steps_s, many.steps_s
    change = (
        f"from {few.case.gpus} to {many.case.gpus} GPUs the step time goes from "
        f"{seconds(median(a))} to {seconds(median(b))}, {ratio(median(b) / median(a))} times"
    )
    share = few.case.gpus / many.case.gpus
    # Nearer to no gain at all than to the gain of GPUs that never wait.
    waiting = median(b) / median(a) > (1 + share) / 2
    if not separated(a, b):
        verdict = "Adding GPUs makes no difference that can be seen"
    elif median(b) < median(a):
        verdict = "Adding GPUs makes training faster"
    else:
        verdict = "Adding GPUs makes training slower"
    return (
        f"{verdict}: {change}. GPUs that all worked at the same time would need "
        f"{ratio(share)} times as long"
        f"{', so these mostly wait for one another' if waiting else ''}."
    )


def transfers(results: list[Measured]) -> list[str]:
    """Task 5: calls, moves, and how communication grows with the GPU count."""
    counted = "; ".join(
        f"on {r.case.gpus} {_plural(r.case.gpus, 'GPU')}, depth {r.case.depth}: "
        f"{r.transfers.to_calls_per_forward} calls, {r.transfers.moves_forward} moved data"
        for r in results
    )
    return [f"In one forward pass, {counted}.", _growth(results)]


def _growth(results: list[Measured]) -> str:
    few, many = _ends(results, "gpus")
    if few is None or many is None:
        return f"How communication grows with the GPU count {CANNOT}: it takes two GPU counts."
    a, b = few.transfers, many.transfers
    law = all(r.transfers.moves_forward == r.case.gpus - 1 for r in results)
    rule = (
        "one move each way for every border between two GPUs, of which there are GPUs - 1"
        if law
        else "this is not the one move for every border between two GPUs that was expected"
    )
    return (
        f"From {few.case.gpus} to {many.case.gpus} GPUs the moves of a training step, forward and "
        f"backward, go from {a.moves_forward} + {a.moves_backward} to {b.moves_forward} + "
        f"{b.moves_backward}, and the data moved from {data_size(_bytes(a))} to "
        f"{data_size(_bytes(b))}: {rule}."
    )


def _bytes(seen: Transfers) -> int:
    return seen.bytes_forward + seen.bytes_backward


def _ends(results: list[Measured], key: str) -> tuple[Measured | None, Measured | None]:
    """The results with the least and the most of `key`, all other axes equal; None without two."""
    first = min(results, key=lambda result: int(getattr(result.case, key)))
    like = [r for r in results if _without(r, key) == _without(first, key)]
    last = max(like, key=lambda result: int(getattr(result.case, key)))
    return (None, None) if first is last else (first, last)


def _without(result: Measured, key: str) -> dict[str, object]:
    return {k: v for k, v in result.case.as_dict().items() if k != key}


def _incomparable(results: list[Measured]) -> str | None:
    """Why these step times must not be compared, if so."""
    if len({result.emulated for result in results}) > 1:
        return "some results are emulated and some are not"
    names = sorted({hardware(result) for result in results})
    if len(names) > 1:
        return f"they were measured on different hardware ({'; '.join(names)})"
    if min(len(result.steps_s) for result in results) < 3:
        return "three timed steps a case are the least"
    return None


def _plural(count: int, one: str, many: str | None = None) -> str:
    return one if count == 1 else many or f"{one}s"


ANSWERS: dict[str, Callable[[list[Measured]], list[str]]] = {
    "step_time": step_time,
    "layer_map": layer_map,
    "placement_rule": placement_rule,
    "memory": memory,
    "transfers": transfers,
}

QUESTIONS = {
    "step_time": "Whether more depth improves speed",
    "layer_map": "Where the data moves",
    "placement_rule": "Which GPU gets which layer",
    "memory": "Whether all GPUs are utilised, and whether adding GPUs makes training faster,",
    "transfers": "How often data moves",
}
