"""Trains every schedule by eager steps and by a CUDA graph, on GPUs, in ranks that are forked.

Started by test_cuda_graphs.py in a process of its own, with the names of what to train. Rank 0
prints a JSON object for each: the losses of three steps on each rank and the median step times.
"""

import json
import os
import sys
import warnings
from statistics import median

import torch

from mp.distributed.engine import DistributedEngine
from mp.distributed.graph.evidence import mean_of
from mp.distributed.graph.step import losses_of, warm_up
from mp.timing.timer import time_step
from study.errors import CaseError
from study.schedules import PIPELINES
from study.validation import make_case
from tests.mp.forked_ranks import fork, meet

STEPS, TIMED = 3, 30
LINEAR = {"depth": 16, "dim": 512, "batch_size": 256}
GPT = {"kind": "gpt", "depth": 6, "dim": 128, "heads": 4, "seq_len": 64, "vocab": 1024}
CONV = {"kind": "conv", "depth": 6, "width": 8, "image": 32, "classes": 10, "norm": "batch"}
PIPELINE = {"micro_batches": 4}
TRAININGS = {
    **{
        f"{schedule} {gradients}": LINEAR
        | {"schedule": schedule, "gradients": gradients}
        | PIPELINE
        for schedule in PIPELINES
        for gradients in ("separate", "fused")
    },
    "ddp": LINEAR | {"schedule": "ddp"},
    "fsdp": LINEAR | {"schedule": "fsdp"},
    "tensor": LINEAR | {"schedule": "tensor"},
    "1f1b bfloat16": LINEAR | {"schedule": "1f1b", "dtype": "bfloat16"} | PIPELINE,
    "1f1b adam": LINEAR | {"schedule": "1f1b", "optimizer": "adam"} | PIPELINE,
    "ddp adam": LINEAR | {"schedule": "ddp", "optimizer": "adam"},
    "1f1b recompute": LINEAR | {"schedule": "1f1b", "recompute": "layers"} | PIPELINE,
    "ddp recompute": LINEAR | {"schedule": "ddp", "recompute": "layers"},
    "fsdp recompute": LINEAR | {"schedule": "fsdp", "recompute": "layers"},
    "1f1b gpt tied": GPT | {"schedule": "1f1b", "tied": True, "batch_size": 16} | PIPELINE,
    "zbv gpt": GPT | {"schedule": "zbv", "tied": False, "batch_size": 16} | PIPELINE,
    "ddp gpt": GPT | {"schedule": "ddp", "tied": False, "batch_size": 16},
    "fsdp gpt tied": GPT | {"schedule": "fsdp", "tied": True, "batch_size": 16},
    "fsdp bfloat16": LINEAR | {"schedule": "fsdp", "dtype": "bfloat16"},
    "ddp conv": CONV | {"schedule": "ddp", "batch_size": 16},
}


ON_FOUR = {  # GPUs: two pipelines of two
    "1f1b replicas": LINEAR | {"schedule": "1f1b", "data_parallel": 2} | PIPELINE,
    "zbv fused replicas": LINEAR
    | {"schedule": "zbv", "gradients": "fused", "data_parallel": 2}
    | PIPELINE,
}


def case_of(name, execution):
    keys = ON_FOUR[name] | {"gpus": 4} if name in ON_FOUR else TRAININGS[name] | {"gpus": 2}
    return make_case(keys | {"execution": execution}, "test")


def train(world, name):
    """The losses of steps by each execution, of this rank, and the seconds of a step."""
    engine = DistributedEngine(case_of(name, "cuda_graph"), world)  # chooses the stream of both
    eager_engine = DistributedEngine(case_of(name, "eager"), world)
    eager, losses = eager_engine.build(eager_engine.case), {"eager": [], "graph": []}
    if engine.case.optimizer == "adam":  # else eager steps correct its bias in float64
        eager.optimizer.param_groups[0]["capturable"] = True
    warm_up(eager, world)
    for _ in range(STEPS):
        eager()
        losses["eager"].append(mean_of(losses_of(eager)))
    graph = engine.prepare(engine.build(engine.case))  # has trained as long, and one step
    losses["graph"].append(mean_of(graph.losses))
    for _ in range(STEPS - 1):
        graph()
        losses["graph"].append(mean_of(graph.losses))
    seconds = {
        which: median(world.all_reduce_max(time_step(step, world.devices)) for _ in range(TIMED))
        for which, step in (("eager", eager), ("graph", graph))
    }
    graph.release()
    return losses, seconds


def as_rank(rank, ranks, port, names):
    os.environ.setdefault("TORCH_NCCL_ASYNC_ERROR_HANDLING", "0")
    world = meet(rank, ranks, port, "cuda")
    for name in names:
        said = {"name": name}
        try:
            losses, seconds = train(world, name)
        except CaseError as error:
            said["error"] = str(error)
        else:
            every = world.all_gather(losses, dict[str, list[float | None]])
            said |= {"seconds": seconds, "losses": every}
        if rank == 0:
            print(json.dumps(said), flush=True)
        torch.cuda.empty_cache()
    os._exit(0)  # a broken capture keeps torch from taking its groups down


def main(names):
    warnings.simplefilter("ignore")
    count = case_of(names[0], "eager").gpus
    return not fork(count, lambda rank, ranks, port: as_rank(rank, ranks, port, names))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or [*TRAININGS]))
