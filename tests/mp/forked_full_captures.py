"""Runs a case whose graph finds no room on one of two forked ranks; CPUs stand in for GPUs.

forked_graph_stand_ins.py forks them. The first rank prints, as JSON, the case's outcome, its error
and the seconds from its own capture until the result was there.
"""

import json
import os
import time
from functools import partial

import torch

import mp.benchmark
from mp.distributed import engine
from mp.distributed.graph.check import check_graph
from mp.distributed.graph.step import GraphedStep
from mp.run import run_case
from study.results.result import Job
from study.validation import make_case
from tests.mp.forked_ranks import become

AT = "2030-01-01T10:00:00.000+00:00"
FULL = "CUDA out of memory. Tried to allocate 2.00 GiB."


def run_full(full, keys, stand_in, rank, ranks, port):
    """Run the case of these keys as a rank, where the rank `full` has no room for its graph."""
    become(rank, ranks, port)
    captures, begun = [], time.monotonic()

    def make(step):
        nonlocal begun
        captures.append(step)
        begun = time.monotonic()
        if rank == full and len(captures) == 2:  # the first is of a small model
            raise torch.OutOfMemoryError(FULL)
        return stand_in(step)

    graphed = partial(GraphedStep, make=make)
    engine.GraphedStep = graphed
    engine.check_graph = partial(check_graph, make=graphed)
    mp.benchmark.check_possible = lambda case, devices: None  # which needs GPUs

    def show(result):
        took = time.monotonic() - begun
        said = [result.outcome, result.error.type, result.error.message, took]
        print(json.dumps(["full", full, said]), flush=True)

    job = Job(executor="local", slurm_job_id=None, requested_gpus=2, allocated_gpus=None,
              visible_gpus=0, submitted_at=None, started_at=AT, finished_at=AT)  # fmt: skip
    case = make_case(keys, "test")
    result = run_case(case, "cpu", job, lambda progress: None, finish=show)
    if rank == 0:
        show(result)
    os._exit(1)
