"""Rules that give each layer a GPU, to check measured layer maps against."""

from collections.abc import Callable

from report.data.measured import MeasuredCase
from study.case import Case

# As in mp/placement.py; repeated here, since a report needs no torch and must not trust the code.
RULES: dict[str, tuple[str, Callable[[int, int, int], int]]] = {
    "even": (
        "layer i goes to GPU `i * gpus // depth`, in whole-number division",
        lambda i, depth, gpus: i * gpus // depth,
    ),
    "half": (
        "layer i goes to GPU 0 if `i < depth // 2`, else to GPU 1",
        lambda i, depth, gpus: 0 if i < depth // 2 else 1,
    ),
}


def rule_words(case: Case) -> str:
    """Return the rule of the case's split; a depth that counts blocks is not that of the rule."""
    words = RULES[case.split][0]
    return words if case.kind == "linear" else words.replace("depth", "layers")


def map_by_rule(case: Case) -> list[int]:
    """Return the GPU of each layer by the rule of the case's split."""
    gpu_of_layer = RULES[case.split][1]
    return [gpu_of_layer(i, case.layers, case.gpus) for i in range(case.layers)]


def counts_by_rule(case: Case) -> list[int]:
    """Return the number of layers of each GPU by the rule."""
    places = map_by_rule(case)
    return [places.count(gpu) for gpu in range(case.gpus)]


def follows_rule(result: MeasuredCase) -> bool:
    """Return True if the measured layer map is that of the rule."""
    return result.placement.gpu_of_layer == map_by_rule(result.case)
