"""Workloads: the layers, batch and loss that a case trains, and its optimizer.

The kinds of models lie in `mp/families`: ordered layers that each map one tensor, or a tuple of
them, to the like, a batch and a loss.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from mp.activations import Activation, each_part, outputs_of, parts_of
from mp.hardware.gemm import Product
from mp.hardware.logical import BatonTarget, LogicalGPU
from mp.hardware.precision import converted, element_type
from mp.model import LargeLinearModelMP, seed_of_layer
from mp.placement import boundaries, layer_map
from mp.recompute import RunLayer, run_layer, runner_of
from mp.sharing import Sharing
from study.case import Case
from study.errors import CaseError

LEARNING_RATE = 0.01
OPTIMIZERS: dict[str, Any] = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}
Device = torch.device | LogicalGPU
Places = Mapping[int, torch.device]  # the device of each layer that is wanted


class SplitModel(nn.Module):
    """Layers in one process, each moved to its GPU, as in the homework's model.

    Args:
        layers: in order.
        devices: the GPUs.
        gpu_of_layer: the number of each layer's GPU.
        names: of the layers.
        sharing: of the layers; what draws them adds each before it comes.
        run: runs a layer.

    Raises:
        CaseError: layers on different GPUs share a tensor.
    """

    def __init__(
        self,
        layers: Iterable[nn.Module],
        devices: Sequence[Device],
        gpu_of_layer: list[int],
        names: list[str],
        sharing: Sharing,
        run: RunLayer = run_layer,
    ) -> None:
        super().__init__()
        self.run = run
        self.devices, self.gpu_of_layer = devices, gpu_of_layer
        self.layers = nn.ModuleList()
        for layer, gpu in zip(layers, gpu_of_layer, strict=True):
            sharing.check_memory(names)
            for shared in sharing:
                gpus = sorted({gpu_of_layer[place.layer] for place in shared.places})
                if len(gpus) > 1:
                    raise CaseError(
                        f"{shared.in_words(names)} are one tensor, which cannot lie on GPUs "
                        f"{' and '.join(map(str, gpus))}; use a pipeline, or one GPU"
                    )
            self.layers.append(converted(layer, torch.float32, real_device(devices[gpu])))

    def forward(self, x: Activation) -> Activation:
        """Map x of shape (batch, ...) to the last layer's output, on the last GPU."""
        for layer, gpu in zip(self.layers, self.gpu_of_layer, strict=True):
            device = self.devices[gpu]
            x = each_part(x, lambda part: part.to(device))  # noqa: B023 (called here)
            x = self.run(layer, x)
            if isinstance(x, tuple) and isinstance(device, BatonTarget):
                x = each_part(x, device.hold)  # where the next move starts from
        return x


def real_device(device: Device) -> torch.device:
    """Return the device itself, or the one that a logical GPU is on."""
    return device if isinstance(device, torch.device) else device.device


class Workload(ABC):
    """The layers, batch and loss of a case. Every split draws the same on one type of device.

    Attributes:
        item: what a user of the model counts.
        items_per_row: how many of them a row of the batch holds.
        may_draw: whether a layer may draw random numbers as it runs.
        draws_apart: whether a layer can be drawn without the others and on any device; otherwise
            all are drawn on the CPU, by every process.
    """

    item = "sample"
    items_per_row = 1
    may_draw = False
    draws_apart = False

    def __init__(self, case: Case) -> None:
        self.case = case
        self.dtype = element_type(case)

    @property
    def draw_version(self) -> int:
        """The number of this way to draw: another is needed wherever numbers change."""
        return 2 if self.draws_apart else 1

    @abstractmethod
    def small_case(self) -> Case:
        """Return the case with layers so small that they are checked in no time, of equal count."""

    @property
    def notes(self) -> list[str]:
        """Sentences for the report about what was changed to run it."""
        return []

    def names(self) -> list[str]:
        """Return a name for every layer, in order."""
        return [f"layer {number}" for number in range(self.case.layers)]

    @abstractmethod
    def layer(self, number: int) -> nn.Module:
        """Make layer `number` (0 .. layers-1), which maps (rows, ...) to (rows, ...).

        Input and output are a tensor or a tuple of tensors.
        """

    @abstractmethod
    def batch(self, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw input and target, each (rows, ...), on torch's default device."""

    @abstractmethod
    def loss(self, output: Any, target: torch.Tensor) -> torch.Tensor:
        """Return the scalar loss, a mean over the rows."""

    def layers(self) -> Iterator[nn.Module]:
        """Draw all layers in order, in float32, each from its own seed, on the default device.

        Layers that share a parameter have one object for it.
        """
        return map(self.draw_layer, range(self.case.layers))

    def draw_layer(self, number: int) -> nn.Module:
        """Draw layer `number` from its own seed, on torch's default device."""
        torch.manual_seed(seed_of_layer(self.case.seed, number))
        return self.layer(number)

    def draw(self, places: Places, sharing: Sharing) -> Iterator[tuple[int, nn.Module]]:
        """Draw some of the layers in order, in float32, and yield each with its number.

        Layers that are drawn apart lie on their device, and `sharing` is complete at once. Others
        lie on the CPU, and `sharing` has those that were drawn so far; move one before the next is
        drawn.

        Args:
            places: the device of each layer that is wanted.
            sharing: is given the tensors of all layers.
        """
        if not self.draws_apart:
            return self._draw_all(places, sharing)
        with torch.device("meta"):
            for number, layer in enumerate(self.layers()):
                sharing.add(number, layer)
        return self._draw_apart(places)

    def _draw_all(self, places: Places, sharing: Sharing) -> Iterator[tuple[int, nn.Module]]:
        for number, layer in enumerate(self.layers()):
            sharing.add(number, layer)
            if number in places:
                yield number, layer

    def _draw_apart(self, places: Places) -> Iterator[tuple[int, nn.Module]]:
        for number in sorted(places):
            with places[number]:
                layer = self.draw_layer(number)
            yield number, layer

    def draw_model(self, device: torch.device) -> list[nn.Module]:
        """Draw all layers in float32; they lie on this device, or on the CPU."""
        everywhere = dict.fromkeys(range(self.case.layers), device)
        return [layer for _, layer in self.draw(everywhere, Sharing())]

    def draw_batch(self, rows: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw input and target, each (rows, ...), on a device, from the batch's own seed."""
        torch.manual_seed(seed_of_layer(self.case.seed, self.case.layers))
        with device:
            return self.batch(rows)

    @property
    def run_layer(self) -> RunLayer:
        """The function that runs a layer of a step: once, or again in backward."""
        return runner_of(self.case, may_draw=self.may_draw)

    def cast(self, x: torch.Tensor) -> torch.Tensor:
        """Return x in the case's dtype; integers stay integers."""
        return x.to(self.dtype) if x.is_floating_point() else x

    def split_model(self, devices: Sequence[Device]) -> SplitModel | LargeLinearModelMP:
        """Draw the model for one process with all GPUs, in float32."""
        case, sharing = self.case, Sharing()
        gpus = layer_map(case.layers, case.gpus, case.split)
        places = {number: real_device(devices[gpu]) for number, gpu in enumerate(gpus)}
        layers = (layer for _, layer in self.draw(places, sharing))
        return SplitModel(layers, devices, gpus, self.names(), sharing, self.run_layer)

    def activations(self, rows: int) -> list[Activation]:
        """Return tensors without data like each layer's input, then the output: (rows, ...).

        Layers that need data to know the shape of their output run on the CPU.

        Raises:
            CaseError: a layer returns what no split can pass on.
        """
        try:
            return self._outputs(rows, torch.device("meta"))
        except CaseError:
            raise
        except Exception:  # whatever an operation without data raises
            found = self._outputs(rows, torch.device("cpu"))
        return [each_part(x, lambda part: part.to("meta")) for x in found]

    def _outputs(self, rows: int, device: torch.device) -> list[Activation]:
        with device, torch.no_grad():
            layers = (converted(layer, self.dtype) for layer in self.layers())
            return outputs_of(layers, self.cast(self.batch(rows)[0]), self.names())

    def message_bytes(self, gpu_of_layer: list[int], rows: int) -> dict[tuple[int, int], int]:
        """Return the bytes of the largest activation between each pair of GPUs, both ways.

        Its gradient, which goes the other way, is as large.
        """
        activations, sizes = self.activations(rows), dict[tuple[int, int], int]()
        for layer in boundaries(gpu_of_layer):
            source, target = gpu_of_layer[layer - 1], gpu_of_layer[layer]
            size = sum(part.nbytes for part in parts_of(activations[layer]))
            for pair in ((source, target), (target, source)):
                sizes[pair] = max(sizes.get(pair, 0), size)
        return dict(sorted(sizes.items()))

    def products(self) -> list[Product]:
        """Return the matrix products of a layer's forward and backward, where they are known."""
        return []


def make_optimizer(case: Case, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Return the case's optimizer of these parameters."""
    optimizer: torch.optim.Optimizer = OPTIMIZERS[case.optimizer](
        [{"params": list(parameters)}],  # as a group, which may be empty
        lr=LEARNING_RATE,
    )
    if case.execution == "cuda_graph" and case.optimizer == "adam":
        optimizer.param_groups[0]["capturable"] = True  # its step count must live on the GPU
    return optimizer
