"""Task 3: the rule that gives layer i a GPU, checked against every measured layer map."""

from collections.abc import Callable

from report.data.measured import MeasuredCase
from report.document import Answer
from report.wording.units import plural
from study.schedules import SCHEDULES

# As in mp/placement.py; repeated here, to check measured layer maps against it.
RULES: dict[str, tuple[str, Callable[[int, int, int], int]]] = {
    "even": (
        "layer i goes to GPU `i * gpus // depth` (whole-number division)",
        lambda i, depth, gpus: i * gpus // depth,
    ),
    "half": (
        "layer i goes to GPU 0 if `i < depth // 2`, else to GPU 1",
        lambda i, depth, gpus: 0 if i < depth // 2 else 1,
    ),
}


BALANCED = "Balanced by time, layers go to stages so that none of them takes much longer."


QUESTION = "Which GPU gets layer i?"


def answer(results: list[MeasuredCase]) -> list[Answer]:
    """Return the rule of each split, the maps that break it, and the rules of other schedules."""
    ruled = [r for r in results if r.case.balance == "layers" and not _layers(r)]
    splits = dict.fromkeys(result.case.split for result in ruled)
    others = dict.fromkeys(_layers(r) or BALANCED for r in results if r not in ruled)
    rules = [_answer_for(s, [r for r in ruled if r.case.split == s]) for s in splits]
    return [Answer(QUESTION, [*rules, *others])]


def _layers(result: MeasuredCase) -> str | None:
    """Return the rule of a schedule by which a GPU has no single run of layers, if it has one."""
    return SCHEDULES[result.case.schedule].layers


def _answer_for(split: str, results: list[MeasuredCase]) -> str:
    rule = f"Rule: {RULES[split][0]}"
    others = [result for result in results if not _follows_rule(result)]
    if others:
        cases = ", ".join(result.case.case_id for result in others)
        return f"{rule}, but the layer maps of {cases} do not follow it."
    spread = max(_spread(result) for result in results)
    layers = plural(spread, "layer")
    differ = f"differ by {spread} {layers} at most" if spread else "are equally long"
    return (
        f"{rule}. Every layer map measured ({len(results)}) follows it: each GPU holds one "
        f"contiguous run of layers, and the runs of one model {differ}."
    )


def _follows_rule(result: MeasuredCase) -> bool:
    depth, gpus = result.case.depth, result.case.gpus
    gpu_of_layer = RULES[result.case.split][1]
    return result.placement.gpu_of_layer == [gpu_of_layer(i, depth, gpus) for i in range(depth)]


def _spread(result: MeasuredCase) -> int:
    counts = result.placement.layers_per_gpu
    return max(counts) - min(counts)
