"""A training step of data parallelism: DistributedDataParallel, or FSDP's `fully_shard`."""

from statistics import fmean

import torch
from torch import nn

from mp.distributed.data.counting import CollectiveCounter
from mp.distributed.data.waits import Waits, watch_layers
from mp.distributed.data.wrapping import replicate, shard
from mp.distributed.step_listener import SILENT, StepListener
from mp.distributed.tensor import whole_gradients
from mp.distributed.world import World
from mp.engine import Gradients
from mp.workload import Workload, make_optimizer

UNTIL_STEADY = 2  # DDP builds its buckets anew in the second step


class DataParallelStep:
    """The model as this rank has it, its optimizer, and its part of the batch.

    Args:
        workload: what the case trains.
        world: all ranks.

    Attributes:
        model: all layers; with FSDP, this rank's shard of each parameter.
        x: the input, (batch / gpus, ...).
        target: (batch / gpus, ...).
        last_loss: over this rank's part, of the step that ran last, with its autograd graph.
    """

    def __init__(self, workload: Workload, world: World) -> None:
        self.case, self.workload, self.world = workload.case, workload, world
        self.waits = Waits()
        is_sharded = self.case.schedule == "fsdp"
        self.model, self._layers = (
            shard(workload, world) if is_sharded else replicate(workload, world, self.waits)
        )
        self.sharded = self._layers if is_sharded else []
        x, target = (
            workload.cast(part.chunk(world.size)[world.rank].clone())
            for part in workload.draw_batch(self.case.batch_size, world.device)
        )
        self.x, self.target = x, target
        self.optimizer = make_optimizer(self.case, self.model.parameters())
        self.last_loss: torch.Tensor | None = None
        torch.manual_seed(self.case.seed + world.rank)  # no two ranks drop the same values

    def __call__(self) -> None:
        """Train one step."""
        self.compute_gradients()
        self.optimizer.step()

    def forward(self) -> torch.Tensor:
        """Compute the loss of this rank's part; gradients of the step before are dropped first."""
        self.optimizer.zero_grad(set_to_none=True)
        self.last_loss = self.workload.loss(self.model(self.x), self.target)
        return self.last_loss

    def compute_gradients(self) -> None:
        """Run forward and backward; gradients are those of the whole batch."""
        if self.waits.listener is SILENT:
            self.forward().backward()
            return
        handles = watch_layers(self.sharded, self.waits)
        self.waits.enter("forward")
        loss = self.forward()
        self.waits.leave()
        for handle in handles:
            handle.remove()
        self.waits.enter("backward")
        self.waits.watch_end_of(loss, "reduce-scatter" if self.sharded else "all-reduce")
        loss.backward()
        self.waits.leave()

    def listen(self, listener: StepListener) -> None:
        """Report to this listener from now on."""
        self.waits.listener = listener

    def count(self, listener: StepListener) -> None:
        """Train one step and report its collectives; the steps before it train nothing.

        Args:
            listener: told of each collective.
        """
        for _ in range(UNTIL_STEADY):
            self.compute_gradients()
        self.listen(listener)
        with CollectiveCounter(self.waits):
            self.compute_gradients()
        self.listen(SILENT)
        self.optimizer.step()

    @property
    def loss(self) -> float | None:
        """The mean over the batch in the step that ran last; all ranks ask for it together."""
        if self.last_loss is None:
            return None
        return fmean(self.world.all_gather(self.last_loss.item(), float))

    def gradients(self) -> Gradients:
        """Return the whole gradients of each layer, on the CPU; all ranks ask together."""
        return {number: whole_gradients(layer) for number, layer in self.layers().items()}

    def layers(self) -> dict[int, nn.Module]:
        """Return every layer, by number."""
        return dict(enumerate(self._layers))
