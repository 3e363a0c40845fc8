"""A model of the user: a function in a file returns its layers, batch and loss."""

from collections.abc import Iterator, Sized
from copy import deepcopy

import msgspec
import torch
from torch import nn
from torch.utils.weak import WeakIdKeyDictionary

from mp.activations import Activation
from mp.families import probe
from mp.families.contract import Model, model_of
from mp.families.drawing import draw_layers
from mp.families.loading import check_arguments, load_factory
from mp.families.outputs import check_batch, check_loss
from mp.workload import Workload
from study.case import Case

MOST_DEPTH = 100_000  # of a case


def count_layers(case: Case) -> int:
    """Return how many layers the case's function returns, whatever its depth says.

    Raises:
        CaseError: the file or the function is not as it should be.
    """
    build, code = load_factory(case)
    check_arguments(build, case.arguments, code)
    with code.running(seed=case.seed):
        model = model_of(build(**case.arguments), None, code)
    if isinstance(model.layers, Sized):
        return len(model.layers)
    return sum(1 for _ in draw_layers(model, MOST_DEPTH, case.seed, code, is_exact=False))


class Factory(Workload):
    """The model that the case's function returns for its arguments; `depth` counts its layers.

    Attributes:
        code: runs the user's code, and has notes on what that changed.
        model: what the last call returned.
    """

    may_draw = True

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self.build, self.code = load_factory(case)
        check_arguments(self.build, case.arguments, self.code)
        self.model = self._call()
        self.item, self.items_per_row = self.model.unit
        self._is_fresh = True
        self._drawn: list[nn.Module] = []
        self._activations: dict[int, list[Activation]] = {}

    @property
    def notes(self) -> list[str]:
        """Sentences about changes of global state that were undone."""
        return self.code.notes

    def _call(self) -> Model:
        with self.code.running(seed=self.case.seed):
            returned = self.build(**self.case.arguments)
        with self.code.running("what it returns"):
            return model_of(returned, self.case.depth, self.code)

    def small_case(self) -> Case:
        """Return the case of the factory's small model, or itself if that is quick to check.

        Raises:
            CaseError: it is large and has no small one, or the small one breaks the contract.
        """
        small = self.model.small
        if small is None:
            probe.check_size(self, self.code)
            probe.check(self, self.code)
            return self.case
        args = tuple(sorted((self.case.arguments | small).items()))
        case = msgspec.structs.replace(self.case, args=args)
        small_model = Factory(case)
        probe.check(small_model, small_model.code)
        return case

    def names(self) -> list[str]:
        """Return the names that the user gave, else each layer's class and number."""
        known = self.code.layer_names
        if len(known) < self.case.depth:
            for _ in self.layers():
                pass
        return [known[number] for number in range(self.case.depth)]

    def layer(self, number: int) -> nn.Module:
        """Return layer `number`, on torch's default device.

        All are drawn at the first call, on the CPU, and a copy is returned. `layers` is the
        quicker way.
        """
        if not self._drawn:
            with torch.device("cpu"):
                self._drawn = list(self.layers())
        with self.code.running(f"copying {self.code.label(number)}"):
            copy = deepcopy(self._drawn[number])
        return copy.to(torch.get_default_device())

    def layers(self) -> Iterator[nn.Module]:
        """Draw all layers in order, in float32, from the case's seed.

        They are drawn on the CPU and then moved to torch's default device. A parameter that
        several layers share stays one parameter there, on the meta device, too.
        """
        self._drawn = []
        if not self._is_fresh:
            self.model = self._call()
        self._is_fresh = False
        device = torch.get_default_device()
        moved = WeakIdKeyDictionary()
        for layer in draw_layers(self.model, self.case.depth, self.case.seed, self.code):
            yield layer if device.type == "cpu" else _moved(layer, device, moved)

    def batch(self, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw input and target of so many rows, from the case's seed."""
        with self.code.running(f"batch({rows})", self.case.seed + self.case.depth):
            drawn = self.model.batch(rows)
        x, target = check_batch(drawn, rows, self.code)
        device = torch.get_default_device()
        return x.to(device), target.to(device)

    def loss(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the user's loss, which must be one number."""
        return check_loss(self.model.loss(output, target), self.code)

    def activations(self, rows: int) -> list[Activation]:
        """Return tensors without data like each layer's input, then the output.

        The layers run once for each number of rows: thousands of them take a while.
        """
        if rows not in self._activations:
            self._activations[rows] = probe.activations(self, self.code, rows)
        return self._activations[rows]


def _moved(layer: nn.Module, device: torch.device, moved: WeakIdKeyDictionary) -> nn.Module:
    """Move a layer as `layer.to` does, and keep what it shares with other layers or in itself.

    To the meta device, `to` makes a new parameter wherever the old one is used.

    Args:
        layer: of the user.
        device: to move it to.
        moved: by each parameter of the layers before, what it became; those of this one are added.
    """
    before = [
        (module, name, parameter)
        for module in layer.modules()
        for name, parameter in module._parameters.items()
        if parameter is not None
    ]
    layer.to(device)
    for module, name, parameter in before:
        module._parameters[name] = moved.setdefault(parameter, module._parameters[name])
    return layer
