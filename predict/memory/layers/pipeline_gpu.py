"""One GPU of a pipeline, whose actions are followed layer by layer, each with sizes of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from predict.memory.followed import FollowedGpu
from predict.memory.layers.kept import buffer_bytes, keeps_between
from study.results.layers import LayerProfile, ModelProfile
from study.results.sizes import Gradients, parameter_bytes, trained_bytes
from study.stages import gpu_of_stage


@dataclass
class Gpu(FollowedGpu):
    """Bytes that one GPU holds as a step goes on, and the most it held."""

    model: ModelProfile
    stage_of_layer: Sequence[int]
    gpu: int

    def __post_init__(self) -> None:
        self.of_stage = gpu_of_stage(self.case)
        self.last = len(self.of_stage) - 1
        mine = [stage for stage, gpu in enumerate(self.of_stage) if gpu == self.gpu]
        held = [n for stage in mine for n in self._layers(stage)]
        self.parameters = parameter_bytes(self.model, held)
        self.trained = trained_bytes(self.model, held)
        self.made = Gradients(self.model)
        self.kept = buffer_bytes(self.model, held) + self.case.micro_batches * (
            (0 in mine) * self.model.input_bytes
            + (self.last in mine) * self.model.target_bytes
            + sum(self._input(stage) for stage in mine if stage)
            + sum(self._output(stage) for stage in mine if stage < self.last)
        )

    def _forward(self, stage: int, micro_batch: int) -> None:
        """Run the layers, and the loss behind the last; the stage's output is kept."""
        key, numbers = (stage, micro_batch), self._layers(stage)
        for number in numbers:
            layer = self.model.layers[number]
            self._look(activations=layer.forward_peak_bytes)
            self._keep(key, layer.kept_bytes + layer.output_bytes)
            if number != numbers[0] and not keeps_between(self.model, number):
                self._keep(key, -self.model.layers[number - 1].output_bytes)
        if self._is_here(stage + 1):  # which has received it
            self._keep(key, -self._output(stage))
        if stage == self.last:
            self._look(activations=self.model.loss.forward_peak_bytes)
            self._keep(key, self.model.loss.kept_bytes)
            self.kept += self.model.loss.output_bytes

    def _backward(self, stage: int, micro_batch: int) -> None:
        """Compute all gradients at once, layer by layer from the last."""
        key = stage, micro_batch
        self._backward_of_loss(key)
        for number in reversed(self._layers(stage)):
            layer = self.model.layers[number]
            rise = self._backward_rise(layer, stage, is_received=self._has_received(stage, number))
            self._look(activations=rise - self._add_gradients(number))
            self._let_go_of_layer(key, number)
        self._let_go(key)
        if self.case.schedule == "1f1b" and stage and stage not in self.is_trained:
            self.kept += self._input(stage)  # torch's 1F1B keeps what it sent until the next
        self.is_trained.add(stage)

    def _input_gradient(self, stage: int, micro_batch: int) -> None:
        """Compute gradients of inputs; keep what the gradients of the weights need."""
        if stage == 0:  # which computes all later
            return
        key, numbers = (stage, micro_batch), self._layers(stage)
        if stage == self.last:
            self._look(activations=self.model.loss.backward_peak_bytes)
        for number in reversed(numbers):
            layer = self.model.layers[number]
            is_received = self._has_received(stage, number)
            peak = layer.input_peak_bytes or layer.backward_peak_bytes
            self._look(activations=peak - is_received * layer.output_bytes)
            waits = bool(layer.keeps_output_gradient) and not is_received
            # A layer measured alone has its input's gradient among what waits. Here that is the
            # output's gradient of the layer before, or is counted below.
            deferred = max(0, (layer.deferred_bytes or 0) - self._input_of(number))
            self._keep(key, deferred + waits * layer.output_bytes)
        if stage == self.last:
            self._keep(key, -self.model.loss.kept_bytes)
            if not self.model.layers[-1].keeps_output:
                self._keep(key, -self._output(stage))
        if not self._is_here(stage - 1):  # else that stage has received it
            self.kept += self._input(stage)  # torch keeps the input's gradient to the step's end
        self._look()

    def _weight_gradient(self, stage: int, micro_batch: int) -> None:
        """Compute the gradients of the weights, from the first layer on."""
        if stage == 0:
            self._backward(stage, micro_batch)
            return
        before = 0  # what the layer before leaves until this one has its own
        for number in self._layers(stage):
            layer = self.model.layers[number]
            new = self._add_gradients(number)
            peak = layer.weight_peak_bytes or 0
            self._look(temporaries=max(0, peak + before - new))
            before = min(peak, layer.parameter_bytes - layer.frozen_bytes)
        self._let_go((stage, micro_batch))
        self.is_trained.add(stage)

    def _backward_of_loss(self, key: tuple[int, int]) -> None:
        """Compute the gradient of the last stage's output."""
        if key[0] == self.last and self.in_flight.get(key):
            self._look(activations=self.model.loss.backward_peak_bytes)
            self._keep(key, -self.model.loss.kept_bytes)

    def _let_go_of_layer(self, key: tuple[int, int], number: int) -> None:
        """Let go of what a layer kept, and of its input where that is no input of the stage."""
        self._keep(key, -self.model.layers[number].kept_bytes)
        if number != self._layers(key[0])[0] and keeps_between(self.model, number):
            self._keep(key, -self.model.layers[number - 1].output_bytes)

    def _backward_rise(self, layer: LayerProfile, stage: int, *, is_received: bool) -> int:
        """Return what a layer's backward takes beyond what forward kept."""
        if stage in self.is_trained:
            return layer.received_again_peak_bytes if is_received else layer.again_peak_bytes
        return layer.received_backward_peak_bytes if is_received else layer.backward_peak_bytes

    def _add_gradients(self, number: int, but: int = 0) -> int:
        """Add a layer's gradients, if they are its first; return their bytes, else 0.

        Args:
            number: of the layer.
            but: bytes of those that come later.
        """
        new = self.made.add(number, but)
        self.gradients += new
        return new

    @cached_property
    def _of_stage(self) -> list[list[int]]:
        found: list[list[int]] = [[] for _ in self.of_stage]
        for number, stage in enumerate(self.stage_of_layer):
            found[stage].append(number)
        return found

    def _layers(self, stage: int) -> list[int]:
        return self._of_stage[stage]

    def _input(self, stage: int) -> int:
        return self._input_of(self._layers(stage)[0])

    def _input_of(self, number: int) -> int:
        return self.model.layers[number - 1].output_bytes

    def _output(self, stage: int) -> int:
        return self.model.layers[self._layers(stage)[-1]].output_bytes

    def _has_received(self, stage: int, number: int) -> bool:
        """Return whether the gradient of a layer's output lies in a buffer of its stage."""
        return stage < self.last and number == self._layers(stage)[-1]

    def _is_here(self, stage: int) -> bool:
        return stage <= self.last and self.of_stage[stage] == self.gpu
