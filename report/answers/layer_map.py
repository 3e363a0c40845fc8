"""Task 1: how many layers each GPU gets, and where in forward() the data moves."""

from itertools import groupby

from report.answers.layer_names import layers_words
from report.answers.of_gpus.rules import RULES, follows_rule
from report.answers.phrases import emulation_remark, label_of, listed, ordinal
from report.data.labels import differing
from report.data.measured import MeasuredCase
from report.document import Answer
from report.wording.layers import short_name
from report.wording.names import gpus_of_stages
from report.wording.units import count_of, runs
from study.results.layers import ModelProfile
from study.results.result import Transfers

LAYERS = "How many layers does each GPU get?"
WHERE = "At which point of forward() does the data move from one GPU to the next?"
COUNTED = "layers count from 0"


def answer(results: list[MeasuredCase]) -> list[Answer]:
    """Return the layers of each GPU and the point of the move, a sentence or two for each case."""
    keys = differing(results)
    labelled = [(label_of(result, keys), result) for result in results]
    return [
        Answer(LAYERS, [f"{label}{_layers(result)}" for label, result in labelled]),
        Answer(WHERE, [f"{label}{_where(result)}" for label, result in labelled]),
    ]


def headlines(results: list[MeasuredCase]) -> list[str]:
    """Return the layers and the move of the first case that has layers of its own."""
    held = [r for r in results if r.placement.gpu_of_layer and r.transfers.moved_before_layers]
    if not held:
        return []
    first = held[0]
    at = first.transfers.moved_before_layers
    return [
        f"Layers: of {first.case.layers} layers, {_counts(first)}; in forward(), the data moves "
        f"before {_named(at)} ({COUNTED}{_names(first)}){emulation_remark([first])}."
    ]


def _layers(result: MeasuredCase) -> str:
    placement = result.placement
    if not placement.gpu_of_layer:
        return (
            "Every GPU holds a share of every layer: the GPUs compute each layer together and "
            "reduce what each has computed."
        )
    return f"{_counts(result)}.{_why(result)}"


def _counts(result: MeasuredCase) -> str:
    counts = list(enumerate(result.placement.layers_per_gpu))
    if result.case.data_parallel == 1:
        return listed(
            f"GPU {gpu} gets {count_of(count, 'layer')}{_which(gpu, result)}"
            for gpu, count in counts
        )
    return listed(
        f"GPUs {gpus_of_stages(result.case, gpu)} get {count_of(count, 'layer')} each"
        f"{_which(gpu, result)}"
        for gpu, count in counts[:: result.case.data_parallel]
    )


def _which(gpu: int, result: MeasuredCase) -> str:
    """Return the layers of a GPU, and the number of runs where they are not contiguous."""
    layers = result.layers_of_gpu(gpu)
    count = [holder for holder, _ in groupby(result.placement.gpu_of_layer)].count(gpu)
    if not layers:
        return ""
    names = "" if result.model is None else f": {_names_of_runs(layers, result.model)}"
    return f"{f' in {count} runs' if count > 1 else ''} ({runs(layers)}{names})"


def _names_of_runs(layers: list[int], model: ModelProfile) -> str:
    found: list[list[int]] = []
    for layer in layers:
        if found and found[-1][-1] == layer - 1:
            found[-1].append(layer)
        else:
            found.append([layer])
    return "; ".join(layers_words([model.layers[i].name for i in run]) for run in found)


def _why(result: MeasuredCase) -> str:
    """Explain the counts by the rule of the split, if the layer map follows it."""
    case = result.case
    if case.data_parallel > 1:
        return f" Each of the {case.data_parallel} replicas has every layer."
    if case.kind != "linear" or case.schedule != "naive":
        return ""
    if not follows_rule(result):
        return f" This is not what the rule of the split `{case.split}` gives."
    if case.split == "half":
        half = case.depth // 2
        return (
            " The split is `if i < depth // 2`: layer i goes to GPU 0 if that is true, else to "
            "GPU 1. "
            f"`{case.depth} // 2` is {half}, so it is true for the first {count_of(half, 'layer')} "
            f"and not for the other {case.depth - half}."
        )
    return f" The rule is that {RULES[case.split][0]}."


def _where(result: MeasuredCase) -> str:
    seen = result.transfers
    if not result.placement.gpu_of_layer:
        return "Nowhere: nothing is passed on between layers."
    if not seen.moves_forward:
        return "Nowhere: no data moved in forward()."
    ways = listed(dict.fromkeys(_ways(seen)))
    calls, moves = seen.to_calls_per_forward, seen.moves_forward
    if calls is None:
        return f"Each GPU has a process of its own, which sends to the next: {ways}."
    rest = f"The other {calls - moves} of {calls} calls find the data in place and copy nothing."
    own = result.case.kind == "linear"
    call = "the call of `x = x.to(layer_device)`" if own else "the call of `.to`"
    rest = rest if calls > moves else "Every call copies."
    return (
        f"At {call} before {_named(seen.moved_before_layers)} "
        f"({COUNTED}{_names(result)}), from {ways}. {rest}"
    )


def _names(result: MeasuredCase) -> str:
    """Return the names of the layers before which data moves; empty where they have none."""
    if result.model is None:
        return ""
    found = [result.model.layers[i].name for i in result.transfers.moved_before_layers]
    return f"; {'they are' if len(found) > 1 else 'it is'} {listed(map(short_name, found))}"


def _ways(seen: Transfers) -> list[str]:
    return [f"GPU {p.source} to GPU {p.target}" for p in seen.by_pair if p.phase == "forward"]


def _named(layers: list[int]) -> str:
    """Return `layer 3, the fourth layer`, or `layers 4, 8 and 12`."""
    if len(layers) > 1:
        return f"layers {listed(layers)}"
    return f"layer {layers[0]}, the {ordinal(layers[0] + 1)} layer"
