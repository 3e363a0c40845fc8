"""Predicted peak memory of each GPU of a pipeline, from its actions in the order seen.

torch.distributed.pipelining of torch 2.11 keeps, by its source and as H100s showed: a buffer for
each micro-batch that a stage receives, and for each gradient; of a micro-batch in flight the input
of every layer and the stage's output; and the buffers of all losses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from predict.memory.followed import FollowedGpu
from predict.memory.parts import ELEMENT_BYTES, MemoryBreakdown
from predict.orders.action import Action
from study.case import Case
from study.stages import gpu_of_stage, in_first_replica


def predict_pipeline(
    case: Case,
    stage_of_layer: Sequence[int],
    reduction: int,
    orders: Mapping[int, Sequence[Action]],
) -> dict[int, MemoryBreakdown]:
    """Return what each GPU holds at its peak.

    Args:
        case: the configuration.
        stage_of_layer: the stage of each layer.
        reduction: the bytes that the sum over a micro-batch's rows takes for itself.
        orders: the actions of each GPU, in their order.
    """
    layers = [stage_of_layer.count(stage) for stage in range(len(gpu_of_stage(case)))]
    return {
        gpu: _Gpu(case, in_first_replica(case, gpu), layers, reduction).peak_of(actions)
        for gpu, actions in orders.items()
    }


@dataclass
class _Gpu(FollowedGpu):
    """Bytes that one GPU holds as a step goes on, and the most it held.

    With replicas `gpu` is that of the first with the same stages. Gradients are averaged in place.
    """

    gpu: int
    layers: list[int]
    reduction: int

    def __post_init__(self) -> None:
        case = self.case
        element = ELEMENT_BYTES[case.dtype]
        self.of_stage = gpu_of_stage(case)
        self.rows = case.batch_size // case.parts * case.dim * element
        self.layer = (case.dim**2 + case.dim) * element
        self.last = len(self.of_stage) - 1
        self.is_recomputed = case.recompute == "layers"
        mine = [stage for stage, gpu in enumerate(self.of_stage) if gpu == self.gpu]
        self.parameters = self.trained = sum(self.layers[stage] for stage in mine) * self.layer
        ends = (0 in mine) + (self.last in mine)  # the batch, and its target
        received = sum((stage > 0) + (stage < self.last) for stage in mine)
        self.kept = (ends + received) * case.micro_batches * self.rows

    def _forward(self, stage: int, micro_batch: int) -> None:
        """Keep the layers' inputs, the output and the loss.

        The first layer's input is the batch; the output is what a next stage on this GPU has
        received. Where layers are run again, the first keeps what it has received, too.
        """
        inputs = self.layers[stage] - (stage == 0 or self.is_recomputed)
        self._keep_tensors(stage, micro_batch, inputs + (not self._is_here(stage + 1)))
        self._look(activations=self.rows)  # a layer's output before ReLU
        if stage == self.last:
            self.kept += self.rows

    def _backward(self, stage: int, micro_batch: int) -> None:
        """Compute all gradients at once, layer by layer from the last."""
        own = self.rows if stage == self.last else 0  # the output's gradient; others receive it
        for layer in reversed(range(self.layers[stage])):
            new = self._add_gradients(stage)
            # The ReLU's output, where the layer is run again; the model's first layer has none.
            again = self.rows if self.is_recomputed and (stage or layer) else 0
            self._look(activations=own + self.rows + again, temporaries=new + self.reduction)
            self._look(activations=2 * self.rows + again)  # before and after ReLU
            self._keep_tensors(stage, micro_batch, -1)
            own = self.rows
        self._let_go((stage, micro_batch))
        if self.case.schedule == "1f1b" and stage and stage not in self.is_trained:
            self.kept += self.rows  # torch's 1F1B keeps what it sent until it sends the next
        self.is_trained.add(stage)

    def _input_gradient(self, stage: int, micro_batch: int) -> None:
        """Compute gradients of inputs; keep those of outputs for the weights' gradients."""
        if stage == 0:  # no stage needs its input's gradient; it computes all later
            return
        self._look(activations=2 * self.rows)
        self._let_go((stage, micro_batch))
        self._keep_tensors(stage, micro_batch, 2 * self.layers[stage] - self._is_here(stage + 1))
        if not self._is_here(stage - 1):  # else that stage has received it
            self.kept += self.rows  # torch keeps the input's gradient to the end of the step
        self._look()

    def _weight_gradient(self, stage: int, micro_batch: int) -> None:
        if stage == 0:
            if stage == self.last:  # the loss no longer needs the output
                self._keep_tensors(stage, micro_batch, -1)
            self._backward(stage, micro_batch)
            return
        for _ in range(self.layers[stage]):
            new = self._add_gradients(stage)
            self._look(temporaries=2 * new + self.reduction)  # and those of the layer before
        self._let_go((stage, micro_batch))
        self.is_trained.add(stage)

    def _add_gradients(self, stage: int) -> int:
        """Compute a layer's gradients; return their bytes if they are added to earlier ones."""
        if stage in self.is_trained:
            return self.layer
        self.gradients += self.layer
        return 0

    def _is_here(self, stage: int) -> bool:
        return stage <= self.last and self.of_stage[stage] == self.gpu

    def _keep_tensors(self, stage: int, micro_batch: int, count: int) -> None:
        self._keep((stage, micro_batch), count * self.rows)
