"""Runs every schedule's check with 1 to 8 ranks, which are forked so that torch is loaded once.

Started by test_schedules.py in a process of its own; prints a line for each (ranks, schedule).
How: `right`; `broken`, with a wrong gradient; `pickle_free`, where all unpickling raises.
"""

import os
import sys
import warnings
from collections.abc import Callable
from functools import partial

import torch

from mp.correctness.check import check_equals_unsplit
from mp.distributed.engine import DistributedEngine
from mp.distributed.stages import make_stages
from mp.distributed.world import World, join
from mp.launcher.launcher import free_port
from mp.rendezvous.secret import SECRET
from study.case import Case
from study.errors import CaseError
from study.schedules import PIPELINES
from study.validation import make_case
from tests.mp.without_pickles import forbid_pickles

NO_PIPELINES = ("tensor", "ddp", "fsdp")
SCHEDULES = (*PIPELINES, *NO_PIPELINES)
EVEN, UNEVEN = None, "uneven"


def cases(ranks: int) -> list[Case]:
    """Each schedule with few and with many micro-batches, and an odd number of layers."""
    keys = {"depth": 2 * ranks + 1, "gpus": ranks, "dim": ranks, "batch_size": 4 * ranks}
    found = [make_case({**keys, "schedule": name}, "test") for name in NO_PIPELINES]
    keys |= {"gradients": "separate"}  # torch's own; forked_fused_ranks.py has the others
    for schedule in PIPELINES:
        found += [
            make_case({**keys, "schedule": schedule, "micro_batches": m}, "test")
            for m in (ranks, 2 * ranks)
        ]
    return found


def engine_of(case: Case, world: World, break_it: bool) -> DistributedEngine:
    engine = DistributedEngine(case, world)
    if engine.stages is not None:
        # The first layer takes as long as three: stages of different numbers of layers.
        engine.stages = make_stages(case, [3.0] + [1.0] * (case.depth - 1))
    build = engine.build
    engine.build = lambda small: broken(build(small), break_it)
    return engine


def become(rank: int, ranks: int, port: int) -> None:
    """Be one of the ranks, which are forked from one process."""
    knows = {"RANK": rank, "WORLD_SIZE": ranks, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": ranks}
    os.environ |= {key: str(n) for key, n in {**knows, "MASTER_PORT": port}.items()}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", SECRET: "5e" * 32}
    torch.set_num_threads(1)


def meet(rank: int, ranks: int, port: int, policy: str = "cpu") -> World:
    """Meet the other ranks."""
    become(rank, ranks, port)
    return join(ranks, policy, print)


def as_rank(rank: int, ranks: int, port: int, break_it: bool) -> None:
    world = meet(rank, ranks, port)
    for case in cases(ranks):
        words = "equal"
        try:
            check_equals_unsplit(engine_of(case, world, break_it))
        except CaseError as error:
            words = str(error)
        if rank == 0:
            print(f"{ranks} {case.schedule} {case.micro_batches}: {words}", flush=True)
    world.shutdown()


def fork(ranks: int, run: Callable[[int, int, int], None]) -> bool:
    """Run `run(rank, ranks, port)` in so many forked processes; return whether all end well."""
    port = free_port()
    children = []
    for rank in range(ranks):
        if (child := os.fork()) == 0:
            run(rank, ranks, port)
            os._exit(0)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    return not any(codes)


def broken(step, is_broken: bool):
    """The step, with one gradient of a middle layer a little off where it is broken."""
    if is_broken:
        right = step.gradients

        def wrong():
            found = right()
            for number in found:
                if number == step.case.depth // 2:
                    found[number]["weight"][0, 0] += 0.01 * found[number]["weight"].abs().max()
            return found

        step.gradients = wrong
    return step


def main(counts: list[int], how: str) -> int:
    warnings.simplefilter("ignore")
    if how == "pickle_free":
        forbid_pickles()
    for ranks in counts:
        if not fork(ranks, partial(as_rank, break_it=how == "broken")):
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main([int(n) for n in sys.argv[2].split(",")], sys.argv[1]))
