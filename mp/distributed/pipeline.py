"""A training step as a pipeline, on the engine of torch.distributed.pipelining."""

import inspect
from functools import partial

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.pipelining import PipelineStage
from torch.distributed.pipelining.schedules import PipelineScheduleSingle, get_schedule_class

from mp.distributed.stages import StageModule, Stages, make_batch, make_layers
from mp.distributed.step_listener import NOBODY, Marks
from mp.distributed.world import World
from mp.hardware.precision import element_type
from mp.single.step import LEARNING_RATE, OPTIMIZERS
from study.case import Case
from study.schedules import SCHEDULES


class MarkedStage(PipelineStage):
    """torch's stage, which tells when it computes and what it sends."""

    marks: Marks = NOBODY

    def forward_one_chunk(self, fwd_chunk_id, *args, **kwargs):
        self.marks.begin("forward", self.stage_index, fwd_chunk_id)
        output = super().forward_one_chunk(fwd_chunk_id, *args, **kwargs)
        self.marks.end()
        return output

    def backward_one_chunk(self, bwd_chunk_id, loss=None, full_backward=True, **kwargs):
        kind = "backward" if full_backward else "input_gradient"
        self.marks.begin(kind, self.stage_index, bwd_chunk_id)
        super().backward_one_chunk(bwd_chunk_id, loss, full_backward, **kwargs)
        self.marks.end()

    def backward_weight_one_chunk(self, bwd_chunk_id, **kwargs):
        self.marks.begin("weight_gradient", self.stage_index, bwd_chunk_id)
        super().backward_weight_one_chunk(bwd_chunk_id, **kwargs)
        self.marks.end()

    def _get_init_p2p_neighbors_ops(self):
        # Up to torch 2.11 two neighbours on one rank greet each other, which Gloo refuses.
        me = dist.get_rank()
        return [
            greeting for greeting in super()._get_init_p2p_neighbors_ops() if greeting.peer != me
        ]

    def get_fwd_send_ops(self, fwd_chunk_id):
        operations = super().get_fwd_send_ops(fwd_chunk_id)
        self.marks.sends("forward", self.stage_index, operations)
        return operations

    def get_bwd_send_ops(self, bwd_chunk_id):
        operations = super().get_bwd_send_ops(bwd_chunk_id)
        self.marks.sends("backward", self.stage_index, operations)
        return operations


class PipelineStep:
    """This rank's stages, its optimizer and, on the first and the last, the batch."""

    def __init__(self, case: Case, stages: Stages, world: World) -> None:
        self.case, self.stages = case, stages
        dtype = element_type(case)
        mine = stages.on(world.rank)
        held: dict[int, dict[int, nn.Linear]] = {stage: {} for stage in mine}
        for number, layer in enumerate(make_layers(case)):
            if (stage := stages.stage_of_layer[number]) in held:
                held[stage][number] = layer.to(world.device, dtype)
        x, target = (part.to(dtype) for part in make_batch(case))
        self.x = x.to(world.device) if 0 in mine else None
        self.target = target.to(world.device) if stages.count - 1 in mine else None
        self.modules = [StageModule(held[stage]) for stage in mine]
        self.parts = [
            self._make_part(stage, module, world, dtype)
            for stage, module in zip(mine, self.modules, strict=True)
        ]
        self.schedule = self._make_schedule()
        self.optimizer = OPTIMIZERS[case.optimizer](self.parameters(), lr=LEARNING_RATE)
        self.losses: list[torch.Tensor] = []
        # Outputs are of no use here, and putting them together would take time and memory.
        accepts = inspect.signature(self.schedule.step).parameters
        self.options = {"return_outputs": False} if "return_outputs" in accepts else {}

    def _make_part(self, stage: int, module: nn.Module, world: World, dtype: torch.dtype):
        """Make a stage, which is told the shapes: else torch sends them along, as pickles."""
        rows = self.case.batch_size // self.case.micro_batches
        like = partial(torch.empty, rows, self.case.dim, dtype=dtype, device="meta")
        return MarkedStage(
            module,
            stage,
            self.stages.count,
            world.device,
            input_args=like(requires_grad=stage > 0),
            output_args=like(requires_grad=True),
        )

    def _make_schedule(self):
        made = get_schedule_class(SCHEDULES[self.case.schedule].torch_class)
        stages = self.parts[0] if issubclass(made, PipelineScheduleSingle) else self.parts
        return made(stages, self.case.micro_batches, loss_fn=self._loss)

    def _loss(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        loss = nn.functional.mse_loss(output, target)
        self.parts[-1].marks.go_on()
        return loss

    def parameters(self) -> list[nn.Parameter]:
        """Those of this rank."""
        return [parameter for module in self.modules for parameter in module.parameters()]

    def __call__(self) -> None:
        self.compute_gradients()
        self.optimizer.step()

    def compute_gradients(self) -> None:
        """Forward and backward of all micro-batches; the gradients are those of the whole batch."""
        self.optimizer.zero_grad(set_to_none=True)
        self.losses.clear()
        data = () if self.x is None else (self.x,)
        ends = {} if self.target is None else {"target": self.target, "losses": self.losses}
        self.schedule.step(*data, **ends, **self.options)

    @property
    def loss(self) -> float | None:
        """The mean over the batch in the step that ran last; None where another rank has it."""
        return torch.stack(self.losses).mean().item() if self.losses else None

    def gradients(self) -> dict[int, list[torch.Tensor]]:
        """Weight's and bias's gradient of each layer of this rank, on the CPU."""
        return {
            number: [p.grad.detach().cpu() for p in (layer.weight, layer.bias)]
            for module in self.modules
            for number, layer in zip(module.numbers, module.layers, strict=True)
        }

    def listen(self, marks: Marks) -> None:
        """Let `marks` be told what this rank does."""
        for part in self.parts:
            part.marks = marks
