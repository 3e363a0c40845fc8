"""torch's pipeline stage, as it reports what it does, and the layers it runs."""

from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.pipelining import PipelineStage

from mp.activations import Activation, each_part, parts_of
from mp.distributed.step_listener import SILENT, StepListener
from mp.recompute import RunLayer, run_layer
from mp.weight_gradients import WeightGradients
from study.results.measurement import SpanKind


class StageModule(nn.Sequential):
    """Layers in turn. torch hands over the tensors of a tuple as so many arguments.

    Args:
        layers: in order.
        run: runs a layer.
        copies_views: whether an output that is a view is copied: torch's zero bubble detaches it in
            place, which torch refuses.
    """

    def __init__(
        self, layers: Iterable[nn.Module], run: RunLayer, *, copies_views: bool = False
    ) -> None:
        super().__init__(*layers)
        self.run, self.copies_views = run, copies_views

    def forward(self, *x: torch.Tensor) -> Activation:
        """Map the tensors that the stage before returned to those that the next takes."""
        output: Activation = x[0] if len(x) == 1 else x
        for layer in self:
            output = self.run(layer, output)
        return each_part(output, _owned) if self.copies_views else output


def _owned(part: torch.Tensor) -> torch.Tensor:
    return part.clone() if part._is_view() else part


class ReportingStage(PipelineStage):
    """torch's stage, which reports to a listener when it computes and what it sends.

    Chunks are micro-batches: (batch / micro_batches, ...).

    Attributes:
        listener: told of actions and sends.
        first_micro_batch: of the whole batch, the number that is reported of this stage's first.
        weight_gradients: puts off the weight gradients that zero bubble computes later; None leaves
            that to torch, which splits the graph of autograd in two.
    """

    listener: StepListener = SILENT
    first_micro_batch: int = 0
    weight_gradients: WeightGradients | None = None

    def _begin(self, kind: SpanKind, chunk: int) -> None:
        self.listener.begin(kind, self.stage_index, self.first_micro_batch + chunk)

    def forward_one_chunk(self, fwd_chunk_id: int, *args: Any, **kwargs: Any) -> Any:
        """Run and report a forward."""
        self._begin("forward", fwd_chunk_id)
        output = super().forward_one_chunk(fwd_chunk_id, *args, **kwargs)
        self.listener.end()
        return output

    def backward_one_chunk(
        self,
        bwd_chunk_id: int,
        loss: Any = None,
        full_backward: bool = True,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Run and report a backward, or the part of it that gives the gradient of the input.

        Args:
            bwd_chunk_id: the micro-batch.
            loss: of it, on the last stage.
            full_backward: whether the gradients of the weights are computed now, too.
            *args: what else torch passes.
            **kwargs: what else torch passes.
        """
        kind: SpanKind = "backward" if full_backward else "input_gradient"
        self._begin(kind, bwd_chunk_id)
        store = self.weight_gradients
        waiting = store.collecting(bwd_chunk_id, later=not full_backward) if store else None
        with waiting or nullcontext():
            at_once = full_backward or store is not None
            super().backward_one_chunk(bwd_chunk_id, loss, at_once, *args, **kwargs)
        self.listener.end()

    def backward_weight_one_chunk(self, bwd_chunk_id: int, *args: Any, **kwargs: Any) -> None:
        """Run and report the gradients of the weights."""
        self._begin("weight_gradient", bwd_chunk_id)
        if self.weight_gradients is None:
            super().backward_weight_one_chunk(bwd_chunk_id, *args, **kwargs)
        else:
            self.weight_gradients.add(bwd_chunk_id)
        self.listener.end()

    def _get_init_p2p_neighbors_ops(self) -> list[dist.P2POp]:
        # Up to torch 2.11 two neighbours on one rank greet each other, which Gloo refuses.
        me = dist.get_rank()
        return [
            greeting for greeting in super()._get_init_p2p_neighbors_ops() if greeting.peer != me
        ]

    def get_fwd_send_ops(self, fwd_chunk_id: int) -> list[dist.P2POp]:
        """Report and return the sends of activations."""
        operations = super().get_fwd_send_ops(fwd_chunk_id)
        self.listener.on_send("forward", self.stage_index, operations)
        return operations

    def get_bwd_send_ops(self, bwd_chunk_id: int) -> list[dist.P2POp]:
        """Report and return the sends of gradients."""
        operations = super().get_bwd_send_ops(bwd_chunk_id)
        self.listener.on_send("backward", self.stage_index, operations)
        return operations


def make_stage(
    layers: Iterable[nn.Module],
    numbers: tuple[int, int],
    device: torch.device,
    x: Activation,
    output: Activation,
    *,
    copies_views: bool = False,
    fused: bool = False,
    run: RunLayer = run_layer,
    group: Any = None,
) -> ReportingStage:
    """Make a stage of known shapes: else torch sends them along, as pickles.

    Args:
        layers: in order.
        numbers: of the stage, and how many stages there are.
        device: of this rank.
        x: like its input, without data.
        output: like its output, without data.
        copies_views: as torch's zero bubble needs it.
        fused: whether linear layers add their weight gradients inside the matrix product.
        run: runs a layer.
        group: the process group of its pipeline; None if that is all ranks.

    Returns:
        The stage, which passes back the gradient of every tensor that may have one.
    """
    stage, count = numbers
    module = StageModule(layers, run, copies_views=copies_views)
    made = ReportingStage(
        module,
        stage,
        count,
        device,
        input_args=_example(x, with_gradient=stage > 0),
        output_args=_example(output, with_gradient=True),
        group=group,
    )
    if fused:
        made.weight_gradients = WeightGradients()
        made.weight_gradients.take_over(module)
    return made


def _example(x: Activation, *, with_gradient: bool) -> tuple[torch.Tensor, ...]:
    return tuple(
        torch.empty_like(part, requires_grad=with_gradient and part.is_floating_point())
        for part in parts_of(x)
    )
