"""Runs the check of every kind of model on every pipeline, in ranks that are forked.

Started by test_equal_families.py in a process of its own. Rank 0 prints a JSON list for each check:
what was checked, and the words it ended with.
"""

import json
import sys
import warnings

from torch import nn
from torch.distributed.tensor import DTensor

from mp.correctness.check import check_equals_unsplit
from mp.distributed.engine import DistributedEngine
from mp.distributed.shared_gradients import SharedGradients
from mp.families.registry import workload_of
from mp.workload import make_optimizer
from study.errors import CaseError
from study.schedules import PIPELINES
from study.validation import make_case
from tests.mp.forked_ranks import fork, meet
from tests.mp.odd_models import ODD

FAMILIES = {
    "linear": {"depth": 8, "dim": 8},
    "gpt": {"kind": "gpt", "depth": 6, "tied": False},
    "gpt tied": {"kind": "gpt", "depth": 6, "tied": True},
    "conv group": {"kind": "conv", "depth": 6, "norm": "group"},
    "conv batch": {"kind": "conv", "depth": 6, "norm": "batch"},
    **{name: {"depth": 8, "dim": 8} for name in ODD},
}
NOTED = ("frozen parts", "dropout", "noise", "ignored")
BAD = ("same memory", "shared buffer", "shapes change", "dict", "columns first")
SIZES = {
    "gpt": {"dim": 8, "heads": 2, "seq_len": 4, "vocab": 16},
    "conv": {"width": 2, "image": 32, "classes": 4},
}


def engine_of(world, family, schedule):
    keys = FAMILIES[family] | SIZES.get(FAMILIES[family].get("kind"), {})
    keys |= {"gpus": world.size, "schedule": schedule, "micro_batches": world.size}
    keys |= {"gradients": "separate"}
    case = make_case({**keys, "batch_size": 8 * world.size}, "test")
    return DistributedEngine(case, world, ODD.get(family, workload_of))


def words_of(engine):
    """The words with which a check ends."""
    try:
        notes = check_equals_unsplit(engine)
    except CaseError as error:
        return str(error)
    return " ".join(["equal", *notes])


def weights_apart(engine):
    """By how much weights that ranks share, or have alone, differ from one piece, after 3 steps."""
    step, workload = engine.build(engine.case), engine.make_workload(engine.case)
    layers = nn.ModuleList(workload.layers())
    x, target = workload.draw_batch(engine.case.batch_size, engine.world.device)
    optimizer = make_optimizer(engine.case, layers.parameters())
    for _ in range(3):
        step()
        optimizer.zero_grad()
        workload.loss(nn.Sequential(*layers)(x), target).backward()
        optimizer.step()
    worst = max(
        float((_whole(ours) - reference).abs().max() / reference.abs().max())
        for number, layer in step.layers().items()
        for ours, reference in zip(layer.parameters(), layers[number].parameters(), strict=True)
    )
    return engine.world.all_reduce_max(worst)


def _whole(parameter):
    return parameter.full_tensor() if isinstance(parameter, DTensor) else parameter


def drop(step, number, name):
    """Lose one gradient of a layer, on the rank that has it."""
    right = step.gradients

    def wrong():
        found = right()
        found.get(number, {}).pop(name, None)
        return found

    step.gradients = wrong


def scale(step, number, name):
    """Make one gradient of a layer a hundredth too large."""
    right = step.gradients

    def wrong():
        found = right()
        if number in found:
            found[number][name] *= 1.01
        return found

    step.gradients = wrong


def compute_otherwise(step, number, name):
    """Let a layer of the split compute something else."""
    if number in (layers := step.layers()):
        layers[number].register_forward_hook(lambda layer, inputs, output: bent(output))


def bent(output):
    if isinstance(output, tuple):
        return tuple(bent(part) for part in output)
    return output * 1.01 + 0.01 if output.is_floating_point() else output


def forget_buffer(step, number, name):
    """Keep a buffer of the split as it was."""
    if number in (layers := step.layers()):
        layers[number].get_submodule(name).momentum = 0.0


BREAKS = [
    ("linear", "1f1b", drop, 3, "weight"),
    ("gpt", "gpipe", scale, 4, "attended.weight"),
    ("gpt tied", "interleaved_1f1b", drop, 7, "scores.weight"),
    ("conv group", "zbv", compute_otherwise, 3, ""),
    ("conv batch", "1f1b", forget_buffer, 0, "1"),
    ("moe", "zero_bubble", scale, 2, "experts.1.weight"),
    ("tuple skip", "zbv", compute_otherwise, 2, ""),
]


def broken(world, family, schedule, harm, number, name):
    engine = engine_of(world, family, schedule)
    build = engine.build

    def build_broken(case):
        step = build(case)
        harm(step, number, name)
        return step

    engine.build = build_broken
    return words_of(engine)


def without_all_reduce(world, schedule):
    right, SharedGradients.add_up = SharedGradients.add_up, lambda self, listener: None
    words = words_of(engine_of(world, "gpt tied", schedule))
    SharedGradients.add_up = right
    return words


def transfers_of(world, family):
    engine = engine_of(world, family, "1f1b")
    step = engine.build(engine.case)
    seen = engine.observe_transfers(step)
    spans = engine.record_timeline(step).spans
    return [
        [[one.operation, one.phase, one.calls, one.bytes] for one in seen.collectives],
        [sorted(span.gpu for span in spans if span.kind == "collective")],
        sorted({pair.bytes // pair.moves for pair in seen.by_pair if pair.phase == "forward"}),
    ]


def as_rank(rank, ranks, port):
    world = meet(rank, ranks, port)

    def say(*what):
        if rank == 0:
            print(json.dumps([ranks, *what]), flush=True)

    for family in FAMILIES:
        if ranks > 2 and family in (*BAD, *NOTED):
            continue
        for schedule in ("1f1b",) if family in BAD else PIPELINES:
            say("check", family, schedule, words_of(engine_of(world, family, schedule)))
    for schedule in PIPELINES:
        say("steps", "gpt tied", schedule, weights_apart(engine_of(world, "gpt tied", schedule)))
    if ranks == 2:
        for case in BREAKS:
            say("broken", case[0], case[2].__name__, broken(world, *case))
        for schedule in ("1f1b", "interleaved_1f1b"):
            say("broken", schedule, "all-reduce", without_all_reduce(world, schedule))
        for family in ("gpt", "gpt tied", "tuple skip"):
            say("transfers", family, "1f1b", transfers_of(world, family))
    world.shutdown()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(not all(fork(ranks, as_rank) for ranks in map(int, sys.argv[1:])))
