"""The slowest stage of a pipeline in words, by its layers, and where stages are even by halves."""

from report.analysis.profiled.stage_balance import StageBalance
from report.analysis.profiled.stage_times import stage_times, wide_spread
from report.answers.layer_names import layers_words
from report.data.measured import MeasuredCase
from report.wording.quantities import range_words
from report.wording.units import TIMES

EVEN = 1.05  # times the mean stage; a slowest stage below that is as good as the mean
ACTIONS = {
    "forward": "forward passes",
    "backward": "backward passes",
    "input_gradient": "gradients of the input",
    "weight_gradient": "weight gradients",
}


def stage_words(result: MeasuredCase, balance: StageBalance) -> str:
    """Return `stage 3 (block 23 and head)`, the slowest; without layers where all are alike."""
    if result.model is None:
        return f"stage {balance.slowest}"
    names = [result.model.layers[n].name for n in balance.layers(balance.slowest)]
    return f"stage {balance.slowest} ({layers_words(names)})"


def uneven_halves(result: MeasuredCase) -> str:
    """Return which stage has the slowest forward and which the slowest backward, if uneven.

    Stages that are even in all may not be in each: a step then waits for both.
    """
    found = stage_times(result)
    if found is None:
        return ""
    halves = {"forward": found.forward_s, "backward": found.backward_s}
    words = []
    for name, each_s in halves.items():
        ratio = max(each_s) * len(each_s) / sum(each_s)
        if ratio >= EVEN:
            stage = each_s.index(max(each_s))
            words.append(f"{name} takes {ratio:.2f} times the mean on stage {stage}")
    return " and ".join(words)


def spread_words(result: MeasuredCase) -> str:
    """Return `, with caution, since weight gradients of stage 1 took 6.19 to 25.3 ms`.

    Empty where all micro-batches took about equally long.
    """
    found = wide_spread(result)
    if found is None:
        return ""
    took = range_words(found.low_s, found.high_s, TIMES)
    return f", with caution, since {ACTIONS[found.kind]} of stage {found.stage} took {took}"
