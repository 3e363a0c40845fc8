"""Task 3: the rule that gives layer i a GPU, why it is even, and the code that uses all GPUs."""

from report.answers.of_gpus.rules import (
    counts_by_rule,
    follows_rule,
    map_by_rule,
    rule_words,
)
from report.answers.phrases import emulation_remark, listed
from report.data.measured import MeasuredCase
from report.document import Answer
from report.wording.units import count_of, plural, runs
from study.case import Case
from study.schedules import SCHEDULES

BALANCED = {
    "time": "Balanced by time, layers go to stages so that none of them takes much longer.",
    "flops": "Balanced by FLOPs, layers go to stages so that none has many more operations.",
    "parameters": "Balanced by parameters, layers go to stages so that none holds many more.",
}
EVEN = "Layers go to stages in runs whose lengths differ by one at most."
REPLICAS = (
    "With replicas of a pipeline each stage is on several GPUs that follow one another, one for "
    "each replica."
)
RULE = "Which GPU gets layer i?"
CODE = "How does the code find all GPUs and use them?"
MOST = 12  # GPUs that a sentence names


def answer(results: list[MeasuredCase]) -> list[Answer]:
    """Return the rule of each split with its reason, those of other schedules, and the code."""
    ruled = _ruled(results)
    splits = dict.fromkeys((r.case.split, rule_words(r.case)) for r in ruled)
    others = dict.fromkeys(text for r in results if r not in ruled for text in _others(r))
    rules = [
        text
        for split, words in splits
        for text in _rule(
            split, words, [r for r in ruled if (r.case.split, rule_words(r.case)) == (split, words)]
        )
    ]
    of_homework = [r for r in ruled if r.case.schedule == "naive" and r.case.kind == "linear"]
    code = _code([r for r in of_homework if r.case.split == "even"])
    found = [Answer(RULE, [*rules, *others]), Answer(CODE, code)]
    return [answer for answer in found if answer.sentences]


def headlines(results: list[MeasuredCase]) -> list[str]:
    """Return the rule and what it gives for the most GPUs."""
    followed = [r for r in _ruled(results) if follows_rule(r)]
    if not followed:
        return []
    most = max(followed, key=lambda result: result.case.gpus)
    return [
        f"Placement: {rule_words(most.case)}: {most.case.layers} layers on "
        f"{count_of(most.case.gpus, 'GPU')} are {_in_short(most.placement.layers_per_gpu)}"
        f"{emulation_remark([most])}."
    ]


def _in_short(counts: list[int]) -> str:
    """Return the layers of every GPU; of many GPUs, how many have so many."""
    if len(counts) <= MOST:
        return listed(counts)
    kinds = sorted(set(counts), reverse=True)
    if len(kinds) == 1:
        return f"{kinds[0]} each"
    return listed(f"{kind} on {count_of(counts.count(kind), 'GPU')}" for kind in kinds)


def _counts(counts: list[int]) -> str:
    """Return `7, 7 and 6 layers`, or of many GPUs `2 on 8 GPUs and 1 on 12 GPUs`."""
    return f"{_in_short(counts)}{' layers' if len(counts) <= MOST else ''}"


def _ruled(results: list[MeasuredCase]) -> list[MeasuredCase]:
    alike = [r for r in results if r.case.balance == "layers" and r.case.data_parallel == 1]
    return [r for r in alike if not _layers(r)]


def _others(result: MeasuredCase) -> list[str]:
    """Return where layers go that follow no rule of a split."""
    case = result.case
    its = _layers(result) or (_balanced(case) if case.balance != "layers" else EVEN)
    return [its, *([REPLICAS] if case.data_parallel > 1 else [])]


def _balanced(case: Case) -> str:
    by_hand = f"The layers of each stage are given by hand: {case.balance.replace(',', ', ')}."
    return BALANCED.get(case.balance, by_hand)


def _layers(result: MeasuredCase) -> str | None:
    """Return the rule of a schedule by which a GPU has no single run of layers, if it has one."""
    return SCHEDULES[result.case.schedule].layers


def _rule(split: str, rule: str, results: list[MeasuredCase]) -> list[str]:
    rule = f"{rule[0].upper()}{rule[1:]}"
    broken = [result.case.case_id for result in results if not follows_rule(result)]
    if broken:
        cases = listed(broken)
        return [f"{rule} is the rule, but the layer maps of {cases} do not follow it."]
    spread = max(max(r.placement.layers_per_gpu) - min(r.placement.layers_per_gpu) for r in results)
    differ = (
        f"differ by {spread} {plural(spread, 'layer')} at most" if spread else "are equally long"
    )
    seen = (
        f"Every layer map measured ({len(results)}) follows the rule: each GPU holds one "
        f"contiguous run of layers, and the runs of one model {differ}."
    )
    if split != "even":
        return [f"{rule}.", seen]
    layers = "depth" if results[0].case.kind == "linear" else "layers"
    return [f"{rule}.", _why_even(layers), *_examples([r.case for r in results]), seen]


def _why_even(layers: str) -> str:
    return (
        f"It is even because `i * gpus / {layers}` grows by the same step, gpus / {layers}, from "
        f"layer to layer, so each whole number, a GPU's, lasts for {layers} / gpus layers. Where "
        f"that is no whole number, every GPU gets `{layers} // gpus` layers, and the remainder, "
        f"`{layers} % gpus` layers, goes to as many different GPUs, one each."
    )


def _examples(cases: list[Case]) -> list[str]:
    """Work out the most GPUs, and the most that leave a remainder."""
    several = sorted((case for case in cases if case.gpus > 1), key=lambda case: case.gpus)
    uneven = [case for case in several if case.layers % case.gpus]
    chosen = list(dict.fromkeys([*several[-1:], *uneven[-1:]]))
    return [_example(case) for case in chosen]


def _example(case: Case) -> str:
    depth, gpus = case.layers, case.gpus
    places = map_by_rule(case)
    held = [
        f"{runs([i for i, place in enumerate(places) if place == gpu])} on GPU {gpu}"
        for gpu in (range(gpus) if gpus <= MOST else (0, 1, gpus - 1))
    ]
    named = listed(held) if gpus <= MOST else f"{', '.join(held[:2])}, and so on to {held[-1]}"
    second = places.index(1)
    layer = second + 1 if places.count(1) > 1 else second
    text = (
        f"Example, {depth} layers on {gpus} GPUs: layers {named}; for layer {layer}, "
        f"`{layer} * {gpus} // {depth}` is {places[layer]}."
    )
    if left := depth % gpus:
        text += (
            f" `{depth} // {gpus}` is {depth // gpus}, and {left} {plural(left, 'layer')} "
            f"{plural(left, 'is', 'are')} left over: {_counts(counts_by_rule(case))}."
        )
    return text


def _code(results: list[MeasuredCase]) -> list[str]:
    """Describe the listings of `__init__`, and on how many GPUs they ran."""
    if not results:
        return []
    counts = sorted({result.case.gpus for result in results})
    words = f"{listed(counts)} {plural(counts[-1], 'GPU')}"
    return [
        "`__init__` takes every GPU that `torch.cuda.device_count()` reports (`all_gpus`), works "
        "out the GPU of each layer by the rule (`layer_map`), and puts layer i there with "
        "`nn.Linear(dim, dim).to(...)`. With the split even no number of GPUs is written into "
        f"it: it ran on {words}{_emulated(results)}."
    ]


def _emulated(results: list[MeasuredCase]) -> str:
    counts = sorted({result.case.gpus for result in results if result.emulated})
    if not counts:
        return ""
    are = "all of them" if len(counts) == len({r.case.gpus for r in results}) else listed(counts)
    return f" ({are} emulated)"
