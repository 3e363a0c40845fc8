"""Two forked ranks: fused gradients against those of the unsplit model and of autograd.

Started by test_fused_gradients.py in a process of its own. Rank 0 prints a JSON list for each
check: what was checked, and the words it ended with.
"""

import json
import sys
import warnings

import torch

from mp.distributed.engine import DistributedEngine
from mp.families.registry import workload_of
from mp.weight_gradients import WeightGradients, _Linear
from study.schedules import PIPELINES
from study.validation import make_case
from tests.mp.forked_families import FAMILIES, SIZES, words_of
from tests.mp.forked_ranks import fork, meet
from tests.mp.odd_models import ODD

CHECKED = ("linear", "gpt", "gpt tied", "conv batch", "moe", "frozen parts")


def engine_of(world, family, schedule, gradients="fused"):
    keys = FAMILIES[family] | SIZES.get(FAMILIES[family].get("kind"), {})
    keys |= {"gpus": world.size, "schedule": schedule, "micro_batches": 2 * world.size}
    case = make_case({**keys, "batch_size": 32, "gradients": gradients}, "test")
    return DistributedEngine(case, world, ODD.get(family, workload_of))


def without_one(store, micro_batch):
    """Lose what waits for the second micro-batch."""
    parts = store._parts.pop(micro_batch)
    for part in parts if micro_batch != 1 else ():
        part.add()


def with_one_twice(store, micro_batch):
    """Add what waits for the second micro-batch twice."""
    for part in store._parts.pop(micro_batch):
        part.add()
        if micro_batch == 1:
            part.add()


def broken(world, schedule, add):
    right, WeightGradients.add = WeightGradients.add, add
    words = words_of(engine_of(world, "linear", schedule))
    WeightGradients.add = right
    return words


def calls_in_step(world, family, schedule, gradients):
    """How many linear layers of all ranks went through the store in two steps."""
    seen, right = [], _Linear.backward
    _Linear.backward = staticmethod(lambda ctx, *g: seen.append(1) or right(ctx, *g))
    engine = engine_of(world, family, schedule, gradients)
    step = engine.build(engine.case)
    step()
    step()
    _Linear.backward = staticmethod(right)
    left = [part.weight_gradients._parts for part in step.parts if part.weight_gradients]
    return [sum(world.all_gather(len(seen), int)), sum(map(len, left))]


def order_of_actions(world, schedule):
    """The kinds of all spans of a step, by rank."""
    engine = engine_of(world, "linear", schedule)
    spans = engine.record_timeline(engine.build(engine.case)).spans
    return [
        [span.kind for span in spans if span.gpu == gpu and span.micro_batch is not None]
        for gpu in range(world.size)
    ]


def as_rank(rank, ranks, port):
    world = meet(rank, ranks, port)

    def say(*what):
        if rank == 0:
            print(json.dumps(what), flush=True)

    for family in CHECKED:
        for schedule in PIPELINES:
            say("check", family, schedule, words_of(engine_of(world, family, schedule)))
    for schedule in ("zero_bubble", "zbv"):
        for add in (without_one, with_one_twice):
            say("broken", schedule, add.__name__, broken(world, schedule, add))
        say("actions", schedule, "", order_of_actions(world, schedule))
    for family, gradients in (("linear", "separate"), ("linear", "fused"), ("gpt tied", "fused")):
        say("calls", family, gradients, *calls_in_step(world, family, "zero_bubble", gradients))
    world.shutdown()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    sys.exit(not fork(2, as_rank))
