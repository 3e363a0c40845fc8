"""One GPU of a pipeline whose linear layers put their weight gradients off, in a store.

Backward is one call, which computes all other gradients; the store keeps what the weight gradients
are made of (mp/weight_gradients.py).
"""

from predict.memory.layers.pipeline_gpu import Gpu


class FusedGpu(Gpu):
    """Bytes that one GPU holds as a step with fused gradients goes on."""

    def _input_gradient(self, stage: int, micro_batch: int) -> None:
        """Compute all gradients but those that are put off; keep what these are made of.

        The first stage, too, goes backward in this action.
        """
        key, numbers = (stage, micro_batch), self._layers(stage)
        self._backward_of_loss(key)
        for number in reversed(numbers):
            layer = self.model.layers[number]
            is_again = stage in self.is_trained
            peak = layer.input_again_peak_bytes if is_again else layer.input_peak_bytes
            rise = (peak or 0) - self._has_received(stage, number) * layer.output_bytes
            new = self._add_gradients(number, but=layer.later_gradient_bytes or 0)
            self._look(activations=rise - new)
            self._keep(key, self._waiting(stage, number))
            self._let_go_of_layer(key, number)
        waiting = sum(self._waiting(stage, number) for number in numbers)
        self._keep(key, waiting - self.in_flight.get(key, 0))
        self.is_trained.add(stage)

    def _weight_gradient(self, stage: int, micro_batch: int) -> None:
        """Add the weight gradients, from the last layer on, and let go of what made them."""
        key = stage, micro_batch
        for number in reversed(self._layers(stage)):
            self._add_gradients(number)
            # That of adding to gradients that are there; a product makes the first in place, too.
            self._look(temporaries=self.model.layers[number].weight_peak_bytes or 0)
            self._keep(key, -self._waiting(stage, number))
        self._let_go(key)

    def _waiting(self, stage: int, number: int) -> int:
        """Return the bytes from which the weight gradients of a layer are made later."""
        layer = self.model.layers[number]
        waits = bool(layer.keeps_output_gradient) and not self._has_received(stage, number)
        # A stage's own input lies in the batch, or in a buffer.
        holds = bool(layer.keeps_input_later) and number != self._layers(stage)[0]
        of_input = self.model.layers[number - 1].output_bytes if holds else 0
        return (layer.deferred_bytes or 0) + waits * layer.output_bytes + of_input
