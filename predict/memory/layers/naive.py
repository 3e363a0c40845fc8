"""Predicted peak memory of each GPU of a naive step, from the layers as measured."""

from predict.memory.layers.kept import buffer_bytes, keeps_between
from predict.memory.parts import OPTIMIZER_TEMPORARIES, Account
from study.case import Case
from study.results.layers import ModelProfile
from study.results.sizes import Gradients, parameter_bytes, trained_bytes


def follow_step(case: Case, model: ModelProfile, gpu_of_layer: list[int]) -> Account:
    """Return the memory of every GPU while forward, backward and optimizer go through the layers.

    Args:
        case: the configuration.
        model: its layers, measured with the whole batch.
        gpu_of_layer: the GPU of each layer.
    """
    on_gpu = [[n for n, at in enumerate(gpu_of_layer) if at == gpu] for gpu in range(case.gpus)]
    sizes = [parameter_bytes(model, layers) for layers in on_gpu]
    trained = [trained_bytes(model, layers) for layers in on_gpu]
    step = Step(model, gpu_of_layer, Account(case, sizes, trained))
    for gpu, layers in enumerate(on_gpu):
        step.account.change(gpu, activations=buffer_bytes(model, layers))
    return step.train(case, trained)


class Step:
    """A step in progress: the account of every GPU, and the rules of what is let go when.

    Args:
        model: its layers as measured.
        gpu_of_layer: the GPU of each layer.
        account: of the GPUs.
    """

    def __init__(self, model: ModelProfile, gpu_of_layer: list[int], account: Account) -> None:
        self.model, self.gpu_of_layer, self.account = model, gpu_of_layer, account
        self.gradients = Gradients(model)

    def train(self, case: Case, trained: list[int]) -> Account:
        """Follow the step, and return the account.

        Args:
            case: the configuration.
            trained: bytes of the parameters that each GPU trains.
        """
        account, model, last = self.account, self.model, self.gpu_of_layer[-1]
        # The loss of the step before lives until the new one is there.
        account.change(self.gpu_of_layer[0], activations=model.input_bytes)
        account.change(last, activations=model.target_bytes + model.loss.output_bytes)
        for number in range(len(model.layers)):
            self.forward(number)
        self.compute_loss(is_eager=case.execution == "eager")
        for number in reversed(range(len(model.layers))):
            self.backward(number)
        self.finish()
        extra = OPTIMIZER_TEMPORARIES[case.optimizer]
        for gpu, size in enumerate(trained):
            account.look(gpu, temporaries=extra * size)
        account.look_at_all(extra * sum(trained))
        return account

    def forward(self, number: int) -> None:
        """Run a layer; then its input goes, unless it is kept, and its output to the next GPU."""
        layer, gpu = self.model.layers[number], self.gpu_of_layer[number]
        self.account.look(gpu, activations=layer.forward_peak_bytes)
        self.account.change(gpu, activations=layer.kept_bytes + layer.output_bytes)
        if number and not self._is_kept(number):
            self.account.change(gpu, activations=-self._input(number))
        if self._leaves(number):
            self.account.change(self.gpu_of_layer[number + 1], activations=layer.output_bytes)
            if not layer.keeps_output:
                self.account.change(gpu, activations=-layer.output_bytes)

    def compute_loss(self, *, is_eager: bool) -> None:
        """Compute the loss and the gradient of the output, which the account then has."""
        loss, last = self.model.loss, self.gpu_of_layer[-1]
        output = self.model.layers[-1].output_bytes
        if is_eager:  # the tensors of a CUDA graph lie elsewhere
            self.account.look(last, activations=loss.forward_peak_bytes)
        is_kept = keeps_between(self.model, len(self.model.layers))
        self.account.change(last, activations=loss.kept_bytes - (not is_kept) * output)
        self.account.look(last, activations=loss.backward_peak_bytes)
        is_let_go = is_kept and not self.model.layers[-1].keeps_output
        self.account.change(last, activations=output - loss.kept_bytes - is_let_go * output)

    def backward(self, number: int) -> None:
        """Compute a layer's gradients; what it kept goes, and its input's gradient goes on."""
        layer, gpu = self.model.layers[number], self.gpu_of_layer[number]
        self.account.change(gpu, activations=-layer.output_bytes)  # the peak has its gradient
        self.account.look(gpu, activations=self.make_gradients(number))
        kept = layer.kept_bytes + layer.keeps_output * layer.output_bytes
        self.account.change(gpu, activations=-kept)
        if number == 0:
            return
        size = self._input(number)
        is_let_go = self._is_kept(number) and (
            self._leaves(number - 1) or not self.model.layers[number - 1].keeps_output
        )
        self.account.change(gpu, activations=-is_let_go * size)
        self.account.change(self.gpu_of_layer[number - 1], activations=size)

    def make_gradients(self, number: int) -> int:
        """Note the gradients of a layer's parameters; return what its backward takes besides."""
        layer, new = self.model.layers[number], self.gradients.add(number)
        self.account.change(self.gpu_of_layer[number], gradients=new)
        return (layer.backward_peak_bytes if new else layer.again_peak_bytes) - new

    def finish(self) -> None:
        """End backward, before the optimizer."""

    def _input(self, number: int) -> int:
        return self.model.layers[number - 1].output_bytes

    def _leaves(self, number: int) -> bool:
        """Return whether a layer's output goes to another GPU."""
        is_last = number + 1 == len(self.gpu_of_layer)
        return not is_last and self.gpu_of_layer[number + 1] != self.gpu_of_layer[number]

    def _is_kept(self, number: int) -> bool:
        """Return whether a layer's input lives on, on its GPU."""
        if self._leaves(number - 1):
            return self.model.layers[number].keeps_input
        return keeps_between(self.model, number)
