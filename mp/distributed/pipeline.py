"""A training step as a pipeline, on the engine of torch.distributed.pipelining."""

import inspect
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.pipelining import PipelineStage
from torch.distributed.pipelining.schedules import PipelineScheduleSingle, get_schedule_class

from mp.distributed.stages import Stages
from mp.distributed.step_listener import SILENT, StepListener
from mp.distributed.world import World
from mp.engine import Gradients, gradients_of
from mp.workload import Workload, make_optimizer
from study.results.measurement import SpanKind
from study.schedules import SCHEDULES


class _ReportingStage(PipelineStage):
    """torch's stage, which reports to a listener when it computes and what it sends.

    Chunks are micro-batches: (batch / micro_batches, dim).
    """

    listener: StepListener = SILENT

    def forward_one_chunk(self, fwd_chunk_id: int, *args: Any, **kwargs: Any) -> Any:
        self.listener.begin("forward", self.stage_index, fwd_chunk_id)
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
        kind: SpanKind = "backward" if full_backward else "input_gradient"
        self.listener.begin(kind, self.stage_index, bwd_chunk_id)
        super().backward_one_chunk(bwd_chunk_id, loss, full_backward, *args, **kwargs)
        self.listener.end()

    def backward_weight_one_chunk(self, bwd_chunk_id: int, *args: Any, **kwargs: Any) -> None:
        self.listener.begin("weight_gradient", self.stage_index, bwd_chunk_id)
        super().backward_weight_one_chunk(bwd_chunk_id, *args, **kwargs)
        self.listener.end()

    def _get_init_p2p_neighbors_ops(self) -> list[dist.P2POp]:
        # Up to torch 2.11 two neighbours on one rank greet each other, which Gloo refuses.
        me = dist.get_rank()
        return [
            greeting for greeting in super()._get_init_p2p_neighbors_ops() if greeting.peer != me
        ]

    def get_fwd_send_ops(self, fwd_chunk_id: int) -> list[dist.P2POp]:
        operations = super().get_fwd_send_ops(fwd_chunk_id)
        self.listener.on_send("forward", self.stage_index, operations)
        return operations

    def get_bwd_send_ops(self, bwd_chunk_id: int) -> list[dist.P2POp]:
        operations = super().get_bwd_send_ops(bwd_chunk_id)
        self.listener.on_send("backward", self.stage_index, operations)
        return operations


class PipelineStep:
    """This rank's stages, its optimizer and, on the first and the last, the batch.

    Args:
        workload: what the case trains.
        stages: those of all ranks.
        world: all ranks.

    Attributes:
        x: the input, (batch, dim), on the rank of the first stage.
        target: (batch, dim), on the rank of the last stage.
        held: the layers of each stage of this rank, by number.
        parts: its stages, which take micro-batches (batch / micro_batches, dim).
        losses: of every micro-batch of the step that ran last, on the rank of the last stage.
    """

    def __init__(self, workload: Workload, stages: Stages, world: World) -> None:
        self.case, self.workload, self.stages = workload.case, workload, stages
        mine = stages.on(world.rank)
        activations = workload.activations(self.case.batch_size // self.case.micro_batches)
        self.held: dict[int, dict[int, nn.Module]] = {stage: {} for stage in mine}
        for number, layer in enumerate(workload.layers()):
            if (stage := stages.stage_of_layer[number]) in self.held:
                self.held[stage][number] = layer.to(world.device, workload.dtype)
        x, target = (workload.cast(part) for part in workload.batch(self.case.batch_size))
        self.x = x.to(world.device) if 0 in mine else None
        self.target = target.to(world.device) if stages.count - 1 in mine else None
        self.parts = [self._make_part(stage, activations, world) for stage in mine]
        self.schedule = self._make_schedule()
        self.optimizer = make_optimizer(self.case, self.parameters())
        self.losses: list[torch.Tensor] = []
        # Outputs are of no use here, and putting them together would take time and memory.
        accepts = inspect.signature(self.schedule.step).parameters
        self.options = {"return_outputs": False} if "return_outputs" in accepts else {}

    def _make_part(
        self, stage: int, activations: list[torch.Tensor], world: World
    ) -> _ReportingStage:
        """Make a stage of known shapes: else torch sends them along, as pickles."""
        numbers = list(self.held[stage])
        x, output = activations[numbers[0]], activations[numbers[-1] + 1]
        return _ReportingStage(
            nn.Sequential(*self.held[stage].values()),
            stage,
            self.stages.count,
            world.device,
            input_args=torch.empty_like(x, requires_grad=stage > 0),
            output_args=torch.empty_like(output, requires_grad=True),
        )

    def _make_schedule(self) -> Any:
        name = SCHEDULES[self.case.schedule].torch_class
        assert name is not None, "a pipeline has one"
        made: Any = get_schedule_class(name)
        stages = self.parts[0] if issubclass(made, PipelineScheduleSingle) else self.parts
        return made(stages, self.case.micro_batches, loss_fn=self._loss)

    def _loss(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        loss = self.workload.loss(output, target)
        self.parts[-1].listener.extend()
        return loss

    def parameters(self) -> list[nn.Parameter]:
        """Return the parameters of this rank."""
        return [parameter for part in self.parts for parameter in part.submod.parameters()]

    def __call__(self) -> None:
        """Train one step."""
        self.compute_gradients()
        self.optimizer.step()

    def compute_gradients(self) -> None:
        """Run forward and backward of all micro-batches; gradients are those of the batch."""
        self.optimizer.zero_grad(set_to_none=True)
        self.losses.clear()
        data = () if self.x is None else (self.x,)
        ends = {} if self.target is None else {"target": self.target, "losses": self.losses}
        self.schedule.step(*data, **ends, **self.options)

    @property
    def loss(self) -> float | None:
        """The mean over the batch in the step that ran last; None where another rank has it."""
        return torch.stack(self.losses).mean().item() if self.losses else None

    def gradients(self) -> Gradients:
        """Return the gradients of each layer of this rank, on the CPU."""
        held = [pair for layers in self.held.values() for pair in layers.items()]
        return {number: gradients_of(layer) for number, layer in held}

    def listen(self, listener: StepListener) -> None:
        """Report to this listener from now on."""
        for part in self.parts:
            part.listener = listener
