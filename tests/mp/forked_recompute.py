"""Runs the check of recomputed layers under every schedule but naive, in two forked ranks.

Started by test_recompute.py in a process of its own. Rank 0 prints a line for each check.
"""

import sys
import warnings

import torch

from mp.correctness.check import check_equals_unsplit
from mp.distributed.engine import DistributedEngine
from mp.families.registry import workload_of
from study.schedules import IN_TWO_PARTS, PIPELINES, SCHEDULES
from study.validation import make_case
from tests.mp.forked_families import FAMILIES, SIZES
from tests.mp.forked_ranks import fork, meet
from tests.mp.odd_models import ODD

MODELS = {
    "gpipe": ("linear",),
    "1f1b": ("linear", "gpt tied", "conv batch", "dropout", "tuple skip"),
    "interleaved_1f1b": ("gpt tied",),
    "zero_bubble": ("gpt tied",),
    "zbv": ("dropout",),
    "tensor": ("linear",),
    "ddp": ("linear", "gpt tied", "conv batch", "dropout", "tuple skip"),
    "fsdp": ("linear", "gpt tied", "conv batch", "dropout", "tuple skip"),
}
assert {*MODELS} == {*SCHEDULES} - {"naive"}
FUSED = ("interleaved_1f1b", *IN_TWO_PARTS)  # these two run layers again with fused gradients alone


def engine_of(world, family, schedule, recompute="layers"):
    keys = FAMILIES[family] | SIZES.get(FAMILIES[family].get("kind"), {})
    keys |= {"gpus": world.size, "schedule": schedule, "recompute": recompute}
    keys |= {"micro_batches": 2 * world.size} if schedule in PIPELINES else {}
    keys |= {"gradients": "fused"} if schedule in FUSED else {}
    case = make_case({**keys, "batch_size": 8 * world.size}, "test")
    return DistributedEngine(case, world, drawing(ODD.get(family, workload_of)))


def drawing(workload):
    """Keep the generators' states with every input: odd models do not say that they draw."""

    def made(case):
        one = workload(case)
        one.may_draw = True
        return one

    return made


def gradients(world, schedule, recompute):
    engine = engine_of(world, "dropout", schedule, recompute)
    step = engine.build(engine.case)
    torch.manual_seed(world.rank)
    step.compute_gradients()
    return [part for layer in step.gradients().values() for part in layer.values()]


def as_rank(rank, ranks, port):
    world = meet(rank, ranks, port)
    for schedule, families in MODELS.items():
        for family in families:
            notes = check_equals_unsplit(engine_of(world, family, schedule))
            if world.rank == 0:
                print(f"{schedule}, {family}: equal {' '.join(notes)}", flush=True)
        if schedule == "tensor":
            continue
        once, twice = (gradients(world, schedule, how) for how in ("none", "layers"))
        differ = any(not torch.equal(a, b) for a, b in zip(once, twice, strict=True))
        if world.all_reduce_max(float(differ)) == 0 and world.rank == 0:
            print(f"{schedule}: same masks", flush=True)
    world.shutdown()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(not fork(2, as_rank))
