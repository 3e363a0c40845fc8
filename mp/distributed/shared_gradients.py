"""Parameters that ranks share: every rank has a copy, and the gradients of all copies are added up.

As Megatron-LM does for an embedding that is also the head (Shoeybi et al. 2019).
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from mp.distributed.data.replicas import all_reduce
from mp.distributed.stages import Stages
from mp.distributed.step_listener import StepListener
from mp.distributed.world import World
from mp.sharing import Sharing
from study.errors import CaseError


@dataclass(frozen=True)
class _Copy:
    """This rank's copy of a parameter, and the group of ranks that have one."""

    parameter: nn.Parameter
    group: Any
    is_counted_here: bool  # on one rank of them


class SharedGradients:
    """The parameters of this rank that others have, too.

    Args:
        sharing: what layers share.
        names: of all layers.
        stages: those of all ranks.
        held: the layers of this rank, by number.
        world: all ranks, which make this at the same time.

    Raises:
        CaseError: two stages share a buffer, or two tensors a memory.
    """

    def __init__(
        self,
        sharing: Sharing,
        names: list[str],
        stages: Stages,
        held: dict[int, nn.Module],
        world: World,
    ) -> None:
        sharing.check_memory(names)
        self.copies: list[_Copy] = []
        for shared in sharing:
            of_stages = {stages.stage_of_layer[place.layer] for place in shared.places}
            if len(of_stages) > 1 and not shared.is_parameter:
                raise CaseError(
                    f"{shared.in_words(names)} are one buffer in several stages of a pipeline, "
                    "whose changes no stage would see of another; give each layer its own"
                )
            firsts = sorted({stages.gpu_of_stage[stage] for stage in of_stages})
            if len(firsts) == 1:
                continue
            for replica in range(stages.replicas):  # each rank makes the groups of all of them
                ranks = tuple(rank + replica for rank in firsts)
                group = world.group_of(ranks)
                if world.rank in ranks:
                    mine = next(place for place in shared.places if place.layer in held)
                    parameter = held[mine.layer].get_parameter(mine.name)
                    # GPUs of another model draw other numbers from one seed.
                    dist.broadcast(parameter.detach(), src=ranks[0], group=group)
                    if parameter.requires_grad:
                        self.copies.append(_Copy(parameter, group, world.rank == ranks[0]))

    def add_up(self, listener: StepListener) -> None:
        """Replace the gradient of every copy by the sum over all ranks that have one.

        Args:
            listener: told of each all-reduce.
        """
        for copy in self.copies:
            if copy.parameter.grad is None:
                copy.parameter.grad = torch.zeros_like(copy.parameter)
            all_reduce([copy.parameter.grad], copy.group, listener, is_counted=copy.is_counted_here)
