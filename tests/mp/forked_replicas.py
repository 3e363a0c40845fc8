"""Runs pipelines of two GPUs in two replicas, in 4 ranks that are forked.

Started by test_replicas.py in a process of its own. Rank 0 prints a JSON list for each check.
"""

import json
import sys
import warnings

import torch
from torch import nn

from mp.distributed.data.replicas import Replicas
from mp.distributed.engine import DistributedEngine
from mp.distributed.shared_gradients import SharedGradients
from mp.families.registry import workload_of
from study.schedules import PIPELINES
from study.validation import make_case
from tests.mp.forked_families import (
    FAMILIES,
    SIZES,
    compute_otherwise,
    drop,
    forget_buffer,
    scale,
    weights_apart,
    words_of,
)
from tests.mp.forked_ranks import fork, meet
from tests.mp.odd_models import ODD

EVERYWHERE = ("linear", "gpt", "gpt tied", "conv batch", "factory")
IN_SOME = ("conv group", "moe", "tuple skip", "frozen half", "dropout")
OF_FACTORY = {"factory": "models/mlp.py:build", "depth": 8, "args.width": 8, "args.depth": 8}
STEPS = [("gpt tied", "interleaved_1f1b"), ("gpt tied", "zbv"), ("linear", "1f1b"), ("moe", "1f1b")]
MORE = [
    ("recompute", "layers", "1f1b"),
    ("gradients", "fused", "zbv"),
    ("optimizer", "adam", "1f1b"),
]


def engine_of(world, family, schedule, **more):
    known = FAMILIES | {"factory": OF_FACTORY}
    keys = known[family] | SIZES.get(known[family].get("kind"), {})
    keys |= {"gpus": 4, "data_parallel": 2, "micro_batches": 4, "batch_size": 16}
    keys |= {"gradients": "separate"}
    case = make_case({**keys, "schedule": schedule, **more}, "test")
    return DistributedEngine(case, world, ODD.get(family, workload_of))


def with_a_fault(world, family, schedule, harm, number, name):
    """The words of a check in which the second replica alone has a fault."""
    engine = engine_of(world, family, schedule)
    build = engine.build

    def build_broken(case):
        step = build(case)
        if world.rank % 2:
            harm(step, number, name)
        return step

    engine.build = build_broken
    return words_of(engine)


def without(world, made, family):
    """The words of a check in which gradients are not added up."""
    right, made.add_up = made.add_up, lambda *_: None
    words = words_of(engine_of(world, family, "1f1b"))
    made.add_up = right
    return words


def left_out(world):
    """What becomes of gradients that one replica lacks, and that both lack."""
    engine = engine_of(world, "factory", "1f1b")
    step = engine.build(engine.case)
    first, second, third = step.parameters()[:3]
    parameters = [first, second, third]
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    if step.replicas.number == 1:
        second.grad = None
    third.grad = None
    step.replicas.add_up(parameters, step.listener)
    mine = [None if p.grad is None else p.grad.unique().tolist() for p in parameters]
    return world.all_gather(mine, list[list[float] | None])


def transfers_of(world, family, schedule):
    engine = engine_of(world, family, schedule)
    step = engine.build(engine.case)
    seen = engine.observe_transfers(step)
    spans = engine.record_timeline(step).spans
    model = nn.ModuleList(engine.make_workload(engine.case).layers())
    return {
        "collectives": [[o.operation, o.phase, o.calls, o.bytes] for o in seen.collectives],
        "pairs": sorted({(pair.source, pair.target) for pair in seen.by_pair}),
        "moves": [seen.moves_forward, seen.moves_backward],
        "moved before": seen.moved_before_layers,
        "parameters": sum(p.nbytes for p in model.parameters() if p.requires_grad),
        "micro-batches": [
            sorted({s.micro_batch for s in spans if s.gpu == gpu and s.micro_batch is not None})
            for gpu in range(4)
        ],
        "collective spans": sorted(s.gpu for s in spans if s.kind == "collective"),
        "placement": [
            engine.stages.placement().gpu_of_layer,
            engine.stages.placement().layers_per_gpu,
        ],
        "links": sorted((rate.source, rate.target) for rate in engine.measure_copies()),
    }


def as_rank(rank, ranks, port):
    world = meet(rank, ranks, port)

    def say(*what):
        if rank == 0:
            print(json.dumps(what), flush=True)

    for family in (*EVERYWHERE, *IN_SOME):
        for schedule in PIPELINES if family in EVERYWHERE else ("1f1b", "zbv"):
            say("check", family, schedule, words_of(engine_of(world, family, schedule)))
    for family, schedule in STEPS:
        say("steps", family, schedule, weights_apart(engine_of(world, family, schedule)))
    for key, value, schedule in MORE:
        say(
            "check",
            value,
            schedule,
            words_of(engine_of(world, "gpt tied", schedule, **{key: value})),
        )
        say(
            "steps",
            value,
            schedule,
            weights_apart(engine_of(world, "gpt", schedule, **{key: value})),
        )
    for harm in (drop, scale, compute_otherwise):
        words = with_a_fault(world, "linear", "1f1b", harm, 3, "weight")
        say("fault", harm.__name__, "1f1b", words)
    say("fault", "buffer", "1f1b", with_a_fault(world, "conv batch", "1f1b", forget_buffer, 0, "1"))
    say("fault", "replicas", "1f1b", without(world, Replicas, "linear"))
    say("fault", "shared", "1f1b", without(world, SharedGradients, "gpt tied"))
    for family, schedule in (("linear", "1f1b"), ("gpt tied", "1f1b"), ("linear", "zbv")):
        say("transfers", family, schedule, transfers_of(world, family, schedule))
    say("left out", "factory", "1f1b", left_out(world))
    world.shutdown()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(not fork(4, as_rank))
