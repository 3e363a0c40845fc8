"""Checks the checks of graphs on two forked ranks with CPUs, where a graph is only stood in for.

Started by test_graphs.py. The stand-in runs the step's Python again when it is replayed, and keeps
its losses in the same tensors, as a graph does. Rank 0 prints a JSON list for each check.
"""

import json
import sys
import warnings
from functools import partial

import torch

from mp.distributed.engine import DistributedEngine
from mp.distributed.graph.check import check_graph
from mp.distributed.graph.step import GraphedStep, losses_of
from mp.distributed.pipeline import PipelineStep
from mp.hardware.memory import measure_workspaces
from mp.measure import measure
from mp.timing.capture import NotCapturable
from study.errors import CaseError
from study.schedules import PIPELINES
from study.validation import make_case
from tests.mp.forked_full_captures import run_full
from tests.mp.forked_ranks import fork, meet

KEYS = {"depth": 4, "dim": 8, "gpus": 2, "batch_size": 32, "execution": "cuda_graph"}
SCHEDULES, BROKEN = ("1f1b", "zbv", "ddp", "fsdp", "tensor"), ("1f1b", "ddp")


class StandIn:
    """A step that is run again, with its losses in tensors that stay."""

    def __init__(self, step):
        self.step = step
        is_last = not isinstance(step, PipelineStep) or step.target is not None
        count = step.case.parts if isinstance(step, PipelineStep) else 1
        self.kept = [torch.zeros(()) for _ in range(count if is_last else 0)]
        self.show()

    def show(self):
        if isinstance(self.step, PipelineStep):
            self.step.losses[:] = self.kept
        else:
            self.step.last_loss = self.kept[0]

    def train(self):
        self.step()

    def replay(self):
        self.train()
        for kept, loss in zip(self.kept, losses_of(self.step), strict=True):
            kept.copy_(loss.detach())
        self.show()

    def reset(self):
        self.step = None


class Forgets(StandIn):
    """Computes the gradients, and never changes a weight."""

    def train(self):
        self.step.compute_gradients()


class Scales(StandIn):
    """Finds other gradients."""

    def train(self):
        super().train()
        for layer in self.step.layers().values():
            for parameter in layer.parameters():
                parameter.grad.mul_(1.01)


class Stays(StandIn):
    """Has the losses of before."""

    def replay(self):
        self.train()
        self.show()


def refuses_on(world, rank, step):
    if world.rank == rank:
        raise NotCapturable("RuntimeError: it asked (mine.py, line 3)")
    return StandIn(step)


def words_of(world, schedule, make):
    keys = KEYS | {"schedule": schedule}
    if schedule in PIPELINES:
        keys["micro_batches"] = 4
    engine = DistributedEngine(make_case(keys, "test"), world)
    try:
        check_graph(
            engine.workload.small_case(), engine.build, world, partial(GraphedStep, make=make)
        )
    except CaseError as error:
        return str(error)
    return "equal"


def measured(world):
    """What a case is measured as: how many steps of each kind, and by whom they were trained."""
    keys = KEYS | {"schedule": "1f1b", "micro_batches": 4, "steps": 5, "warmup_steps": 2}
    engine = DistributedEngine(make_case(keys, "test"), world)
    made = []

    def prepare(step):
        made.append(GraphedStep(step, world, StandIn))
        return made[0]

    engine.prepare = prepare
    workspaces = measure_workspaces(engine.case, world.devices)
    step = engine.build(engine.case)
    step()
    found = measure(engine, step, [2, 2], workspaces, lambda progress: None)
    return {
        "timed": len(found.measurement.step_times_s),
        "has breakdown": found.measurement.breakdown is not None,
        "is let go of": made[0].graph.step is None and not made[0].losses,
    }


def as_rank(rank, ranks, port):
    world = meet(rank, ranks, port)
    makes = {kind.__name__: kind for kind in (StandIn, Forgets, Scales, Stays)}
    makes["refuses"] = partial(refuses_on, world, 1)
    for schedule in SCHEDULES:
        for name, make in makes.items():
            if name != "StandIn" and schedule not in BROKEN:
                continue
            words = world.all_gather(words_of(world, schedule, make), str)
            if rank == 0:
                print(json.dumps([schedule, name, words]), flush=True)
    found = measured(world)
    if rank == 0:
        print(json.dumps(["1f1b", "measured", found]), flush=True)
    world.shutdown()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    is_well = fork(2, as_rank)
    pipeline = KEYS | {"schedule": "1f1b", "micro_batches": 4}
    for full in (0, 1):
        fork(2, partial(run_full, full, pipeline, StandIn))
    sys.exit(not is_well)
