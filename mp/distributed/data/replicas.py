"""Replicas of a pipeline: each trains its share of the batch, and their gradients are averaged."""

from collections import defaultdict
from collections.abc import Iterable
from statistics import fmean
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.distributed_c10d import _coalescing_manager

from mp.distributed.step_listener import StepListener
from mp.distributed.world import World
from study.case import Case
from study.stages import replica_of


class Replicas:
    """The replicas of a case's pipeline, as one rank of one of them sees the others.

    Args:
        case: of a pipeline.
        world: all ranks, which make this at the same time.

    Attributes:
        number: of this rank's replica.
        pipeline: the process group of this rank's replica; None where it is that of all ranks.
        peers: that of the ranks with the same stages, one of each replica; None without others.
    """

    def __init__(self, case: Case, world: World) -> None:
        self.case, self.world = case, world
        self.number = replica_of(case, world.rank)
        self.pipeline, self.peers = None, None
        # A model of one's own may use a parameter for some rows only.
        self.may_leave_out = case.kind == "factory"
        if case.data_parallel > 1:
            self.pipeline, self.peers = _groups(case, world)

    def share(self, rows: torch.Tensor) -> torch.Tensor:
        """Return this replica's share of the batch, or of its targets."""
        return rows.chunk(self.case.data_parallel)[self.number]

    def add_up(self, parameters: Iterable[nn.Parameter], listener: StepListener) -> None:
        """Replace the gradient of each parameter by the sum over all replicas.

        One without a gradient here gets that of the others. It keeps none if no replica has one.

        Args:
            parameters: those of this rank, in the same order as in other replicas.
            listener: told of the all-reduces.
        """
        if self.peers is None:
            return
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        missing = [number for number, p in enumerate(trained) if p.grad is None]
        for number in missing:
            trained[number].grad = torch.zeros_like(trained[number])
        summed = [parameter.grad for parameter in trained if parameter.grad is not None]
        counts = torch.empty(0)
        if self.may_leave_out and summed:  # DDP sums such a mask, too
            counts = summed[0].new_ones(len(summed))
            counts[missing] = 0
            summed.append(counts)
        all_reduce(summed, self.peers, listener, is_counted=self.number == 0)
        for number in missing if len(counts) else []:
            if not counts[number]:
                trained[number].grad = None

    def mean(self, loss: float | None) -> float | None:
        """Return the mean loss of all replicas where this rank has one; all ranks ask together."""
        if self.peers is None:
            return loss
        every = self.world.all_gather(loss, float | None)
        return None if loss is None else fmean(its for its in every if its is not None)


def all_reduce(
    tensors: list[torch.Tensor], group: Any, listener: StepListener, *, is_counted: bool
) -> None:
    """Replace tensors by their sums over a group, with one all-reduce for those of one dtype.

    Args:
        tensors: gradients of this rank.
        group: the ranks that have the like.
        listener: told of it.
        is_counted: whether this rank is the one of its group that counts the all-reduces.
    """
    of_dtype = defaultdict[torch.dtype, list[torch.Tensor]](list)
    for tensor in tensors:
        of_dtype[tensor.dtype].append(tensor)
    for together in of_dtype.values():
        listener.begin("collective")
        # NCCL launches them as one, without the copies that buckets need.
        with _coalescing_manager(group=group, async_ops=True) as work:
            for tensor in together:
                dist.all_reduce(tensor, group=group)
        work.wait()
        listener.end()
        if is_counted:
            size = sum(tensor.nbytes for tensor in together)
            listener.on_collective("backward", "all_reduce", size)


def _groups(case: Case, world: World) -> tuple[Any, Any]:
    """Return the groups of this rank: its pipeline, and the ranks with the same stages."""
    ranks = range(world.size)
    pipelines = [tuple(ranks[replica :: case.replicas]) for replica in range(case.replicas)]
    peers = [tuple(ranks[first:][: case.replicas]) for first in ranks[:: case.replicas]]
    groups = {each: world.group_of(each) for each in [*pipelines, *peers]}  # every rank makes all
    mine = [group for each, group in groups.items() if world.rank in each]
    return mine[0], mine[1]
