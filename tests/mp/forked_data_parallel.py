"""Runs data parallelism of every kind of model on two ranks, which are forked.

Started by test_data_parallel.py in a process of its own. Rank 0 prints a JSON list for each check:
what was checked, and the words or numbers it ended with.
"""

import json
import sys
import warnings

import msgspec
import torch
from msgspec.structs import replace
from torch import nn

from mp.calibration.host.steps import measure_host
from mp.calibration.rounds import Deadline
from mp.calibration.setting import Setting
from mp.distributed.engine import DistributedEngine
from mp.families.registry import workload_of
from study.schedules import SCHEDULES
from study.validation import make_case
from tests.mp.forked_families import (
    FAMILIES,
    SIZES,
    compute_otherwise,
    drop,
    scale,
    weights_apart,
    words_of,
)
from tests.mp.forked_ranks import fork, meet
from tests.mp.odd_models import ODD, Odd

SHARED = [name for name, schedule in SCHEDULES.items() if schedule.family == "data"]
LEFT_OUT = ("moe", "shared buffer", "shapes change", "dict", "columns first")


class OtherWeights(Odd):
    """Every rank draws other weights."""

    rank = 0

    def layer(self, number):
        torch.manual_seed(number + 100 * self.rank)
        return super().layer(number)

    def batch(self, rows):
        torch.manual_seed(0)
        return super().batch(rows)


def engine_of(world, family, schedule, make_workload=None):
    keys = FAMILIES[family] | SIZES.get(FAMILIES[family].get("kind"), {})
    keys |= {"gpus": world.size, "schedule": schedule, "batch_size": 8 * world.size}
    case = make_case(keys, "test")
    return DistributedEngine(case, world, make_workload or ODD.get(family, workload_of))


def with_a_fault(world, schedule, harm, number, name):
    engine = engine_of(world, "linear", schedule)
    build = engine.build

    def build_broken(case):
        step = build(case)
        if world.rank == 1:
            harm(step, number, name)
        return step

    engine.build = build_broken
    return words_of(engine)


def sizes_of(world, family, schedule):
    """The collectives of a step beside the bytes of the trained parameters and of the buffers."""
    engine = engine_of(world, family, schedule)
    model = nn.Sequential(*engine.make_workload(engine.case).layers())
    step = engine.build(engine.case)
    seen = engine.observe_transfers(step)
    spans = engine.record_timeline(step).spans
    return {
        "seen": [[one.operation, one.phase, one.calls, one.bytes] for one in seen.collectives],
        "parameters": sum(p.nbytes for p in model.parameters() if p.requires_grad),
        "buffers": sum(buffer.nbytes for buffer in model.buffers()),
        "waits": sorted({s.operation for s in spans if s.kind == "collective"}),
        "kinds": [sorted({s.kind for s in spans if s.gpu == gpu}) for gpu in range(world.size)],
        "overlaps": any(
            a.gpu == b.gpu and a.start_s < b.start_s < a.end_s for a in spans for b in spans
        ),
    }


def host_runs_of(world, family):
    """Steps of tiny layers under DDP and FSDP, as a calibration of this model has them."""
    keys = FAMILIES[family] | SIZES.get(FAMILIES[family].get("kind"), {})
    keys |= {"gpus": 1, "batch_size": 8, "recompute": "layers"}
    wanted = "rows=8 gradients=separate schedules=ddp,fsdp layers=4"
    case = replace(make_case(keys, "test"), gpus=world.size, calibrates=wanted)
    setting = Setting(
        case, world, lambda its: DistributedEngine(its, world), Deadline(100.0, world)
    )
    return msgspec.to_builtins(measure_host(setting, 0.0))


def as_rank(rank, ranks, port):
    world = meet(rank, ranks, port)

    def say(*what):
        if rank == 0:
            print(json.dumps(what), flush=True)

    OtherWeights.rank = rank
    for schedule in SHARED:
        for family in FAMILIES:
            if family not in LEFT_OUT:
                say("check", family, schedule, words_of(engine_of(world, family, schedule)))
        for family in ("linear", "gpt tied", "tuple skip"):
            say("steps", family, schedule, weights_apart(engine_of(world, family, schedule)))
        for harm in (drop, scale, compute_otherwise):
            words = with_a_fault(world, schedule, harm, 3, "weight")
            say("fault", harm.__name__, schedule, words)
        drawn = words_of(engine_of(world, "rotary", schedule, OtherWeights))
        say("fault", "other weights", schedule, drawn)
        for family in ("gpt tied", "conv batch"):
            say("sizes", family, schedule, sizes_of(world, family, schedule))
    for family in ("gpt tied", "conv batch"):
        say("host", family, "all", host_runs_of(world, family))
    say("fault", "unequal", "fsdp", words_of(engine_of(world, "moe", "fsdp")))
    world.shutdown()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(not fork(2, as_rank))
