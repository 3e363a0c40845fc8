"""Task 3: the rule that says which GPU gets layer i, held against every layer map measured."""

from report.answers.comparing import plural
from report.measured import Measured


def answer(results: list[Measured]) -> list[str]:
    """The rule, and whether the layer maps follow it."""
    splits = {result.case.split for result in results}
    if splits != {"even"}:
        return [f"The rule of split {', '.join(sorted(splits))}: layer i < depth // 2 → GPU 0."]
    others = [result for result in results if not _follows_rule(result)]
    rule = "Rule: layer i goes to GPU `i * gpus // depth` (whole-number division)"
    if others:
        cases = ", ".join(result.case.case_id for result in others)
        return [f"{rule}, but the layer maps of {cases} do not follow it."]
    spread = max(_spread(result) for result in results)
    layers = plural(spread, "layer")
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
