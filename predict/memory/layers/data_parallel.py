"""Predicted peak memory of a GPU under DDP and FSDP, from the layers as measured.

By the source of torch 2.11 to 2.13, and as living tensors of CPU ranks show it.
"""

from dataclasses import dataclass

from predict.memory.layers.kept import buffer_bytes
from predict.memory.layers.naive import Step
from predict.memory.parts import Account, MemoryBreakdown
from study.case import Case
from study.results.layers import ModelProfile
from study.results.sizes import parameter_bytes, trained_bytes
from study.schedules import SCHEDULES


def follow_data_parallel(case: Case, model: ModelProfile) -> list[MemoryBreakdown]:
    """Return what each GPU holds at its peak: all hold the same.

    Args:
        case: the configuration.
        model: its layers, measured with a GPU's part of the batch.
    """
    numbers = range(len(model.layers))
    is_sharded = SCHEDULES[case.schedule].holds_shares
    shares = case.gpus if is_sharded else 1
    held = _share(parameter_bytes(model, numbers), shares)
    trained = _share(trained_bytes(model, numbers), shares)
    account = Account(case, [held], [trained])
    account.change(0, activations=buffer_bytes(model, numbers))
    step = _Sharded(model, account, shares) if is_sharded else _Replicated(case, model, account)
    return step.train(case, [trained]).peaks * case.gpus


def _share(size: int, shares: int) -> int:
    return -(-size // shares)


class _Replicated(Step):
    """A step of DDP, whose gradients are views of buckets that are there from the first step on.

    A gradient is a tensor of its own until it is copied into its bucket, as one that is added to an
    earlier one is.
    """

    def __init__(self, case: Case, model: ModelProfile, account: Account) -> None:
        super().__init__(model, [0] * len(model.layers), account)
        account.change(0, gradients=trained_bytes(model, range(len(model.layers))))
        self.copies_output = case.kind == "factory"  # as DDP looks for unused parameters

    def make_gradients(self, number: int) -> int:
        """Return what a layer's backward takes; a shared parameter's first gradient waits."""
        layer = self.model.layers[number]
        if layer.shares_with is not None:
            self.account.change(0, gradients=layer.shared_bytes)
        return layer.again_peak_bytes - layer.shared_bytes

    def backward(self, number: int) -> None:
        """Compute a layer's gradients; those that waited for it are added to its own."""
        super().backward(number)
        waited = [one.shared_bytes for one in self.model.layers if one.shares_with == number]
        self.account.change(0, gradients=-sum(waited))

    def compute_loss(self, *, is_eager: bool) -> None:
        """Copy the output where DDP does, and go on as without."""
        last = self.model.layers[-1]
        if self.copies_output:
            self.account.look(0, activations=last.output_bytes)
            self.account.change(0, activations=last.keeps_output * last.output_bytes)
        super().compute_loss(is_eager=is_eager)


@dataclass
class _Unit:
    """Layers that FSDP puts together at a time.

    Attributes:
        layers: their numbers.
        size: bytes of their parameters.
        trained: bytes of those that have gradients.
        flat: bytes of the buffer that the shards are gathered into; 0 for one GPU.
        is_asked: whether that buffer is there, ahead of its use in backward.
        gradients: bytes of whole gradients that wait to be reduced.
    """

    layers: list[int]
    size: int
    trained: int
    flat: int
    is_asked: bool = False
    gradients: int = 0


class _Sharded(Step):
    """A step of FSDP, with a unit for each layer, and for layers that share a parameter.

    A unit is gathered into a flat buffer and copied out of it. In forward the buffer lives until
    the next unit is copied out; in backward that of the next unit is filled while this one
    computes. Whole gradients are copied into the input of a reduce-scatter, which lives until the
    next unit has its gradients.
    """

    def __init__(self, model: ModelProfile, account: Account, shares: int) -> None:
        super().__init__(model, [0] * len(model.layers), account)
        self.shares = shares
        self.units = [
            _Unit(
                numbers,
                size := parameter_bytes(model, numbers),
                trained_bytes(model, numbers),
                size if shares > 1 else 0,
            )
            for numbers in _units_of(model)
            if parameter_bytes(model, numbers)
        ]
        self.unit_of = {number: unit for unit in self.units for number in unit.layers}
        self.in_order = sorted(self.units, key=lambda unit: unit.layers[-1])  # as forward ends them
        self.flat = self.reducing = 0  # bytes of a unit before that are still there

    def forward(self, number: int) -> None:
        """Put a unit together for the first of its layers, and let it go behind the last."""
        unit = self.unit_of.get(number)
        if unit is not None and number == unit.layers[0]:
            self._hold(unit.flat)
            self._hold(unit.size - self.flat)
            self.flat = unit.flat
        super().forward(number)
        if unit is not None and number == unit.layers[-1]:
            self._hold(-unit.size)

    def compute_loss(self, *, is_eager: bool) -> None:
        """Let the last flat buffer go, and go on as without FSDP."""
        self._hold(-self.flat)
        super().compute_loss(is_eager=is_eager)

    def backward(self, number: int) -> None:
        """Put a unit together for the last of its layers; reduce its gradients behind the first."""
        unit = self.unit_of.get(number)
        if unit is not None and number == unit.layers[-1]:
            self._gather_again(unit)
        super().backward(number)
        if unit is not None and number == unit.layers[0] and self._has_gradient(number):
            self._reduce(unit)

    def make_gradients(self, number: int) -> int:
        """Note the whole gradients of a layer; return what its backward takes besides."""
        layer, new = self.model.layers[number], self.gradients.add(number)
        if new:
            self.unit_of[number].gradients += new
            self.account.change(0, collectives=new)
        return (layer.backward_peak_bytes if new else layer.again_peak_bytes) - new

    def finish(self) -> None:
        """Reduce the gradients of units whose input has none: torch does so at the end."""
        for unit in self.units:
            if not self._has_gradient(unit.layers[0]):
                self._reduce(unit)
        self._hold(-self.reducing)

    def _gather_again(self, unit: _Unit) -> None:
        """Put a unit together for backward, and ask for the one that comes next."""
        self._hold(0 if unit.is_asked else unit.flat)
        self._hold(unit.size)
        self._hold(-unit.flat)
        if (place := self.in_order.index(unit)) > 0:
            following = self.in_order[place - 1]
            following.is_asked = True
            self._hold(following.flat)

    def _reduce(self, unit: _Unit) -> None:
        """Let a unit go, and reduce its gradients to this GPU's shard of them."""
        self._hold(-unit.size - self.reducing)
        self.reducing = unit.trained
        self._hold(unit.trained)
        self._hold(-unit.gradients)
        self.account.change(0, gradients=_share(unit.trained, self.shares))
        self.account.look(0)

    def _hold(self, size: int) -> None:
        self.account.change(0, collectives=size)
        self.account.look(0)

    def _has_gradient(self, number: int) -> bool:
        """Return whether the input of a layer has a gradient: a layer before it is trained."""
        return trained_bytes(self.model, range(number)) > 0


def _units_of(model: ModelProfile) -> list[list[int]]:
    """Return the layers of each unit: one, or those that share a parameter."""
    unit = list(range(len(model.layers)))
    for number, layer in enumerate(model.layers):
        if layer.shares_with is not None:
            joined = {unit[number], unit[layer.shares_with]}
            unit = [min(joined) if each in joined else each for each in unit]
    return [[n for n, its in enumerate(unit) if its == each] for each in dict.fromkeys(unit)]
