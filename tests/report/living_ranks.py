"""Two forked ranks of GPipe: the bytes of their living tensors at most, and those predicted.

Started by test_pipeline_memory.py in a process of its own; prints a line for each rank, then
again where layers run again.
"""

import gc
import os
import warnings
import weakref

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from mp.distributed.instruments import HostOffset, record_timeline
from mp.distributed.pipeline import PipelineStep
from mp.distributed.stages import make_stages
from mp.distributed.world import World, join
from mp.families.linear import LinearStack
from mp.launcher.launcher import free_port
from mp.rendezvous.secret import SECRET
from mp.timing.clocks import clock_of
from mp.timing.timeline import break_down
from report.data.measured import measured
from study.validation import make_case
from tests.report.made_up import measuring
from tests.report.made_up_pipeline import predicted_by_closed_forms, scheduled

SIZES = {"depth": 8, "gpus": 2, "dim": 64, "batch_size": 4096, "micro_batches": 4}


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of all storages that are alive, and the most there ever were."""

    def __init__(self, *already):
        super().__init__()
        self.known, self.now, self.peak = set(), 0, 0
        for tensor in already:
            self._see(tensor)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        tree_map_only(torch.Tensor, self._see, made)
        return made

    def _see(self, tensor):
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self.known:
            return
        self.known.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key, size):
        self.known.discard(key)
        self.now -= size


def as_rank(rank: int, port: int) -> None:
    knows = {"RANK": rank, "WORLD_SIZE": 2, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": 2}
    os.environ |= {key: str(n) for key, n in {**knows, "MASTER_PORT": port}.items()}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", SECRET: "5e" * 32}
    torch.set_num_threads(1)
    world = join(2, "cpu", print)
    for recompute in ("none", "layers"):
        measure(world, {**SIZES, "recompute": recompute})
    world.shutdown()


def measure(world: World, keys: dict[str, object]) -> None:
    rank = world.rank
    gc.collect()  # what is left of a step before
    case = make_case({**keys, "schedule": "gpipe"}, "test")
    step = PipelineStep(LinearStack(case), make_stages(case), world)
    step()  # makes what the others find made
    seen = break_down(
        [record_timeline(step, world, HostOffset(0.0, 0.0), clock_of(world.devices))], "host"
    )
    already = [found for found in gc.get_objects() if isinstance(found, torch.Tensor)]
    with LiveBytes(*already) as live:
        del already
        step()
    made = measuring(scheduled("gpipe", dtype="float32", **keys), breakdown=seen)
    predicted = predicted_by_closed_forms(measured(made))[rank].total
    print(f"rank {rank}: {live.peak} {predicted}", flush=True)  # Gloo prints lines of its own


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    port = free_port()
    if (child := os.fork()) == 0:
        as_rank(1, port)
        os._exit(0)
    as_rank(0, port)
    os.waitpid(child, 0)
