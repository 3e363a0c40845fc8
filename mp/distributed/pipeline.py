"""A training step as a pipeline, on the engine of torch.distributed.pipelining."""

import inspect
from typing import Any

import torch
from torch import nn
from torch.distributed.pipelining.schedules import PipelineScheduleSingle, get_schedule_class

from mp.activations import Activation
from mp.distributed.data.replicas import Replicas
from mp.distributed.shared_gradients import SharedGradients
from mp.distributed.stage import ReportingStage, make_stage
from mp.distributed.stages import Stages
from mp.distributed.step_listener import SILENT, StepListener
from mp.distributed.world import World
from mp.engine import Gradients, gradients_of
from mp.hardware.precision import converted
from mp.sharing import Sharing
from mp.workload import Workload, make_optimizer
from study.schedules import IN_TWO_PARTS, SCHEDULES


class PipelineStep:
    """This rank's stages, its optimizer and, on the first and the last, the batch.

    Args:
        workload: what the case trains.
        stages: those of all ranks.
        world: all ranks.

    Attributes:
        x: the input, (batch / replicas, ...), on the rank of a first stage.
        target: (batch / replicas, ...), on the rank of a last stage.
        replicas: the pipelines that share the batch.
        held: the layers of each stage of this rank, by number.
        parts: its stages, which take micro-batches (batch / parts, ...).
        shared: parameters that other ranks have, too.
        losses: of every micro-batch of the step that ran last, on the rank of a last stage.
    """

    def __init__(self, workload: Workload, stages: Stages, world: World) -> None:
        self.case, self.workload, self.stages = workload.case, workload, stages
        self.device = world.device
        mine = stages.on(world.rank)
        self.replicas = Replicas(self.case, world)
        activations = workload.activations(self.case.batch_size // self.case.parts)
        self.held: dict[int, dict[int, nn.Module]] = {stage: {} for stage in mine}
        sharing = Sharing()
        places = {n: world.device for stage in mine for n in stages.layers(stage)}
        for number, layer in workload.draw(places, sharing):
            held = self.held[stages.stage_of_layer[number]]
            held[number] = converted(layer, workload.dtype, world.device)
        self.shared = SharedGradients(sharing, workload.names(), stages, self.layers(), world)
        self.x, self.target = self._draw_ends(is_first=0 in mine, is_last=stages.count - 1 in mine)
        self.parts = [self._make_part(stage, activations, world) for stage in mine]
        self.schedule = self._make_schedule()
        self.optimizer = make_optimizer(self.case, self.parameters())
        self.losses: list[torch.Tensor] = []
        self.listener = SILENT
        # Outputs are of no use here, and putting them together would take time and memory.
        accepts = inspect.signature(self.schedule.step).parameters
        self.options = {"return_outputs": False} if "return_outputs" in accepts else {}
        if self.case.data_parallel > 1:
            torch.manual_seed(self.case.seed + world.rank)  # no two ranks drop the same values

    def _draw_ends(
        self, *, is_first: bool, is_last: bool
    ) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """Draw the input where the first stage is, and the target where the last is."""
        if not is_first and not is_last:
            return None, None
        drawn = self.workload.draw_batch(self.case.batch_size, self.device)
        x, target = (self.replicas.share(part) for part in drawn)
        return (
            self.workload.cast(x) if is_first else None,
            self.workload.cast(target) if is_last else None,
        )

    def _make_part(self, stage: int, activations: list[Activation], world: World) -> ReportingStage:
        numbers = list(self.held[stage])
        ends = activations[numbers[0]], activations[numbers[-1] + 1]
        layers, place = self.held[stage].values(), (stage, self.stages.count)
        fused = self.case.gradients == "fused"
        copies = self.case.schedule in IN_TWO_PARTS and not fused
        made = make_stage(
            layers,
            place,
            world.device,
            *ends,
            copies_views=copies,
            fused=fused,
            run=self.workload.run_layer,
            group=self.replicas.pipeline,
        )
        made.first_micro_batch = self.replicas.number * self.case.micro_batches
        return made

    def _make_schedule(self) -> Any:
        name = SCHEDULES[self.case.schedule].torch_class
        assert name is not None, "a pipeline has one"
        made: Any = get_schedule_class(name)
        stages = self.parts[0] if issubclass(made, PipelineScheduleSingle) else self.parts
        return made(stages, self.case.micro_batches, loss_fn=self._loss, scale_grads=False)

    def _loss(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        loss = self.workload.loss(output, target)
        self.parts[-1].listener.extend()
        return loss

    def parameters(self) -> list[nn.Parameter]:
        """Return the parameters of this rank, each once."""
        return list(dict.fromkeys(p for part in self.parts for p in part.submod.parameters()))

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
        self._scale_gradients()
        self.shared.add_up(self.listener)
        self.replicas.add_up(self.parameters(), self.listener)

    def _scale_gradients(self) -> None:
        """Divide the sums of all parts; torch would divide twice what two stages share."""
        found = [p.grad for p in self.parameters() if p.grad is not None]
        if self.case.parts > 1 and found:
            self.listener.begin("scaling")
            torch._foreach_div_(found, self.case.parts)  # one launch, not one for each
            self.listener.end()

    @property
    def loss(self) -> float | None:
        """The mean over the batch in the step that ran last; None where another rank has it.

        Replicas ask for it together.
        """
        mine = torch.stack(self.losses).mean().item() if self.losses else None
        return self.replicas.mean(mine)

    def gradients(self) -> Gradients:
        """Return the gradients of each layer of this rank, on the CPU."""
        return {number: gradients_of(layer) for number, layer in self.layers().items()}

    def layers(self) -> dict[int, nn.Module]:
        """Return the layers of this rank, by number."""
        return {number: layer for layers in self.held.values() for number, layer in layers.items()}

    def listen(self, listener: StepListener) -> None:
        """Report to this listener from now on."""
        self.listener = listener
        for part in self.parts:
            part.listener = listener
