"""A model on every rank: whole, with DistributedDataParallel, or sharded by `fully_shard`."""

from typing import Any

from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from mp.distributed.data.waits import Waits
from mp.distributed.stage import StageModule
from mp.distributed.world import World
from mp.hardware.precision import converted
from mp.sharing import Sharing
from mp.workload import Workload


class ReportingDDP(DistributedDataParallel):
    """DistributedDataParallel that reports when it waits for the first rank's buffers."""

    waits: Waits

    def _sync_buffers(self) -> None:
        self.waits.begin("broadcast")
        super()._sync_buffers()
        self.waits.end()


def replicate(workload: Workload, world: World, waits: Waits) -> tuple[nn.Module, list[nn.Module]]:
    """Return the whole model, whose gradients DDP averages over the ranks, and its layers.

    Args:
        workload: what the case trains.
        world: all ranks.
        waits: told when forward waits for buffers.
    """
    layers, sharing = [], Sharing()
    everywhere = dict.fromkeys(range(workload.case.layers), world.device)
    for _, layer in workload.draw(everywhere, sharing):
        layers.append(converted(layer, workload.dtype, world.device))
    sharing.check_memory(workload.names())
    model: Any = ReportingDDP(
        StageModule(layers, workload.run_layer),
        gradient_as_bucket_view=True,  # else every gradient is there twice
        find_unused_parameters=workload.case.kind == "factory",  # ours use all of theirs
    )
    model.waits = waits
    return model, layers


def shard(workload: Workload, world: World) -> tuple[nn.Module, list[nn.Module]]:
    """Return the model with each layer's parameters sharded over the ranks, and its layers.

    Args:
        workload: what the case trains.
        world: all ranks.
    """
    layers, sharing = list[nn.Module](), Sharing()
    everywhere = dict.fromkeys(range(workload.case.layers), world.device)
    drawn = workload.draw(everywhere, sharing)
    if not workload.draws_apart:  # only then it is known what they share
        drawn = iter(list(drawn))
    sharing.check_memory(workload.names())
    mesh = init_device_mesh(world.device.type, (world.size,))
    complete_with = {unit[-1]: unit for unit in units_of(workload.case.layers, sharing)}
    for number, layer in drawn:
        layers.append(converted(layer, workload.dtype, world.device))
        unit = list(dict.fromkeys(layers[each] for each in complete_with.get(number, ())))
        if any(True for layer in unit for _ in layer.parameters()):
            fully_shard(unit, mesh=mesh)
    model = StageModule(layers, workload.run_layer)
    fully_shard(model, mesh=mesh)
    return model, layers


def units_of(count: int, sharing: Sharing) -> list[list[int]]:
    """Return the units that FSDP puts together: each layer, and layers that share a parameter.

    Args:
        count: of the layers.
        sharing: what they share.

    Returns:
        The numbers of each unit's layers, in order.
    """
    unit = list(range(count))
    for shared in sharing:
        if shared.is_parameter:
            joined = {unit[place.layer] for place in shared.places}
            unit = [min(joined) if each in joined else each for each in unit]
    return [
        [number for number, of in enumerate(unit) if of == each] for each in dict.fromkeys(unit)
    ]
